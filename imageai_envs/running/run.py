"""Run a user's command inside an environment, without activating anything.

Unlike :mod:`imageai_envs.base.process`, which runs *our* helpers in a cleaned environment and records them, this
module hands the terminal to someone else's program: nothing is captured, and nothing of the user's is taken
away that does not point at another Python.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.errors import ImageAIEnvError, PythonNotFoundError, RequestError, UsageProblem
from imageai_envs.base.paths import environment_python, home, scripts_directory
from imageai_envs.base.scratch import scratch
from imageai_envs.running.attend import attend, flush, signals_handled, status_of
from imageai_envs.running.python_program import is_python_program
from imageai_envs.running.traceback_file import hooked, read_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# They make a Python act as another one than the one that was started. PYTHONPATH stays on purpose: as with
# `uv run` and `conda run` it is the user's own code, and a program started by hand would see it too.
# VIRTUAL_ENV_PROMPT would name an environment that is active outside.
_MISLEADING = ("PYTHONHOME", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV_PROMPT")


class CommandNotFoundError(ImageAIEnvError):
    """The command is in no directory of the environment's ``PATH`` (exit code 127, as shells have it)."""

    exit_code = 127
    code = "command-not-found"


class CommandNotExecutableError(ImageAIEnvError):
    """The command was found and cannot be started (exit code 126, as shells have it)."""

    exit_code = 126
    code = "command-not-executable"


def path_with_scripts(root: Path, path: str) -> str:
    """Return the search path ``path`` with the environment's scripts in front, and nowhere else.

    Raises:
        RequestError: ``root`` holds the character that separates the entries of a search path.
    """
    scripts = str(scripts_directory(root.absolute()))
    if os.pathsep in scripts:
        raise RequestError(
            f"An environment at {root} cannot be used: PATH cannot name a directory with a {os.pathsep!r}.",
            hint="Create it in a directory without that character.",
            code="bad-path",
        )
    # An empty search path would become a trailing separator, which means the current directory.
    entries = (path or os.defpath).split(os.pathsep)
    return os.pathsep.join([scripts, *(entry for entry in entries if entry != scripts)])


def environment_variables(root: Path) -> dict[str, str]:
    """Return our variables changed as activation would change them, with the user's ``PYTHONPATH`` kept."""
    variables = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    variables["PATH"] = path_with_scripts(root, variables.get("PATH", ""))
    variables["VIRTUAL_ENV"] = str(root.absolute())
    return variables


def outside_variables() -> dict[str, str]:
    """Return our variables as they would be if no environment were active around us."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("_OLD_VIRTUAL_")}
    for key in ("VIRTUAL_ENV_PROMPT", "_OLD_FISH_PROMPT_OVERRIDE", "__PYVENV_LAUNCHER__"):
        variables.pop(key, None)
    active = variables.pop("VIRTUAL_ENV", None)
    if active and "PATH" in variables:
        scripts = str(scripts_directory(Path(active)))
        entries = variables["PATH"].split(os.pathsep)
        variables["PATH"] = os.pathsep.join(entry for entry in entries if entry != scripts)
    return variables


def is_active(root: Path) -> bool:
    """Tell whether the environment at ``root`` is active around us, with its Python found first."""
    current = os.environ.get("VIRTUAL_ENV")
    if not current or Path(current).resolve() != root.resolve():
        return False
    # Another Python in front means that PATH was changed since; activating again is then the way out.
    first = shutil.which("python")
    return first is not None and Path(first).absolute() == environment_python(Path(current).absolute())


def require_python(root: Path) -> None:
    """Make sure that the environment has a Python: without one, ``python`` would silently be the system's.

    Raises:
        PythonNotFoundError: it has none, typically because the Python it was made from was removed.
    """
    if not environment_python(root).exists():
        raise PythonNotFoundError(
            f"The environment at {root} has no working Python: what it was made from may have been removed.",
            hint="imageai-env recreate NAME",
            code="environment-broken",
        )


def run_in(root: Path, argv: Sequence[str]) -> int:
    """Run ``argv`` in the environment at ``root``; its exit code and signals are what our parent sees.

    On POSIX **this does not return**: our process becomes the command (``execve``), so that terminal, job
    control, signals and exit status are the command's own, with nobody in between to translate them. Close
    what must be closed before. Elsewhere the command is a child and its exit code is returned (Windows:
    unproven).

    Args:
        root: directory of the environment.
        argv: program and arguments. The program is looked up on the *environment's* ``PATH``.

    Raises:
        UsageProblem: no command was given.
        PythonNotFoundError: the environment has no working Python.
        CommandNotFoundError: there is no such command.
        CommandNotExecutableError: the command cannot be started.
    """
    program, variables = _prepared(root, argv)
    if os.name == "posix":
        _become(program, argv, variables)
    return status_of(attend(argv, variables, program=program))


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        returncode: its exit status; negative: the signal that ended it.
        traceback: the end of what ended its Python; empty when nothing did, or it was not to be recorded.
    """

    returncode: int
    traceback: bytes = b""

    @property
    def status(self) -> int:
        """Return the exit status as a shell counts it."""
        return status_of(self.returncode)


