"""Hashes of many files at once, and a ledger of those that were hashed before.

An environment has 20,000 files and a gigabyte; uv links most of them from its cache, so that the next environment has
the very same. What was hashed once is known again by device, inode, size and time of modification, as git knows the
files of a work tree. Never by the time of change (ctime): each new link to a file sets it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import stat
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ALGORITHM = "sha256"
ALGORITHMS = hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}  # those have no length of their own
_CHUNK = 1 << 20  # bytes
_MAGIC = b"imageai-env known files, format 1\n"
_KEY = struct.Struct("=QQQQ")  # device, inode, size, nanoseconds of the last modification
_ENTRY = struct.Struct(f"{_KEY.size}s50s")  # 50: "sha256=" and 43 digits
_MOST = 120_000  # entries: 10 MB, read in a twentieth of a second; six environments that share nothing
_WORD = (1 << 64) - 1
# A file that is written twice within one tick of the file system's clock has the same time both times. Ticks are up to
# 10 ms; file systems with whole seconds exist (FAT: two of them).
_TICK, _LONG_TICK = 100_000_000, 2_000_000_000  # nanoseconds


def hash_files(paths: Iterable[str]) -> dict[str, str]:
    """Return the hashes of files as RECORD writes them: ``sha256=`` and urlsafe base64 without padding (PEP 376).

    Links are followed. What is no regular file, or cannot be read, is left out of the answer. Hashing runs in threads:
    hashlib lets other threads work meanwhile.
    """
    return {path: digest for path, _, digest in _hash_all(paths)}


def hash_file(path: str, algorithm: str = ALGORITHM) -> str:
    """Return the hash of one file by any of :data:`ALGORITHMS`; empty for what :func:`hash_files` leaves out."""
    found = _hash(path, algorithm)
    return found[1] if found else ""


class Ledger:
    """Remembers hashes of files between commands, in a directory of its own in the user's cache.

    It never stops the work: damaged, unwritable or on a full disk, it only means hashing again. Written by anybody but
    our own user it is ignored. A file is replaced as a whole, so that neither a kill nor a second process at the same
    time damages it; the second one's additions may get lost.
    """

    def __init__(self, directory: Path) -> None:
        """Use ``directory``, which appears when there is something to remember."""
        self._directory = directory
        self._path = directory / "sha256"

    def hashes(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the hashes of files, as :func:`hash_files` does, and hash only what is not known yet."""
        entries = self._read()
        answer: dict[str, str] = {}
        unknown: list[str] = []
        used: dict[bytes, bytes] = {}
        for path in paths:
            try:
                key = _key(os.stat(path))  # noqa: PTH116 - a hot loop over 20,000 files
            except (OSError, ValueError):
                continue
            value = entries.get(key)
            if value is None:
                unknown.append(path)
            else:
                used[key] = value
                answer[path] = value.decode("ascii", "replace")
        if unknown:
            fresh: dict[bytes, bytes] = {}
            for path, known, digest in _hash_all(unknown):
                answer[path] = digest
                if known:
                    fresh[known] = digest.encode()
            if fresh:
                self._add({**used, **fresh})
        return answer

    def _read(self) -> dict[bytes, bytes]:
        with contextlib.suppress(OSError):
            if not _is_private(os.lstat(self._directory), stat.S_IFDIR):
                return {}
            with _regular(os.fspath(self._path)) as (descriptor, status):
                size = status.st_size - len(_MAGIC)
                if not _is_private(status, stat.S_IFREG) or size % _ENTRY.size or size > _MOST * _ENTRY.size:
                    return {}
                data = b"".join(_chunks(descriptor, status.st_size))
                if data.startswith(_MAGIC) and len(data) == status.st_size:
                    return dict(_ENTRY.iter_unpack(memoryview(data)[len(_MAGIC) :]))
        return {}

    def _add(self, entries: dict[bytes, bytes]) -> None:
        """Write ``entries`` behind what is there now; the ones that were not used for the longest time go first."""
        with contextlib.suppress(OSError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_private(os.lstat(self._directory), stat.S_IFDIR):
                return
            kept = self._read()
            for key in entries:
                kept.pop(key, None)
            kept.update(entries)
            latest = list(kept.items())[-_MOST:]
            new = self._directory / f"sha256.{os.getpid()}.new"
            try:
                descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
                with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor
                    stream.write(_MAGIC + b"".join(_ENTRY.pack(*entry) for entry in latest))
                new.replace(self._path)
            finally:
                new.unlink(missing_ok=True)


def _is_private(status: os.stat_result, kind: int) -> bool:
    """Tell whether only our own user can have written it. On Windows (unproven) the profile's rights decide."""
    if stat.S_IFMT(status.st_mode) != kind:
        return False
    return os.name == "nt" or (status.st_uid == os.geteuid() and not status.st_mode & 0o022)


def _key(status: os.stat_result) -> bytes:
    try:
        return _KEY.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    except struct.error:  # inodes of 128 bits, times before 1970
        numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        return _KEY.pack(*(number & _WORD for number in numbers))


@contextlib.contextmanager
def _regular(path: str) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file and nothing else: a pipe would block, a device may never end.

    Raises:
        OSError: it cannot be opened, or is something else.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is no regular file.")
        yield descriptor, status
    finally:
        os.close(descriptor)


def _chunks(descriptor: int, size: int) -> Iterator[bytes]:
    # A buffer for a megabyte costs more than reading a small file into one that fits.
    length = min(size + 1, _CHUNK)
    while chunk := os.read(descriptor, length):
        yield chunk


def _hash(path: str, algorithm: str) -> tuple[bytes, str] | None:
    """Return the key by which a file may be known again (empty: by none) and its hash."""
    try:
        with _regular(path) as (descriptor, before):
            start = time.time_ns()
            digest = hashlib.new(algorithm, usedforsecurity=False)
            for chunk in _chunks(descriptor, before.st_size):
                digest.update(chunk)
            after = os.fstat(descriptor)
    except (OSError, ValueError):  # ValueError: a path with a null byte
        return None
    tick = _TICK if before.st_mtime_ns % 1_000_000_000 else _LONG_TICK
    settled = _key(before) == _key(after) and before.st_mtime_ns + tick < start
    text = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    return (_key(before) if settled else b""), f"{algorithm}={text}"


def _hash_all(paths: Iterable[str]) -> list[tuple[str, bytes, str]]:
    todo = sorted(((_size(path), path) for path in set(paths)), reverse=True)  # a big one last would leave one thread
    if not todo:
        return []
    queue = iter(todo)

    def work() -> list[tuple[str, bytes, str]]:
        done = []
        for _, path in queue:  # shared: each takes the next one
            found = _hash(path, ALGORITHM)
            if found:
                done.append((path, *found))
        return done

    from concurrent.futures import ThreadPoolExecutor

    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(work) for _ in range(threads)]
        return [item for job in jobs for item in job.result()]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a hot loop
    except (OSError, ValueError):
        return 0
