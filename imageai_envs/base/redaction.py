"""Keep index credentials out of everything that is shown or stored.

Two ways, since neither suffices: what has the form of a secret in an address, malformed or not, and what is known to
be one because it is configured. Scheme, host and the rest of the path stay, so that people still see what was asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imageai_envs.base.addresses import SCHEME, opens_credentials, parse
from imageai_envs.base.known_secrets import HIDDEN, known_secrets

if TYPE_CHECKING:
    from imageai_envs.base.addresses import Address

_ADDRESS = re.compile(rf"(?P<scheme>{SCHEME})(?P<rest>(?:(?!{SCHEME})[^\s'\"])*)")
# What follows a quote or a space: an unescaped password may go on there.
_MORE = re.compile(r"(?:(?!://)[^\n@]){1,100}@[^\s'\"]*")
# user:password@host, as proxies may be given. The host has a dot or a port, or this is any text with a colon.
_WITHOUT_SCHEME = re.compile(
    r"(?<![\w%+~./@:-])[\w.%+~-]{1,64}:(?![/\\])[^\s'\"]{1,200}@"
    r"(?=(?:[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}|localhost|[\w-]{1,63}(?=:\d))(?![\w@]))"
)
# Of an address whose host is not told, as in "with url: /simple/?token=…".
_SETTING = re.compile(
    r"(?i)(?P<key>[?&#][\w.-]{0,30}(?:token|key|auth|pass|pw|secret|sig|cred|session)[\w.-]{0,30}=)(?!\*{4})[^\s'\"&;#]+"
)
_FILE_FRAGMENTS = ("egg", "subdirectory", "sha256", "sha384", "sha512", "sha224", "sha1", "md5")
_ANCHOR = re.compile(r"[A-Za-z]\w*(?:[-._:]\w+)*")
_FILE = re.compile(r".+\.\w{1,8}")
_RANDOM = re.compile(r"[A-Za-z0-9]{16,}|(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_DIGEST = re.compile(r"[0-9a-f]{60,}")  # files of PyPI lie below one
_CLOSING = ")]>.,:;"


def redact(text: str) -> str:
    """Return ``text`` without the secrets of addresses: each is ``****``."""
    for pattern, shown in known_secrets():
        text = pattern.sub(shown, text)
    if ":/" in text:
        text = _redact_addresses(text)
    if "@" in text:
        text = _WITHOUT_SCHEME.sub(f"{HIDDEN}@", text)
    return _SETTING.sub(rf"\g<key>{HIDDEN}", text) if "=" in text else text


def redact_data(data: object) -> object:
    """Return what JSON can hold of ``data``, with every text in it redacted."""
    if isinstance(data, dict):
        return {redact(str(key)): redact_data(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [redact_data(item) for item in data]
    return data if data is None or isinstance(data, (bool, int, float)) else redact(str(data))


def _redact_addresses(text: str) -> str:
    shown, done = [], 0
    while match := _ADDRESS.search(text, done):
        rest, end = match["rest"], match.end()
        more = _MORE.match(text, end) if _is_cut_off(rest) else None
        if more:
            rest, end = rest + more[0], more.end()
        shown += [text[done : match.start()], match["scheme"], _shown(match["scheme"], rest)]
        done = end
    return "".join([*shown, text[done:]])


def _is_cut_off(rest: str) -> bool:
    return opens_credentials(rest) and "@" not in rest and not rest.endswith(":")


def _shown(scheme: str, rest: str) -> str:
    bare = rest.rstrip(_CLOSING)
    address = parse(scheme, bare)
    before = "" if address.userinfo is None else f"{HIDDEN}@"
    path = address.path if scheme.startswith("file:") else _path(address)
    query = "" if address.query is None else f"?{_settings(address.query, ())}"
    host = address.host.lstrip("@") if before else address.host  # what is left of a password that ends with one
    return f"{before}{host}{path}{query}{_fragment(address)}{rest[len(bare) :]}"


def _path(address: Address) -> str:
    return "/".join(HIDDEN if _is_random(segment) else segment for segment in address.path.split("/"))


def _is_random(segment: str) -> bool:
    """Tell whether a part of a path is no word and no file: sixteen letters and digits, or a UUID."""
    if _FILE.fullmatch(segment) or _DIGEST.fullmatch(segment):
        return False
    return any(re.search(r"\d", found) and re.search(r"[A-Za-z]", found) for found in _RANDOM.findall(segment))


def _fragment(address: Address) -> str:
    fragment = address.fragment
    if fragment is None:
        return ""
    if address.query is None and _ANCHOR.fullmatch(fragment) and not _is_random(fragment):
        return f"#{fragment}"
    return f"#{_settings(fragment, _FILE_FRAGMENTS)}"


def _settings(text: str, kept: tuple[str, ...]) -> str:
    """Return ``a=1&b=2`` with the values hidden, save those of the keys in ``kept``."""
    shown = []
    for setting in text.split("&"):
        key, equals, _ = setting.partition("=")
        if not setting or key in kept:
            shown.append(setting)
        else:
            shown.append(f"{key}={HIDDEN}" if equals and re.fullmatch(r"[\w.-]{1,40}", key) else HIDDEN)
    return "&".join(shown)
