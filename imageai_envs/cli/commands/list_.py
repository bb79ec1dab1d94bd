"""``imageai-env list``."""

from __future__ import annotations

import click

from imageai_envs.base.result import Result, Table
from imageai_envs.cli.options import Session, answers


@click.command(name="list")
@answers
def command(session: Session, /) -> Result:
    """List all environments with their real disk use.

    SIZE counts every file of an environment once; FREED is what removing it would give back, for files that are
    hardlinked into a cache or another environment stay. Nothing of an environment is executed.
    """
    from imageai_envs.checks import check_quickly
    from imageai_envs.cli.render import human_size
    from imageai_envs.environments.store import Store
    from imageai_envs.installed.disk_use import measure, measure_together

    environments = Store(session.context).all()
    rows, data = [], []
    for environment in environments:
        use, state = measure(environment.root), environment.state
        findings = check_quickly(environment)
        status = findings[0].id if findings else "ok"
        rows.append(
            (
                environment.name,
                f"{state.release} {state.variant}" if state else "-",
                state.imageai if state else "-",
                state.python_version if state else "-",
                state.verified if state else "-",
                status,
                human_size(use.size),
                human_size(use.unshared),
                str(environment.root),
            )
        )
        data.append(
            {
                "name": environment.name,
                "root": str(environment.root),
                "status": status,
                "bytes": use.size,
                "bytes_unshared": use.unshared,
                "state": state.to_json() if state else None,
            }
        )
    total = measure_together(environment.root for environment in environments)
    if not rows:
        return Result("list", {"environments": [], "bytes": 0}, ["No environments yet: imageai-env create myproj"])
    headings = ("NAME", "FRAMEWORK", "IMAGEAI", "PYTHON", "PROVED", "STATE", "SIZE", "FREED", "DIRECTORY")
    text: list[str | Table] = [
        Table(headings, tuple(rows)),
        f"Together {human_size(total)} on disk (shared files counted once).",
    ]
    return Result("list", {"environments": data, "bytes": total}, text)
