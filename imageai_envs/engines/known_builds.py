"""Which distributions uv has built before, so that they can be installed together with the wheels.

What a lock builds from source is built with the lock's own setuptools, which must be installed first: two calls of uv.
Once built, uv takes the wheel from its cache and needs no setuptools: one call does it all, in two thirds of the time.
uv does not tell what its cache holds; so we remember, and who is wrong (the cache was cleared) asks twice after all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.engines.files import InstallFiles
    from imageai_envs.target import Target


class KnownBuilds:
    """Empty files in ``directory``, each named by all that a built wheel depends on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def has(self, files: InstallFiles, target: Target, uv_version: str) -> bool:
        """Tell whether what ``files`` builds from source was built before, by the same uv for the same target."""
        return self._marker(files, target, uv_version).exists()

    def remember(self, files: InstallFiles, target: Target, uv_version: str) -> None:
        """Remember a build; what cannot be remembered is no reason to fail."""
        marker = self._marker(files, target, uv_version)
        with contextlib.suppress(OSError):
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()

    def forget(self, files: InstallFiles, target: Target, uv_version: str) -> None:
        """Forget a build that turned out to be gone."""
        with contextlib.suppress(OSError):
            self._marker(files, target, uv_version).unlink()

    def _marker(self, files: InstallFiles, target: Target, uv_version: str) -> Path:
        pins = files.sources.read_text(encoding="utf-8") if files.sources else ""
        text = "\n".join([str(target), uv_version, os.environ.get("UV_CACHE_DIR", ""), pins])
        return self._directory / hashlib.sha256(text.encode()).hexdigest()[:32]
