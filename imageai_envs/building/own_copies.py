"""Files that people edit get contents of their own, so that an edit in place stays in its environment.

uv links files from its cache into every environment. ImageAI is what people change, and small: 67 files, 0.7 MB.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.paths import METADATA
from imageai_envs.installed.distributions import distributions_in
from imageai_envs.installed.record_files import place, read_record
from imageai_envs.installed.venv_files import site_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

EDITED = "imageai"  # the distribution


def make_own_copies(root: Path, name: str = EDITED) -> int:
    """Replace the files of a distribution that something else shares by copies of the same mode and times.

    A file is its old self or its copy, also after a kill: the copy is made in the environment's ``.imageai-env`` and
    renamed over it. A RECORD that cannot be read leaves everything as it is.

    Returns:
        The number of files that were copied.

    Raises:
        OSError: a full disk, most likely.
    """
    shared = list(_shared(site_packages(root), name))
    for path in shared:
        copy = root / METADATA / "own.copy"
        copy.unlink(missing_ok=True)
        shutil.copy2(path, copy)
        copy.replace(path)
    return len(shared)


def _shared(site: Path, name: str) -> Iterator[Path]:
    for item in distributions_in(site):
        if item.name != name or item.path.suffix != ".dist-info":
            continue
        try:
            rows = read_record(item.path)
        except (OSError, ValueError):
            continue
        for path, _ in rows:
            where = Path(place(str(site), path))
            try:
                status = where.lstat()
            except (OSError, ValueError):
                continue
            linked = stat.S_ISLNK(status.st_mode) and os.path.isfile(where)  # noqa: PTH113 - UV_LINK_MODE=symlink
            if linked or (stat.S_ISREG(status.st_mode) and status.st_nlink > 1):
                yield where
