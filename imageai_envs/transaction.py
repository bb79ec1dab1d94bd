"""Replace an environment so that the old one or the new one works, never neither.

A virtual environment cannot be moved once built, so the new one is built at its final path; the old one waits
beside it under :func:`aside`, renamed, not copied. The new one's state file is the moment of change. Whatever ends
the work before it (an error, Ctrl-C, a kill, a full disk), the directory under the final name is unfinished and the
old one still waits: :func:`settle` puts it back, at once or by the next command.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imageai_envs.environment import METADATA, is_finished, is_half_marked, is_ours, mark, unmark
from imageai_envs.errors import BusyError, InstallError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import BaseFileLock

    from imageai_envs.paths import Home
    from imageai_envs.progress import Reporter

_BUILDING = "building"  # lies in an environment while it is built
# What stands beside an environment while it is changed, or after a command was killed.
LEFTOVER = re.compile(r"\.(?P<name>.+)\.imageai-env-(?P<kind>old|new|rest)(?:-[0-9a-f]{8})?")
_doomed: list[Path] = []  # out of the way, to be deleted by this process
_WAIT_QUIETLY = 0.5  # seconds before a waiting command says so


def aside(root: Path) -> Path:
    """Return where the old environment waits while ``root`` is rebuilt: a sibling, so that a rename suffices."""
    return root.with_name(f".{root.name}.imageai-env-old")


@contextmanager
def locked(root: Path, home: Home, reporter: Reporter, *, wait: bool = True) -> Iterator[None]:
    """Hold the environment at ``root`` against other processes, and settle what a dead one left behind.

    A second process waits and says so.

    Raises:
        BusyError: another process holds it, and ``wait`` is False.
    """
    from filelock import Timeout

    lock = _file_lock(root, home)
    try:
        lock.acquire(timeout=_WAIT_QUIETLY)
    except Timeout:
        if not wait:
            raise BusyError(
                f"Another imageai-env is working on {root}.", hint="Run it again without --no-wait to wait for it."
            ) from None
        reporter.note(f"another imageai-env is working on {root}; waiting for it")
        lock.acquire()
    try:
        settle(root)
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


def is_unsettled(root: Path) -> bool:
    """Tell whether a replacement of ``root`` is under way, or was broken off."""
    return is_ours(aside(root)) or (is_ours(root) and (root / METADATA / _BUILDING).exists()) or bool(_rests(root))


def _rests(root: Path) -> list[Path]:
    """Return what a killed command left of ``root``: half deleted, or not yet begun."""
    found = []
    with contextlib.suppress(OSError):
        for entry in root.parent.glob(f".{glob.escape(root.name)}.imageai-env-*"):
            match = LEFTOVER.fullmatch(entry.name)
            if match is None or match["kind"] == "old" or entry in _doomed:
                continue
            if is_ours(entry) or (match["kind"] == "new" and is_half_marked(entry)):
                found.append(entry)
    return found


def recover(root: Path, home: Home) -> bool:
    """Settle what a dead process left at ``root``; return False when a living one is still at work there."""
    from filelock import Timeout

    if not is_unsettled(root):
        return True
    lock = _file_lock(root, home)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    try:
        settle(root)
    finally:
        lock.release()
    return True


def settle(root: Path) -> None:
    """Finish or undo an interrupted replacement of ``root``. Must be called under :func:`locked`."""
    for rest in _rests(root):
        if is_ours(rest):
            _sweep(rest)
        else:
            unmark(rest)
    old = aside(root)
    if is_ours(old):
        if is_finished(root):
            delete(old, of=root)  # the change had happened; only the sweeping was missing
            (root / METADATA / _BUILDING).unlink(missing_ok=True)
        else:
            if root.exists():
                delete(root)
            old.rename(root)
    elif is_ours(root) and (root / METADATA / _BUILDING).exists():
        if is_finished(root):
            (root / METADATA / _BUILDING).unlink()
        else:
            delete(root)
    sweep()


@contextmanager
def replacing(root: Path, *, force: bool) -> Iterator[None]:
    """Build a new environment at ``root`` inside the block; undo everything if the block fails.

    The block must end with the state written (see :func:`imageai_envs.environment.write_state`).

    Args:
        root: final path; must be held by :func:`locked`.
        force: an environment of ours that is there already may be replaced.

    Raises:
        RequestError: something is there that may not be replaced.
    """
    check_free(root, force=force)
    old = aside(root)
    if is_ours(root):
        root.rename(old)
    elif root.is_dir():
        root.rmdir()  # empty, as check_free has seen
    try:
        _begin(root)
        yield
        if not is_finished(root):
            raise InstallError(f"{root} was not finished.", code="unfinished")
        (root / METADATA / _BUILDING).unlink(missing_ok=True)
    except BaseException:
        if not is_finished(root):
            _undo(root, old)
        raise
    if is_ours(old):
        delete(old, of=root)


def _begin(root: Path) -> None:
    """Make ``root`` appear with our marker in it: killed before that, nothing is there that nobody may delete."""
    fresh = _beside(root, "new")
    try:
        mark(fresh)
        (fresh / METADATA / _BUILDING).touch()
        fresh.rename(root)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _beside(root: Path, word: str) -> Path:
    """Return a sibling's name that is free; a process id would come again, in containers all the time."""
    return root.with_name(f".{root.name}.imageai-env-{word}-{os.urandom(4).hex()}")


