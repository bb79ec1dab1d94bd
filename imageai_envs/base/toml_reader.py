"""Read a TOML table strictly: typed getters that collect every problem with its place.

Unknown keys are problems too, with the key that was probably meant: a misspelt cap that is silently ignored
would build an environment that does not work.
"""

from __future__ import annotations

import difflib
import re
import sys
from typing import TYPE_CHECKING, TypeVar

from imageai_envs.base.errors import TemplateError
from imageai_envs.base.file_reading import read_text
from imageai_envs.base.printable import is_visible, one_line

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same module under its older name
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

T = TypeVar("T")
_ENOUGH = 100  # problems; a file with more has something else wrong
_SHOWN = 200  # characters of a file in a message
_LONGEST_TEXT = 2000  # characters; the longest reason that is shipped has 228
_NO_KEYS = re.compile(
    r'''"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|#[^\n]*''', re.DOTALL
)
"""Strings and comments; quoted parts of keys too, whose dots stay."""
_MOST_PARTS = 5_000_000  # squared and summed: a second
_LONGEST_ARRAY = 500  # the longest that is shipped has 15 entries
_KINDS = {str: "a string", int: "an integer", bool: "true or false", list: "an array", dict: "a table"}


class Problems:
    """The problems of one file, in the order they were met."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines = text.splitlines()
        self.found: list[str] = []

    def add(self, place: str, message: str, *, there: bool = True) -> None:
        """Record ``message`` for the value at ``place``, a dotted path such as ``caps[2].reason``.

        ``there`` is False when the key is missing: a line with that key is then another table's.
        """
        if len(self.found) < _ENOUGH:
            line = self._line_of(place) if there else None
            shown = one_line(place[:_SHOWN])
            self.found.append(f"{shown}{f' (line {line})' if line else ''}: {message}")

    def _line_of(self, place: str) -> int | None:
        # tomllib gives no positions. A key that stands once in the file has one possible line.
        key = re.split(r"[.\[]", re.sub(r"\[\d+\]$", "", place))[-1]
        pattern = re.compile(rf"^\s*(?:\[+(?:[\w-]+\.)*)?[\"']?{re.escape(key)}[\"']?\s*(?:=|\]|\.)")
        hits = [number for number, line in enumerate(self._lines, 1) if pattern.match(line)]
        return hits[0] if len(hits) == 1 else None

    def raise_if_any(self, what: str) -> None:
        """Raise one error that lists everything.

        Raises:
            TemplateError: at least one problem was recorded.
        """
        if self.found:
            listing = "\n".join(f"  - {problem}" for problem in self.found)
            count = "1 problem" if len(self.found) == 1 else f"{len(self.found)} problems"
            raise TemplateError(
                f"{what} {self.path} has {count}:\n{listing}",
                path=self.path,
                hint=f"imageai-env templates validate {self.path}",
            )


class Table:
    """One TOML table whose keys are taken one by one; what is left over at the end is unknown."""

    def __init__(self, data: dict[str, object], place: str, problems: Problems) -> None:
        self._data = data
        self._place = place
        self._known: list[str] = []
        self.problems = problems

    def place(self, key: str) -> str:
        """Return the dotted path of ``key``."""
        return f"{self._place}.{key}" if self._place else key

    def has(self, key: str) -> bool:
        """Tell whether ``key`` is there; it is not taken by that."""
        return key in self._data

    def _take(self, key: str, kind: type[T], *, required: bool) -> T | None:
        self._known.append(key)
        if key not in self._data:
            if required:
                self.problems.add(self.place(key), f"missing; it must be {_KINDS[kind]}", there=False)
            return None
        value = self._data[key]
        # bool is an int in Python, not in TOML.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.problems.add(self.place(key), f"must be {_KINDS[kind]}, not {_name_kind(value)}")
            return None
        return value

    def text(self, key: str, default: str = "", *, required: bool = True) -> str:
        """Take a string; an empty one where it is required is a problem."""
        value = self._take(key, str, required=required)
        if value is not None and required and not value.strip():
            self.problems.add(self.place(key), "must not be empty")
        return default if value is None else self._plain(self.place(key), value)

    def _plain(self, place: str, text: str) -> str:
        """Return a text that may be shown, and a word in place of one that may not."""
        if len(text) > _LONGEST_TEXT:
            self.problems.add(place, f"must not have more than {_LONGEST_TEXT} characters")
        elif not is_visible(text):
            self.problems.add(place, f"must not have control characters: '{one_line(text[:_SHOWN])}'")
        else:
            return text
        return ""

    def integer(self, key: str, default: int = 0, *, required: bool = True) -> int:
        """Take an integer."""
        value = self._take(key, int, required=required)
        return default if value is None else value

    def flag(self, key: str, *, default: bool) -> bool:
        """Take a boolean."""
        value = self._take(key, bool, required=False)
        return default if value is None else value

    def texts(self, key: str, *, required: bool = True) -> tuple[str, ...]:
        """Take an array of strings."""
        result = []
        for index, value in enumerate(self._array(key, required=required)):
            if isinstance(value, str):
                result.append(self._plain(f"{self.place(key)}[{index}]", value))
            else:
                self.problems.add(f"{self.place(key)}[{index}]", f"must be a string, not {_name_kind(value)}")
        return tuple(result)

    def table(self, key: str, *, required: bool = True) -> Table | None:
        """Take a sub-table."""
        value = self._take(key, dict, required=required)
        return None if value is None else Table(value, self.place(key), self.problems)

    def _array(self, key: str, *, required: bool) -> list[object]:
        values = self._take(key, list, required=required) or []
        if len(values) > _LONGEST_ARRAY:
            self.problems.add(self.place(key), f"must not have more than {_LONGEST_ARRAY} entries")
        return values[:_LONGEST_ARRAY]

    def tables(self, key: str) -> list[Table]:
        """Take an array of tables; a missing one is empty."""
        result = []
        for index, value in enumerate(self._array(key, required=False)):
            place = f"{self.place(key)}[{index}]"
            if isinstance(value, dict):
                result.append(Table(value, place, self.problems))
            else:
                self.problems.add(place, f"must be a table, not {_name_kind(value)}")
        return result

    def mapping(self, key: str) -> dict[str, str] | None:
        """Take a table of strings under keys of any name; None when it is missing."""
        value = self._take(key, dict, required=False)
        if value is None:
            return None
        for name, text in value.items():
            if not isinstance(text, str):
                self.problems.add(f"{self.place(key)}.{name}", f"must be a string, not {_name_kind(text)}")
        return {
            self._plain(self.place(key), name): self._plain(f"{self.place(key)}.{name}", text)
            for name, text in value.items()
            if isinstance(text, str)
        }

    def parsed(self, key: str, text: str, parse: Callable[[str], T]) -> T | None:
        """Return ``parse(text)``; a ValueError becomes a problem at ``key``."""
        try:
            return parse(text)
        except ValueError as error:
            self.problems.add(
                self.place(key), f"{text[:_SHOWN]!r} is not valid: {str(error)[:_SHOWN]}".replace("\n", " ")
            )
            return None

    def end(self) -> None:
        """Record every key that was not read."""
        for key in self._data:
            if len(self.problems.found) >= _ENOUGH:
                return
            if key not in self._known:
                near = difflib.get_close_matches(key, self._known, n=1)
                meant = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(self._known)}"
                self.problems.add(self.place(key), f"unknown key; {meant}")


def _name_kind(value: object) -> str:
    for kind in (bool, int, str, list, dict):
        if isinstance(value, kind):
            return _KINDS[kind]
    return f"a {type(value).__name__}"


def parse_toml(text: str) -> dict[str, Any]:
    """Return the data of a TOML text.

    Raises:
        ValueError: it is not TOML, has a number of thousands of digits, or keys that take the parser minutes.
        RecursionError: it is nested too deep.
    """
    # The parser takes time with the square of a key's parts, which stand on one line.
    if sum(line.count(".") ** 2 for line in _NO_KEYS.sub("", text).split("\n")) > _MOST_PARTS:
        raise ValueError("it has keys of thousands of parts")
    return tomllib.loads(text)


def read_toml(path: Path, what: str) -> tuple[Table, Problems]:
    """Read a TOML file into its root table.

    Raises:
        TemplateError: the file cannot be read, is not UTF-8, or is not TOML (with line and column).
    """
    try:
        text = read_text(path, pipe=True)
    except OSError as error:
        raise TemplateError(f"Cannot read {what.lower()} {path}: {error.strerror or error}.", path=path) from error
    try:
        data = parse_toml(text)
    except (ValueError, RecursionError) as error:  # ValueError: a number with thousands of digits, too
        raise TemplateError(f"{what} {path} is not valid TOML: {error}", path=path) from error
    problems = Problems(path, text)
    return Table(data, "", problems), problems
