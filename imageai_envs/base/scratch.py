"""Directories for work in progress: in our cache, each under a lock while it is in use, swept when its owner is gone.

The lock is the operating system's: it ends with the process, however that ends. So what nobody holds was left by a
kill, and who holds one is at work, which ``gc`` asks before it takes caches away. A gate, held for moments, keeps the
making of a directory and its lock apart from the sweeping of those that nobody holds.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

    from imageai_envs.base.paths import Home

ATTENDING = frozenset({"run", "shell"})
"""Kinds whose owners only stay beside the user's program, for days maybe; they work in no cache."""
_NAME = re.compile(r"(?P<name>(?P<kind>[a-z]+)-[0-9a-f]{16})(?P<lock>\.lock)?")
_TO_DELETE = re.compile(r"\.doomed-[0-9a-f]{16}")
_PATIENCE = 5.0  # seconds; the gate is held for milliseconds, unless a process is stopped in it
_LONGEST = 90  # bytes of a path: sockets may be made below it, whose paths end at 104 (macOS) or 108 (unix(7))
_swept: set[Path] = set()  # once per process suffices


@contextlib.contextmanager
def scratch(home: Home, kind: str) -> Iterator[Path]:
    """Yield an empty directory that only its owner may enter; it goes away with the block.

    Where the cache cannot be written, or the path would be too long for sockets, it is in the system's temporary
    directory.

    Args:
        home: whose cache it is in.
        kind: what for, in lower-case letters; a part of its name.
    """
    place = home.cache / "scratch"
    if place not in _swept:
        _swept.add(place)
        sweep_scratch(home)
    lock = _claim(place, kind)
    try:
        if lock and len(os.fsencode(place / kind)) + 17 <= _LONGEST:
            yield _directory(lock)
        else:
            with tempfile.TemporaryDirectory(prefix=f"imageai-env-{kind}-", ignore_cleanup_errors=True) as elsewhere:
                yield Path(elsewhere)
    finally:
        if lock:
            delete_tree(_directory(lock))
            _give_back(lock)


def sweep_scratch(home: Home) -> None:
    """Delete every directory that nobody holds. What resists is left to the next sweep; nothing is raised."""
    place = home.cache / "scratch"
    if not _names(place) and not _to_delete(place):
        return
    with contextlib.suppress(OSError, NotImplementedError), _gate(place):
        for name in _names(place):
            lock = _try(place / f"{name}.lock")
            if lock:
                with contextlib.suppress(OSError):
                    delete_later(place / name, home)
                _give_back(lock)
    for path in _to_delete(place):
        delete_tree(path)


def abandoned(home: Home) -> list[Path]:
    """Return what a sweep would delete. Nothing is changed."""
    place = home.cache / "scratch"
    free = (place / name for name in _names(place) if not is_held(place / f"{name}.lock"))
    return [path for path in free if os.path.lexists(path)] + _to_delete(place)


def at_work(home: Home) -> bool:
    """Tell whether a command is at work in the cache: builds, resolves, installs or proves."""
    place = home.cache / "scratch"
    return any(_kind(name) not in ATTENDING and is_held(place / f"{name}.lock") for name in _names(place))


@contextlib.contextmanager
def nobody_at_work(home: Home) -> Iterator[bool]:
    """Keep other commands from beginning inside the block, for moments; False where one is at work, or none can tell.

    Others wait at the gate; so :func:`to delete` inside, and delete afterwards.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_gate(home.cache / "scratch"))
            alone = not at_work(home)
        except (OSError, NotImplementedError):
            alone = False
        yield alone


def delete_later(path: Path, home: Home) -> None:
    """Put a file or directory of our cache out of the way, for the next sweep to delete.

    Raises:
        OSError: it cannot be renamed.
    """
    path.rename(home.cache / "scratch" / f".doomed-{os.urandom(8).hex()}")


def is_held(path: Path) -> bool:
    """Tell whether a process holds the lock at ``path``, or may: one that cannot be opened counts as held."""
    if not os.path.lexists(path):
        return False
    with held(path) as ours:
        return not ours


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the lock at ``path`` inside the block, without waiting; False where another does, or it cannot be had."""
    lock = _try(path)
    try:
        yield lock is not None
    finally:
        if lock:
            lock.release()


def delete_tree(path: Path) -> None:
    """Delete a file, a link or a directory as far as that can be done; links are never followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _claim(place: Path, kind: str) -> BaseFileLock | None:
    """Make a directory of a new name under a lock; None where that cannot be done here."""
    from filelock import FileLock

    lock = FileLock(place / f"{kind}-{os.urandom(8).hex()}.lock")
    try:
        with _gate(place):
            lock.acquire(timeout=_PATIENCE)
            _directory(lock).mkdir(mode=0o700)
    except (OSError, NotImplementedError):  # filelock: Timeout is an OSError; file systems without locks raise either
        if lock.is_locked:
            _give_back(lock)
        return None
    return lock


def _give_back(lock: BaseFileLock) -> None:
    """Remove a lock that we hold and whose directory is gone: names are never reused, so no process waits for it."""
    with contextlib.suppress(OSError):
        if not os.path.lexists(_directory(lock)):
            Path(lock.lock_file).unlink()
    lock.release()


def _directory(lock: BaseFileLock) -> Path:
    return Path(lock.lock_file).with_suffix("")


def _try(path: Path) -> BaseFileLock | None:
    from filelock import FileLock

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (OSError, NotImplementedError):
        return None
    return lock


def _gate(place: Path) -> contextlib.AbstractContextManager[object]:
    from filelock import FileLock

    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if place.is_symlink():
        raise NotADirectoryError(f"{place} is a link")
    return FileLock(place / ".gate").acquire(timeout=_PATIENCE)


def _names(place: Path) -> list[str]:
    """Return the names of directories and locks; none where ``place`` is missing, or a link to another's place."""
    matches = filter(None, map(_NAME.fullmatch, _listing(place)))
    return sorted({match["name"] for match in matches})


def _to_delete(place: Path) -> list[Path]:
    return [place / name for name in sorted(_listing(place)) if _TO_DELETE.fullmatch(name)]


def _listing(place: Path) -> list[str]:
    try:
        return [] if place.is_symlink() else os.listdir(place)  # noqa: PTH208 - names, without a Path for each
    except OSError:
        return []


def _kind(name: str) -> str:
    return name.partition("-")[0]
