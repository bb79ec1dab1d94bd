"""Make an empty virtual environment with pip in it, for every Python that templates serve.

Three creators. Measured with virtualenv 21 and uv 0.13: virtualenv cannot seed Python 3.7 and 3.8 any more, and what it
and ``uv venv`` leave in a 3.7 environment, ``_virtualenv.pth``, is a SyntaxError at every start; the stdlib's venv of
those Pythons is silent. From 3.9 on, uv makes the same environment as virtualenv in a fifth of the time.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from imageai_envs.errors import InstallError
from imageai_envs.paths import environment_python
from imageai_envs.process import Finished, Log, clean_environment, run
from imageai_envs.redaction import redact

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.interpreters.model import Interpreter
    from imageai_envs.paths import Home

OLDEST_FOR_VIRTUALENV = (3, 9)


def creator_name(interpreter: Interpreter, uv: Path | None) -> str:
    """Return ``uv``, ``virtualenv`` or ``venv``."""
    if interpreter.minor < OLDEST_FOR_VIRTUALENV:
        return "venv"
    return "uv" if uv else "virtualenv"


def create_venv(
    interpreter: Interpreter, root: Path, prompt: str, home: Home, log: Log, uv: Path | None = None
) -> None:
    """Create a virtual environment at ``root`` (which may exist) with pip from a wheel at hand: no network.

    Args:
        interpreter: the Python it is made from.
        root: its directory.
        prompt: what its activation shows.
        home: where virtualenv keeps unpacked wheels.
        log: record of the creator's output.
        uv: the uv that shall make it, if the uv engine is at work.

    Raises:
        InstallError: the creator failed; most often a Python of the distribution without ``ensurepip``.
    """
    create = {"uv": _with_uv, "virtualenv": _with_virtualenv, "venv": _with_venv}[creator_name(interpreter, uv)]
    done = create(interpreter, root, prompt, home, log, uv)
    if not done.ok:
        raise _creation_failed(interpreter, done.stdout + done.stderr, log)


def _with_virtualenv(
    interpreter: Interpreter, root: Path, prompt: str, home: Home, log: Log, _uv: Path | None
) -> Finished:
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
    return run(argv, environment=environment, log=log)


def _with_venv(interpreter: Interpreter, root: Path, prompt: str, _home: Home, log: Log, _uv: Path | None) -> Finished:
    return run([interpreter.executable, "-I", "-m", "venv", "--prompt", prompt, root], log=log)


def _with_uv(interpreter: Interpreter, root: Path, prompt: str, home: Home, log: Log, uv: Path | None) -> Finished:
    """Let uv make it, and seed it with the pip wheel that virtualenv carries, as virtualenv would."""
    from virtualenv.seed.wheels.embed import get_embed_wheel

    wheel = get_embed_wheel("pip", interpreter.target.python_version)
    if uv is None or wheel is None:
        return _with_virtualenv(interpreter, root, prompt, home, log, None)
    quiet: list[str | Path] = ["--quiet", "--no-config", "--color", "never"]
    made = run(
        [uv, "venv", *quiet, "--no-project", "--allow-existing", "--python", interpreter.executable,
         "--no-python-downloads", "--prompt", prompt, root],
        log=log,
    )  # fmt: skip
    if not made.ok:
        return made
    seed: list[str | Path] = ["--no-index", "--find-links", wheel.path.parent, "--no-deps", f"pip=={wheel.version}"]
    return run([uv, "pip", "install", *quiet, "--python", environment_python(root), *seed], log=log)


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
