"""``imageai-env show``."""

from __future__ import annotations

import shlex

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import Session, answers, name_argument

_NOT_OURS = "  not ours   this store has no record of it: imageai-env adopt {root}"


@click.command()
@name_argument
@answers
def command(session: Session, /, name: str) -> Result:
    """Show one environment in detail.

    What was asked, what is locked, how it was proved, and what it takes on disk.
    """
    from imageai_envs.base.errors import LockFileError
    from imageai_envs.building import hook
    from imageai_envs.checks import check_quickly
    from imageai_envs.cli.render import human_size
    from imageai_envs.environments import additions
    from imageai_envs.environments.store import Store
    from imageai_envs.installed.disk_use import measure

    environment = Store(session.context).get(name)
    state, use = environment.state, measure(environment.root)
    data: dict[str, object] = {
        "name": environment.name,
        "root": str(environment.root),
        "ours": environment.ours,
        "python": str(environment.python),
        "lock": str(environment.lock_path),
        "bytes": use.size,
        "bytes_unshared": use.unshared,
        "state": state.to_json() if state else None,
        "packages": {},
        "hook": None,
    }
    text = [f"{environment.name}", f"  directory  {environment.root}", f"  python     {environment.python}"]
    if state is None:
        problems = [finding for finding in check_quickly(environment) if finding.severity == "error"]
        fix = next((finding.fix for finding in problems if finding.id == "lock-missing"), problems[0].fix)
        text.append(f"  state      {problems[0].evidence}: {fix}")
        return Result("show", data, text, exit_code=1)
    text += [
        f"  made from  Python {state.python_version} at {state.python} (by {state.creator})",
        f"  template   {state.template}: {state.release} ({state.variant}), ImageAI {state.imageai}",
        f"  engine     {state.engine}",
        f"  created    {state.created} by imageai-env {state.tool}",
        f"  proved     {state.verified}",
        *([] if environment.ours else [_NOT_OURS.format(root=shlex.quote(str(environment.root)))]),
        f"  size       {human_size(use.size)}, {human_size(use.unshared)} of it freed by removing it",
    ]
    if state.request.extras:
        text.append(f"  added      {', '.join(state.request.extras)}")
    try:
        lock = environment.lock()
    except LockFileError as error:
        return Result("show", data, [*text, f"  lock       {error.message} Fix: {error.hint}"], exit_code=1)
    packages = data["packages"] = {pin.name: pin.version for pin in lock.pins}
    version = additions.read(environment.root).hook
    if version:
        shims = hook.shims_for(packages)
        data["hook"] = {"version": version, "shims": {shim.name: shim.what for shim in shims}}
        text.append(f"  hook       {version} ({', '.join(shim.name for shim in shims) or 'nothing to do here'})")
    text.append(f"  lock       {environment.lock_path} ({len(lock.pins)} distributions, {state.target})")
    return Result("show", data, text)
