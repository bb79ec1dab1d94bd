"""``imageai-env remove``."""

from __future__ import annotations

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import Session, answers, name_argument


@click.command()
@name_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@answers
def command(session: Session, /, name: str, yes: bool) -> Result:
    """Remove an environment. Its Python is not run, so a broken one goes too."""
    from imageai_envs.cli.asking import agreed
    from imageai_envs.cli.render import human_size
    from imageai_envs.environments.store import Store
    from imageai_envs.workflows.remove import remove

    store = Store(session.context)
    with store.hold(name) as environment:
        question, needs = f"Remove {environment.name} ({environment.root})?", f"Removing {environment.root}"
        if not yes and not agreed(session, question, needs, f"imageai-env remove {name} --yes"):
            return Result("remove", {"name": environment.name, "removed": False}, ["Nothing was removed."], 1)
        removed = remove(environment, store)
    data: dict[str, object] = {
        "name": environment.name,
        "root": str(environment.root),
        "bytes_freed": removed.freed,
        "kept": [removed.kept.to_json()] if removed.kept else [],
    }
    return Result("remove", data, [f"Removed {environment.name}; {human_size(removed.freed)} freed."])
