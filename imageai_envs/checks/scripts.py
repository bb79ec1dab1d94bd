"""Do the console scripts start this environment's Python? A moved environment's do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.base.paths import scripts_directory
from imageai_envs.installed.venv_files import python_elsewhere, scripts_in

if TYPE_CHECKING:
    from imageai_envs.checks.view import View

_ENOUGH = 3  # scripts named; more say the same


def inspect(view: View) -> list[Finding]:
    """Find scripts whose first line names a Python outside the environment."""
    wrong = [
        (path, python)
        for path in scripts_in(scripts_directory(view.environment.root))
        if (python := python_elsewhere(path))
    ]
    if not wrong:
        return []
    names = ", ".join(path.name for path, _ in wrong[:_ENOUGH]) + (" …" if len(wrong) > _ENOUGH else "")
    return [
        Finding(
            "moved",
            "error",
            str(view.environment.root),
            f"{len(wrong)} scripts ({names}) start {wrong[0][1]}",
            "The environment was moved or copied from another place.",
            view.environment.fix_by("recreate"),
        )
    ]
