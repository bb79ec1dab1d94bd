"""``imageai-env repair``."""

from __future__ import annotations

from typing import Any

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import Session, answers, name_argument, rebuild_options, rebuild_options_from


@click.command()
@name_argument
@rebuild_options
@answers
def command(session: Session, /, name: str, **options: Any) -> Result:
    """Fix what check finds, and check again.

    Single distributions are reinstalled in place; when more is broken, the environment is recreated from its lock.
    """
    from imageai_envs.environments.store import Store
    from imageai_envs.workflows.repair import repair

    wanted = rebuild_options_from(options)
    with Store(session.context).hold(name, wait=wanted.wait) as environment:
        repaired = repair(environment, session.context, wanted)
    data: dict[str, object] = {
        "name": name,
        "findings": [finding.to_json() for finding in repaired.before],
        "mended": list(repaired.fixed),
        "removed": list(repaired.removed),
        "recreated": repaired.recreated,
        "kept": [kept.to_json() for kept in repaired.kept],
    }
    if not repaired.before:
        return Result("repair", data, [f"{name}: nothing to fix."])
    done = "recreated from its lock" if repaired.recreated else _words(repaired.fixed, repaired.removed)
    text = [f"{name}: {len(repaired.before)} findings; {done}; as locked now."]
    text += [f"  {finding.id}: {finding.evidence}" for finding in repaired.before]
    return Result("repair", data, text)


def _words(fixed: tuple[str, ...], removed: tuple[str, ...]) -> str:
    parts = [f"reinstalled: {', '.join(fixed)}"] if fixed else []
    parts += [f"removed: {', '.join(removed)}"] if removed else []
    return "; ".join(parts)
