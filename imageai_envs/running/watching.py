r"""Run a user's Python program as a child, so that someone is there afterwards to explain how it failed.

:func:`imageai_envs.running.run.run_in` becomes the command, so that nothing stands between it and its parent. This
module stays, and does it so that neither the program nor our parent can tell:

* The program stays in our process group: Ctrl-C, Ctrl-\ and Ctrl-Z reach it from the terminal. A signal that was sent
  to us alone is passed on. Which of the two it was, a sentinel in the same group tells: it has the signal too, or not.
* A program that a signal ended ends us with the same signal.
* Its standard error goes through a pipe, every byte passed on as it comes; its standard output too where both are one
  file, so that their order stays. Where both are one terminal they stay untouched, and the traceback comes another
  way (:mod:`imageai_envs.running.keeping`). pip writes none; its standard error goes through a pseudo-terminal of that
  size.
* What a program leaves running with its standard error open (a daemon) keeps it: someone goes on passing on.

Only for what gains by it: Python programs that are not interactive (:func:`is_worth_watching`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_head

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

TAIL = 256 * 1024
"""Bytes of standard error that are kept; TensorFlow's longest tracebacks have 20 kB."""

_BLOCK = 64 * 1024
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:t|d)?(?:\.exe)?")
_VALUED = ("-W", "-X", "--check-hash-based-pycs")  # options of python that take a value of their own
# They talk to a person, and some redraw the whole screen.
_INTERACTIVE = frozenset({"IPython", "asyncio", "bpython", "code", "ipython", "ipython3", "pdb", "ptpython", "xonsh"})
# What may be sent to a program to end or to steer it; the terminal's own (SIGTSTP, SIGWINCH) come to the whole group.
_PASSED = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


@dataclass(frozen=True)
class Ended:
    """How a program ended. ``returncode`` is negative for a signal; ``tail`` is the end of its standard error."""

    returncode: int
    tail: bytes

    @property
    def status(self) -> int:
        """Return the exit status as a shell counts it."""
        return self.returncode if self.returncode >= 0 else 128 - self.returncode


def is_worth_watching(program: str, argv: Sequence[str]) -> bool:
    """Tell whether this is a Python program that does not talk to a person.

    Args:
        program: the executable that was found.
        argv: the command as it was given, its name first.
    """
    name = Path(argv[0]).name
    if os.name != "posix" or name in _INTERACTIVE or name.startswith("jupyter") or os.environ.get("PYTHONINSPECT"):
        return False
    if _PYTHON.fullmatch(name):
        return _runs_a_program(argv[1:])
    try:
        # Long paths make pip and uv write `#!/bin/sh` and the Python into the second line.
        head = read_head(Path(program), 1024).splitlines()[:3]
    except OSError:
        return False
    return bool(head) and head[0].startswith(b"#!") and any(b"python" in line for line in head)


def _runs_a_program(words: Sequence[str]) -> bool:
    """Tell whether these arguments of python name something to run; without it, and with -i, it asks a person."""
    left = iter(words)
    for word in left:
        if word in _VALUED:
            next(left, None)
        elif word.startswith("--") or word == "-":
            if word == "-":
                break
        elif word.startswith("-"):
            letters = re.split(r"[cmWX]", word[1:])[0]
            if "i" in letters:
                return False
            option = word[1 + len(letters) : 2 + len(letters)]
            if option == "m":
                module = word[2 + len(letters) :] or next(left, "")
                return module.split(".")[0] not in _INTERACTIVE and not module.startswith("jupyter")
            if option == "c":
                return True
        else:
            return True
    return not _is_terminal(0)


def share_a_file() -> bool:
    """Tell whether our standard output and standard error are one file, pipe or terminal."""
    try:
        return os.path.sameopenfile(1, 2)
    except OSError:
        return False


def share_a_terminal() -> bool:
    """Tell whether our standard output and standard error are one terminal."""
    return _is_terminal(2) and share_a_file()


def writes_no_traceback(argv: Sequence[str]) -> bool:
    """Tell whether this is a Python program that prints its errors itself: pip."""
    return bool(re.fullmatch(r"pip[\d.]*", Path(argv[0]).name)) or list(argv[1:3]) == ["-m", "pip"]


def watch(
    program: str, argv: Sequence[str], variables: Mapping[str, str], *, relay: bool = True, together: bool = False
) -> Ended:
    """Run a program to its end. POSIX only, main thread only.

    Args:
        program: the executable.
        argv: the command, its name first.
        variables: the whole environment.
        relay: pass on what it writes to standard error and keep the end; otherwise that stays the program's own.
        together: pass its standard output on to our standard error too.

    Raises:
        OSError: it cannot be started.
    """
    numbers = [getattr(signal, name) for name in _PASSED if hasattr(signal, name)]
    # What is ignored around us (nohup) is ignored by the program as well.
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    with _sentinel(numbers) as went_to_all, _waking({*numbers, signal.SIGCHLD, signal.SIGWINCH}) as wakened:
        source, target = _channel() if relay else (None, None)
        try:
            child = subprocess.Popen(
                list(argv),
                executable=program,
                env=dict(variables),
                stdout=target if together else None,
                stderr=target,
                close_fds=False,  # what was handed to us (a make jobserver, sockets) is for the program
                preexec_fn=_ends_with_us(os.getpid()),
            )
        except BaseException:
            if source is not None:
                os.close(source)
            raise
        finally:
            if target is not None:
                os.close(target)
        copy = _Relay(source)
        while child.poll() is None:
            ready = select.select([wakened, *copy.sources], [], [])[0]
            for number in _read_numbers(wakened) if wakened in ready else ():
                if number == signal.SIGWINCH:
                    copy.resize()
                elif number != signal.SIGCHLD and not went_to_all(number):
                    with contextlib.suppress(ProcessLookupError):
                        child.send_signal(number)
            if source in ready:
                copy.pass_on()
        copy.drain()
    copy.leave()
    return Ended(child.returncode, bytes(copy.tail))


