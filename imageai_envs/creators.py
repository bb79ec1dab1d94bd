"""Make an empty virtual environment with pip in it: virtualenv where it can, the target's own ``venv`` below.

Measured with virtualenv 21: it cannot seed Python 3.7 and 3.8 any more, and what it (and ``uv venv``) leaves in a
3.7 environment, ``_virtualenv.pth``, is a SyntaxError at every start. The stdlib's venv of those Pythons is silent.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from imageai_envs.errors import InstallError
from imageai_envs.process import Log, clean_environment, run
from imageai_envs.redaction import redact

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.interpreters.model import Interpreter
    from imageai_envs.paths import Home

OLDEST_FOR_VIRTUALENV = (3, 9)


def creator_name(interpreter: Interpreter) -> str:
    """Return ``virtualenv`` or ``venv``."""
    return "virtualenv" if interpreter.minor >= OLDEST_FOR_VIRTUALENV else "venv"


def create_venv(interpreter: Interpreter, root: Path, prompt: str, home: Home, log: Log) -> None:
    """Create a virtual environment at ``root`` (which may exist) with pip from the creator's own wheel: no network.

    Raises:
        InstallError: the creator failed; most often a Python of the distribution without ``ensurepip``.
    """
    if creator_name(interpreter) == "virtualenv":
        argv: list[str | Path] = [
            sys.executable, "-I", "-m", "virtualenv", "--quiet", "--python", interpreter.executable, "--no-download",
            "--no-periodic-update", "--no-setuptools", "--prompt", prompt, root,
        ]  # fmt: skip
        environment = clean_environment(
            {
                "VIRTUALENV_OVERRIDE_APP_DATA": str(home.cache / "virtualenv"),
                "VIRTUALENV_CONFIG_FILE": str(home.cache / "no-virtualenv.ini"),
            }
        )
    else:
        argv = [interpreter.executable, "-I", "-m", "venv", "--prompt", prompt, root]
        environment = clean_environment()
    done = run(argv, environment=environment, log=log)
    if not done.ok:
        raise _creation_failed(interpreter, done.stdout + done.stderr, log)


def _creation_failed(interpreter: Interpreter, output: str, log: Log) -> InstallError:
    text = redact(output.strip())
    if "No space left" in text:
        return InstallError(
            f"The disk is full.\n  Full log: {log.path}",
            hint="Free some space, then run it again.",
            code="disk-full",
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
