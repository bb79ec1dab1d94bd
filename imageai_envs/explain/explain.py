"""Turn error text, or a whole log, into causes: which rules it meets, where, and whether an environment agrees.

Nothing is said about text that no rule knows. What people's own code raises is theirs: no rule is so wide as to match
it, and tests hold the catalogue to that.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from packaging.version import InvalidVersion, Version

from imageai_envs.base.redaction import redact
from imageai_envs.explain.log_text import pieces
from imageai_envs.explain.rules import Rule, shipped_rules
from imageai_envs.request.stack import KERASES, OPENCVS, TENSORFLOWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.requirements import Requirement

_BEFORE = 8000  # characters around a line in which `near` and `unless` are looked for: a deep traceback
_AFTER = 2000
_LINE = 2000  # characters on each side of the fixed text; of a longer line nothing else is looked at
_MOST = 64  # places of one fixed text that are looked at in one piece, from its start and from its end
_SHOWN = 240  # characters of a line that are shown
_EVIDENCE = 3
_TRACEBACK = "Traceback (most recent call last)"
_CHAINED = re.compile(
    r"(?:During handling of the above exception|The above exception was the direct cause|Error: $)[^\n]*\s*$"
)
# In rules the first name stands for every distribution that brings the same module.
_FAMILIES = {"tensorflow": TENSORFLOWS, "opencv-python": OPENCVS}
_MISSING = {**_FAMILIES, "keras": KERASES}


@dataclass(frozen=True)
class Evidence:
    """A line that met a rule. ``line`` counts from 1; 0 when it is an exit status."""

    line: int
    text: str


@dataclass(frozen=True)
class Explanation:
    """What an error means.

    Attributes:
        rule: the rule that was met.
        evidence: lines that met it, redacted.
        confirmed: what the environment says: it has, or has not, what is the cause; None: it cannot tell.
        because: the installed distributions that decide, in words; empty when ``confirmed`` is None.
    """

    rule: Rule
    evidence: tuple[Evidence, ...]
    confirmed: bool | None = None
    because: str = ""

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "rule": self.rule.id,
            "topic": self.rule.topic,
            "warning": self.rule.warning,
            "cause": self.rule.cause,
            "versions": self.rule.versions,
            "fix": list(self.rule.fix),
            "links": list(self.rule.links),
            "evidence": [{"line": item.line, "text": item.text} for item in self.evidence],
            "confirmed": self.confirmed,
            "because": self.because,
        }


@dataclass
class _Found:
    """Where a rule was met: in the latest failure that it is part of."""

    failure: int
    evidence: list[Evidence] = field(default_factory=list)


def explain(
    source: str | bytes | BinaryIO,
    installed: Mapping[str, str] | None = None,
    *,
    status: int | None = None,
    rules: Sequence[Rule] | None = None,
) -> tuple[Explanation, ...]:
    """Explain error text; empty when nothing in it is known.

    Args:
        source: the text, or a binary stream that is read to its end in bounded memory.
        installed: an environment's distributions, normalized name to version, and perhaps ``python``.
        status: the exit status of the program that wrote it, as a shell counts (128 + signal).
        rules: the catalogue; default: the shipped one.

    Returns:
        The best one first: what the environment refutes comes last; causes before consequences and warnings; the
        last failure of a log before earlier ones, and within a chain of exceptions the first.

    Raises:
        OSError: the stream cannot be read.
    """
    catalogue = shipped_rules() if rules is None else rules
    found = _Search(catalogue).run(source)
    explanations = []
    for rule in catalogue:
        met = found.get(rule.id)
        if met is None and status is not None and status in rule.statuses:
            met = found[rule.id] = _Found(0, [Evidence(0, f"exit status {status}")])
        if met:
            confirmed, because = confirm(rule, installed) if installed is not None else (None, "")
            explanations.append(Explanation(rule, tuple(met.evidence), confirmed, because))
    superseded = {other for item in explanations if item.confirmed is not False for other in item.rule.beats}
    left = [item for item in explanations if item.rule.id not in superseded]

    def order(item: Explanation) -> tuple[bool, bool, int, int, int]:
        met = found[item.rule.id]
        return (
            item.confirmed is False, item.rule.warning, -item.rule.priority, -met.failure, met.evidence[0].line,
        )  # fmt: skip

    return tuple(sorted(left, key=order))


def confirm(rule: Rule, installed: Mapping[str, str]) -> tuple[bool | None, str]:
    """Say whether an environment has what brings the error about, and by which distributions."""
    agreeing: list[str] = []
    for wanted in rule.installed:
        name, version = _version_of(wanted, installed)
        if version is None:
            if wanted.name == "python":
                return None, ""
            return False, f"{wanted.name} is not installed"
        try:
            fits = wanted.specifier.contains(Version(version), prereleases=True)
        except InvalidVersion:
            return None, ""
        if not fits:
            return False, f"{name} {version} is installed, and this comes with {wanted}"
        agreeing.append(f"{name} {version}")
    for absent in rule.absent:
        for name in _MISSING.get(absent, (absent,)):
            if name in installed:
                return False, f"{name} {installed[name]} is installed"
    if not rule.installed and not rule.absent:
        return None, ""
    words = [f"{' and '.join(agreeing)} {'is' if len(agreeing) == 1 else 'are'} installed"] if agreeing else []
    words += [f"{name} is not installed" for name in rule.absent]
    return True, ", ".join(words)


def _version_of(wanted: Requirement, installed: Mapping[str, str]) -> tuple[str, str | None]:
    for name in _FAMILIES.get(wanted.name, (wanted.name,)):
        if name in installed:
            return name, installed[name]
    return wanted.name, None


class _Search:
    """One pass over a text: the fixed texts of all patterns are searched, and rules are tried where one is found."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._wanted: dict[str, list[tuple[Rule, re.Pattern[str]]]] = {}
        for rule in rules:
            for pattern in rule.patterns:
                self._wanted.setdefault(pattern.literal, []).append((rule, pattern.expression))
        self._longest = max((len(literal) for literal in self._wanted), default=0)
        self._found: dict[str, _Found] = {}
        self._failure = 0
        self._lines = 0  # before the text that is held

    def run(self, source: str | bytes | BinaryIO) -> dict[str, _Found]:
        held, done = "", 0
        for piece in pieces(source):
            held += piece
            until = len(held) - _AFTER - self._longest
            if until > done:
                self._look(held, done, until)
                cut = max(until - _BEFORE, 0)
                self._lines += held.count("\n", 0, cut)
                held, done = held[cut:], until - cut
        self._look(held, done, len(held))
        return self._found

    def _look(self, text: str, start: int, end: int) -> None:
        """Try the rules on the lines whose fixed text begins between ``start`` and ``end``."""
        failures = self._failures_in(text, start, end)
        places = sorted((place, literal) for literal in self._wanted for place in _places(text, literal, start, end))
        line, counted = self._lines + 1, 0
        for place, literal in places:
            line, counted = line + text.count("\n", counted, place), place
            words = _line_at(text, place)
            failure = self._failure + bisect.bisect_right(failures, place)
            for rule, expression in self._wanted[literal]:
                if self._is_new(rule, failure) and expression.search(words) and _fits(rule, text, place):
                    self._keep(rule, failure, Evidence(line, redact(words.strip()[:_SHOWN])))
        self._failure += len(failures)

    @staticmethod
    def _failures_in(text: str, start: int, end: int) -> list[int]:
        """Return where a traceback begins that is no continuation of the one before."""
        return [
            place
            for place in _places(text, _TRACEBACK, start, end)
            if not _CHAINED.search(text[max(place - 200, 0) : place])
        ]

    def _is_new(self, rule: Rule, failure: int) -> bool:
        met = self._found.get(rule.id)
        return met is None or met.failure < failure or len(met.evidence) < _EVIDENCE

    def _keep(self, rule: Rule, failure: int, evidence: Evidence) -> None:
        met = self._found.get(rule.id)
        if met is None or met.failure < failure:
            self._found[rule.id] = _Found(failure, [evidence])
        elif evidence.text not in (item.text for item in met.evidence):
            met.evidence.append(evidence)


