"""The secrets of this machine's index settings, as patterns that find them wherever they appear.

A token in a path looks like any directory, and half a password that a client took for a host looks like a host. What
is configured is known, so it is found there too, percent-encoded or not.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from imageai_envs.base.addresses import Address, parse
from imageai_envs.base.index_files import netrc_files, pip_files, uv_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

HIDDEN = "****"

_ADDRESSES = re.compile(
    r"(?i)(?:PIP|UV)_(?:\w*_)?(?:INDEX|INDEX_URL|FIND_LINKS|PROXY|MIRROR|URL|LINKS)|(?:https?|all|ftp)_proxy"
)
_PASSWORDS = re.compile(r"(?:PIP|UV)_\w*(?:PASSWORD|TOKEN)")
_USERNAMES = re.compile(r"UV_\w*USERNAME")
_SETTING = re.compile(r"^[ \t]*(?:-*[\w-]+[ \t]*(?:=|:(?!/)))?(?P<value>.*)$", re.MULTILINE)
_LOGIN = re.compile(r"\bpassword\s+(?:\"(?P<quoted>(?:\\.|[^\"\\])*)\"|(?P<bare>\S+))")
_SCHEME = re.compile(r"(?:[\w-]+=)?(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*:/+)?(?P<rest>.*)", re.DOTALL)
_LARGEST = 1_000_000  # bytes of a configuration file; the largest seen have one kB

# Parts of index paths that are no secret.
_ORDINARY = frozenset({
    "api", "artifactory", "basic", "cpu", "data", "dev", "devpi", "dists", "download", "downloads", "ext", "files",
    "gitlab", "groups", "gpu", "index", "internal", "latest", "local", "main", "mirror", "mirrors", "nexus", "org",
    "packages", "package", "pip", "prod", "projects", "project", "proxy", "public", "pypi", "python", "releases",
    "remote", "repo", "repos", "repositories", "repository", "root", "simple", "snapshots", "stable", "staging",
    "stage", "test", "user", "users", "v", "virtual", "web", "wheels", "whl", "wheel", "www", "none", "true", "false",
    "password", "token", "anonymous", "guest", "oauth2accesstoken",
})  # fmt: skip
_VERSION = re.compile(r"(?:v|cu|cp|rocm)?\d{0,6}(?:\.\d+)*")
_SHORTEST = 4  # characters; less is in any text


@cache
def known_secrets() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return what to replace by what: all that is secret in environment variables and files of pip, uv and netrc.

    Read once per process; settings that cannot be read have no secrets that a client could show.
    """
    secrets: set[str] = set()
    paths: dict[str, str] = {}
    for address in _configured_addresses():
        secrets.update(_secrets_of(address))
        paths.update(_paths_of(address))
    secrets.update(_configured_passwords())
    found = {_pattern(secret): HIDDEN for secret in secrets if _is_distinctive(secret)}
    # Longest first: of two secrets one may begin like the other.
    ordered = sorted(found, key=len, reverse=True)
    bare = [(re.compile("|".join(ordered)), HIDDEN)] if ordered else []
    return (
        *((re.compile(f"{re.escape(path)}(?![\\w%])"), shown) for path, shown in sorted(paths.items(), reverse=True)),
        *bare,
    )


def is_ordinary(segment: str) -> bool:
    """Tell whether a part of a path is a word that index addresses are made of, such as ``simple`` or ``cu118``."""
    words = re.split(r"[-_.+~]", segment.lower())
    return all(word in _ORDINARY or _VERSION.fullmatch(word) for word in words)


def _configured_addresses() -> Iterator[Address]:
    texts = [value for name, value in os.environ.items() if _ADDRESSES.fullmatch(name)]
    for path in (*pip_files(), *uv_files()):
        texts += [match["value"] for match in _SETTING.finditer(_read(path))]
    for text in texts:
        for word in _words(text):
            match = _SCHEME.fullmatch(word)
            scheme = (match and match["scheme"]) or ""
            address = parse(scheme, match["rest"]) if match else None
            # A path of this machine is no address.
            if address and not scheme.startswith("file:") and (scheme or address.userinfo is not None):
                yield address


