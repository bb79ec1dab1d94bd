"""Pages that several sessions write, each its own section: what another wrote stays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TITLE = "# Reliability\n"


def write_section(page: Path, heading: str, lines: Sequence[str]) -> None:
    """Replace one section of a page (up to the next heading of the second level), or add it at the end.

    Args:
        page: a Markdown file; it need not exist.
        heading: the section's heading, without the hashes.
        lines: what stands below it.
    """
    text = page.read_text(encoding="utf-8") if page.exists() else _TITLE
    title, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    new = "\n".join([f"## {heading}", "", *lines]) + "\n"
    before = [section.rstrip("\n") + "\n" for section in sections]
    places = [number for number, section in enumerate(before) if section.startswith(f"## {heading}\n")]
    if places:
        before[places[0]] = new
    else:
        before.append(new)
    page.write_text("\n".join([title.rstrip("\n") + "\n", *before]), encoding="utf-8")
