"""What becomes of each line: kept, changed, dropped; and what is added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imageai_envs.rescue.choosing import Problem
from imageai_envs.rescue.roles import FOLLOWERS, TENSORFLOWS
from imageai_envs.rescue.sorting import REQUIRED_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imageai_envs.interpreters.model import Interpreter
    from imageai_envs.lockfile import Lock
    from imageai_envs.rescue.choosing import Choice
    from imageai_envs.rescue.fitting import Fit, Item
    from imageai_envs.rescue.sorting import Sorted
    from imageai_envs.rescue.source import Line, Source

_TENSORFLOW_HERE = ("tensorflow-cpu", "tensorflow", "tensorflow-macos", "tensorflow-gpu")


@dataclass(frozen=True)
class LineChange:
    """What becomes of one line.

    Attributes:
        line: where it stands; empty for what is added, and for installed distributions.
        name: normalized name; empty for a line that asks for nothing.
        action: ``kept``, ``changed``, ``dropped`` or ``added``.
        before: as written.
        after: what stands for it; empty when it is dropped.
        why: the reason, empty for what is kept.
    """

    line: str
    name: str
    action: str
    before: str
    after: str
    why: str


def changes_of(
    source: Source,
    choice: Choice,
    parts: Sorted,
    items: tuple[Item, ...],
    lock: Lock | None,
    interpreter: Interpreter | None,
) -> tuple[LineChange, ...]:
    """Return the changes in the order of the source, what is added last."""
    versions = _versions(choice, lock)
    standing = {(item.line.place, item.line.text): item for item in items}
    rows = [_python(source, interpreter)] if source.python and interpreter else []
    told = False
    for number, line in enumerate(source.lines):
        if line.name in TENSORFLOWS and not line.constraint:
            rows.append(_tensorflow(line, choice, versions, told=told))
            told = True
            continue
        item = standing.get((line.place, line.text))
        aside = parts.aside.get(number, "")
        if aside == REQUIRED_ONLY and line.name in versions:
            aside = f"the version that TensorFlow {choice.selection.version} and the others allow"
        rows.append(_row(line, aside, item, versions, checked=lock is not None))
    return (*rows, *_added(source, choice, lock, versions))


def _versions(choice: Choice, lock: Lock | None) -> dict[str, str]:
    """Return the new versions; without a lock only those that the template says."""
    if lock is not None:
        return {pin.name: pin.version for pin in lock.pins}
    template = choice.selection.template
    versions = {"imageai": template.imageai.version}
    for text in template.variants[choice.selection.variant].requirements:
        requirement = Requirement(text.replace("{tensorflow}", choice.selection.version))
        holds = requirement.marker is None or requirement.marker.evaluate()
        if holds and canonicalize_name(requirement.name) in TENSORFLOWS:
            versions[canonicalize_name(requirement.name)] = choice.selection.version
    return versions


def _python(source: Source, interpreter: Interpreter) -> LineChange:
    version = interpreter.target.python_version
    before = f"Python {source.python.removeprefix('==').removesuffix('.*')}"
    kept = Requirement(f"python{source.python}").specifier.contains(interpreter.version_text)
    why = "" if kept else "the template does not run on it, or it is not on this machine"
    return LineChange(source.python_place, "python", "kept" if kept else "changed", before, f"Python {version}", why)


def _tensorflow(line: Line, choice: Choice, versions: Mapping[str, str], *, told: bool) -> LineChange:
    here = next((name for name in _TENSORFLOW_HERE if name in versions), "tensorflow")
    after = f"{here}=={versions.get(here, choice.selection.version)}"
    assert line.requirement is not None  # noqa: S101 - it has a name
    fits = line.requirement.specifier.contains(choice.selection.version, prereleases=True)
    same = line.name == here
    if told and not same:
        return LineChange(line.place, line.name, "dropped", line.text, "", f"{after} is the one TensorFlow")
    if fits and same:
        return LineChange(line.place, line.name, "kept", line.text, after, "")
    why = f"the nearest that works with ImageAI {choice.selection.template.imageai.version}"
    if fits:
        variant = choice.selection.variant
        other = "; --gpu takes the one with CUDA" if variant == "cpu" else ""
        why = f"the same TensorFlow under the name of its {variant} build{other}"
    return LineChange(line.place, line.name, "changed", line.text, after, why)


def _row(line: Line, aside: str, item: Item | None, versions: Mapping[str, str], *, checked: bool) -> LineChange:
    version = versions.get(line.name)
    if line.requirement is None:
        return LineChange(line.place, "", "dropped", line.text, "", line.why_not)
    if aside == REQUIRED_ONLY:
        aside = "nothing that is kept needs it"
    if version is None:
        if item is not None and item.requirement is not None and not checked:
            return _unchecked(line, item)
        if item is not None and item.requirement is not None and line.requirement.marker is not None:
            return LineChange(line.place, line.name, "kept", line.text, line.text, "its marker excludes this Python")
        why = item.why if item is not None and item.why else aside or "it is not in the new set"
        return LineChange(line.place, line.name, "dropped", line.text, "", why)
    after = f"{line.name}=={version}"
    if line.requirement.specifier.contains(version, prereleases=True) and not _lost_version(line):
        return LineChange(line.place, line.name, "kept", line.text, after, "")
    why = (item.why if item is not None else "") or aside or "the nearest version that fits the rest"
    return LineChange(line.place, line.name, "changed", line.text, after, why)


def _lost_version(line: Line) -> bool:
    return bool(line.why_not)


def _unchecked(line: Line, item: Item) -> LineChange:
    action = "changed" if item.why else "kept"
    return LineChange(line.place, line.name, action, line.text, str(item.requirement), item.why)


def _added(source: Source, choice: Choice, lock: Lock | None, versions: Mapping[str, str]) -> tuple[LineChange, ...]:
    """Return what the source does not name: of a complete listing everything new, else what the template asks for."""
    named = {line.name for line in source.lines if line.requirement is not None}
    if named & TENSORFLOWS:
        named |= TENSORFLOWS
    template = choice.selection.template
    asked: set[str] = {canonicalize_name(Requirement(text).name) for text in template.imageai.dependencies}
    asked |= {"imageai", *TENSORFLOWS}
    rows = []
    for name, version in sorted(versions.items()):
        if name in named or (name not in asked and not source.complete):
            continue
        pin = lock.pin(name) if lock else None
        above = pin.via if pin else ()
        why = f"{', '.join(above[:3])} needs it" if above and name not in asked else f"template {template.name} has it"
        rows.append(LineChange("", name, "added", "", f"{name}=={version}", why))
    return tuple(rows)


def given_way(source: Source, choice: Choice, fit: Fit, told: Iterable[Problem]) -> list[Problem]:
    """Return what the resolver found impossible: the user's lines, and pins of what TensorFlow decides.

    What an installer had chosen is no wish that could be impossible.
    """
    if fit.lock is None:
        return []
    known = {(problem.place, problem.requirement) for problem in told}
    versions = {pin.name: pin.version for pin in fit.lock.pins}
    found = []
    for item in fit.items:
        if item.why and (item.line.place, item.line.text) not in known:
            near = versions.get(item.name, "") if item.requirement is not None else ""
            nearest = f"{item.name}=={near}" if near else ""
            found.append(Problem(item.line.place, item.line.text, item.why, nearest))
    for line in [] if source.complete else source.lines:
        version = versions.get(line.name, "")
        if line.name in FOLLOWERS and line.requirement and not line.requirement.specifier.contains(version or "0"):
            tensorflow = f"TensorFlow {choice.selection.version}"
            why = f"{tensorflow} needs {line.name} {version}." if version else f"{tensorflow} does not use it."
            found.append(Problem(line.place, line.text, why, f"{line.name}=={version}" if version else ""))
    return found


def in_order(problems: Iterable[Problem], source: Source) -> tuple[Problem, ...]:
    """Return problems in the order of the lines that they are about, those about no line first."""
    order = {line.place: number for number, line in enumerate(source.lines) if line.place}
    return tuple(sorted(problems, key=lambda problem: order.get(problem.place, -1)))
