"""``imageai-env clone``."""

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
    """Build a second environment, NEW, from the lock of another."""
    from imageai_envs.environments.store import Store
    from imageai_envs.workflows.maintain import recreate

    wanted = rebuild_options_from(options)
    with Store(session.context).hold(name, wait=wanted.wait, to_read=True) as environment:
        return describe("clone", recreate(environment, session.context, wanted, name=new))
