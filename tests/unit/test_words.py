"""Names and prose use the field's words. What was called otherwise once does not come back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

# Word (a regular expression, whole words, case ignored) and what to write instead.
OLD = {
    "wish|wishes": "options, request, requirement",
    "mend|mends|mending|unmended": "fix, repair",
    "cure|cures|cured": "fix",
    "anew": "again; re-",
    "broken off|broke off|breaks off": "interrupted",
    "somebody": "someone, another user",
    "gravest": "most severe",
    "brings? (?:it|this) about": "is the cause",
    "doomed|dooms?": "to be deleted, discarded",
    "heard|hears": "events, messages",
    "beaten|victor|loser": "superseded",
    "in force": "in effect",
    "thereof|therein|whereupon|lest|heretofore": "plain English",
    "the like of": "such as",
    "how_from|how_options|LockWish": "RebuildOptions, LockOptions",
}
# Keys and codes that scripts read keep their spelling as long as the schema is 1.
KEPT = re.compile(r"`?\"?(?:not-)?mended\"?`?")
FILES = [
    *(path for path in (REPOSITORY / "imageai_envs").rglob("*") if path.suffix in (".py", ".toml")),
    *(REPOSITORY / "templates").glob("*.toml"),
    *(REPOSITORY / "docs").glob("*.md"),
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "noxfile.py")),
]


def old_words(text: str) -> list[str]:
    """Return each old word in a text, with its line's number."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = KEPT.sub("", line.replace("_", " "))
        for word, instead in OLD.items():
            match = re.search(rf"(?<![\w-])(?:{word.replace('_', ' ')})(?![\w-])", words, re.IGNORECASE)
            if match:
                found.append(f"line {number}: {match[0]!r} (write: {instead})")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_old_words_do_not_come_back(path: Path) -> None:
    assert not old_words(path.read_text(encoding="utf-8"))


def test_an_old_word_is_found() -> None:
    assert old_words("plan\nwhat mends it, how_from(options)") == [
        "line 2: 'mends' (write: fix, repair)",
        "line 2: 'how from' (write: RebuildOptions, LockOptions)",
    ]
    assert old_words('"mended": [], `not-mended`') == []
