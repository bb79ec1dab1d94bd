"""The context that the library's functions want."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.context import Context
from imageai_envs.base.paths import Home
from imageai_envs.base.progress import Silent

if TYPE_CHECKING:
    from imageai_envs.base.process import Log
    from imageai_envs.base.progress import Reporter


def recording(log: Log, reporter: Reporter | None = None) -> Context:
    """Return a context that records to ``log``, for functions that only start programs; its home is beside the log."""
    place = log.path.parent / "home"
    return Context(Home(place, place / "cache", place / "config"), reporter or Silent(), log)
