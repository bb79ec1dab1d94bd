"""Play a sequence and judge it: is every byte of the user's somewhere, and named where it was moved?"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imageai_envs.environments.environment import Condition, condition_of
from imageai_envs.environments.ownership import marker_of, owns, place_of
from tests.chaos.ground import Ground
from tests.chaos.sequences import PLACES, Step

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.chaos.sequences import Sequence

WRONG = (
    "user bytes lost",
    "moved without a word",
    "foreign files touched",
    "replaced without right",
    "environment lost",
    "leftovers",
    "traceback",
)
"""How everything begins that a play may find wrong."""
_NOTHING = Step((), (), None, None)
# A state that cannot be read decides nothing: then both environments stay until someone says --force.
_UNDECIDED = (Condition.UNREADABLE, Condition.NEWER)
_MAY_REPLACE = ("recreate", "sync", "upgrade", "repair", "remove", "rename")


@dataclass(frozen=True)
class End:
    """How a command ended.

    Attributes:
        said: all that it printed.
        killed: it was ended before it could say all.
        wrong: what is wrong with its end itself; empty where nothing is.
        undone: it failed, and nothing went wrong while it put back what was there before.
    """

    said: str
    killed: bool = False
    wrong: str = ""
    undone: bool = False


class Commands(Protocol):
    """Gives commands, for real or not."""

    def on(self, place: Path) -> AbstractContextManager[None]:
        """Make ``place`` the whole world: directories and variables; the locks ``a.txt`` and ``b.txt`` lie in it."""

    def give(self, ground: Ground, words: tuple[str, ...], step: Step, /) -> End:
        """Give one command, with what happens to it in ``step``."""


@dataclass
class Player:
    """Plays sequences, each on a ground of its own.

    Attributes:
        place: where the grounds are made.
        made: an environment that another store made.
        commands: gives the commands.
    """

    place: Path
    made: Path
    commands: Commands
    _played: int = 0

    def play(self, sequence: Sequence) -> list[str]:
        """Play one sequence, and return what went wrong; nothing should."""
        self._played += 1
        place = self.place / f"ground-{self._played}"
        try:
            with self.commands.on(place):
                return self._play(sequence, Ground(place, self.made))
        finally:
            wipe(place)

    def _play(self, sequence: Sequence, ground: Ground) -> list[str]:
        for name, what in sequence.before:
            ground.lay(name, what)
        alive: set[Path] = set()
        for number, step in enumerate(sequence.steps):
            for edit in step.edits:
                ground.do(edit)
                if edit.what in ("removed", "moved away") or edit.what.startswith("state"):
                    alive.discard(ground.root(edit.place))
            words = tuple(word.format(a=ground.place / "a.txt", b=ground.place / "b.txt") for word in step.words)
            wrong = self._command(ground, words, step, alive)
            if wrong:
                return [f"{text} (step {number}: {' '.join(words)})" for text in wrong]
        return [f"{text} (at the end)" for text in self._settle(ground, alive)]

    def _command(self, ground: Ground, words: tuple[str, ...], step: Step, alive: set[Path]) -> list[str]:
        """Give one command, and judge what it did."""
        standing = ground.standing()
        # What a kill left at another place waits for a command that uses it; what becomes of it is judged at the end.
        waiting = {root for root in alive if ground.leftovers(root)}
        if words[0] == "adopt":  # whoever names it hands it over
            ground.foreign.pop(_named_by(words, ground), None)
        ground.look()
        end = self.commands.give(ground, words, step)
        ground.said += end.said
        wrong = [end.wrong] if end.wrong else []
        wrong += ground.touched()
        wrong += ground.lost(settled=not end.killed and not ground.leftovers())
        wrong += _replaced_without_right(ground, words, standing)
        wrong += _missing(ground, alive - waiting) if end.undone else []
        alive |= {root for root in ground.standing() if condition_of(root) is Condition.FINISHED}
        if words[0] in ("remove", "rename"):
            alive.discard(_named_by(words, ground))
        return wrong

    def _settle(self, ground: Ground, alive: set[Path]) -> list[str]:
        """Look at everything once more, without faults; then nothing may be left to be settled."""
        ground.look()
        wrong = []
        for words in (("list",), *(("run", str(root), "--no-explain", "--", "python", "-c", "") for root in ROOTS)):
            root = ground.place / words[1] if words[0] == "run" else None
            if root and not os.path.lexists(root) and not ground.leftovers(root):
                continue
            end = self.commands.give(ground, (words[0], str(root), *words[2:]) if root else words, _NOTHING)
            ground.said += end.said
            wrong += [end.wrong] if end.wrong else []
        wrong += ground.touched()
        waiting = [path for path in ground.leftovers() if condition_of(place_of(path)) in _UNDECIDED]
        wrong += ground.lost(settled=True, waiting=waiting)
        wrong += [f"leftovers: {path}" for path in ground.leftovers() if path not in waiting]
        return wrong + _missing(ground, alive)


ROOTS = (*PLACES.values(), *(f"store/envs/{name}" for name in ("z", "c", "a")))


def _missing(ground: Ground, alive: set[Path]) -> list[str]:
    """Return which of the environments that were finished are not."""
    return [
        f"environment lost: {root}"
        for root in sorted(alive)
        if not (condition_of(root) is Condition.FINISHED and owns(root, ground.home))
    ]


def _named_by(words: tuple[str, ...], ground: Ground) -> Path:
    """Return the directory that a command names."""
    if "/" in words[1]:
        return Path(os.path.normpath(ground.place / "project" / words[1]))
    return ground.root(words[1]) if words[1] in PLACES else ground.home.environments / words[1]


def _replaced_without_right(ground: Ground, words: tuple[str, ...], before: dict[Path, str]) -> list[str]:
    """Return the environments that are not what they were though nobody asked for that."""
    may = words[0] in (*_MAY_REPLACE, "adopt") or "--force" in words
    allowed = _named_by(words, ground) if may else None
    return [
        f"replaced without right: {root}" for root, id_ in before.items() if root != allowed and marker_of(root) != id_
    ]


def wipe(place: Path) -> None:
    """Remove a ground, closed directories too."""
    for directory, names, _ in os.walk(place):
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(place, ignore_errors=True)
