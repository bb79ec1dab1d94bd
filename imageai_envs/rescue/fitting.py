"""Keep as much of what someone asked for as can be resolved together with a template.

The resolver is the judge. Each requirement goes down a ladder only as far as it must: as written, a release that
exists, compatible (``~=``), any version, not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imageai_envs.base.errors import InstallError, UnsolvableError
from imageai_envs.engines.compile_lock import compile_lock
from imageai_envs.locks.inputs import LockInputs
from imageai_envs.rescue.releases import Releases, nearest, releases
from imageai_envs.rescue.source import exact_version
from imageai_envs.rescue.unfit import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imageai_envs.base.context import Context
    from imageai_envs.engines.base import Engine
    from imageai_envs.locks.lockfile import Lock, Pin
    from imageai_envs.request.interpreter import Interpreter
    from imageai_envs.request.target import Target
    from imageai_envs.rescue.source import Line
    from imageai_envs.templates.catalog import Selection

ONE_BY_ONE = 10
"""Resolver runs after which everything that a failure names gives way at once."""

RESTORED = 6
"""Resolver runs spent on taking back what gave way in vain."""


@dataclass(frozen=True)
class Item:
    """A requirement on its way down.

    Attributes:
        line: where it is from.
        requirement: what is left of it; None: dropped.
        why: what made it give way, empty while it stands as written.
    """

    line: Line
    requirement: Requirement | None
    why: str = ""

    @property
    def name(self) -> str:
        """Return the normalized name of the distribution."""
        return self.line.name


@dataclass(frozen=True)
class Fit:
    """What was found.

    Attributes:
        lock: the resolved set; None when the index could not be asked.
        items: every requirement with what is left of it, in order.
        problems: what cannot work, as template and index say.
        unchecked: why nothing was resolved, empty otherwise.
        runs: how often the resolver ran.
    """

    lock: Lock | None
    items: tuple[Item, ...]
    problems: tuple[Problem, ...]
    unchecked: str
    runs: int


def looser(requirement: Requirement) -> Requirement | None:
    """Return the next step down the ladder; None when there is none left."""
    if not requirement.specifier:
        return None
    weaker = Requirement(str(requirement))
    version = exact_version(requirement)
    weaker.specifier = SpecifierSet(_compatible(version)) if version else SpecifierSet()
    return weaker


def _version(requirement: Requirement) -> str:
    """Return the exact version that is asked for, if it is one (PEP 440), else ``""``."""
    try:
        return str(Version(exact_version(requirement)))
    except InvalidVersion:
        return ""


def _compatible(version: str) -> str:
    try:
        parsed = Version(version)
    except InvalidVersion:
        return ""
    return f"~={parsed.public}" if len(parsed.release) > 1 else ""


@dataclass
class Fitting:
    """One search. Holds what every step of it needs; :meth:`search` is the whole of it."""

    selection: Selection
    interpreter: Interpreter
    engine: Engine
    context: Context
    preferred: tuple[Pin, ...] = ()
    runs: int = 0
    problems: list[Problem] = field(default_factory=list)
    before: list[Item] = field(default_factory=list)
    known: Mapping[str, Releases | None] = field(default_factory=dict)

    def search(self, lines: Iterable[Line]) -> Fit:
        """Resolve the template with as much of ``lines`` as possible.

        Raises:
            UnsolvableError: the template does not resolve even alone.
        """
        written = [Item(line, line.requirement) for line in lines]
        items, found = within_template(written, self.selection, self.interpreter.target)
        self.problems += found
        try:
            items, lock = self._descend(items)
            items, lock = self._restore(items, lock)
        except InstallError as error:
            reason = " ".join(error.message.partition("\n  Full log")[0].split())
            return Fit(None, tuple(items), tuple(self.problems), reason, self.runs)
        return Fit(lock, tuple(items), tuple(self.problems), "", self.runs)

    def _resolve(self, items: list[Item]) -> Lock:
        self.runs += 1
        inputs = LockInputs(self.selection, asked_for(items, self.selection), self.interpreter.target)
        return compile_lock(inputs, self.engine, self.interpreter, self.context, preferred=self.preferred)

    def _descend(self, items: list[Item]) -> tuple[list[Item], Lock]:
        """Let give way what the resolver's failures name, until it has no failure left to name."""
        asked, self.before = False, items
        while True:
            answer = self._attempt(items)
            if not isinstance(answer, UnsolvableError):
                return items, answer
            if not asked:
                asked = True
                existing = self._against_index(items)
                if existing != items:
                    items = self.before = existing
                    continue
                if self.preferred and self.engine.name == "pip":
                    # pip-tools can fail over versions that it was only to prefer.
                    self.preferred = ()
                    continue
            items = self._relax(items, _reason(answer), answer)

    def _attempt(self, items: list[Item]) -> Lock | UnsolvableError:
        try:
            return self._resolve(items)
        except UnsolvableError as error:
            return error

    def _relax(self, items: list[Item], reason: str, error: UnsolvableError) -> list[Item]:
        standing = [item for item in items if item.requirement is not None]
        guilty = [item for item in standing if _names(reason, item.name)]
        if not guilty:
            if not standing:
                raise error
            self._resolve([replace(item, requirement=None) for item in items])  # raises when nobody's item is at fault
            guilty = standing
        elif self.runs < ONE_BY_ONE:
            guilty = [max(guilty, key=_rank)]
        return [_down(item, reason, self.known.get(item.name)) if item in guilty else item for item in items]

    def _against_index(self, items: list[Item]) -> list[Item]:
        """Replace pins that the index does not have by the nearest that it has; drop what it does not know."""
        python = self.interpreter.target.python_version
        names = [item.name for item in items if item.requirement is not None]
        self.context.reporter.step(f"asking the index about {len(names)} distributions")
        self.known = releases(names, python, self.context.log)
        bounds = _bounds(self.selection, self.interpreter.target)
        return [self._existing(item, self.known.get(item.name), bounds, python) for item in items]

    def _existing(self, item: Item, known: Releases | None, bounds: dict[str, SpecifierSet], python: str) -> Item:
        if item.requirement is None or known is None:
            return item
        if not known.usable:
            why = f"the index has no {item.name}"
            if known.others:
                why = f"no release of {item.name} has a wheel for Python {python}"
            self.problems.append(Problem(item.line.place, item.line.text, f"{why}."))
            return replace(item, requirement=None, why=why)
        version = _version(item.requirement)
        if not version or Version(version) in known.usable:
            return item
        near = nearest(version, known.usable, bounds.get(item.name))
        why = f"there is no release {version} of {item.name}"
        if Version(version) in known.others:
            why = f"{item.name} {version} has no wheel for Python {python}"
        self.problems.append(
            Problem(item.line.place, item.line.text, f"{why}.", f"{item.name}=={near}" if near else "")
        )
        changed = Requirement(str(item.requirement))
        changed.specifier = SpecifierSet(f"=={near}" if near else "")
        return replace(item, requirement=changed, why=why)

    def _restore(self, items: list[Item], lock: Lock) -> tuple[list[Item], Lock]:
        """Try again as it was what gave way while something else turned out to be at fault."""
        fallen = [number for number, item in enumerate(items) if item != self.before[number]]
        for number in fallen[:RESTORED] if len(fallen) > 1 else []:
            attempt = [*items[:number], self.before[number], *items[number + 1 :]]
            answer = self._attempt(attempt)
            if not isinstance(answer, UnsolvableError):
                lock, items = answer, attempt
        return items, lock


