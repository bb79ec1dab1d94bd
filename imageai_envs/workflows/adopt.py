"""Make an environment that came from elsewhere ours: one that another store made, or a copy, an archive, a clone.

From then on commands replace and remove it, so it is looked at first: it belongs to the same user, it is whole, and
nothing in it is asked what it is.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.base.errors import RequestError
from imageai_envs.base.paths import METADATA
from imageai_envs.checks import faults
from imageai_envs.environments.contents import Contents, added_files
from imageai_envs.environments.environment import Condition
from imageai_envs.environments.ownership import mark, register
from imageai_envs.environments.transaction import locked
from imageai_envs.installed.disk_use import measure

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.environments.environment import Environment
    from imageai_envs.environments.store import Store


@dataclass(frozen=True)
class Adoption:
    """What would become ours.

    Attributes:
        environment: the environment, under the name that it gets.
        size: its bytes.
        contents: what in it is the user's; it stays, and is kept when the environment goes.
    """

    environment: Environment
    size: int
    contents: Contents


def plan_adoption(name_or_path: str, name: str | None, store: Store) -> Adoption:
    """Look at the environment at a directory, and change nothing.

    Args:
        name_or_path: its directory.
        name: how it is to be called; by default as its directory, or as the project around that.
        store: the store that will own it.

    Raises:
        RequestError: it is ours already, another user's, unfinished, not as its lock says, or the name is taken.
    """
    found = store.get(name_or_path)
    root = found.root
    if found.ours:
        raise RequestError(f"{root} is {found.name}, and ours already.", hint="imageai-env list", code="ours-already")
    if found.condition is not Condition.FINISHED:
        raise _refused(root, f"it is {found.condition.value}")
    _check_user(root)
    wrong = faults(found)
    if wrong:
        raise _refused(root, f"it is not as its lock says: {wrong[0].evidence}")
    own = root.name if name is None and root.parent == store.home.environments else None
    if own is None:
        own, _ = store.place(name, root)
    return Adoption(type(found)(own, root, found.state), measure(root).unshared, Contents(added_files(root)))


def adopt(adoption: Adoption, store: Store) -> Environment:
    """Record the environment in the store, and write the marker that goes with the record.

    Raises:
        OSError: that cannot be written.
    """
    environment = adoption.environment
    with locked(environment.root, store.context):
        mark(environment.root, register(environment.name, environment.root, store.home))
    return environment


def _check_user(root: Path) -> None:
    """Refuse what another user can change, or what a link leads to.

    Raises:
        RequestError: the directory or one of our files in it is not the user's own.
    """
    if os.name != "posix":
        return
    for path in (root, root / "pyvenv.cfg", root / METADATA, *sorted((root / METADATA).iterdir())):
        if os.path.lexists(path) and path.lstat().st_uid != os.geteuid():
            raise _refused(root, f"{path} belongs to another user")
        if path.is_symlink():
            raise _refused(root, f"{path} is a link")


def _refused(root: Path, why: str) -> RequestError:
    return RequestError(
        f"{root} cannot be adopted: {why}.",
        hint=f"Build one of your own from its lock: imageai-env clone {shlex.quote(str(root))} NAME",
        code="not-adoptable",
    )
