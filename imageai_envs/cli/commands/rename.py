"""``imageai-env rename``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imageai_envs.cli.commands.create import describe
from imageai_envs.cli.options import Session, answers, how_from, how_options, name_argument

if TYPE_CHECKING:
    from imageai_envs.base.result import Result


@click.command()
@name_argument
@click.argument("new")
@how_options
@answers
def command(session: Session, /, name: str, new: str, **options: Any) -> Result:
    """Give an environment the name NEW: it is built there from its lock, then the old one goes."""
    from imageai_envs.environments.store import Store
    from imageai_envs.workflows.maintain import rename

    store = Store(session.context)
    how = how_from(options)
    with store.hold(name, wait=how.wait) as environment:
        return describe("rename", rename(environment, new, store, how))
