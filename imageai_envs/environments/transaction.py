"""Replace an environment so that the old one or the new one works, never neither, and nothing of the user's is lost.

A virtual environment cannot be moved once built, so the new one is built at its final path; the old one waits
beside it under :func:`~imageai_envs.environments.ownership.aside`, renamed, not copied. The new one's state file is the
moment of change. Whatever ends the work before it (an error, Ctrl-C, a kill, a full disk), the directory under the
final name is unfinished and the old one still waits: :func:`settle` puts it back, at once or by the next command.

Only what is ours (:mod:`imageai_envs.environments.ownership`) is ever renamed or deleted, and what the user put into it
is moved beside it first (:mod:`imageai_envs.environments.users_files`).
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import shlex
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.errors import BusyError, InstallError, RequestError
from imageai_envs.base.paths import METADATA
from imageai_envs.environments.environment import (
    Condition,
    begin_building,
    condition_of,
    end_building,
    is_building,
    is_finished,
)
from imageai_envs.environments.ownership import (
    LEFTOVER,
    MARKER,
    aside,
    forget,
    forget_gone,
    has_marker,
    is_half_marked,
    mark,
    marker_of,
    name_of,
    owns,
    place_of,
    register,
    unmark,
)
from imageai_envs.environments.users_files import Kept, carry_out, kept_beside, plan_keeping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

    from imageai_envs.base.context import Context
    from imageai_envs.base.paths import Home

_WAIT_QUIETLY = 0.5  # seconds before a waiting command says so


@contextmanager
def locked(root: Path, context: Context, *, wait: bool = True) -> Iterator[None]:
    """Hold the environment at ``root`` against other processes, and settle what a dead one left behind.

    A second process waits and says so.

    Raises:
        BusyError: another process holds it, and ``wait`` is False.
    """
    from filelock import Timeout

    lock = _file_lock(root, context.home)
    try:
        lock.acquire(timeout=_WAIT_QUIETLY)
    except Timeout:
        if not wait:
            raise BusyError(
                f"Another imageai-env is working on {root}.", hint="Run it again without --no-wait to wait for it."
            ) from None
        context.reporter.note(f"another imageai-env is working on {root}; waiting for it")
        lock.acquire()
    try:
        settle(root, context)
        yield
    finally:
        lock.release()


def _file_lock(root: Path, home: Home) -> BaseFileLock:
    from filelock import FileLock

    # Two spellings of one directory are one environment; the name itself is not resolved, it may not exist yet.
    real = root.parent.resolve() / root.name
    home.locks.mkdir(parents=True, exist_ok=True)
    # One object per file and process: a command that holds an environment may call another that takes it again.
    return FileLock(home.locks / f"{hashlib.sha256(str(real).encode()).hexdigest()[:16]}.lock", is_singleton=True)


def is_unsettled(root: Path, context: Context) -> bool:
    """Tell whether a replacement of ``root`` is under way, or was interrupted."""
    home = context.home
    building = is_building(root) and owns(root, home)
    return building or owns(aside(root), home) or bool(_leftovers(root, context))


def _leftovers(root: Path, context: Context) -> list[Path]:
    """Return what a killed command left of ``root``: half deleted, or not yet begun."""
    found = []
    with contextlib.suppress(OSError):
        for entry in root.parent.glob(f".{glob.escape(root.name)}.imageai-env-*"):
            match = LEFTOVER.fullmatch(entry.name)
            if match is None or match["kind"] == "old" or entry in context.later:
                continue
            if owns(entry, context.home) or is_half_marked(entry, context.home):
                found.append(entry)
    return found


def is_held(root: Path, home: Home) -> bool:
    """Tell whether a living process is at work at ``root``."""
    from filelock import Timeout

    lock = _file_lock(root, home)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def recover(root: Path, context: Context) -> bool:
    """Settle what a dead process left at ``root``; return False when a living one is still at work there."""
    from filelock import Timeout

    if not is_unsettled(root, context):
        return True
    lock = _file_lock(root, context.home)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    try:
        settle(root, context)
    finally:
        lock.release()
    return True


def settle(root: Path, context: Context) -> None:
    """Finish or undo an interrupted replacement of ``root``. Must be called under :func:`locked`.

    An environment whose state is there and cannot be read decides nothing: then both stay as they are.
    """
    for rest in _leftovers(root, context):
        if owns(rest, context.home):
            _finish(rest, context)
        else:
            unmark(rest)
    old = aside(root)
    condition = condition_of(root)
    if owns(old, context.home):
        if not os.path.lexists(root):
            old.rename(root)
        elif condition is Condition.FINISHED and owns(root, context.home):
            discard(old, context, of=root)  # the change had happened; only the sweeping was missing
            end_building(root)
        elif condition is Condition.UNFINISHED or not owns(root, context.home):
            discard(root, context)
            old.rename(root)
    elif is_building(root) and owns(root, context.home):
        if condition is Condition.FINISHED:
            end_building(root)
        elif condition is Condition.UNFINISHED:
            discard(root, context)
    forget_gone(root, context.home)
    context.finish()


@dataclass
class Replacement:
    """Side effects of a replacement.

    Attributes:
        kept: what the user had put into the old environment, and where it is now.
    """

    kept: list[Kept] = field(default_factory=list)


@contextmanager
def replacing(root: Path, name: str, context: Context, *, force: bool) -> Iterator[Replacement]:
    """Build a new environment at ``root`` inside the block; undo everything if the block fails.

    The block must end with the state written (see :func:`imageai_envs.environments.environment.write_state`).

    Args:
        root: final path; must be held by :func:`locked`.
        name: the environment's name.
        context: directories, reporter and log of the command.
        force: an environment of ours that is there already may be replaced.

    Raises:
        RequestError: something is there that may not be replaced.
    """
    check_free(root, context.home, force=force)
    old, was_empty = aside(root), False
    if owns(root, context.home):
        if owns(old, context.home):  # beside one whose state could not be read: see settle
            discard(old, context, of=root)
        root.rename(old)
    elif root.is_dir():
        root.rmdir()  # empty, as check_free has seen
        was_empty = True
    replacement = Replacement()
    try:
        _begin(root, name, context.home)
        yield replacement
        if not is_finished(root):
            raise InstallError(f"{root} was not finished.", code="unfinished")
        end_building(root)
    except BaseException:
        if not is_finished(root):
            _undo(root, old, context)
            if was_empty and not os.path.lexists(root):
                root.mkdir()
        raise
    if owns(old, context.home):
        replacement.kept += filter(None, [discard(old, context, of=root)])
    forget_gone(root, context.home)


def _begin(root: Path, name: str, home: Home) -> None:
    """Create ``root`` together with our marker, in one rename: a kill leaves no directory without a marker."""
    id_ = register(name, root, home)
    fresh = root.with_name(f".{root.name}.imageai-env-new-{id_[:8]}")
    try:
        mark(fresh, id_)
        begin_building(fresh)
        fresh.rename(root)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        if not os.path.lexists(fresh) and not os.path.lexists(root):
            forget(id_, root, home)
        raise


def _name_to_delete(root: Path, id_: str | None) -> Path:
    """Return a free name for a directory to delete. The name holds its id, so that it is known without its marker."""
    place = root.with_name(f".{root.name}.imageai-env-rest-{(id_ or os.urandom(4).hex())[:8]}")
    while os.path.lexists(place):
        place = root.with_name(f".{root.name}.imageai-env-rest-{os.urandom(4).hex()}")
    return place


def _undo(root: Path, old: Path, context: Context) -> None:
    """Take the unfinished environment out of the way and bring the old one back."""
    if owns(root, context.home):
        try:
            discard(root, context)
        except OSError:  # no room even for a note of what the user put into it: all of it stays
            place = kept_beside(root)
            root.rename(place)
            context.reporter.warn(f"what was begun is kept as a whole in {place}")
    if owns(old, context.home):
        old.rename(root)
    forget_gone(root, context.home)
    context.finish()


def check_free(root: Path, home: Home, *, force: bool) -> None:
    """Refuse a place that holds something which is not ours to replace.

    Raises:
        RequestError: an environment without ``force``, someone else's directory, or a file.
    """
    check_not_inside(root)
    if owns(root, home):
        condition = condition_of(root)
        if condition is not Condition.UNFINISHED and not force:
            raise RequestError(_IN_THE_WAY[condition].format(root=root), hint=_REPLACE, code="exists")
        return
    if has_marker(root):
        raise not_ours(root)
    if root.is_symlink() or (root.exists() and not (root.is_dir() and not any(root.iterdir()))):
        raise RequestError(
            f"{root} exists and was not made by imageai-env, so it is left alone.",
            hint="Move it away yourself, or choose another place.",
            code="not-ours",
        )


_REPLACE = "Use another name, or replace it: add --force (the old one stays until the new one is proved)."
_IN_THE_WAY = {
    Condition.FINISHED: "There is already an environment at {root}.",
    Condition.UNREADABLE: "There is an environment at {root} whose state is missing or cannot be read.",
    Condition.NEWER: "There is an environment at {root} that was made by a newer version of this tool.",
}


def not_ours(root: Path) -> RequestError:
    """Return the error for an environment with a marker that the store has no record of."""
    return RequestError(
        f"{root} carries the marker of an environment, but this store has no record of it: it came with a clone, an "
        "archive or a copy, or belongs to another user or store. It can be read and run; it is not changed.",
        hint=f"imageai-env adopt {shlex.quote(str(root))}   (makes it yours), or clone it: "
        f"imageai-env clone {shlex.quote(str(root))} NEW",
        code="not-ours",
    )


def check_not_inside(root: Path) -> None:
    """Refuse to replace or remove the working directory or a parent of it: the shell would be in a deleted directory.

    Raises:
        RequestError: the working directory is ``root`` or below it.
    """
    try:
        here = Path.cwd().resolve()
    except OSError:
        return  # it is gone already
    real = root.resolve()
    if here == real or real in here.parents:
        raise RequestError(
            f"You are in {root}, so it is not replaced or removed.",
            hint=f"cd {shlex.quote(str(root.parent))}, then the same command.",
            code="in-use",
        )


def discard(directory: Path, context: Context, *, of: Path | None = None) -> Kept | None:
    """Put a directory of ours out of the way, to be deleted; keep what the user put into it, and say so.

    ``of`` is the environment that it belongs to, if that is not ``directory`` itself. It is gone from its name at once;
    its files go at the end of the context, or with the next command if that is not reached.

    Raises:
        RequestError: it is not ours.
        OSError: it cannot be read or renamed; then nothing has changed.
    """
    if not owns(directory, context.home):
        raise RequestError(f"{directory} is not an environment of this store; it is left alone.", code="not-ours")
    if not marker_of(directory):  # of a version before: half deleted, it must still be known
        mark(directory, register(name_of(directory, context.home) or directory.name, of or directory, context.home))
    plan_keeping(directory, of or directory, context.home)
    # Renamed first: a half-deleted directory must never answer to an environment's name.
    discarded = _name_to_delete(of or directory, marker_of(directory))
    directory.rename(discarded)
    return _finish(discarded, context)


def _finish(discarded: Path, context: Context) -> Kept | None:
    """Keep what is to be kept of a directory that is out of the way, then have it deleted later."""
    try:
        kept = carry_out(discarded)
    except OSError as error:
        context.reporter.warn(
            f"what was not part of the environment cannot be moved out of {discarded} ({error.strerror or error}); "
            "it stays there, and the next command tries again"
        )
        return None
    if kept:
        context.reporter.warn(kept.words())
    context.later[discarded] = partial(_delete, discarded, context.home)
    return kept


def _delete(discarded: Path, home: Home) -> None:
    """Delete a directory, its marker last: what a kill leaves of it is still known to be ours.

    Another process may be at it too; what resists is left to the next command.
    """
    id_ = marker_of(discarded)
    with contextlib.suppress(OSError):
        for entry in (*_entries(discarded, but=METADATA), *_entries(discarded / METADATA, but=MARKER)):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        if not _entries(discarded, but=METADATA) and not _entries(discarded / METADATA, but=MARKER):
            (discarded / METADATA / MARKER).unlink()
            (discarded / METADATA).rmdir()
            discarded.rmdir()
            forget(id_, place_of(discarded), home)


def _entries(directory: Path, but: str) -> list[Path]:
    return [entry for entry in directory.iterdir() if entry.name != but]
