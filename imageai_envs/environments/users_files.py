"""Bring what a user put into an environment to safety before the environment is replaced or removed.

It is moved beside it, to ``NAME-kept-DATE``, never deleted; an installed file that was edited is copied there. What is
to be moved is written into the directory before that loses its name, so that a command that is killed in between loses
nothing: whoever settles what it left goes on.
"""

from __future__ import annotations

import errno
import filecmp
import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import RECORDS, parse_json, read_text
from imageai_envs.base.paths import METADATA, is_inside
from imageai_envs.environments.environment import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imageai_envs.base.paths import Home

_PLAN = "keep.json"
_SHOWN = 5  # items named in a sentence


@dataclass(frozen=True)
class Kept:
    """What was brought to safety.

    Attributes:
        place: the directory that holds it now.
        items: files and directories, by their paths in the environment.
    """

    place: Path
    items: tuple[str, ...]

    def words(self) -> str:
        """Return it in a sentence."""
        more = f" and {len(self.items) - _SHOWN} more" if len(self.items) > _SHOWN else ""
        return f"kept what was not part of the environment in {self.place}: {', '.join(self.items[:_SHOWN])}{more}"

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        return {"place": str(self.place), "items": list(self.items)}


def kept_beside(root: Path) -> Path:
    """Return a free name beside ``root`` for what is kept of it."""
    base = f"{root.name}-kept-{datetime.now(timezone.utc).date()}"
    place, number = root.with_name(base), 2
    while os.path.lexists(place):
        place, number = root.with_name(f"{base}-{number}"), number + 1
    return place


def plan_keeping(directory: Path, root: Path, home: Home) -> None:
    """Write down in ``directory`` what of it is to be kept beside ``root`` when it goes; nothing if nothing is.

    A plan that is there already is another's, or of a command that did not come to carry it out.

    Raises:
        OSError: it cannot be read or written.
    """
    from imageai_envs.environments.contents import (
        users_contents,  # whoever only settles what is settled needs no RECORDs
    )
    from imageai_envs.installed.known_files import Ledger

    path = directory / METADATA / _PLAN
    if path.is_dir() and not path.is_symlink():
        path.rename(_free(path))  # nobody but a person made it; it is the user's from here on
    contents = users_contents(directory, Ledger(home.known_files))
    path.unlink(missing_ok=True)  # of a command that failed, or that came along with a copy
    if contents:
        plan = {"to": kept_beside(root).name, "move": list(contents.added), "copy": list(contents.edited)}
        write_atomically(path, json.dumps(plan) + "\n")


def carry_out(directory: Path) -> Kept | None:
    """Do what :func:`plan_keeping` wrote into ``directory``; what was done already, before a kill, stays done.

    The plan stays, and goes with the directory: who is killed before the user was told where it all is, is followed by
    one who says it.

    Raises:
        OSError: something cannot be moved or copied; it stays where it is, and so does the plan.
    """
    path = directory / METADATA / _PLAN
    if not os.path.lexists(path):
        return None
    try:
        plan = parse_json(read_text(path, limit=RECORDS))
        name, moved, copied = plan["to"], list(plan["move"]), list(plan["copy"])
        if "/" in name or not all(map(is_inside, (name, *moved, *copied))):
            raise ValueError("it leads elsewhere")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OSError(errno.EIO, "what was to be kept cannot be read", str(path)) from error
    place = directory.with_name(name)
    place = place if place.is_dir() and not place.is_symlink() else _free(place)
    for item in copied:
        _copy(directory / item, place / item)
    for item in moved:
        _move(directory / item, place / item)
    return Kept(place, (*moved, *copied))


def keep(root: Path, *, move: Sequence[str] = (), copy: Sequence[str] = ()) -> Kept | None:
    """Bring single files and directories of an environment that stays to safety; return None if none are named.

    Raises:
        OSError: one cannot be moved or copied.
    """
    if not move and not copy:
        return None
    place = kept_beside(root)
    for item in copy:
        _copy(root / item, place / item)
    for item in move:
        _move(root / item, place / item)
    return Kept(place, (*move, *copy))


def _move(source: Path, target: Path) -> None:
    if os.path.lexists(source):
        target = _free(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)


def _copy(source: Path, target: Path) -> None:
    if not os.path.lexists(source) or _is_copy(source, target):
        return
    if not (source.is_file() or source.is_dir() or source.is_symlink()):
        _move(source, target)  # a pipe, a socket in the place of an installed file: no copies of those
        return
    target = _free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = _free(target.with_name(f".{target.name}.half"))
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, half, symlinks=True)
    else:
        shutil.copy2(source, half, follow_symlinks=False)
    half.rename(target)


def _free(target: Path) -> Path:
    """Return a free name: something may have been put there since the plan was made."""
    free, number = target, 2
    while os.path.lexists(free):
        free, number = target.with_name(f"{target.name}-{number}"), number + 1
    return free


def _is_copy(source: Path, target: Path) -> bool:
    """Tell whether ``source`` was copied to ``target`` before a kill."""
    if source.is_symlink() or target.is_symlink() or not target.is_file():
        return False
    return filecmp.cmp(source, target, shallow=False)
