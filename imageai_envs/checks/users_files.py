"""Files that the user put into the environment. They are reported, and are not an error."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.environments.contents import added_files

if TYPE_CHECKING:
    from imageai_envs.checks.view import View

_ENOUGH = 5  # paths named
_OF_CONDA = "conda-meta"  # see checks.foreign


def inspect(view: View) -> list[Finding]:
    """Name what is not part of the environment, and say what would become of it."""
    try:
        added = [path for path in added_files(view.environment.root) if path != _OF_CONDA]
    except OSError as error:
        return [_untold(view, error)]
    if not added:
        return []
    more = f" and {len(added) - _ENOUGH} more" if len(added) > _ENOUGH else ""
    return [
        Finding(
            "users-files",
            "note",
            str(view.environment.root),
            f"not part of the environment: {', '.join(added[:_ENOUGH])}{more}",
            "Someone put it there. When the environment is replaced or removed, it is moved to a directory beside it.",
            f"mv {view.environment.root.name}/... to a directory of its own",
        )
    ]


def _untold(view: View, error: OSError) -> Finding:
    return Finding(
        "users-files",
        "warning",
        str(view.environment.root),
        f"what in it is not part of it cannot be told: {error.filename}: {error.strerror or error}",
        "Someone closed or replaced that file. Until it can be read, the environment is neither replaced nor removed.",
        f"ls -ld {shlex.quote(str(error.filename))}",
    )
