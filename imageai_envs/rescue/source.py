"""What is to be rescued, independent of its format: one line per requirement or installed distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imageai_envs.base.redaction import redact

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

SHOWN = 120
"""Characters of a line that are shown."""


@dataclass(frozen=True)
class Line:
    """One requirement, or one line that is none.

    Attributes:
        place: where it stands (``line 3``, ``base.txt, line 1``); empty for an installed distribution.
        text: as written, without comment, hashes and credentials.
        requirement: what it asks for; None when it asks for nothing that an index could answer.
        why_not: why ``requirement`` is None, or what cannot be taken over of it.
        constraint: it bounds what gets installed (``-c``) and installs nothing.
    """

    place: str
    text: str
    requirement: Requirement | None = None
    why_not: str = ""
    constraint: bool = False

    @property
    def name(self) -> str:
        """Return the normalized name of the distribution, or ``""``."""
        return canonicalize_name(self.requirement.name) if self.requirement else ""

    @property
    def pin(self) -> str:
        """Return the exact version that it asks for, or ``""``."""
        return exact_version(self.requirement) if self.requirement else ""

    def allows(self, version: str) -> bool:
        """Tell whether it allows a release; of ``1.12.1+cu113`` the release counts, not who built it how."""
        if self.requirement is None:
            return False
        pinned = released(self.pin) if self.pin else None
        same = pinned is not None and pinned.local is not None and pinned.public == version
        return same or self.requirement.specifier.contains(version, prereleases=True)


@dataclass(frozen=True)
class Source:
    """Everything that was read.

    Attributes:
        label: how to call it: the path as given, or an interpreter's.
        kind: ``requirements``, ``freeze``, ``conda``, ``pyproject`` or ``environment``.
        lines: in order.
        complete: it names everything that is installed, dependencies too: its versions were found by an installer,
            not chosen by a person.
        top: with an environment's metadata: the distributions that nobody else in it requires; None when unknown.
        python: PEP 440 specifier of the Python that it says it wants, or has; empty when it does not say.
        python_place: where it says so.
        notes: what people should know about the reading.
    """

    label: str
    kind: str
    lines: tuple[Line, ...]
    complete: bool = False
    top: frozenset[str] | None = None
    python: str = ""
    python_place: str = ""
    notes: tuple[str, ...] = ()


def exact_version(requirement: Requirement) -> str:
    """Return the version of ``==1.2`` or ``===1.2`` (not of ``==1.*``), else ``""``."""
    for specifier in requirement.specifier:
        if specifier.operator in ("==", "===") and not specifier.version.endswith(".*"):
            return specifier.version
    return ""


def pivot(specifier: SpecifierSet) -> Version:
    """Return the version that a specifier is about: a pin, else its lower bound, else its upper one."""
    order = {"==": 0, "===": 0, "~=": 1, ">=": 2, ">": 2}
    first = min(specifier, key=lambda one: (order.get(one.operator, 3), one.version), default=None)
    return released(first.version.removesuffix(".*")) if first else Version("0")


def released(text: str) -> Version:
    """Return a version, and 0 for what is none."""
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")


def shown(text: str) -> str:
    """Return a user's text as it may be shown and stored: one line, not long, without credentials."""
    flat = " ".join(redact(text).split())
    printable = "".join(letter if letter.isprintable() else "?" for letter in flat)
    return printable if len(printable) <= SHOWN else f"{printable[:SHOWN]}…"