def _words(text: str) -> Iterable[str]:
    """Return what may be addresses: the whole value, since a password may hold a space or a comma, and its parts."""
    whole = text.strip()
    parts = re.split(r"[\s,\"'{}\[\]]+", whole)
    quoted = re.findall(r"\"((?:\\.|[^\"\\])*)\"|'([^']*)'", whole)
    alone = [whole] if whole.count("://") <= 1 and not quoted else []
    return [*alone, *(one or other for one, other in quoted), *parts]


def _configured_passwords() -> Iterator[str]:
    for name, value in os.environ.items():
        if _PASSWORDS.fullmatch(name):
            yield value.strip()
        elif _USERNAMES.fullmatch(name) and _looks_random(value):
            yield value.strip()  # some services take the token as user's name
    for path in netrc_files():
        for login in _LOGIN.finditer(_read(path)):
            yield login["bare"] or re.sub(r"\\(.)", r"\1", login["quoted"] or "")


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as stream:
            return stream.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _secrets_of(address: Address) -> Iterator[str]:
    if address.userinfo:
        user, _, password = address.userinfo.partition(":")
        yield password
        if password in ("", "x-oauth-basic") or _looks_random(user):
            yield user
        pieces = re.split(r"[/?#@\\]", password)
        if len(pieces) > 1:  # a strict parser takes it apart, and complains about a piece
            yield from pieces
            yield f"{user}:{pieces[0]}"
    for part in (address.query, address.fragment):
        for setting in re.split(r"[&;]", part or ""):
            yield setting.partition("=")[2] or setting
    yield from (segment for segment in address.path.split("/") if _looks_random(segment))


def _paths_of(address: Address) -> dict[str, str]:
    """Return the address's path, with its host and without, up to its last secret segment, and how it is shown."""
    segments = address.path.split("/")
    secret = [bool(segment) and not is_ordinary(segment) for segment in segments]
    if True not in secret:
        return {}
    last = len(segments) - secret[::-1].index(True)
    shown = [HIDDEN if hide else segment for segment, hide in zip(segments, secret, strict=True)]
    found = {address.host + "/".join(segments[:last]): address.host + "/".join(shown[:last])}
    if len([segment for segment in segments if segment]) > 1:  # what urllib3 says: "with url: /TOKEN/simple/"
        end = max(last, len("/".join(segments).rstrip("/").split("/")))
        found["/".join(segments[:end])] = "/".join(shown[:end])
    return found


def _looks_random(text: str) -> bool:
    """Tell whether a word is an unlikely name of a directory, host or user."""
    return len(text) >= 8 and not is_ordinary(text) and bool(re.search(r"\d", text) and re.search(r"[A-Za-z]", text))


def _is_distinctive(secret: str) -> bool:
    return len(secret) >= _SHORTEST and not is_ordinary(unquote(secret)) and set(secret) != {"*"}


def _pattern(secret: str) -> str:
    """Return a pattern for a secret however it is written: as it is, percent-encoded (twice), or in JSON's quotes."""
    letters = []
    for letter in unquote(secret):
        if letter.isascii() and letter.isalnum():
            letters.append(letter)
            continue
        encoded = "".join(f"%(?:25)?(?i:{code})" for code in _codes(letter))
        letters.append(rf"(?:\\?{re.escape(letter)}|{encoded})")
    whole = "".join(letters)
    return whole if len(secret) >= 8 else rf"(?<![A-Za-z0-9]){whole}(?![A-Za-z0-9])"


def _codes(letter: str) -> list[str]:
    encoded = quote(letter, safe="")
    return encoded.split("%")[1:] if encoded.startswith("%") else [f"{ord(letter):02X}"]
