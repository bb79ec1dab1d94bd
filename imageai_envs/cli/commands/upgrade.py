"""``imageai-env upgrade``."""

from __future__ import annotations

from typing import Any

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import (
    Session,
    answers,
    keep_extra_option,
    name_argument,
    rebuild_options,
    rebuild_options_from,
)


@click.command()
@name_argument
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option("--with", "with_", multiple=True, metavar="REQ", help="Add a requirement (PEP 508). Repeatable.")
@keep_extra_option
@rebuild_options
@answers
def command(
    session: Session, /, name: str, packages: tuple[str, ...], with_: tuple[str, ...], **options: Any
) -> Result:
    """Lock again (everything, or just PACKAGEs), show the difference, rebuild and prove.

    When the new set does not work, the environment is what it was before.
    """
    from imageai_envs.environments.store import Store
    from imageai_envs.request.requirements import parse_requirement
    from imageai_envs.workflows.maintain import upgrade

    wanted = rebuild_options_from(options)
    extras = [parse_requirement(text, "--with") for text in with_]
    with Store(session.context).hold(name, wait=wanted.wait) as environment:
        changed = upgrade(environment, packages, extras, session.context, wanted)
    data: dict[str, object] = {
        "name": environment.name,
        "changes": [vars(change) for change in changed.changes],
        "kept": [kept.to_json() for kept in changed.kept],
    }
    if not changed.changes:
        return Result("upgrade", data, [f"{environment.name}: everything is the newest that its template allows."])
    return Result("upgrade", data, [f"{environment.name} upgraded:", *(f"  {change}" for change in changed.changes)])
