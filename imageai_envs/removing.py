"""Remove an environment: only what carries our marker, and never by running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.disk_use import measure
from imageai_envs.transaction import delete, locked

if TYPE_CHECKING:
    from imageai_envs.environment import Environment
    from imageai_envs.progress import Reporter
    from imageai_envs.store import Store


def remove(environment: Environment, store: Store, reporter: Reporter) -> int:
    """Remove ``environment`` and return the bytes that were freed.

    Raises:
        RequestError: the directory does not carry our marker (any more).
        OSError: it cannot be deleted.
    """
    with locked(environment.root, store.home, reporter):
        freed = measure(environment.root).unshared
        delete(environment.root)
        if store.linked(environment.name) == environment.root:
            store.unlink(environment.name)
    return freed
