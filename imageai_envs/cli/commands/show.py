"""``imageai-env show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imageai_envs.cli.options import Session, answers, name_argument
from imageai_envs.result import Result

if TYPE_CHECKING:
    from imageai_envs.environment import Environment


def _rebuild(environment: Environment) -> str:
    from imageai_envs.errors import LockFileError

    try:
        environment.lock()
    except LockFileError as error:
        return error.hint or ""
    return f"imageai-env recreate {environment.name}"


@click.command()
@name_argument
@answers
def command(session: Session, /, name: str) -> Result:
    """Show one environment in detail.

    What was asked, what is locked, how it was proved, and what it takes on disk.
    """
    from imageai_envs.cli.render import human_size
    from imageai_envs.disk_use import measure
    from imageai_envs.errors import LockFileError
    from imageai_envs.store import Store

    environment = Store(session.home).get(name)
    state, use = environment.state, measure(environment.root)
    data: dict[str, object] = {
        "name": environment.name,
        "root": str(environment.root),
        "python": str(environment.python),
        "lock": str(environment.lock_path),
        "bytes": use.size,
        "bytes_unshared": use.unshared,
        "state": state.to_json() if state else None,
        "packages": {},
    }
    text = [f"{environment.name}", f"  directory  {environment.root}", f"  python     {environment.python}"]
    if state is None:
        text.append(f"  state      unfinished or damaged; mend it: {_rebuild(environment)}")
        return Result("show", data, text, exit_code=1)
    text += [
        f"  made from  Python {state.python_version} at {state.python} (by {state.creator})",
        f"  template   {state.template}: {state.release} ({state.variant}), ImageAI {state.imageai}",
        f"  engine     {state.engine}",
        f"  created    {state.created} by imageai-env {state.tool}",
        f"  proved     {state.verified}",
        f"  size       {human_size(use.size)}, {human_size(use.unshared)} of it freed by removing it",
    ]
    if state.request.extras:
        text.append(f"  added      {', '.join(state.request.extras)}")
    try:
        lock = environment.lock()
    except LockFileError as error:
        return Result("show", data, [*text, f"  lock       {error.message} Mend it: {error.hint}"], exit_code=1)
    data["packages"] = {pin.name: pin.version for pin in lock.pins}
    text.append(f"  lock       {environment.lock_path} ({len(lock.pins)} distributions, {state.target})")
    return Result("show", data, text)