def end_like(ended: Ended) -> int:
    """Return the exit code of a program that exited; of one that a signal ended, end ourselves by that signal."""
    if ended.returncode >= 0:
        return ended.returncode
    number = -ended.returncode
    if os.name == "posix":
        import resource

        with contextlib.suppress(OSError, ValueError):  # one core file of the program is enough
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()
        with contextlib.suppress(OSError, ValueError):  # SIGKILL has no handler to reset
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return ended.status


class _Relay:
    """Copies a channel to our standard error and keeps its end."""

    def __init__(self, source: int | None) -> None:
        self.sources = [] if source is None else [source]
        self.tail = bytearray()

    def pass_on(self) -> bool:
        """Copy one block; False at the end."""
        try:
            block = os.read(self.sources[0], _BLOCK)
        except OSError as error:
            if error.errno != errno.EIO:  # so a pseudo-terminal says that nobody has it open any more
                raise
            block = b""
        if not block:
            self._close()
            return False
        self.tail += block
        del self.tail[:-TAIL]
        try:
            _write(block)
        except OSError:  # nobody reads our standard error: the program is to notice, as it would without us
            self._close()
            return False
        return True

    def drain(self) -> None:
        """Copy what is there without waiting for more."""
        while self.sources and select.select(self.sources, [], [], 0)[0]:
            self.pass_on()

    def leave(self) -> None:
        """Go; what still has the channel open is served by a process that stays for it."""
        if not self.sources:
            return
        if os.fork() == 0:
            try:
                _let_go(0, 1)
                while self.pass_on():
                    pass
            finally:
                os._exit(0)
        self._close()

    def resize(self) -> None:
        """Give a pseudo-terminal the size of ours."""
        for source in self.sources:
            if os.isatty(source):
                _copy_size(source)

    def _close(self) -> None:
        os.close(self.sources.pop())


def _channel() -> tuple[int, int]:
    """Return what to read from and what to write to: a pseudo-terminal where our standard error is a terminal."""
    if not _is_terminal(2):
        return os.pipe()
    import termios
    import tty

    source, target = os.openpty()
    with contextlib.suppress(OSError, termios.error):
        # Bytes pass as they are: line ends are the business of the terminal behind.
        mode = termios.tcgetattr(target)
        mode[tty.OFLAG] &= ~termios.OPOST
        mode[tty.LFLAG] &= ~termios.ECHO
        termios.tcsetattr(target, termios.TCSANOW, mode)
        _copy_size(source)
    return source, target


def _copy_size(terminal: int) -> None:
    import fcntl
    import termios

    with contextlib.suppress(OSError):
        size = fcntl.ioctl(2, termios.TIOCGWINSZ, b"\0" * 8)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


def _write(block: bytes) -> None:
    view = memoryview(block)
    while view:
        with contextlib.suppress(BlockingIOError):  # someone made it so; it is shared
            select.select([], [2], [])
            view = view[os.write(2, view) :]


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _let_go(*descriptors: int) -> None:
    """Hold nothing open here: a reader of our output must not wait for a process that only stays behind."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor)


def _ends_with_us(parent: int) -> Callable[[], None] | None:
    """Return what makes a child die when we are killed, as it would be if we were it; Linux only."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None

    def ask() -> None:
        prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG, linux/prctl.h
        if os.getppid() != parent:
            os._exit(127)

    return ask


@contextlib.contextmanager
def _waking(numbers: set[signal.Signals]) -> Iterator[int]:
    """Turn signals into bytes to read: their numbers."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = {}
    old = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        for number in numbers:
            before[number] = signal.signal(number, lambda _number, _frame: None)
        yield reading
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(old)
        os.close(reading)
        os.close(writing)


def _read_numbers(descriptor: int) -> tuple[int, ...]:
    try:
        return tuple(os.read(descriptor, _BLOCK))
    except BlockingIOError:
        return ()


@contextlib.contextmanager
def _sentinel(numbers: Sequence[signal.Signals]) -> Iterator[Callable[[int], bool]]:
    """Keep a process in our group that holds back these signals, and yield a function that asks for one.

    It answers True when the sentinel was sent the signal too: then the whole group was, and the program has it.
    """
    from socket import socketpair

    ours, theirs = socketpair()
    process = os.fork()
    if process == 0:
        _be_sentinel(ours, theirs, numbers)
    theirs.close()

    def went_to_all(number: int) -> bool:
        try:
            ours.send(bytes([number]))
            return ours.recv(1) == b"y"
        except OSError:
            return False

    try:
        yield went_to_all
    finally:
        ours.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process, 0)


def _be_sentinel(ours: socket.socket, theirs: socket.socket, numbers: Sequence[signal.Signals]) -> None:
    """Hold the signals back and answer, until whoever asks is gone."""
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        ours.close()
        _let_go(0, 1, 2)
        while question := theirs.recv(1):
            number = signal.Signals(question[0])
            sent = number in signal.sigpending()
            if sent:
                signal.sigwait({number})
            theirs.send(b"y" if sent else b"n")
    finally:
        os._exit(0)
