"""Make an empty virtual environment with pip in it, for every Python that templates serve.

Three creators. Measured with virtualenv 21 and uv 0.13: virtualenv cannot seed Python 3.7 and 3.8 any more, and what it
and ``uv venv`` leave in a 3.7 environment, ``_virtualenv.pth``, is a SyntaxError at every start; the stdlib's venv of
those Pythons is silent. From 3.9 on, uv makes the same environment as virtualenv in a fifth of the time.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from imageai_envs.base.errors import InstallError
from imageai_envs.base.process import Finished, Log, clean_environment, run
from imageai_envs.base.redaction import redact
from imageai_envs.base.scratch import scratch
from imageai_envs.installed.local_wheel import LocalWheel, local_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.request.interpreter import Interpreter

OLDEST_FOR_VIRTUALENV = (3, 9)


def creator_name(interpreter: Interpreter, uv: Path | None) -> str:
    """Return ``uv``, ``virtualenv`` or ``venv``."""
    if interpreter.minor < OLDEST_FOR_VIRTUALENV:
        return "venv"
    return "uv" if uv else "virtualenv"


def create_venv(
    interpreter: Interpreter, root: Path, prompt: str, context: Context, uv: Path | None = None
) -> tuple[LocalWheel, ...]:
    """Create a virtual environment at ``root`` (which may exist) with pip from a wheel at hand: no network.

    Args:
        interpreter: the Python it is made from.
        root: its directory.
        prompt: what its activation shows.
        context: directories, reporter and log of the command.
        uv: the uv that shall make it, if the uv engine is at work.

    Returns:
        What still has to be installed: uv makes it without pip, and puts that in faster together with the rest.

    Raises:
        InstallError: the creator failed; most often a Python of the distribution without ``ensurepip``.
    """
    creator = creator_name(interpreter, uv)
    if creator == "uv" and uv:
        done = _with_uv(interpreter, root, prompt, context.log, uv)
    elif creator == "virtualenv":
        done = _with_virtualenv(interpreter, root, prompt, context)
    else:
        done = _with_venv(interpreter, root, prompt, context.log)
    if not done.ok:
        raise _creation_failed(interpreter, done.stdout + done.stderr, context.log)
    return (_embedded_pip(interpreter),) if creator == "uv" else ()


def _with_virtualenv(interpreter: Interpreter, root: Path, prompt: str, context: Context) -> Finished:
    argv: list[str | Path] = [
        sys.executable, "-I", "-m", "virtualenv", "--quiet", "--python", interpreter.executable, "--no-download",
        "--no-periodic-update", "--no-setuptools", "--prompt", prompt, root,
    ]  # fmt: skip
    environment = clean_environment(
        {
            "VIRTUALENV_OVERRIDE_APP_DATA": str(context.home.cache / "virtualenv"),
            "VIRTUALENV_CONFIG_FILE": str(context.home.cache / "no-virtualenv.ini"),
        }
    )
    with scratch(context.home, "venv"):  # gc leaves its wheels alone meanwhile
        return run(argv, environment=environment, log=context.log)


def _with_venv(interpreter: Interpreter, root: Path, prompt: str, log: Log) -> Finished:
    return run([interpreter.executable, "-I", "-m", "venv", "--prompt", prompt, root], log=log)


def _with_uv(interpreter: Interpreter, root: Path, prompt: str, log: Log, uv: Path) -> Finished:
    return run(
        [uv, "venv", "--quiet", "--no-config", "--color", "never", "--no-project", "--allow-existing",
         "--python", interpreter.executable, "--no-python-downloads", "--prompt", prompt, root],
        log=log,
        meanwhile=_import_virtualenv,
    )  # fmt: skip


def _import_virtualenv() -> None:
    """Import what :func:`_embedded_pip` needs while uv runs: 50 ms."""
    import virtualenv.seed.wheels.embed  # noqa: F401


def _embedded_pip(interpreter: Interpreter) -> LocalWheel:
    """Return the pip that virtualenv carries for this Python, so that both creators put in the same."""
    from virtualenv.seed.wheels.embed import get_embed_wheel

    wheel = get_embed_wheel("pip", interpreter.target.python_version)
    if wheel is None:
        raise InstallError("This installation of virtualenv carries no pip.", code="venv-failed")
    return local_wheel(wheel.path, "pip", wheel.version)


def _creation_failed(interpreter: Interpreter, output: str, log: Log) -> InstallError:
    text = redact(output.strip())
    if "No space left" in text:
        return InstallError(
            f"The disk is full.\n  Full log: {log.path}", hint="Free some space, then run it again.", code="disk-full"
        )
    if "ensurepip" in text or "No module named venv" in text:
        minor = interpreter.target.python_version
        return InstallError(
            f"Python {minor} at {interpreter.executable} comes without ensurepip, so no environment can be made.",
            hint=f"apt install python{minor}-venv, or another Python: imageai-env python list",
            code="no-ensurepip",
        )
    return InstallError(
        f"Creating the virtual environment failed:\n  {text.splitlines()[-1] if text else 'no output'}\n"
        f"  Full log: {log.path}",
        code="venv-failed",
    )
