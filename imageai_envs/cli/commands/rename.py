"""``imageai-env rename``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imageai_envs.cli.commands.create import describe
from imageai_envs.cli.options import Session, answers, name_argument, rebuild_options, rebuild_options_from

if TYPE_CHECKING:
    from imageai_envs.base.result import Result


@click.command()
@name_argument
@click.argument("new")
@rebuild_options
@answers
def command(session: Session, /, name: str, new: str, **options: Any) -> Result:
    """Give an environment the name NEW: it is built there from its lock, then the old one goes."""
    from imageai_envs.environments.store import Store
    from imageai_envs.workflows.maintain import rename

    store = Store(session.context)
    wanted = rebuild_options_from(options)
    with store.hold(name, wait=wanted.wait) as environment:
        return describe("rename", rename(environment, new, store, wanted))
