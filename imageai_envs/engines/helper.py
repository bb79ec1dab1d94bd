"""Helper environments: pip-tools under the target's own Python, cached, one per Python minor and pip-tools.

pip-tools resolves for the Python that runs it, so a lock for CPython 3.7 needs a pip-tools that still runs there.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from imageai_envs.base.paths import environment_python
from imageai_envs.base.process import run
from imageai_envs.engines.empty_venv import create_venv
from imageai_envs.engines.failures import install_failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.request.interpreter import Interpreter

_READY = "imageai-env-helper"


OLDEST_THAT_RESOLVES = (3, 7)
"""On Python 3.6 pip-tools ends at 6.4.0, which resolves as pip did before 2020, and pip at 21.3.1, without a report."""


@dataclass(frozen=True)
class HelperPins:
    """What is installed into a helper environment."""

    pip: str
    pip_tools: str

    def words(self) -> str:
        """Return both versions for lock headers."""
        return f"pip-tools {self.pip_tools} (pip {self.pip})"


# The last releases that run there, in pairs that were run: pip-tools 6.14 breaks with pip 24, and an older pip knows
# less about metadata without downloads.
_LEGACY = {
    (3, 7): HelperPins("23.1.2", "6.14.0"),
    (3, 8): HelperPins("25.0.1", "7.5.0"),
}


def helper_pins(minor: tuple[int, int]) -> HelperPins:
    """Return the pair for a Python minor: ours (a dependency of this package) where it runs."""
    if minor in _LEGACY:
        return _LEGACY[minor]
    return HelperPins("26.0.1" if minor == (3, 9) else "26.3", version("pip-tools"))


def helper_environment(interpreter: Interpreter, context: Context, environment: Mapping[str, str]) -> Path:
    """Return the Python of a ready helper environment, building it if needed.

    Raises:
        InstallError: pip-tools cannot be installed.
    """
    from filelock import FileLock

    pins = helper_pins(interpreter.minor)
    key = hashlib.sha256(f"{interpreter.executable}|{pins}".encode()).hexdigest()[:12]
    root = context.home.helpers / f"{interpreter.target}-{key}"
    python = environment_python(root)
    context.home.helpers.mkdir(parents=True, exist_ok=True)
    with FileLock(context.home.helpers / f"{root.name}.lock"):
        if (root / _READY).is_file() and python.exists():
            return python
        context.reporter.step(f"preparing pip-tools {pins.pip_tools} for Python {interpreter.target.python_version}")
        if root.exists():  # an interrupted build; this directory is under our cache and named by our digest
            shutil.rmtree(root)
        create_venv(interpreter, root, "pip-tools", context)
        done = run(
            [python, "-I", "-m", "pip", "install", f"pip=={pins.pip}", f"pip-tools=={pins.pip_tools}"],
            environment=environment,
            cwd=root,
            log=context.log,
            on_line=context.reporter.output,
        )
        if not done.ok:
            shutil.rmtree(root, ignore_errors=True)
            raise install_failure(done, context.log.path)
        (root / _READY).write_text(f"{pins.words()}\n", encoding="utf-8")
    return python