def run_beside(root: Path, argv: Sequence[str], *, record: bool = True, stdout: int | None = None) -> Ended:
    """Run ``argv`` as a child, its standard streams ours, and return how it ended. Same errors as :func:`run_in`.

    Args:
        root: directory of the environment.
        argv: program and arguments.
        record: have the traceback that ends its Python written into a file too.
        stdout: a descriptor that takes the place of our standard output, for callers whose own must stay theirs.
    """
    program, variables = _prepared(root, argv)
    with contextlib.ExitStack() as stack:
        file = None
        if record:
            with contextlib.suppress(OSError):  # no place for it: the program runs all the same
                file = stack.enter_context(scratch(home(), "run")) / "traceback"
                variables = hooked(variables, file)
        try:
            returncode = attend(argv, variables, program=program, stdout=stdout)
        except OSError as error:
            raise _refusal(program, argv, error) from error
        return Ended(returncode, read_end(file) if file else b"")


def can_be_explained(root: Path, argv: Sequence[str]) -> bool:
    """Tell whether this is a Python program that does not talk to a person. Same errors as :func:`run_in`."""
    return is_python_program(_prepared(root, argv)[0], argv)


def _prepared(root: Path, argv: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the executable to start and the variables to start it with."""
    if not argv:
        raise UsageProblem("No command to run was given.", hint="imageai-env run NAME -- python --version")
    require_python(root)
    variables = environment_variables(root)
    return _find(argv[0], variables["PATH"]), variables


def _find(command: str, path: str) -> str:
    found = shutil.which(command, path=path)
    if found:
        return found
    present = shutil.which(command, mode=os.F_OK, path=path)
    if present:
        raise CommandNotExecutableError(
            f"{present} is not executable.",
            hint=f"chmod +x {shlex.quote(present)}, or name its interpreter first.",
        )
    words = command.split()
    if len(words) > 1:
        hint = f"Give program and arguments as separate words: imageai-env run NAME -- {' '.join(words)}"
    elif os.path.dirname(command):  # noqa: PTH120 - whether a directory was typed; Path() would drop "./"
        hint = "The path is taken from the current directory."
    else:
        hint = f"If it is a Python module: imageai-env run NAME -- python -m {shlex.quote(command)}"
    raise CommandNotFoundError(f"The environment has no command {command!r}, nor has PATH.", hint=hint)


def _become(program: str, argv: Sequence[str], variables: Mapping[str, str]) -> None:
    """Replace our process by the program; returns only by an exception."""
    flush()
    # Python ignores these two, and ignored signals survive execve: without this, `run NAME -- yes | head`
    # would complain about a broken pipe instead of ending.
    python_ignores = {getattr(signal, name): signal.SIG_DFL for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)}
    try:
        with signals_handled(python_ignores):
            os.execve(program, list(argv), dict(variables))  # noqa: S606 - no shell is the point
    except OSError as error:
        raise _refusal(program, argv, error) from error


def _refusal(program: str, argv: Sequence[str], error: OSError) -> CommandNotExecutableError:
    """Say why the system does not start a program that is there."""
    reason, hint = error.strerror or str(error), None
    if error.errno == errno.ENOENT:
        reason = "the interpreter that its first line names does not exist"
        hint = "If the environment was moved: imageai-env recreate NAME"
    elif error.errno == errno.ENOEXEC:
        reason = "it is neither a program for this machine nor a script with a #! line"
        hint = f"imageai-env run NAME -- sh {shlex.join([program, *argv[1:]])}"
    return CommandNotExecutableError(f"Cannot start {program}: {reason}.", hint=hint)
