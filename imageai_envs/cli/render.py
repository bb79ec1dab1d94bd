"""Show results and errors: words for people on standard output and error, or one JSON object on standard output."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from imageai_envs.base.printable import one_line, visible, visible_json
from imageai_envs.base.redaction import redact, redact_data
from imageai_envs.base.result import SCHEMA, Result, Span, Table, Verbatim
from imageai_envs.cli.streams import say, speaks_unicode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imageai_envs.base.errors import ImageAIEnvError
    from imageai_envs.base.result import Line


def show_result(result: Result, *, as_json: bool) -> None:
    """Print a result on standard output."""
    if as_json:
        _print_json(result.envelope())
        return
    for part in result.text:
        if isinstance(part, Table):
            _print_table(part)
        elif isinstance(part, Verbatim):
            click.echo(part.text)
        else:
            click.echo(_styled(part))


def show_lines(lines: Sequence[Line]) -> None:
    """Print lines on standard error."""
    for line in lines:
        say(_styled(line))


def _styled(line: Line) -> str:
    """Return a line for the terminal: colours are ours, control characters of others are shown as escapes."""
    spans = (line,) if isinstance(line, str) else line
    return "".join(
        visible(redact(span))
        if isinstance(span, str)
        else click.style(visible(redact(span.text)), fg=span.colour, bold=True)
        for span in spans
    )


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
    show_lines([(Span("error:", "red"), f" {error.message}")])
    if error.hint:
        show_lines([(Span("hint:", "cyan"), f" {error.hint}")])


def _print_json(data: dict[str, object]) -> None:
    text = json.dumps(redact_data(data), indent=2, ensure_ascii=not speaks_unicode(sys.stdout))
    sys.stdout.write(visible_json(text) + "\n")
    sys.stdout.flush()


def _print_table(table: Table) -> None:
    """Print aligned columns; the last one is never cut, so that paths can be copied."""
    rows = [tuple(one_line(redact(cell)) for cell in row) for row in (table.headings, *table.rows)]
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
