"""``imageai-env sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import FILE_TYPE, Session, answers, name_argument, rebuild_options, rebuild_options_from

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@name_argument
@click.argument("lock", required=False, type=FILE_TYPE, metavar="[LOCK]")
@rebuild_options
@answers
def command(session: Session, /, name: str, lock: Path | None, **options: Any) -> Result:
    """Make an environment exactly its lock, or LOCK: missing ones installed, others replaced, extras gone."""
    from imageai_envs.environments.store import Store
    from imageai_envs.workflows.maintain import sync

    wanted = rebuild_options_from(options)
    with Store(session.context).hold(name, wait=wanted.wait) as environment:
        changed = sync(environment, lock, session.context, wanted)
    data: dict[str, object] = {
        "name": environment.name,
        "changes": [vars(change) for change in changed.changes],
        "kept": [kept.to_json() for kept in changed.kept],
    }
    if not changed.changes:
        return Result("sync", data, [f"{environment.name} is as locked; nothing to do."])
    return Result(
        "sync", data, [f"{environment.name} is as locked now:", *(f"  {change}" for change in changed.changes)]
    )
