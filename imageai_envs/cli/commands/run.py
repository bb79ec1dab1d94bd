"""``imageai-env run``."""

from __future__ import annotations

import click

from imageai_envs.cli.options import Session, answers, name_argument
from imageai_envs.result import Result

_EPILOG = """\b
Examples:
  imageai-env run myproj -- python detect.py --input street.jpg
  imageai-env run myproj -- pip show tensorflow-cpu
"""


@click.command(epilog=_EPILOG, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@name_argument
@click.option("--repair", "mend", is_flag=True, help="Mend the environment first if it is not as locked.")
@click.argument("words", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@answers
def command(session: Session, /, name: str, words: tuple[str, ...], mend: bool) -> Result:
    """Run a command in an environment, without activating it.

    Its exit code and signals are the command's. With --json the command's output goes to standard error and its
    exit code is in the answer too.
    """
    from imageai_envs.checks import check_quickly
    from imageai_envs.running import run_in, run_reported
    from imageai_envs.store import Store

    store = Store(session.home)
    environment = store.get(name)
    broken = [finding for finding in check_quickly(environment) if finding.severity == "error"]
    if broken and mend:
        from imageai_envs.maintaining import How, repair
        from imageai_envs.transaction import sweep

        with store.hold(name, session.reporter) as held:
            repair(held, session.home, session.reporter, How())
        sweep()  # the command takes our place; nobody would come back to it
    elif broken:
        session.reporter.warn(f"{environment.name} is not as locked: {broken[0].evidence}. Mend it: {broken[0].fix}")
    arguments = words[1:] if words[:1] == ("--",) else words
    if session.as_json:
        code = run_reported(environment.root, arguments)
        return Result("run", {"name": environment.name, "argv": list(arguments), "returncode": code}, exit_code=code)
    return Result("run", {}, exit_code=run_in(environment.root, arguments))
