"""``imageai-env recreate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imageai_envs.cli.commands.create import describe
from imageai_envs.cli.options import (
    Session,
    answers,
    keep_extra_option,
    name_argument,
    rebuild_options,
    rebuild_options_from,
)

if TYPE_CHECKING:
    from imageai_envs.base.result import Result


@click.command()
@name_argument
@click.option("--python", metavar="VERSION|PATH", help="Another Python of the same minor.")
@keep_extra_option
@rebuild_options
@answers
def command(session: Session, /, name: str, **options: Any) -> Result:
    """Rebuild an environment from its lock; the old one stays until the new one is proved."""
    from imageai_envs.environments.store import Store
    from imageai_envs.workflows.maintain import recreate

    wanted = rebuild_options_from(options)
    with Store(session.context).hold(name, wait=wanted.wait) as environment:
        return describe("recreate", recreate(environment, session.context, wanted))
