"""What an animal is: how it is built, what doctor must say first, and what explain must say to its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.zoo.cage import Cage, Scene

    Builder = Callable[[Cage], Scene]

RUNS = "runs"
"""In place of a rule: the command of its user succeeds."""
UNKNOWN = "unknown"
"""In place of a rule: it fails, with words that are no matter of packages; explain must keep silent."""


@dataclass(frozen=True)
class Animal:
    """One broken environment.

    Attributes:
        name: what ``--only`` takes.
        made: how, in words.
        build: builds it in a cage.
        first: id of the finding that must come first.
        severity: of that finding.
        rule: the rule that explain must name first for the real output; or ``RUNS``, ``UNKNOWN``; empty: not run.
    """

    name: str
    made: str
    build: Builder
    first: str
    severity: str
    rule: str


ALL: list[Animal] = []


def animal(made: str, first: str, rule: str = "", *, severity: str = "error") -> Callable[[Builder], Builder]:
    """Enter a builder into the zoo, by its name."""

    def enter(build: Builder) -> Builder:
        ALL.append(Animal(build.__name__.replace("_", "-"), made, build, first, severity, rule))
        return build

    return enter
