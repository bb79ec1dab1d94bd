"""Show results and errors: words for people on standard output and error, or one JSON object on standard output."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from imageai_envs.cli.streams import say
from imageai_envs.redaction import redact, redact_data
from imageai_envs.result import SCHEMA, Result, Table

if TYPE_CHECKING:
    from imageai_envs.errors import ImageAIEnvError


def show_result(result: Result, *, as_json: bool) -> None:
    """Print a result on standard output."""
    if as_json:
        _print_json(result.envelope())
        return
    for part in result.text:
        if isinstance(part, Table):
            _print_table(part)
        else:
            click.echo(redact(part))


def show_error(error: ImageAIEnvError, command: str, *, as_json: bool) -> None:
    """Print an error: on standard error for people, as the envelope on standard output for scripts."""
    if as_json:
        entry = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint or None,
        }
        _print_json(
            {
                "schema": SCHEMA,
                "command": command,
                "status": "error",
                "exit_code": error.exit_code,
                # A probe's answer has whole tracebacks.
                "data": error.data,
                "errors": [entry],
            }
        )
        return
    say(f"{click.style('error:', fg='red', bold=True)} {redact(error.message)}")
    if error.hint:
        say(f"{click.style('hint:', fg='cyan', bold=True)} {redact(error.hint)}")


def _print_json(data: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(redact_data(data), indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _print_table(table: Table) -> None:
    """Print aligned columns; the last one is never cut, so that paths can be copied."""
    rows = [table.headings, *(tuple(map(redact, row)) for row in table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.headings))]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)


def human_size(size: int) -> str:
    """Return bytes in decimal units, as ``df -H`` and package indexes show them."""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"