def _places(text: str, literal: str, start: int, end: int) -> list[int]:
    """Return where ``literal`` begins; of very many places those at the start and at the end."""
    limit = end + len(literal) - 1
    places: list[int] = []
    place = text.find(literal, start, limit)
    while place >= 0 and len(places) < _MOST:
        places.append(place)
        place = text.find(literal, place + 1, limit)
    if place >= 0:
        places += sorted(_from_end(text, literal, place, limit))
    return places


def _from_end(text: str, literal: str, start: int, limit: int) -> Iterator[int]:
    for _ in range(_MOST):
        place = text.rfind(literal, start, limit)
        if place < 0:
            return
        yield place
        limit = place + len(literal) - 1


def _line_at(text: str, place: int) -> str:
    low, high = max(place - _LINE, 0), min(place + _LINE, len(text))
    start = max(text.rfind("\n", low, place), text.rfind("\r", low, place)) + 1 or low
    ends = [at for at in (text.find("\n", place, high), text.find("\r", place, high)) if at >= 0]
    return text[start : min(ends, default=high)]


def _fits(rule: Rule, text: str, place: int) -> bool:
    if not rule.near and not rule.unless:
        return True
    around = text[max(place - _BEFORE, 0) : place + _AFTER]
    return all(item.search(around) for item in rule.near) and not any(item.search(around) for item in rule.unless)
