r"""Stay beside a program on our own terminal until it ends, and then end as it did.

The program has our standard streams and stays in our process group: Ctrl-C, Ctrl-\ and Ctrl-Z reach it from the
terminal. A signal that was sent to us is passed on. One that was sent to the whole group reaches it twice, unless it
comes from the keyboard.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.process import die_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

_KEYBOARD = ("SIGINT", "SIGQUIT")
_PASSED = (*_KEYBOARD, "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_SHELL_SIGNAL_BASE = 128  # POSIX shells report a program that signal N ended as 128 + N


def attend(
    argv: Sequence[str],
    variables: Mapping[str, str],
    *,
    program: str | None = None,
    stdout: int | None = None,
    is_shell: bool = False,
) -> int:
    """Run a program to its end and return its exit status; negative: the signal that ended it.

    On Linux it is killed when we are.

    Args:
        argv: the command, its name first.
        variables: the whole environment.
        program: the executable; default: the command's name, looked up on our ``PATH``.
        stdout: a descriptor for its standard output; default: ours.
        is_shell: it is an interactive shell: Ctrl-C is its own business, and SIGTERM, which it would ignore, becomes
            SIGHUP. So we come back to clean up after it.

    Raises:
        OSError: it cannot be started.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if signal.Signals(number).name in _KEYBOARD and (is_shell or _keyboard_is_ours()):
            return  # a handler nevertheless: SIG_IGN would be inherited by the program
        if child is None:  # it is just being started, and may run already
            early.append(number)
        else:
            child.send_signal(signal.SIGHUP if is_shell and number == signal.SIGTERM and os.name == "posix" else number)

    numbers = (getattr(signal, name) for name in _PASSED if hasattr(signal, name))
    # What is ignored around us (nohup) is ignored by the program as well.
    handlers = {number: pass_on for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    flush()
    with signals_handled(handlers):
        child = subprocess.Popen(
            list(argv),
            executable=program,
            env=dict(variables),
            stdout=stdout,
            close_fds=False,  # what was handed to us (a make jobserver, sockets) is for the program
            preexec_fn=die_with(os.getpid()),
        )
        for number in early:
            pass_on(number, None)
        return child.wait()


def status_of(returncode: int) -> int:
    """Return the exit status of :func:`attend` as a shell counts it."""
    return returncode if returncode >= 0 else _SHELL_SIGNAL_BASE - returncode


def end_like(returncode: int) -> int:
    """Return the exit code of a program that exited; of one that a signal ended, end ourselves by that signal."""
    if returncode < 0 and os.name == "posix":
        import resource

        with contextlib.suppress(OSError, ValueError):  # one core file of the program is enough
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        flush()
        with contextlib.suppress(OSError, ValueError):  # SIGKILL has no handler to reset
            signal.signal(-returncode, signal.SIG_DFL)
        os.kill(os.getpid(), -returncode)
    return status_of(returncode)


def flush() -> None:
    """Flush our buffers: ``execve`` would lose them, and a child would write before us."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # none, closed, or nobody reads
            stream.flush()


@contextlib.contextmanager
def signals_handled(handlers: Mapping[signal.Signals, signal._HANDLER]) -> Iterator[None]:
    """Set signal handlers for a while. Outside the main thread Python allows none: all stay as they are."""
    before: dict[signal.Signals, signal._HANDLER] = {}
    try:
        with contextlib.suppress(ValueError):
            for number, handler in handlers.items():
                before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: set by C code, which Python cannot put back
                signal.signal(number, handler)


def _keyboard_is_ours() -> bool:
    """Tell whether Ctrl-C is typed to our process group, and so has reached the program already."""
    if os.name != "posix":  # there a console gives it to all
        return True
    with contextlib.suppress(OSError), Path("/dev/tty").open("rb", buffering=0) as terminal:
        return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    return False
