"""Keep index credentials out of everything that is shown or stored."""

from __future__ import annotations

import re

# user:password@ or token@ in any URL (RFC 3986 userinfo); pip writes user:****@, uv too, but not everywhere.
_USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s'\"]+@")


def redact(text: str) -> str:
    """Return ``text`` with the userinfo of every URL replaced by ``****``."""
    return _USERINFO.sub(r"\g<scheme>****@", text)
