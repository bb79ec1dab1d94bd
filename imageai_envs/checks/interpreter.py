"""Is the environment's Python alive? Told from links and ``pyvenv.cfg``; it is not run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.installed.venv_files import read_cfg

if TYPE_CHECKING:
    from imageai_envs.checks.view import View


def inspect(view: View) -> list[Finding]:
    """Find a Python that is gone, and an environment that was moved."""
    root, python = view.environment.root, view.environment.python
    fix = view.environment.fix_by("recreate")
    if not python.exists():
        if python.is_symlink():
            evidence = f"{python} is a link to {os.readlink(python)}, which does not exist"  # noqa: PTH115 - the text
            cause = "The Python it was made from was upgraded, moved or removed (pyenv, Homebrew, uv)."
        else:
            evidence, cause = f"{python} is missing", "It was deleted."
        return [Finding("python-missing", "error", str(python), evidence, cause, fix)]
    if not os.access(python, os.X_OK):
        return [
            Finding(
                "python-not-executable", "error", str(python), "it may not be executed", "Its mode was changed.", fix
            )
        ]
    return [*_configuration(root, fix)]


def _configuration(root: Path, fix: str) -> list[Finding]:
    path, keys = root / "pyvenv.cfg", read_cfg(root)
    if "home" not in keys:
        return [
            Finding(
                "pyvenv-cfg",
                "error",
                str(path),
                "it is missing or names no home, so the Python there is not a virtual environment's",
                "The file was deleted or edited.",
                fix,
            )
        ]
    found = []
    if not Path(keys["home"]).is_dir():
        found.append(
            Finding(
                "python-missing",
                "error",
                keys["home"],
                f"{path} names it as the home of the Python, and it does not exist",
                "The Python it was made from was upgraded, moved or removed.",
                fix,
            )
        )
    if keys.get("include-system-site-packages", "false").lower() == "true":
        found.append(
            Finding(
                "system-site-packages",
                "error",
                str(path),
                "include-system-site-packages is true",
                "The file was edited; packages of the system shine through.",
                fix,
            )
        )
    return found
