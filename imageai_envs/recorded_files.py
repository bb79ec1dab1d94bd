"""Is an installed file the one that its RECORD names (PEP 376, PEP 427)?"""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20  # bytes


def state_of(site: Path, relative: str, expected: str) -> str:
    """Return ``ok``, ``missing`` or ``altered``."""
    path = os.path.join(site, relative)  # noqa: PTH118 - a hot loop over 20,000 files
    algorithm, _, value = expected.partition("=")
    if not value or algorithm not in hashlib.algorithms_available:
        return "ok" if os.path.lexists(path) else "missing"
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - as above
            digest = hashlib.new(algorithm)
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return "missing"
    return "ok" if base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode() == value else "altered"
