"""``imageai-env gc``."""

from __future__ import annotations

import click

from imageai_envs.base.result import Result, Table
from imageai_envs.cli.options import Session, answers


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would go.")
@answers
def command(session: Session, /, dry_run: bool) -> Result:
    """Remove what can be made again: pip-tools helpers, caches, old logs, rests of killed commands."""
    from imageai_envs.base.scratch import at_work
    from imageai_envs.cli.render import human_size
    from imageai_envs.workflows.garbage import collect, find_garbage

    items, busy = find_garbage(session.home), at_work(session.home)
    if not dry_run:
        items = collect(items, session.context)
    total = sum(item.size for item in items)
    data: dict[str, object] = {
        "dry_run": dry_run,
        "busy": busy,
        "items": [{"kind": item.kind, "path": str(item.path), "bytes": item.size} for item in items],
        "bytes": total,
    }
    verb = "would be freed" if dry_run else "freed"
    rows = tuple((item.kind, human_size(item.size), str(item.path)) for item in items)
    text: list[str | Table] = [Table(("WHAT", "SIZE", "PATH"), rows)] if rows else []
    if busy:
        text.append("Another imageai-env is at work: helpers, caches and logs stay. Run gc again when it has ended.")
    return Result("gc", data, [*text, f"{human_size(total)} {verb}."])
