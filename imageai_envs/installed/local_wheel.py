"""A wheel that is at hand as a file: the runtime hook, which we write, and the pip that virtualenv carries."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class LocalWheel:
    """A wheel to be installed beside a lock.

    Attributes:
        path: the file.
        requirement: the one line of a requirements file that installs it, pinned and hashed.
    """

    path: Path
    requirement: str

    @property
    def page(self) -> str:
        """A page with a link to it, as of an index (PEP 503).

        A directory tells no hashes: uv rather takes the same release from an index whose page it has in its cache, and
        offline it cannot.
        """
        sha256 = self.requirement.rpartition(":")[2]
        return f'<!DOCTYPE html><a href="{self.path.as_uri()}#sha256={sha256}">{self.path.name}</a>\n'


def local_wheel(path: Path, distribution: str, version: str) -> LocalWheel:
    """Return the wheel at ``path``, pinned to its contents.

    Raises:
        OSError: it cannot be read.
    """
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return LocalWheel(path, f"{distribution}=={version} --hash=sha256:{sha256}")
