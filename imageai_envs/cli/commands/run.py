"""``imageai-env run``."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import Session, answers, name_argument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imageai_envs.environments.environment import Environment
    from imageai_envs.explain.explain import Explanation
    from imageai_envs.running.run import Ended

_EPILOG = """\b
Examples:
  imageai-env run myproj -- python detect.py --input street.jpg
  imageai-env run myproj -- pip show tensorflow-cpu
"""
_WANTED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGPIPE")  # someone ended the program: that is no failure


class _Run(click.Command):
    """Our options may stand on both sides of NAME; whatever follows the command, or ``--``, is the command's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let options follow NAME where ``--`` says what is no option of ours any more."""
        ours = args[: args.index("--")] if "--" in args else []
        if sum(not word.startswith("-") for word in ours) == 1:
            ctx.allow_interspersed_args = True
            ctx.ignore_unknown_options = False
        return super().parse_args(ctx, args)


@click.command(
    cls=_Run,
    epilog=_EPILOG,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@name_argument
@click.option("--repair", "fix", is_flag=True, help="Fix the environment first if it is not as locked.")
@click.option(
    "--explain/--no-explain",
    "explained",
    default=None,
    help="When a command fails, say what its error means. Default: for Python programs that do not talk to a person.",
)
@click.argument("words", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@answers
def command(session: Session, /, name: str, words: tuple[str, ...], *, fix: bool, explained: bool | None) -> Result:
    """Run a command in an environment, without activating it.

    Its exit code and signals are the command's. With --json the command's output goes to standard error and its
    exit code is in the answer too.
    """
    from imageai_envs.checks import check_quickly
    from imageai_envs.environments.store import Store
    from imageai_envs.running.run import can_be_explained, run_beside, run_in

    store = Store(session.context)
    environment = store.get(name, to_use=True)
    broken = [finding for finding in check_quickly(environment) if finding.severity == "error"]
    if broken and fix:
        from imageai_envs.workflows.maintain import RebuildOptions
        from imageai_envs.workflows.repair import repair

        with store.hold(name) as held:
            repair(held, session.context, RebuildOptions())
        session.context.finish()  # the command takes our place; nobody would come back to it
        session.reporter.stop()
        broken = []
    elif broken:
        session.reporter.warn(f"{environment.name} is not as locked: {broken[0].evidence}. Fix: {broken[0].fix}")
    arguments = words[1:] if words[:1] == ("--",) else words
    explainable = os.name == "posix" and explained is not False
    if session.as_json:
        ended = run_beside(environment.root, arguments, record=explainable, stdout=sys.stderr.fileno())
        return _answer(environment, arguments, ended.status, _explain(environment, ended) if explainable else ())
    if not explainable or not (explained or can_be_explained(environment.root, arguments)):
        return Result("run", {}, exit_code=run_in(environment.root, arguments))
    from imageai_envs.cli.explanations import short
    from imageai_envs.cli.render import show_lines
    from imageai_envs.running.attend import end_like

    ended = run_beside(environment.root, arguments)
    show_lines(short(_explain(environment, ended), environment.fix_by("repair") if broken else ""))
    return Result("run", {}, exit_code=end_like(ended.returncode))


def _explain(environment: Environment, ended: Ended) -> tuple[Explanation, ...]:
    """Return what the traceback of a failed program means, and how it died."""
    if ended.returncode == 0 or -ended.returncode in (getattr(signal, name, 0) for name in _WANTED):
        return ()
    from imageai_envs.doctor.installed import installed_in
    from imageai_envs.explain.explain import explain

    return explain(ended.traceback, installed_in(environment.root), status=ended.status)


def _answer(environment: Environment, argv: Sequence[str], code: int, explanations: Sequence[Explanation]) -> Result:
    data: dict[str, object] = {
        "name": environment.name,
        "argv": list(argv),
        "returncode": code,
        "explanations": [item.to_json() for item in explanations],
    }
    return Result("run", data, exit_code=code)
