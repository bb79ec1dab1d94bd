"""Run other programs: argv lists, a cleaned environment, a full log, no orphans.

The only module that starts subprocesses for the library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from imageai_envs.base.errors import InstallError
from imageai_envs.base.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

# Variables that make a Python, pip or uv act on another place than the one we name. Seen in the wild: PYTHONPATH
# and PYTHONHOME shadowing environments, PIP_TARGET/PIP_PREFIX/PIP_USER moving installs, UV_PYTHON and
# UV_PROJECT_ENVIRONMENT redirecting uv, PIP_REQUIREMENT/PIP_CONSTRAINT adding requirements silently.
_STRIPPED = frozenset({
    "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "__PYVENV_LAUNCHER__",
    "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONWARNINGS", "PYTHONOPTIMIZE",
    "PYTHONINSPECT", "PYTHONSAFEPATH", "PYTHONPLATLIBDIR", "PYTHONCASEOK",
    "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_REQUIREMENT",
    "PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "PIP_PYTHON", "PIP_NO_DEPS", "PIP_ONLY_BINARY", "PIP_NO_BINARY",
    "PIP_PRE", "PIP_REQUIRE_HASHES", "PIP_DRY_RUN", "PIP_REPORT", "PIP_QUIET", "PIP_VERBOSE", "PIP_LOG",
    "PIP_PROGRESS_BAR", "PIP_EDITABLE", "PIP_BREAK_SYSTEM_PACKAGES", "PIP_PLATFORM", "PIP_PYTHON_VERSION",
    "PIP_IMPLEMENTATION", "PIP_ABI", "PIP_GROUP", "PIP_CONFIG_SETTINGS",
    "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_WORKING_DIR", "UV_CONSTRAINT",
    "UV_OVERRIDE", "UV_EXCLUDE", "UV_BUILD_CONSTRAINT", "UV_PRERELEASE", "UV_RESOLUTION", "UV_REQUIRE_HASHES",
    "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_NO_BUILD", "UV_NO_BUILD_PACKAGE", "UV_NO_BUILD_ISOLATION",
    "UV_BREAK_SYSTEM_PACKAGES", "UV_CUSTOM_COMPILE_COMMAND", "UV_TORCH_BACKEND", "UV_EXCLUDE_NEWER",
    "VIRTUALENV_PYTHON", "VIRTUALENV_SYSTEM_SITE_PACKAGES", "VIRTUALENV_CLEAR", "VIRTUALENV_COPIES",
})  # fmt: skip

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_KILL_AFTER = 5.0  # seconds between the polite and the final signal


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a copy of our environment for child processes, without what would redirect them.

    Index settings (``PIP_INDEX_URL``, ``UV_INDEX_URL``, certificates, proxies) stay: they say where files come
    from, not where they go.
    """
    environment = {key: value for key, value in os.environ.items() if key.upper() not in _STRIPPED}
    environment.update(
        {
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PYTHONUTF8": "1",
            "PYTHONNOUSERSITE": "1",
        }
    )
    if extra:
        environment.update(extra)
    return environment


@dataclass(frozen=True)
class Finished:
    """A program that ran: its exit status (negative: a signal, as :mod:`subprocess` has it) and what it wrote."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Tell whether the program reported success."""
        return self.returncode == 0


@dataclass
class Log:
    """The full record of the subprocesses of one command. Written lazily; credentials are redacted."""

    path: Path
    _broken: bool = field(default=False, repr=False)

    def write(self, text: str) -> None:
        """Append ``text``; a log that cannot be written never stops the work it describes."""
        if self._broken:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8", errors="replace") as stream:
                stream.write(redact(text))
        except OSError:
            self._broken = True


