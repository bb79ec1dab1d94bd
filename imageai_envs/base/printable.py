"""Text of others as it may be shown: what would move the cursor, colour, hide or turn round is written as an escape.

Names, summaries, headers and log lines come from clones and archives. A terminal obeys the escape sequences in them.
"""

from __future__ import annotations

import re

# C0, DEL and C1; line separators, marks and overrides of the direction (Unicode TR 9); halves of surrogate pairs, which
# are bytes of a file's name that no encoding has.
_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNSAFE = re.compile(f"[{_CONTROLS}]")
_UNSAFE_IN_LINE = re.compile(rf"[\t\n{_CONTROLS}]")


def visible(text: str) -> str:
    r"""Return ``text`` with its control characters as escapes (``\x1b``); line feeds and tabs stay."""
    return _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return ``text`` with its control characters, line feeds and tabs as escapes."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def visible_json(text: str) -> str:
    r"""Return JSON text with its control characters as JSON's own escapes (``\u009b``): the same data."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def is_visible(text: str) -> bool:
    """Tell whether :func:`visible` has nothing to do."""
    return not _UNSAFE.search(text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
