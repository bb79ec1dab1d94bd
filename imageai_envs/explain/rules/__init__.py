"""The catalogue of error texts: what each means, which versions it hits, what fixes it, and where that was seen.

The files are ``*.toml`` beside this module, one per topic; their format is documented in ``docs/explain.md``.
Patterns are regular expressions for one line of output. Each must hold a piece of fixed text: a log of a hundred
megabytes is searched for that piece first, and the expression is tried only where it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from packaging.requirements import InvalidRequirement, Requirement

from imageai_envs.base.toml_reader import Table, read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SCHEMA = 1
SHORTEST = 6
"""Characters that the fixed text of a pattern has at least; shorter ones stand in every log."""

_WRAPPER = -20  # priority of rules for sentences that stand for any error
T = TypeVar("T")
_REPEATED = "?*{"
_ENDS = ".^$)]}+"


@dataclass(frozen=True)
class Pattern:
    """A regular expression for one line, and the longest text that every such line holds."""

    expression: re.Pattern[str]
    literal: str


@dataclass(frozen=True)
class Rule:
    """A known error.

    Attributes:
        id: stable identifier.
        topic: name of the file that it stands in.
        patterns: it is met where one of them is found.
        near: expressions that must all be found within the lines around; empty for most.
        unless: expressions of which none may be found there.
        statuses: exit statuses that mean the same without any text, as a shell counts (128 + signal).
        cause: what is wrong, in plain words.
        versions: which versions are affected.
        fix: what fixes it, best first; commands of ours begin with ``imageai-env``.
        cap: the requirement that a template needs against it; None where it is no matter of versions.
        links: threads in which it was seen.
        example: a real text of it.
        installed: what is installed where this is the cause; empty when that cannot be told.
        absent: what is not installed where this is the cause.
        beats: rules that are only consequences of this one.
        priority: below 0 for texts that name no cause by themselves: wrappers of other errors.
        warning: it stops no program; what failed, failed of something else.
        failure: the error code of our own commands for it; empty where none of them fails of it.
    """

    id: str
    topic: str
    patterns: tuple[Pattern, ...]
    near: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    statuses: tuple[int, ...]
    cause: str
    versions: str
    fix: tuple[str, ...]
    cap: Requirement | None
    links: tuple[str, ...]
    example: str
    installed: tuple[Requirement, ...]
    absent: tuple[str, ...]
    beats: tuple[str, ...]
    priority: int
    warning: bool
    failure: str

    @property
    def names_cause(self) -> bool:
        """Tell whether its text says what went wrong; a warning, or a sentence put in place of an error, does not."""
        return not self.warning and self.priority > _WRAPPER

    @property
    def plain_fix(self) -> str:
        """Return the fix that needs no new environment."""
        return next((fix for fix in self.fix if not fix.startswith("imageai-env create")), self.fix[0])


def rules_directory() -> Path:
    """Return the directory of the shipped rules."""
    return Path(__file__).parent


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """Return the shipped catalogue, read and compiled once.

    Raises:
        TemplateError: a file is damaged.
    """
    return load_rules(sorted(rules_directory().glob("*.toml")))


@cache
def installers_rules() -> tuple[Rule, ...]:
    """Return the rules for what keeps pip and uv from working, causes before their effects.

    Raises:
        TemplateError: the file is damaged.
    """
    return load_rules([rules_directory() / "installers.toml"])


def load_rules(paths: Iterable[Path]) -> tuple[Rule, ...]:
    """Read and validate rule files.

    Raises:
        TemplateError: with every problem of the first file that has one.
    """
    rules: list[Rule] = []
    for path in paths:
        rules += _read_file(path, {rule.id for rule in rules})
    return tuple(rules)


def _read_file(path: Path, taken: set[str]) -> list[Rule]:
    root, problems = read_toml(path, "Rules file")
    schema = root.integer("schema")
    if schema != SCHEMA and not problems.found:
        problems.add("schema", f"this version reads schema {SCHEMA}, the file says {schema}")
    rules = []
    for table in root.tables("rules"):
        rule = _read_rule(table, path.stem)
        if rule.id in taken:
            problems.add(table.place("id"), f"there is another rule {rule.id!r}")
        taken.add(rule.id)
        rules.append(rule)
    root.end()
    problems.raise_if_any("Rules file")
    return rules


def _read_rule(table: Table, topic: str) -> Rule:
    confirm = table.table("confirm", required=False)
    rule = Rule(
        id=_identifier(table, "id"),
        topic=topic,
        patterns=_each(table, "patterns", compile_pattern),
        near=_each(table, "near", re.compile, required=False),
        unless=_each(table, "unless", re.compile, required=False),
        statuses=tuple(_each(table, "statuses", int, required=False)),
        cause=table.text("cause"),
        versions=table.text("versions"),
        fix=table.texts("fix"),
        cap=_requirement(table, "cap"),
        links=_each(table, "links", _link),
        example=table.text("example"),
        installed=_each(confirm, "installed", _parse, required=False) if confirm else (),
        absent=confirm.texts("absent", required=False) if confirm else (),
        beats=table.texts("beats", required=False),
        priority=table.integer("priority", required=False),
        warning=table.flag("warning", default=False),
        failure=table.text("failure", required=False),
    )
    if confirm:
        confirm.end()
    table.end()
    for key, value in (("patterns", rule.patterns), ("fix", rule.fix), ("links", rule.links)):
        if not value and not table.problems.found:
            table.problems.add(table.place(key), "must not be empty")
    return rule


def _identifier(table: Table, key: str) -> str:
    text = table.text(key)
    if text and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        table.problems.add(table.place(key), f"{text!r}: use lower case letters, digits and hyphens")
    return text


def _each(table: Table, key: str, parse: Callable[[str], T], *, required: bool = True) -> tuple[T, ...]:
    def checked(text: str) -> T:
        try:
            return parse(text)
        except (re.error, InvalidRequirement) as error:
            raise ValueError(str(error)) from error

    values = [table.parsed(key, text, checked) for text in table.texts(key, required=required)]
    return tuple(value for value in values if value is not None)


def _requirement(table: Table, key: str) -> Requirement | None:
    text = table.text(key, required=False)
    return table.parsed(key, text, _parse) if text else None


def _parse(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(str(error)) from error


def _link(text: str) -> str:
    if not text.startswith(("https://", "docs/")):
        raise ValueError("a link begins with https://, or names a page of ours under docs/")
    return text


def compile_pattern(text: str) -> Pattern:
    """Compile a pattern and find its fixed text.

    Raises:
        ValueError: it does not compile, has alternatives on its outermost level, or too little fixed text.
    """
    try:
        expression = re.compile(text)
    except re.error as error:
        raise ValueError(str(error)) from error
    runs = fixed_text(text)
    literal = max(runs, key=len, default="")
    if len(literal) < SHORTEST:
        raise ValueError(f"no piece of fixed text is {SHORTEST} characters long")
    return Pattern(expression, literal)


def fixed_text(pattern: str) -> list[str]:
    """Return the pieces of text that every match of a regular expression holds.

    Groups and character classes are passed over, so some pieces are missed; none is invented.

    Raises:
        ValueError: the pattern has alternatives on its outermost level; they are patterns of their own.
    """
    runs, run, position = [], "", 0
    while position < len(pattern):
        char = pattern[position]
        if char == "|":
            raise ValueError("alternatives: write one pattern for each")
        step = 1
        kept = char
        if char == "\\":
            step, following = 2, pattern[position + 1 : position + 2]
            kept = following if not following.isalnum() else ""
        elif char in "([":
            step, kept = _closing(pattern, position) - position, ""
        elif char in _ENDS or char in _REPEATED:
            kept = ""
        after = pattern[position + step : position + step + 1]
        if not kept or (after and after in _REPEATED):
            runs.append(run)
            run = ""
        else:
            run += kept
        if char == "{":
            step = max(pattern.find("}", position) + 1 - position, 1)
        position += step
    return [*runs, run]


def _closing(pattern: str, start: int) -> int:
    """Return the position after the group or class that opens at ``start``."""
    if pattern[start] == "[":
        position = start + (2 if pattern[start + 1 : start + 2] != "^" else 3)  # a ] in first place is itself
        while position < len(pattern) and pattern[position] != "]":
            position += 2 if pattern[position] == "\\" else 1
        return position + 1
    position = start + 1
    while position < len(pattern) and pattern[position] != ")":
        if pattern[position] in "([":
            position = _closing(pattern, position)
        else:
            position += 2 if pattern[position] == "\\" else 1
    return position + 1
