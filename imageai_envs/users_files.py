"""Bring what a user put into an environment to safety before the environment is replaced or removed.

It is moved beside it, to ``NAME-kept-DATE``, never deleted; an installed file that was edited is copied there. What is
to be moved is written into the directory before that loses its name, so that a command that is killed in between loses
nothing: whoever settles what it left goes on.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from imageai_envs.environment import write_atomically
from imageai_envs.file_reading import RECORDS, parse_json, read_text
from imageai_envs.paths import METADATA, is_inside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imageai_envs.paths import Home

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
    from imageai_envs.contents import users_contents  # whoever only settles what is settled needs no RECORDs
    from imageai_envs.known_files import Ledger

    plan_file = directory / METADATA / _PLAN
    if os.path.lexists(plan_file):
        _remove(plan_file)
    contents = users_contents(directory, Ledger(home.known_files))
    if contents:
        plan = {"to": kept_beside(root).name, "move": list(contents.added), "copy": list(contents.edited)}
        write_atomically(plan_file, json.dumps(plan) + "\n")


def carry_out(directory: Path) -> Kept | None:
    """Do what :func:`plan_keeping` wrote into ``directory``; what was done already, before a kill, stays done.

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
    for item in copied:
        _copy(directory / item, place / item)
    for item in moved:
        _move(directory / item, place / item)
    path.unlink()
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


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _move(source: Path, target: Path) -> None:
    if os.path.lexists(source):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)


def _copy(source: Path, target: Path) -> None:
    if not os.path.lexists(source) or os.path.lexists(target):
        return
    if not (source.is_file() or source.is_symlink()):
        _move(source, target)  # a directory, a pipe, a socket in the place of an installed file: no copies of those
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.half")
    with contextlib.suppress(FileNotFoundError):
        half.unlink()
    shutil.copy2(source, half, follow_symlinks=False)
    half.rename(target)
