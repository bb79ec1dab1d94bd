"""What may happen to environments: what is there before, what people do to them, and which commands are given.

Everything is drawn as plain values, so that a sequence that loses something is made smaller until nothing can be left
out of it, and can be played again. (Drawn by ``random``: hypothesis, which varies what it has, draws far fewer
different ones.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.chaos.faults import WHATS, Fault

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

PLACES = {"x": "store/envs/x", "y": "store/envs/y", "v": "project/.venv", "d": "project/deep/d"}
"""Name of an environment to where it may lie, below the ground."""

FOREIGN = (
    "git",
    "git with marker",
    "git with old marker",
    "git as old",
    "copied",
    "copied as old",
    "copied as rest",
    "copied as new",
    "files",
)
"""What is nobody's but the user's, at a place or beside it under a name that we use."""
BEFORE = (*FOREIGN, "version before", "empty", "link", "file", "kept name")

ADDED = (
    "train.py",
    "my data/größe 1/labels.txt",
    "new\nline.txt",
    ".git/HEAD",
    ".gitignore",
    "CACHEDIR.TAG",
    "conda-meta/history",
    "bin/tool",
    "lib/notes.txt",
    "{site}/mine.py",
    "{site}/imageai/mine.py",
    "{site}/imageai/__pycache__/notes.txt",
    "{site}/imageai-2.1.6.dist-info/notes.txt",
    ".imageai-env/notes.md",
    ".imageai-env/.notes.2",
    ".imageai-env/keep/me.txt",
)
CREATED = ("pyvenv.cfg", "bin/activate")
EDITED = ("{site}/imageai/__init__.py", "{site}/numpy/__init__.py", *CREATED)
OTHERS = (
    "link",  # a symbolic link of the user's
    "closed directory",
    "hand-installed",
    "state damaged",
    "state newer",
    "state gone",
    "record gone",  # RECORD of a distribution
    "creation gone",  # what was listed when the environment was made
    "kept name",  # a directory of the user's that is called as ours would be
    "kept name in the way",  # the same as a file
    "removed",
    "moved away",
    "moved back",
)


@dataclass(frozen=True)
class Edit:
    """Something that a person does at a place.

    Attributes:
        what: ``added``, ``appended``, ``replaced``, ``copied over``, or one of OTHERS.
        place: an environment's name.
        path: of the file; for ``copied over``, to another place, marker and all: the name of that.
    """

    what: str
    place: str
    path: str = ""


@dataclass(frozen=True)
class Step:
    """What people do, then a command, and what happens to it.

    Attributes:
        edits: done before.
        words: the command; ``{a}`` and ``{b}`` are locks.
        fault: in one process: the fault.
        moment: with real kills: after which part of its usual time it is killed; None: not.
    """

    edits: tuple[Edit, ...]
    words: tuple[str, ...]
    fault: Fault | None
    moment: float | None


@dataclass(frozen=True)
class Sequence:
    """What is there before, by place, and the steps."""

    before: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]


def _edit(chance: random.Random, places: list[str]) -> Edit:
    what = chance.choice(("added", "added", "appended", "replaced", "other"))
    place = chance.choice(places)
    if what == "other":
        if places[0] != places[-1] and chance.random() < 0.3:
            return Edit("copied over", places[0], places[-1])
        return Edit(chance.choice(OTHERS), place)
    return Edit(what, place, chance.choice(ADDED if what == "added" else EDITED))


def _target(name: str) -> str:
    """Return how a command names an environment: those outside the store by their directory."""
    return name if name in ("x", "y") else PLACES[name].removeprefix("project/").replace(".venv", "./.venv")


def _create(name: str, *options: str) -> tuple[str, ...]:
    path = () if name in ("x", "y") else ("--path", _target(name))
    return ("create", name, *path, "--verify", "none", *options)


def commands(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands that are given for the environment ``name``; the frequent ones several times."""
    target = _target(name)
    path = target if "/" in target else f"../store/envs/{name}"
    changing = (
        _create(name, "--lock", "{a}", "--force"),
        _create(name, "--lock", "{b}", "--force"),
        ("recreate", target),
        ("sync", target, "{b}"),
        ("sync", target),
        ("upgrade", target),
        ("repair", target),
        ("remove", target, "-y"),
        ("remove", path, "-y"),
    )
    return (
        *changing,
        *changing,
        _create(name, "--lock", "{a}"),
        ("rename", name, "z"),
        ("clone", target, "c"),
        ("show", target),
        ("show", path),
        ("check", path),
        ("run", target, "--no-explain", "--", "python", "-c", ""),
        ("adopt", path, "-y"),
        ("adopt", path, "-y", "--name", "a"),
        ("list",),
        ("gc",),
    )


# How many calls of each kind the longest commands make, and those that only look.
_CALLS = {
    "write": 12, "rename": 12, "sync": 8, "mkdir": 14, "rmdir": 24, "remove": 45, "read": 180, "list": 110,
    "install": 64,
}  # fmt: skip
_CALLS_OF_A_LOOK = {"write": 2, "rename": 2, "sync": 1, "mkdir": 2, "remove": 3, "read": 60, "list": 30}
_LOOKING = ("show", "check", "list", "run", "adopt", "gc")


def _fault(chance: random.Random, word: str) -> Fault | None:
    if chance.random() < 0.1:
        return None
    calls = _CALLS_OF_A_LOOK if word in _LOOKING else _CALLS
    kind = chance.choice(sorted(calls))
    at = int(calls[kind] * chance.random() ** 2.5)  # most of them early: many commands are shorter than the longest
    return Fault(kind, at, chance.choice(WHATS))


def _step(chance: random.Random, places: list[str]) -> Step:
    words = chance.choice([words for place in places for words in commands(place)])
    edits = tuple(_edit(chance, places) for _ in range(chance.choice((0, 0, 1, 1, 2, 3))))
    return Step(edits, words, _fault(chance, words[0]), chance.choice((None, *[round(chance.random(), 3)] * 3)))


def draw(chance: random.Random) -> Sequence:
    """Draw what is there before, and three to six commands at one or two places."""
    places = chance.sample(sorted(PLACES), chance.choice((1, 2)))
    before = tuple((chance.choice(places), chance.choice(BEFORE)) for _ in range(chance.choice((0, 1, 1, 2))))
    begun = () if before and chance.random() < 0.5 else (Step((), _create(places[0], "--lock", "{a}"), None, None),)
    count = chance.randint(3, 6) - len(begun)
    return Sequence(before, (*begun, *(_step(chance, places[:1] * 3 + places) for _ in range(count))))


def smallest(sequence: Sequence, fails: Callable[[Sequence], bool]) -> Sequence:
    """Return ``sequence`` without everything that it fails without, too."""
    for candidate in _smaller(sequence):
        if fails(candidate):
            return smallest(candidate, fails)
    return sequence


def _smaller(sequence: Sequence) -> Iterator[Sequence]:
    before, steps = sequence.before, sequence.steps
    for number in range(len(before)):
        yield replace(sequence, before=(*before[:number], *before[number + 1 :]))
    for number, step in enumerate(steps):
        yield replace(sequence, steps=(*steps[:number], *steps[number + 1 :]))
        less = [(*step.edits[:edit], *step.edits[edit + 1 :]) for edit in range(len(step.edits))]
        changed = [replace(step, edits=edits) for edits in less]
        changed += [replace(step, fault=None)] if step.fault else []
        changed += [replace(step, moment=None)] if step.moment is not None else []
        for other in changed:
            yield replace(sequence, steps=(*steps[:number], other, *steps[number + 1 :]))
