"""What becomes of each line: kept, changed, dropped; and what is added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imageai_envs.request.framework import TENSORFLOW
from imageai_envs.request.stack import RELEASES, followers
from imageai_envs.rescue.sorting import REQUIRED_ONLY
from imageai_envs.rescue.unfit import Problem, own_pins

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imageai_envs.locks.lockfile import Lock
    from imageai_envs.request.interpreter import Interpreter
    from imageai_envs.rescue.choosing import Choice
    from imageai_envs.rescue.fitting import Fit, Item
    from imageai_envs.rescue.sorting import Sorted
    from imageai_envs.rescue.source import Line, Source

_HERE = ("tensorflow-cpu", "tensorflow", "tensorflow-macos", "tensorflow-gpu", "torch")
# What follows the framework's version, and what happens with another; the others' errors depend on the versions.
_FOLLOWS = {"torchvision": "it is compiled for one PyTorch (RuntimeError: operator torchvision::nms does not exist)"}


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
    versions, release = _versions(choice, lock), choice.selection.release
    standing = {(item.line.place, item.line.text): item for item in items}
    rows = [_python(source, interpreter)] if source.python and interpreter else []
    told = False
    for number, line in enumerate(source.lines):
        if line.name in RELEASES[release.framework] and not line.constraint:
            rows.append(_release(line, choice, versions, told=told))
            told = True
            continue
        item = standing.get((line.place, line.text))
        aside = parts.aside.get(number, "")
        if aside == REQUIRED_ONLY and line.name in versions:
            aside = f"the version that {release} and the others allow"
        rows.append(_row(line, aside, item, versions, checked=lock is not None))
    return (*rows, *_added(source, choice, lock, versions))


def _versions(choice: Choice, lock: Lock | None) -> dict[str, str]:
    """Return the new versions; without a lock only those that the template says."""
    if lock is not None:
        return {pin.name: pin.version for pin in lock.pins}
    release = choice.selection.release
    brought = RELEASES[release.framework] | followers(release.framework)
    pins = {name: version for name, version in own_pins(choice.selection).items() if name in brought}
    return {"imageai": choice.selection.template.imageai.version, **pins}


def _python(source: Source, interpreter: Interpreter) -> LineChange:
    version = interpreter.target.python_version
    before = f"Python {source.python.removeprefix('==').removesuffix('.*')}"
    kept = Requirement(f"python{source.python}").specifier.contains(interpreter.version_text)
    why = "" if kept else "the template does not run on it, or it is not on this machine"
    return LineChange(source.python_place, "python", "kept" if kept else "changed", before, f"Python {version}", why)


def _release(line: Line, choice: Choice, versions: Mapping[str, str], *, told: bool) -> LineChange:
    """Return what becomes of a line that names the template's framework, under any of its names."""
    framework = choice.selection.release.framework
    here = next((name for name in _HERE if name in versions and name in RELEASES[framework]), framework.name)
    after = f"{here}=={versions.get(here, choice.selection.version)}"
    assert line.requirement is not None  # noqa: S101 - it has a name
    fits = line.requirement.specifier.contains(choice.selection.version, prereleases=True)
    same = line.name == here
    if told and not same:
        return LineChange(line.place, line.name, "dropped", line.text, "", f"{after} is the one {framework.title}")
    if fits and same:
        return LineChange(line.place, line.name, "kept", line.text, after, "")
    why = f"the nearest that works with ImageAI {choice.selection.template.imageai.version}"
    if fits and framework is TENSORFLOW:
        variant = choice.selection.variant
        gpu = variant == "cpu" and "gpu" in choice.selection.template.variants
        other = "; --gpu takes the one with CUDA" if gpu else ""
        why = f"the same TensorFlow under the name of its {variant} build{other}"
    elif fits:
        why = "the name of PyTorch on the index"
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
    template = choice.selection.template
    releases = RELEASES[template.framework]
    if named & releases:
        named |= releases
    asked: set[str] = {canonicalize_name(Requirement(text).name) for text in template.imageai.dependencies}
    asked |= {"imageai", *releases}
    asked |= own_pins(choice.selection).keys() & followers(template.framework)
    rows = []
    for name, version in sorted(versions.items()):
        if name in named or (name not in asked and not source.complete):
            continue
        pin = lock.pin(name) if lock else None
        above = pin.via if pin else ()
        why = f"{', '.join(above[:3])} needs it" if above and name not in asked else f"template {template.name} has it"
        rows.append(LineChange("", name, "added", "", f"{name}=={version}", why))
    return tuple(rows)


def relaxed(source: Source, choice: Choice, fit: Fit, told: Iterable[Problem]) -> list[Problem]:
    """Return what the resolver found impossible: the user's lines, and pins of what the framework decides.

    What an installer chose was not asked for, so it cannot be impossible.
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
    release = choice.selection.release
    for line in [] if source.complete else source.lines:
        version = versions.get(line.name, "")
        if line.name not in followers(release.framework) or (line.place, line.text) in known or not line.requirement:
            continue
        if not line.allows(version or "0"):
            because = f": {_FOLLOWS[line.name]}" if line.name in _FOLLOWS else ""
            why = f"{release} needs {line.name} {version}{because}." if version else f"{release} does not use it."
            found.append(Problem(line.place, line.text, why, f"{line.name}=={version}" if version else ""))
    return found


def in_order(problems: Iterable[Problem], source: Source) -> tuple[Problem, ...]:
    """Return problems in the order of the lines that they are about, those about no line first."""
    order = {line.place: number for number, line in enumerate(source.lines) if line.place}
    return tuple(sorted(problems, key=lambda problem: order.get(problem.place, -1)))
