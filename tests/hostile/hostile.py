"""What a hostile input is, and the judgement over what the command line made of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.hostile.ground import Ended, Ground

KINDS = ("lock", "template", "requirement file", "environment", "variable", "name")
SECONDS = 60
"""A command must have ended by then."""
MEGABYTES = 300
"""Of memory, for the largest process of a command. The real ones take up to 110 (uv with tiny wheels)."""
_LONGEST = 20_000  # bytes of an answer; what is hostile is shown cut
# Of others, as bytes: C0, DEL, C1, and marks and overrides of direction.
_RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def nothing(_ground: Ground) -> None:
    """Leave the ground as it is: the words or the variables are what is hostile."""


@dataclass(frozen=True)
class Hostile:
    """One hostile input.

    Attributes:
        kind: one of :data:`KINDS`.
        name: what is hostile about it, in words.
        words: the command that meets it; ``{ground}`` stands for the directory of everything.
        code: the right exit code.
        says: a fragment of the sentence that people are told.
        id: with ``--json`` the code of the error; at exit 1 the id of a finding; at exit 0 nothing.
        mutate: makes the valid thing on the ground hostile.
        variables: set for the command; None takes one away.
        good: the same command with a valid word; None: ``words`` are valid, the ground is hostile.
        good_variables: valid values, if it is the variables that are hostile.
        changes: paths relative to the ground, beside logs and caches of the store, that the right answer changes.
        human: the command has no ``--json``, or prints what is not ours.
    """

    kind: str
    name: str
    words: tuple[str, ...]
    code: int
    says: str
    id: str = ""
    mutate: Callable[[Ground], None] = nothing
    variables: Mapping[str, str | None] = field(default_factory=dict)
    good: tuple[str, ...] | None = None
    good_variables: Mapping[str, str | None] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    human: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was seen of one input, and what of it is wrong; nothing wrong means answered as decided."""

    hostile: Hostile
    code: int
    wrong: tuple[str, ...]


def judge(hostile: Hostile, ground: Ground) -> Verdict:
    """Show that the command works on the valid input; let it meet the hostile one, for people and with ``--json``."""
    wrong = list(ground.control(hostile))
    code = -1
    for as_json in (False,) if hostile.human else (False, True):
        ground.restore()
        hostile.mutate(ground)
        before = ground.fingerprint()
        ended = ground.run(_with_json(hostile.words) if as_json else hostile.words, hostile.variables)
        code = ended.code
        said = _wrong_json(hostile, ended) if as_json else _wrong_words(hostile, ended)
        wrong += [f"{'--json: ' if as_json else ''}{text}" for text in (*said, *_wrong_anyway(hostile, ended))]
        wrong += [f"changed: {path}" for path in ground.changed(before, hostile.changes)[:5]]
    return Verdict(hostile, code, tuple(wrong))


def _with_json(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words with ``--json`` among our options: before ``--``, if there is one."""
    place = words.index("--") if "--" in words else len(words)
    return (*words[:place], "--json", *words[place:])


def _wrong_anyway(hostile: Hostile, ended: Ended) -> list[str]:
    """Return what no answer may be."""
    both = ended.out + ended.err
    found = [f"exit {ended.code}, not {hostile.code}: {both.strip()[:300]!r}"] if ended.code != hostile.code else []
    found += [f"took longer than {SECONDS} s"] if ended.seconds > SECONDS else []
    found += [f"took {ended.megabytes:.0f} MB"] if ended.megabytes > MEGABYTES else []
    found += ["a traceback"] if "Traceback (most recent call last)" in both else []
    found += ["called unexpected"] if "Something unexpected happened" in both else []
    raw = _RAW.search(both)
    found += [f"raw {raw[0]!r} in {both[max(0, raw.start() - 40) : raw.end()]!r}"] if raw else []
    found += [f"{len(both)} bytes of answer"] if hostile.code > 1 and len(both) > _LONGEST else []
    return found


def _wrong_words(hostile: Hostile, ended: Ended) -> list[str]:
    lines = [line for line in ended.err.splitlines() if line.startswith("error:")]
    found = []
    if len(lines) != int(hostile.code > 1):
        found.append(f"{len(lines)} error lines: {ended.err[:300]!r}")
    if hostile.says not in (ended.err if hostile.code > 1 else ended.out + ended.err):
        found.append(f"does not say {hostile.says!r}: {(ended.out + ended.err)[:300]!r}")
    return found


def _wrong_json(hostile: Hostile, ended: Ended) -> list[str]:
    try:
        data = json.loads(ended.out)
    except ValueError:
        return [f"standard output is not JSON: {ended.out[:300]!r}"]
    if data["exit_code"] != ended.code:
        return [f"says exit code {data['exit_code']}"]
    if hostile.code > 1:
        codes = [error["code"] for error in data["errors"]]
        return [] if codes == [hostile.id] else [f"errors are {codes}"]
    if data["errors"]:
        return [f"errors are {data['errors']}"]
    return [] if not hostile.id or f'"id": "{hostile.id}"' in ended.out else [f"no finding {hostile.id}"]
