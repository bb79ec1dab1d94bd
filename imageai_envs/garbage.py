"""What this tool leaves behind and can make again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.disk_use import measure
from imageai_envs.ownership import LEFTOVER
from imageai_envs.transaction import recover

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.paths import Home
    from imageai_envs.progress import Reporter


@dataclass(frozen=True)
class Garbage:
    """Something that may go.

    Attributes:
        kind: ``rest`` of an environment, ``helper``, ``cache`` or ``log``.
        path: file or directory.
        size: bytes that its deletion frees.
    """

    kind: str
    path: Path
    size: int


def find_garbage(home: Home) -> tuple[Garbage, ...]:
    """Return what may go. Nothing is changed."""
    found: list[tuple[str, Path]] = []
    if home.environments.is_dir():
        found += [("rest", entry) for entry in home.environments.iterdir() if LEFTOVER.fullmatch(entry.name)]
    if home.helpers.is_dir():
        found += [("helper", entry) for entry in home.helpers.iterdir()]
    for name in ("virtualenv", "pip-tools", "locks", "pages"):
        if (home.cache / name).is_dir():
            found.append(("cache", home.cache / name))
    if home.logs.is_dir():
        alive = {entry.name for entry in home.environments.iterdir()} if home.environments.is_dir() else set()
        found += [("log", entry) for entry in home.logs.iterdir() if entry.name not in alive]
    return tuple(Garbage(kind, path, _size(path)) for kind, path in sorted(found))


def _size(path: Path) -> int:
    return measure(path).unshared if path.is_dir() else path.lstat().st_size


def collect(items: tuple[Garbage, ...], home: Home, reporter: Reporter) -> None:
    """Delete. Rests of environments only where they carry our marker; the rest lies under our own cache and logs."""
    for item in items:
        if item.kind == "rest":
            match = LEFTOVER.fullmatch(item.path.name)
            if match:
                recover(item.path.with_name(match["name"]), home, reporter)
        elif item.path.is_dir() and not item.path.is_symlink():
            shutil.rmtree(item.path)
        else:
            item.path.unlink(missing_ok=True)
