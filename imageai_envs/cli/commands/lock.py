"""``imageai-env lock``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import FILE_TYPE, Session, answers, request_from, request_options, source_options

_EPILOG = """\b
Examples:
  imageai-env lock --tf 2.10 --with pandas -o requirements.lock.txt
  imageai-env lock --check                  exit 8 when the lock no longer matches
  imageai-env lock --tf 2.10 --target cp310-darwin-arm64 -o requirements.mac.txt
  imageai-env lock -P pillow                take the newest pillow, keep the rest
"""


@click.command(epilog=_EPILOG)
@request_options
@click.option(
    "-o",
    "--output",
    type=FILE_TYPE,
    default=Path("requirements.lock.txt"),
    show_default=True,
    metavar="FILE",
    help="The lock. One that is there is updated with as few changes as possible.",
)
@click.option("--target", metavar="TARGET", help="Lock for another platform: cp310-win32-x86_64. Resolved, not run.")
@click.option("--check", is_flag=True, help="Write nothing; exit 8 with a package diff if the lock has drifted.")
@click.option("--upgrade", is_flag=True, help="Take the newest versions of everything.")
@click.option("-P", "--upgrade-package", multiple=True, metavar="NAME", help="Take the newest version of this one.")
@source_options
@answers
def command(session: Session, /, **options: Any) -> Result:
    """Write or check a lock: every distribution pinned, with hashes.

    Without options that say what is wanted, an existing lock is asked for the request that made it.
    """
    from imageai_envs.request.target import Target
    from imageai_envs.workflows.relock import LockOptions, check_lock, update_lock

    wanted = LockOptions(
        request=request_from(options),
        path=options["output"],
        engine=options["engine"],
        upgrade_all=options["upgrade"],
        upgrade=options["upgrade_package"],
        download=not options["no_download"],
        target=Target.parse(options["target"]) if options["target"] else None,
    )
    if options["check"]:
        lock = check_lock(wanted, session.context)
        data: dict[str, object] = {"path": str(wanted.path), "in_sync": True, "changes": []}
        return Result("lock", data, [f"{wanted.path} is in sync ({len(lock.pins)} distributions)."])
    updated = update_lock(wanted, session.context)
    data = {
        "path": str(wanted.path),
        "written": updated.written,
        "target": str(updated.lock.header.target),
        "engine": updated.lock.header.engine,
        "packages": {pin.name: pin.version for pin in updated.lock.pins},
        "changes": [vars(change) for change in updated.changes],
    }
    verb = "Wrote" if updated.written else "Nothing to change in"
    text = [f"{verb} {wanted.path}: {len(updated.lock.pins)} distributions for {updated.lock.header.target}."]
    if updated.previous:
        text += [f"  {change}" for change in updated.changes]
    return Result("lock", data, text)