def run(
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Log | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout: float | None = None,
    stdin: str | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Finished:
    """Run a program to its end and return what it wrote.

    Args:
        argv: program and arguments; never a shell line.
        environment: the whole environment; default :func:`clean_environment`.
        cwd: working directory of the child.
        log: where command line and output are recorded.
        on_line: called for every line of either stream, from reader threads, as it arrives.
        timeout: seconds after which the child and its children are killed.
        stdin: text for the child's standard input; default: nothing to read.
        meanwhile: called once, in this thread, when the child runs: work to do until it ends.

    Raises:
        InstallError: the program cannot be started (code ``program-missing``) or took too long (``timeout``).
    """
    words = tuple(str(word) for word in argv)
    if log:
        log.write(f"$ {' '.join(words)}\n")
    try:
        with _interrupts_held() as interrupts:
            child = subprocess.Popen(
                words,
                env=dict(environment) if environment is not None else clean_environment(),
                cwd=cwd,
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                # Its own group, so that an interrupt ends the child's children too (build backends, downloads).
                start_new_session=os.name == "posix",
                preexec_fn=die_with(os.getpid()),
            )
    except OSError as error:
        raise InstallError(f"Cannot start {words[0]}: {error.strerror or error}", code="program-missing") from error
    streams = [stream for stream in (child.stdout, child.stderr) if stream is not None]
    collected: tuple[list[str], list[str]] = ([], [])
    readers = [
        threading.Thread(target=_drain, args=(stream, lines, log, on_line), daemon=True)
        for stream, lines in zip(streams, collected, strict=True)
    ]
    try:
        for reader in readers:
            reader.start()
        _raise(interrupts)
        if stdin is not None and child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(stdin)
            child.stdin.close()
        if meanwhile:
            meanwhile()
        child.wait(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        _end(child)
        raise InstallError(f"{words[0]} did not finish within {timeout:g} s.", code="timeout") from error
    except BaseException:
        _end(child)
        raise
    finally:
        _finish(readers, child)
        for stream in streams:
            stream.close()
    if log:
        log.write(f"[exit {child.returncode}]\n")
    return Finished(words, child.returncode, "".join(collected[0]), "".join(collected[1]))


@contextlib.contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM while a child is started, to be raised when it can be ended.

    Python runs hooks of ``logging`` and ``random`` around a fork and drops an exception that is raised in one, also the
    KeyboardInterrupt of a Ctrl-C of that moment: the command would go on as if nobody had pressed it.
    """
    arrived: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):  # an ignored signal stays ignored, in the child too
                before[number] = handler
                signal.signal(number, lambda number, _frame: arrived.append(number))
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(interrupts: list[int]) -> None:
    for number in interrupts:
        signal.raise_signal(number)


def die_with(parent: int) -> Callable[[], None] | None:
    """Return a ``preexec_fn`` that makes a child die with its parent, also when that is killed.

    An installer that outlives us would go on writing into a directory that the next command has given back to the
    old environment. Linux only: ``prctl(PR_SET_PDEATHSIG)``; elsewhere (unproven) None, and the child ends by itself.

    The signal comes when the *thread* that started the child ends (prctl(2)): start the child in a thread that waits
    for it, as :func:`run` does. Other threads may run meanwhile: the function imports nothing and takes no lock that
    one of them could hold at the fork.

    Args:
        parent: our process id. A child that finds another parent lost its own before it could ask for the signal,
            and kills itself.
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    prctl, getppid, getpid, kill = ctypes.CDLL(None).prctl, os.getppid, os.getpid, os.kill
    number = int(signal.SIGKILL)

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if getppid() != parent:
            kill(getpid(), number)

    return ask


def _drain(stream: IO[str], lines: list[str], log: Log | None, on_line: Callable[[str], None] | None) -> None:
    with contextlib.suppress(ValueError):  # closed under us after a kill
        for line in stream:
            lines.append(line)
            if log:
                log.write(line)
            if on_line:
                on_line(line.rstrip("\r\n"))


def _finish(readers: list[threading.Thread], child: subprocess.Popen[str]) -> None:
    """Wait for the last output; a grandchild that keeps the pipe open after its parent's end is ended too."""
    for reader in readers:
        reader.join(timeout=_KILL_AFTER)
    if os.name == "posix" and any(reader.is_alive() for reader in readers):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        for reader in readers:
            reader.join(timeout=_KILL_AFTER)


def _end(child: subprocess.Popen[str]) -> None:
    """End a child and its group: terminate, wait, kill."""
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if child.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(child.pid, number)
            else:
                child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=_KILL_AFTER)