def asked_for(items: Iterable[Item], selection: Selection) -> tuple[str, ...]:
    """Return what still has to be asked for: a bare name that the template brings anyway has not."""
    own = {canonicalize_name(Requirement(text).name) for text in selection.template.imageai.dependencies}
    standing = ((item.name, item.requirement) for item in items if item.requirement is not None)
    needed = (one for name, one in standing if one.specifier or one.extras or name not in own)
    return tuple(dict.fromkeys(map(str, needed)))


def settled(fit: Fit) -> list[Problem]:
    """Return the problems of a search with what was taken in the end as the nearest."""
    versions = {pin.name: pin.version for pin in fit.lock.pins} if fit.lock else {}
    names = {(item.line.place, item.line.text): item.name for item in fit.items if item.requirement is not None}
    result = []
    for problem in fit.problems:
        name = names.get((problem.place, problem.requirement), "")
        result.append(replace(problem, nearest=f"{name}=={versions[name]}") if name in versions else problem)
    return result


def within_template(items: Iterable[Item], selection: Selection, target: Target) -> tuple[list[Item], list[Problem]]:
    """Loosen what the template's own requirements and caps exclude; that needs no resolver."""
    bounds = _bounds(selection, target)
    template = selection.template
    caps = {cap.distribution: cap for cap in template.caps if cap.releases.contains(selection.version)}
    result, problems = [], []
    for item in items:
        bound, requirement = bounds.get(item.name), item.requirement
        while bound is not None and requirement is not None and (bound & requirement.specifier).is_unsatisfiable():
            requirement = looser(requirement)
        if requirement is item.requirement:
            result.append(item)
            continue
        cap = caps.get(item.name)
        why = cap.reason if cap else f"template {template.name} needs {item.name}{bound}."
        problems.append(Problem(item.line.place, item.line.text, why, f"{item.name}{bound}", cap.source if cap else ""))
        result.append(replace(item, requirement=requirement, why=f"the template needs {item.name}{bound}"))
    return result, problems


def _bounds(selection: Selection, target: Target) -> dict[str, SpecifierSet]:
    """Return what the template allows of each distribution that it names."""
    inputs = LockInputs(selection, (), target)
    bounds: dict[str, SpecifierSet] = {}
    for text in (*inputs.constraints, *inputs.requirements):
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        bounds[name] = bounds.get(name, SpecifierSet()) & requirement.specifier
    return bounds


def _down(item: Item, reason: str, known: Releases | None) -> Item:
    """Return the item one step lower; steps that admit no further release are not worth a resolver run."""
    assert item.requirement is not None  # noqa: S101 - only what stands gives way
    before, after = _admitted(item.requirement, known), looser(item.requirement)
    while after is not None and before is not None and _admitted(after, known) == before:
        after = looser(after)
    return replace(item, requirement=after, why=item.why or f"cannot be resolved: {reason}")


def _admitted(requirement: Requirement, known: Releases | None) -> list[Version] | None:
    """Return the releases that a requirement admits; None when the index did not say which there are."""
    if known is None:
        return None
    stable = [version for version in known.usable if not version.is_prerelease] or list(known.usable)
    return [version for version in stable if requirement.specifier.contains(version, prereleases=True)]


def _rank(item: Item) -> tuple[bool, bool]:
    """Order what may be relaxed: an exact pin before a range before a bare name; of equals the first."""
    assert item.requirement is not None  # noqa: S101 - only what stands is ranked
    return bool(exact_version(item.requirement)), bool(item.requirement.specifier)


def _reason(error: UnsolvableError) -> str:
    """Return the resolver's own words in one line."""
    words = error.message.partition("\n  Full log")[0].partition("\n")[2] or error.message
    return " ".join(words.replace("cause:", "").split())[:400]


def _names(text: str, name: str) -> bool:
    spelled = re.escape(name).replace(r"\-", "[-_.]")
    return re.search(rf"(?<![\w.-]){spelled}(?![\w-])", text, re.IGNORECASE) is not None
