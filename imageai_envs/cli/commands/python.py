"""``imageai-env python``."""

from __future__ import annotations

import click

from imageai_envs.base.result import Result, Table
from imageai_envs.cli.options import Session, answers


@click.group()
def command() -> None:
    """List the Pythons of this machine and what they serve."""


@command.command("list")
@answers
def list_command(session: Session, /) -> Result:
    """List all Pythons that were found, and which templates each serves.

    Looks on PATH, in pyenv (activated or not), uv, conda, asdf, mise, /opt, /usr/local and, on Windows, the registry.
    """
    from imageai_envs.interpreters import find_interpreters
    from imageai_envs.templates.catalog import load_catalog

    entries = load_catalog(session.home).entries
    rows, data = [], []
    for one in sorted(find_interpreters(session.context), key=lambda one: one.version):
        able = [] if one.unusable else [entry.template for entry in entries if entry.template.runs_on(one)]
        serves = [template.name for template in able]
        remark = one.unusable or ", ".join(serves) or "none"
        rows.append((one.version_text, one.implementation, one.machine, one.source, str(one.executable), remark))
        data.append(
            {
                "version": one.version_text,
                "implementation": one.implementation,
                "machine": one.machine,
                "source": one.source,
                "executable": str(one.executable),
                "templates": serves,
                "unusable": one.unusable,
                "lacking": list(one.lacking),
            }
        )
    headings = ("VERSION", "IMPLEMENTATION", "MACHINE", "FROM", "EXECUTABLE", "SERVES")
    return Result("python list", {"pythons": data}, [Table(headings, tuple(rows))])
