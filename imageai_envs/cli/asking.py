"""Ask before something is done that a person should have said yes to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imageai_envs.base.errors import UsageProblem
from imageai_envs.base.printable import visible

if TYPE_CHECKING:
    from imageai_envs.cli.options import Session


def agreed(session: Session, question: str, needs: str, hint: str) -> bool:
    """Return what the person answers; the question may name files of others, so it is shown as they are printed.

    Args:
        session: whether there is someone to ask.
        question: what is asked.
        needs: what is to be done, for the error: ``Removing …``.
        hint: the command that says yes.

    Raises:
        UsageProblem: there is nobody to ask.
    """
    if session.as_json or not sys.stdin.isatty():
        raise UsageProblem(f"{needs} needs a yes, and there is nobody to ask.", hint=hint, code="needs-yes")
    return click.confirm(visible(question), err=True)
