"""The parts of an address, also where it is malformed: the secrets of one are taken apart the same way everywhere.

People paste passwords unescaped: ``https://robot:pa/ss@host/simple/``. A strict parser takes ``robot`` for the host of
that and the rest of the password for a path. Here the rule is: where it may be a secret, it is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Bounded: a name of any length would be tried again from each of its letters.
SCHEME = r"(?:[a-zA-Z][a-zA-Z0-9+.-]{0,20}://|https?:/+)"
_AUTHORITY_END = re.compile(r"[/?#\\]")
_VCS = re.compile(r"(?i)(?:git|hg|svn|bzr)\+")
_PORT = re.compile(r"\d*[.,:;)\]>]*")


@dataclass(frozen=True)
class Address:
    """An address without its scheme.

    Attributes:
        userinfo: all before the ``@`` that ends it; None when there is none.
        host: with its port.
        path: from its slash on, or empty.
        query: without ``?``; None when there is none.
        fragment: without ``#``; None when there is none.
    """

    userinfo: str | None
    host: str
    path: str
    query: str | None
    fragment: str | None


def parse(scheme: str, rest: str) -> Address:
    """Return the parts of ``rest``, which follows ``scheme``."""
    at = _end_of_userinfo(scheme, rest)
    userinfo, rest = (rest[:at], rest[at + 1 :]) if at >= 0 else (None, rest)
    rest, hash_, fragment = rest.partition("#")
    rest, mark, query = rest.partition("?")
    host, slash, path = rest.partition("/")
    return Address(userinfo, host, slash + path, query if mark else None, fragment if hash_ else None)


def opens_credentials(rest: str) -> bool:
    """Tell whether an address begins with ``user:`` and no port: the next ``@``, wherever it is, ends a password."""
    authority = _authority(rest)
    _, colon, port = authority.partition(":")
    return bool(colon) and not authority.startswith("[") and not (port and _PORT.fullmatch(port))


def _end_of_userinfo(scheme: str, rest: str) -> int:
    at = rest.rfind("@")
    if _VCS.match(scheme) and "/" in rest[: max(at, 0)] and "/" not in rest[at:]:
        before = rest.rfind("@", 0, at)  # the last one is in front of a branch or tag
        at = before if before >= 0 else at
    return at if "@" in _authority(rest) or opens_credentials(rest) or _is_bare_name(rest) else -1


def _is_bare_name(rest: str) -> bool:
    """Tell whether an address begins with a word: with an ``@`` further on, rather a token with a slash than a host."""
    host = _authority(rest).partition(":")[0]
    return bool(host) and not host.startswith("[") and "." not in host and host != "localhost"


def _authority(rest: str) -> str:
    return _AUTHORITY_END.split(rest, maxsplit=1)[0]
