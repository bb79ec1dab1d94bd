"""What this tool leaves behind and can make again; only what no process uses."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.base.logs import WITHOUT_ENVIRONMENT
from imageai_envs.base.scratch import (
    abandoned,
    at_work,
    delete_later,
    delete_tree,
    held,
    is_held,
    nobody_at_work,
    sweep_scratch,
)
from imageai_envs.environments.ownership import LEFTOVER, is_half_marked, known_names, owns
from imageai_envs.environments.transaction import recover
from imageai_envs.installed.disk_use import measure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.base.paths import Home

_CACHES = ("virtualenv", "pip-tools", "locks", "pages", "known-files")
_KEPT_LOGS = 3  # of what was done without an environment, the last ones: someone may be reading why it failed


@dataclass(frozen=True)
class Garbage:
    """Something that may go.

    Attributes:
        kind: ``rest`` of an environment, ``scratch`` (left by a killed command), ``helper``, ``cache`` or ``log``.
        path: file or directory.
        size: bytes that its deletion frees.
    """

    kind: str
    path: Path
    size: int


def find_garbage(home: Home) -> tuple[Garbage, ...]:
    """Return what may go. Nothing is changed.

    While another command is at work in the cache, that is only what killed ones left.

    Raises:
        OSError: a directory cannot be read.
    """
    rests = (entry for entry in _entries(home.environments) if LEFTOVER.fullmatch(entry.name))
    found = [("rest", entry) for entry in rests if owns(entry, home) or is_half_marked(entry, home)]
    found += [("scratch", path) for path in abandoned(home)]
    if not at_work(home):
        directories = (entry for entry in _entries(home.helpers) if entry.is_dir())
        found += [("helper", entry) for entry in directories if not is_held(_helper_lock(entry))]
        found += [("cache", home.cache / name) for name in _CACHES if (home.cache / name).is_dir()]
        found += [("cache", entry) for entry in _entries(home.cache) if entry.name.startswith(".interpreters-")]
        found += [("log", path) for path in _old_logs(home)]
    return tuple(Garbage(kind, path, _size(path)) for kind, path in sorted(found))


def _old_logs(home: Home) -> Iterator[Path]:
    living = _living_names(home)
    for entry in _entries(home.logs):
        if entry.name in living:
            continue
        if entry.name in WITHOUT_ENVIRONMENT:
            yield from sorted(entry.glob("*.log"))[:-_KEPT_LOGS]
        else:
            yield entry


def _living_names(home: Home) -> frozenset[str]:
    """Return the names of all environments, unfinished ones and those outside of the store too."""
    waiting = (LEFTOVER.fullmatch(entry.name) for entry in _entries(home.environments))
    names = {entry.name for entry in _entries(home.environments)} | {match["name"] for match in waiting if match}
    return frozenset({*names, *known_names(home)})


def _entries(directory: Path) -> list[Path]:
    """Return what is in a directory, nothing where there is none; one that cannot be read is not taken for empty."""
    try:
        return list(directory.iterdir())
    except FileNotFoundError:
        return []


def _size(path: Path) -> int:
    return measure(path).unshared if path.is_dir() and not path.is_symlink() else path.lstat().st_size


def _helper_lock(helper: Path) -> Path:
    return helper.with_name(f"{helper.name}.lock")


def collect(items: tuple[Garbage, ...], context: Context) -> tuple[Garbage, ...]:
    """Delete, and return what is gone; what a process has begun to use meanwhile, or what resists, is not.

    Rests of environments go only where they are ours; the rest lies under our own cache and logs.
    """
    for item in items:
        match = LEFTOVER.fullmatch(item.path.name) if item.kind == "rest" else None
        if match:
            recover(item.path.with_name(match["name"]), context)
    with nobody_at_work(context.home) as alone:
        for item in items if alone else ():
            with suppress(OSError):
                _remove(item, context.home)
    sweep_scratch(context.home)
    return tuple(item for item in items if not os.path.lexists(item.path))


def _remove(item: Garbage, home: Home) -> None:
    """Rename an item out of the way before it is deleted: caches are large, and other processes wait for the gate."""
    if item.kind == "helper":
        # Its lock stays: whoever waits for a lock that is gone owns nothing, and would build beside the next.
        with held(_helper_lock(item.path)) as free:
            if free:
                delete_later(item.path, home)
    elif item.kind == "cache":
        delete_later(item.path, home)
    elif item.kind == "log":
        delete_tree(item.path)
