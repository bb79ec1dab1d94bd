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
@click.argument("words", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@answers
def command(session: Session, /, name: str, words: tuple[str, ...]) -> Result:
    """Run a command in an environment, without activating it.

    Its exit code and signals are the command's. With --json the command's output goes to standard error and its
    exit code is in the answer too.
    """
    from imageai_envs.running import run_in, run_reported
    from imageai_envs.store import Store

    environment = Store(session.home).get(name)
    arguments = words[1:] if words[:1] == ("--",) else words
    if session.as_json:
        code = run_reported(environment.root, arguments)
        return Result("run", {"name": environment.name, "argv": list(arguments), "returncode": code}, exit_code=code)
    return Result("run", {}, exit_code=run_in(environment.root, arguments))
