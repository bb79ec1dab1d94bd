"""``imageai-env diff``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import Session, answers

if TYPE_CHECKING:
    from imageai_envs.locks.lockfile import Lock


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@answers
def command(session: Session, /, first: str, second: str) -> Result:
    """Compare two locks or environments by package. Exit 1 when they differ."""
    from imageai_envs.locks.lockfile import compare

    before, after = _lock(session, first), _lock(session, second)
    changes = compare(before.pins, after.pins)
    data: dict[str, object] = {"a": first, "b": second, "changes": [vars(change) for change in changes]}
    text = [str(change) for change in changes] or ["The same packages."]
    return Result("diff", data, text, exit_code=1 if changes else 0)


def _lock(session: Session, what: str) -> Lock:
    """Return the lock that ``what`` means: a file, else an environment."""
    from imageai_envs.environments.store import Store
    from imageai_envs.locks.lockfile import read_lock

    path = Path(what)
    if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises PermissionError
        return read_lock(path)  # a device or a dead link, too: it says what is wrong with it
    return Store(session.context).get(what).lock()
