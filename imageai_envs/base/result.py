"""What a command answers: data for scripts, and how to show it to people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

SCHEMA = 1


@dataclass(frozen=True)
class Span:
    """A highlighted part of a line; the colour is a terminal's, without one it is bold."""

    text: str
    colour: str | None = None


@dataclass(frozen=True)
class Verbatim:
    """A text for another program, such as a script for ``eval``: printed unchanged."""

    text: str


Line: TypeAlias = "str | tuple[str | Span, ...]"
"""A line for people. Who shows it makes it safe for a terminal, so colours come from spans only."""


@dataclass(frozen=True)
class Table:
    """Rows under headings, for people."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Result:
    """The answer of a command.

    Attributes:
        command: its words, such as ``templates list``.
        data: plain data, part of the JSON contract (``docs/json.md``).
        text: lines, tables and scripts, in order.
        exit_code: 0, or 1 with findings.
    """

    command: str
    data: dict[str, object]
    text: Sequence[Line | Table | Verbatim] = field(default=())
    exit_code: int = 0

    def envelope(self) -> dict[str, object]:
        """Return the JSON object that ``--json`` prints."""
        status = "success" if self.exit_code == 0 else "partial"
        return {
            "schema": SCHEMA,
            "command": self.command,
            "status": status,
            "exit_code": self.exit_code,
            "data": self.data,
            "errors": [],
        }
