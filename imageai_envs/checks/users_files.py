"""Did somebody put files into the environment? They are nobody's but the user's, and nothing is wrong with that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.contents import added_files
from imageai_envs.finding import Finding

if TYPE_CHECKING:
    from imageai_envs.checks.view import View

_ENOUGH = 5  # paths named
_OF_CONDA = "conda-meta"  # see checks.foreign


def inspect(view: View) -> list[Finding]:
    """Name what is not part of the environment, and say what would become of it."""
    added = [path for path in added_files(view.environment.root) if path != _OF_CONDA]
    if not added:
        return []
    more = f" and {len(added) - _ENOUGH} more" if len(added) > _ENOUGH else ""
    return [
        Finding(
            "users-files",
            "note",
            str(view.environment.root),
            f"not part of the environment: {', '.join(added[:_ENOUGH])}{more}",
            "Somebody put it there. When the environment is replaced or removed, it is moved to a directory beside it.",
            f"mv {view.environment.root.name}/... to a directory of its own",
        )
    ]