def _undo(root: Path, old: Path) -> None:
    if is_ours(root) or (root.is_dir() and not any(root.iterdir())):
        shutil.rmtree(root, ignore_errors=True)
    if root.exists():  # something in it resists; out of the way with it, the old one goes first
        root.rename(_beside(root, "rest"))
    if is_ours(old):
        old.rename(root)


def check_free(root: Path, *, force: bool) -> None:
    """Refuse a place that holds something which is not ours to replace.

    Raises:
        RequestError: an environment without ``force``, somebody else's directory, or a file.
    """
    if is_ours(root):
        if is_finished(root) and not force:
            raise RequestError(
                f"There is already an environment at {root}.",
                hint="Use another name, or replace it: add --force (the old one stays until the new one is proved).",
                code="exists",
            )
        return
    if root.is_symlink() or (root.exists() and not (root.is_dir() and not any(root.iterdir()))):
        raise RequestError(
            f"{root} exists and was not made by imageai-env, so it is left alone.",
            hint="Move it away yourself, or choose another place.",
            code="not-ours",
        )


def delete(root: Path, *, of: Path | None = None) -> None:
    """Delete a directory of ours; anything without our marker is refused.

    ``of`` is the environment that it belongs to, if that is not ``root`` itself.

    It is gone from its name at once; its files go with :func:`sweep`, or with the next command if that is not reached.

    Raises:
        RequestError: no marker there.
        OSError: it cannot be deleted.
    """
    if not is_ours(root):
        raise RequestError(f"{root} does not carry the marker of imageai-env; it is left alone.", code="not-ours")
    # Renamed first: a half-deleted directory must never answer to an environment's name.
    doomed = _beside(of or root, "rest")
    root.rename(doomed)
    _doomed.append(doomed)


def sweep() -> None:
    """Delete what :func:`delete` put out of the way. Called after the answer was given; 20,000 files take a while."""
    while _doomed:
        _sweep(_doomed.pop())


def _sweep(doomed: Path) -> None:
    """Delete a directory, its marker last: what a kill leaves of it is still known to be ours.

    Another process may be at it too; what resists is left to the next command.
    """
    with contextlib.suppress(OSError):
        for entry in doomed.iterdir():
            if entry.name == METADATA:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        if [entry.name for entry in doomed.iterdir()] == [METADATA]:
            shutil.rmtree(doomed, ignore_errors=True)
