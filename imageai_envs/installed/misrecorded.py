"""Wheels that are wrong about themselves: metadata that was changed after RECORD had been written.

PyTorch's wheels on PyPI are repacked under another version: torch 1.12.1 and torchvision 0.13.1 have the hash of their
METADATA as it was before (measured). Installers do not compare: such a file is as it must be, though RECORD denies it.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_record_file

if TYPE_CHECKING:
    from pathlib import Path

_ALGORITHM = "sha256"


def misrecorded_in(site: Path) -> dict[str, str]:
    """Return the METADATA files below ``site`` that RECORD is wrong about, with what it should say (PEP 376).

    To be asked of what an installer has just put there, before anybody could have changed it. Files that cannot be
    read are left to who checks them.
    """
    found = {}
    for record in site.glob("*.dist-info/RECORD"):
        name = f"{record.parent.name}/METADATA"
        try:
            said = _said(read_record_file(record), name)
            true = _hash(site / name)
        except OSError:
            continue
        if said.startswith(f"{_ALGORITHM}=") and said != true:
            found[name] = true
    return found


def _said(record: str, name: str) -> str:
    """Return what RECORD says of a file. Found, not parsed: TensorFlow's RECORD has eight thousand lines."""
    _, _, line = f"\n{record}".partition(f"\n{name},")
    return line.partition(",")[0]


def _hash(path: Path) -> str:
    digest = base64.urlsafe_b64encode(hashlib.new(_ALGORITHM, path.read_bytes()).digest())
    return f"{_ALGORITHM}={digest.rstrip(b'=').decode()}"
