"""What two installations have in common, file by file; and what an installer may leave as its own trace."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

# In every dist-info: who installed, the list that has its hash, and what uv remembers of its cache and builds.
_TRACES = ("INSTALLER", "RECORD", "uv_cache.json", "uv_build.json")
# These name the directory in which they stand, or are written by the installer: they exist in both, with other words.
_OWN_WORDS = ("bin/", "pyvenv.cfg")
# What setuptools takes for a licence (its default license-files).
_LICENCES = ("LICEN", "COPYING", "NOTICE", "AUTHORS")


def files_of(root: Path) -> dict[str, str]:
    """Return the files of an environment, relative path to hash or link target, without compiled modules.

    Our own state, uv's lock of the environment, and the traces of installers are left out; of scripts and the files
    that name their environment only the existence counts.
    """
    found = {}
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in ("__pycache__", ".imageai-env")]
        for name in files:
            path = Path(directory, name)
            relative = path.relative_to(root).as_posix()
            trace = name in _TRACES and path.parent.suffix == ".dist-info"
            if trace or relative == ".lock":
                continue
            found[relative] = "" if relative.startswith(_OWN_WORDS) else _content(path)
    return found


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def differences(one: Path, other: Path, *, built: tuple[str, ...] = ()) -> list[str]:
    """Return the paths that only one environment has, or that differ.

    Args:
        one: an environment.
        other: another one.
        built: names of the distributions that were built from source, perhaps by different setuptools: a compiler
            does not give the same bytes twice, and setuptools decides what METADATA and WHEEL say, and whether
            licences lie in a directory of their own (PEP 639).
    """
    left, right = files_of(one), files_of(other)
    names = [name.replace("-", "_") for name in built]

    def builder_decides(path: str) -> bool:
        if path in left and path in right:
            return any(
                (path.endswith(".so") and f"/site-packages/{name}/" in path)
                or (path.endswith((".dist-info/METADATA", ".dist-info/WHEEL")) and f"/site-packages/{name}-" in path)
                for name in names
            )
        licence = Path(path).name.startswith(_LICENCES) and ".dist-info/" in path
        return licence and any(f"/site-packages/{name}-" in path for name in names)

    return sorted(
        path for path in left.keys() | right.keys() if left.get(path) != right.get(path) and not builder_decides(path)
    )
