"""How much disk environments really use: a file that is shared by hardlinks counts once.

uv links files from its cache into environments, so that ten TensorFlow environments need hardly more room than one;
adding up what each seems to have is wrong by an order of magnitude.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BLOCK = 512  # st_blocks counts these, whatever the file system's own block is (POSIX stat)


@dataclass(frozen=True)
class Use:
    """Bytes on disk.

    Attributes:
        size: of all files of the directory, each once.
        unshared: of those that no link outside the directory holds: what deleting it gives back.
    """

    size: int
    unshared: int


def measure(root: Path) -> Use:
    """Return what the directory at ``root`` uses. Unreadable parts are passed over."""
    use, _ = _walk(root)
    return use


def measure_together(roots: Iterable[Path]) -> int:
    """Return the bytes that several directories use together, shared files counted once."""
    seen: dict[tuple[int, int], int] = {}
    for root in roots:
        seen |= _walk(root)[1]
    return sum(seen.values())


def _walk(root: Path) -> tuple[Use, dict[tuple[int, int], int]]:
    sizes: dict[tuple[int, int], int] = {}
    here: dict[tuple[int, int], int] = {}
    links: dict[tuple[int, int], int] = {}
    waiting = [os.fspath(root)]
    while (
        waiting
    ):  # not os.walk: on Python 3.10 and 3.11 it does not come back from a thousand directories in each other
        directory = waiting.pop()
        files = []
        with contextlib.suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    files.append(entry.name)
        for name in (".", *files):
            try:
                status = os.lstat(os.path.join(directory, name))  # noqa: PTH118 - a hot loop over 20,000 files
            except OSError:
                continue
            key = (status.st_dev, status.st_ino)
            sizes[key] = getattr(status, "st_blocks", -(-status.st_size // _BLOCK)) * _BLOCK
            here[key] = here.get(key, 0) + 1
            links[key] = 1 if stat.S_ISDIR(status.st_mode) else status.st_nlink
    unshared = sum(size for key, size in sizes.items() if links[key] <= here[key])
    return Use(sum(sizes.values()), unshared), sizes
