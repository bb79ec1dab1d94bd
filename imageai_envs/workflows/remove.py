"""Remove an environment: only one of ours, and never by running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.environments.ownership import forget_gone
from imageai_envs.environments.transaction import check_not_inside, discard, locked
from imageai_envs.installed.disk_use import measure

if TYPE_CHECKING:
    from imageai_envs.environments.environment import Environment
    from imageai_envs.environments.store import Store
    from imageai_envs.environments.users_files import Kept


@dataclass(frozen=True)
class Removed:
    """What a removal did.

    Attributes:
        freed: bytes.
        kept: what the user had put into it, and where it is now; None where there was nothing.
    """

    freed: int
    kept: Kept | None


def remove(environment: Environment, store: Store) -> Removed:
    """Remove ``environment``; what the user put into it is kept beside it.

    Raises:
        RequestError: the directory is not ours (any more), or the user stands in it.
        OSError: it cannot be deleted.
    """
    check_not_inside(environment.root)
    with locked(environment.root, store.context):
        freed = measure(environment.root).unshared
        kept = discard(environment.root, store.context)
        forget_gone(environment.root, store.home)
    return Removed(freed - (measure(kept.place).unshared if kept else 0), kept)
