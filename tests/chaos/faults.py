"""Faults at every file-system call of this process: errors of the disk, Ctrl-C, and kills.

Python's audit events tell every call before it is made (``sys.addaudithook``; ``os.fsync``, which has none, is
wrapped). A kill is an exception that no code of ours catches, raised again at every further call, so that nothing can
be cleaned up. This tells nothing of a file that is half written when its writer dies, nor of power failures.
"""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("write", "rename", "remove", "mkdir", "rmdir", "sync", "read", "list", "install")
"""``install``: whatever the stand-in for an installer or a creator of environments does, counted alone."""
WHATS = ("ENOSPC", "EACCES", "EIO", "ENOSPC on", "EROFS on", "EIO on", "kill", "kill", "kill before", "interrupt")
"""``on``: from then on, until the command ends. ``kill before``: right after the call before; nothing is said since."""
_EVENTS = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.mkdir": "mkdir",
    "os.rmdir": "rmdir",
    "os.link": "write",
    "os.symlink": "write",
    "os.truncate": "write",
    "os.chmod": "write",
    "os.utime": "write",
    "os.scandir": "list",
    "os.listdir": "list",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# What each error that lasts goes on to refuse.
_LASTING = {
    "ENOSPC": ("write", "mkdir", "sync", "install"),
    "EROFS": ("write", "mkdir", "sync", "install", "rename", "remove", "rmdir"),
    "EIO": KINDS,
}


class Killed(BaseException):
    """The process is dead: nothing of it runs any more."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        kind: at calls of which kind (see :data:`KINDS`).
        at: at which of them, from 0.
        what: see :data:`WHATS`.
    """

    kind: str
    at: int
    what: str


@dataclass
class Disk:
    """The calls below one directory, counted; a fault among them.

    Attributes:
        place: the directory.
        fault: what happens; None: nothing.
        calls: how many of each kind there were.
        output: what the command prints.
        hit: the fault happened.
        spoken: how much was printed before the last call, or before the kill.
    """

    place: Path
    fault: Fault | None
    output: io.StringIO
    calls: Counter[str] = field(default_factory=Counter)
    hit: bool = False
    spoken: int = 0
    installing: bool = False

    def call(self, kind: str, path: str) -> None:
        """Count one call, and let it fail if it is to fail."""
        kind = "install" if self.installing else kind
        at = self.calls[kind]
        self.calls[kind] += 1
        if self.fault is None or self.fault.what != "kill before" or (kind, at) != (self.fault.kind, self.fault.at):
            self.spoken = self.spoken if self.hit else self.output.tell()
        if self.fault is None:
            return
        if not self.hit and (kind, at) == (self.fault.kind, self.fault.at):
            self.hit = True
        elif not self.hit or not self._goes_on(kind):
            return
        if self.fault.what.startswith("kill"):
            raise Killed
        if self.fault.what == "interrupt":
            raise KeyboardInterrupt
        number = getattr(errno, self.fault.what.split()[0])
        raise OSError(number, os.strerror(number), path)

    @property
    def lasts(self) -> bool:
        """Tell whether the fault goes on until the command ends."""
        return self.fault is not None and (self.fault.what.startswith("kill") or self.fault.what.endswith(" on"))

    def _goes_on(self, kind: str) -> bool:
        assert self.fault is not None
        if self.fault.what.startswith("kill"):
            return True
        return self.lasts and kind in _LASTING[self.fault.what.split()[0]]


_disk: Disk | None = None
_hooked = False


def _hook(event: str, args: tuple[object, ...]) -> None:
    """See every audit event of the process; a hook cannot be taken back, so this one mostly does nothing."""
    if _disk is None:
        return
    if event == "open":
        flags = args[2]
        kind = "write" if isinstance(flags, int) and flags & _WRITING else "read"
    elif event in _EVENTS:
        kind = _EVENTS[event]
    else:
        return
    path = args[0]
    if isinstance(path, int) and event == "open":
        return
    text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
    if not text.startswith("/") or text.startswith(str(_disk.place)):  # relative ones: of shutil.rmtree
        _disk.call(kind, text)


def _sync(_descriptor: object) -> None:
    """Stand in for ``os.fsync``: the disk of a test need not survive."""
    if _disk is not None:
        _disk.call("sync", "")


@contextmanager
def disk(place: Path, fault: Fault | None, output: io.StringIO) -> Iterator[Disk]:
    """Let ``fault`` happen below ``place`` inside the block."""
    global _disk, _hooked
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    _disk = Disk(place, fault, output)
    try:
        with patch.object(os, "fsync", _sync):
            yield _disk
    finally:
        _disk = None


@contextmanager
def installing() -> Iterator[None]:
    """Count what happens inside as the doings of an installer."""
    if _disk is None:
        yield
        return
    _disk.installing = True
    try:
        yield
    finally:
        if _disk is not None:
            _disk.installing = False
