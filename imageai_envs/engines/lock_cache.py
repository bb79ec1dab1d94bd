"""Locks of the last minutes, so that creating the same environment again does not ask the index again.

PyPI lets clients keep its pages for ten minutes (``Cache-Control: max-age=600``), and so do pip and uv; a resolution
made from such pages is kept for just as long.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from typing import TYPE_CHECKING

from imageai_envs.base.errors import LockFileError
from imageai_envs.engines.index_settings import for_pip, for_uv, pip_setting
from imageai_envs.environments.environment import write_atomically
from imageai_envs.locks.lockfile import Lock, read_lock

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.base.paths import Home

MAX_AGE = 600  # seconds


def cached_lock(inputs: str, engine: str, home: Home) -> Lock | None:
    """Return the lock that ``engine`` made of the same inputs, from the same indexes, within :data:`MAX_AGE`."""
    path = _path(inputs, engine, home)
    try:
        age = time.time() - path.stat().st_mtime
        lock = read_lock(path) if 0 <= age < MAX_AGE else None
    except (OSError, LockFileError):
        return None
    return lock if lock is not None and lock.header.inputs == inputs else None


def cache_lock(lock: Lock, home: Home) -> None:
    """Keep a lock for :func:`recall_lock`; a cache that cannot be written is no reason to fail."""
    path = _path(lock.header.inputs, lock.header.engine, home)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.iterdir():
            if time.time() - old.stat().st_mtime > MAX_AGE:
                old.unlink(missing_ok=True)
        write_atomically(path, lock.render())


def _path(inputs: str, engine: str, home: Home) -> Path:
    """Name the file by all that the answer depends on; of index addresses, only a digest."""
    settings = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))}
    settings |= for_uv() | for_pip() | {"no-index": pip_setting("no-index")}
    text = "\n".join([inputs, engine, *(f"{name}={value}" for name, value in sorted(settings.items()))])
    return home.cache / "locks" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.txt"
