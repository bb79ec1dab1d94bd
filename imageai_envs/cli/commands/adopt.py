"""``imageai-env adopt``."""

from __future__ import annotations

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import Session, answers

_SHOWN = 5  # of the user's files


@click.command()
@click.argument("path", metavar="PATH")
@click.option("--name", metavar="NAME", help="How to call it; default: as the project around it.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@answers
def command(session: Session, /, path: str, name: str | None, yes: bool) -> Result:
    """Make an environment yours that came with a copy, an archive or a clone.

    The store then has a record of it, so that commands may replace and remove it. It must be whole, and your own.
    """
    from imageai_envs.cli.asking import agreed
    from imageai_envs.cli.render import human_size
    from imageai_envs.environments.store import Store
    from imageai_envs.workflows.adopt import adopt, plan_adoption

    store = Store(session.context)
    adoption = plan_adoption(path, name, store)
    environment, contents = adoption.environment, adoption.contents
    state = environment.state
    assert state is not None  # noqa: S101 - only a finished one is adopted
    session.reporter.stop()
    about = (
        f"{environment.root}: {state.release} ({state.variant}) + ImageAI {state.imageai}, {human_size(adoption.size)}"
    )
    more = f" and {len(contents.added) - _SHOWN} more" if len(contents.added) > _SHOWN else ""
    also = (
        f"; not part of it, and kept when it goes: {', '.join(contents.added[:_SHOWN])}{more}" if contents.added else ""
    )
    question = f"{about}{also}\nAdopt it as {environment.name}, to be replaced and removed by imageai-env?"
    if not yes and not agreed(session, question, f"Adopting {about}{also}", f"imageai-env adopt {path} --yes"):
        return Result("adopt", {"name": environment.name, "adopted": False}, ["Nothing was adopted."], 1)
    adopt(adoption, store)
    data: dict[str, object] = {
        "name": environment.name,
        "root": str(environment.root),
        "adopted": True,
        "bytes": adoption.size,
        "not_part_of_it": list(contents.added),
    }
    return Result("adopt", data, [f"Adopted {about} as {environment.name}{also}."])
