"""Which lines are requirements of the user, which the template already has, and which are dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imageai_envs.locks.lockfile import Pin
from imageai_envs.request.framework import TORCH
from imageai_envs.request.stack import (
    OPENCVS,
    RELEASES,
    TENSORFLOW_ONLY,
    TORCH_ONLY,
    TORCHES,
    followers,
    is_cuda,
    opencv_of,
)
from imageai_envs.rescue.unfit import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imageai_envs.locks.lockfile import Lock
    from imageai_envs.rescue.choosing import Choice
    from imageai_envs.rescue.source import Line, Source

# Part of every environment, or of no index.
_NOT_NEEDED = {
    "pip": "every environment has its own pip",
    "pkg-resources": "no such release: Debian's pip lists it by mistake",
    "distribute": "setuptools replaced it in 2013",
}
REQUIRED_ONLY = "something else requires it"


@dataclass(frozen=True)
class Sorted:
    """The lines of a source by what becomes of them.

    Attributes:
        wanted: to be resolved together with the template.
        aside: all others, by place in the source: why they are not asked for.
        preferred: versions to keep where they still fit.
        problems: what the lines do to each other.
    """

    wanted: tuple[Line, ...]
    aside: Mapping[int, str]
    preferred: tuple[Pin, ...]
    problems: tuple[Problem, ...]


def sort_lines(source: Source, choice: Choice) -> Sorted:
    """Tell the user's own requirements from those that the template answers."""
    template = choice.selection.template
    own: set[str] = {canonicalize_name(Requirement(text).name) for text in template.imageai.dependencies}
    wanted: list[Line] = []
    aside: dict[int, str] = {}
    problems: list[Problem] = []
    seen: dict[str, Line] = {}
    for number, line in enumerate(source.lines):
        why = _why_aside(line, source, choice, own)
        earlier = seen.get(line.name)
        if not why and earlier is not None and not line.constraint:
            why = f"{earlier.place or 'another line'} names it already"
            if _contradict(earlier, line):
                words = f"it contradicts {earlier.text} in {earlier.place}; pip refuses both."
                problems.append(Problem(line.place, line.text, words, earlier.text))
        if line.constraint and not why and line.name not in seen and line.name not in own:
            why = "a constraint on something that is not asked for"
        if why:
            aside[number] = why
            continue
        if not line.constraint:
            seen[line.name] = line
        wanted.append(_bare(line) if source.complete else line)
    problems += _opencvs(source, opencv_of(own)) + _torches(source, choice)
    return Sorted(tuple(wanted), aside, _preferred(source, choice), tuple(problems))


def _why_aside(line: Line, source: Source, choice: Choice, own: set[str]) -> str:
    """Return why a line is not one of the user's own requirements; empty when it is."""
    name, template = line.name, choice.selection.template
    if line.requirement is None:
        return line.why_not
    release = choice.selection.release
    if name in RELEASES[release.framework] or name == "imageai":
        return f"template {template.name} has it"
    if name in followers(release.framework):
        return f"{release} decides its version"
    if release.framework is TORCH and (is_cuda(name) or name in TORCH_ONLY):
        return f"another PyTorch brought it; {release} does not need it"
    if is_cuda(name):
        return "the gpu variant brings the CUDA libraries" if choice.selection.variant == "gpu" else "only CUDA uses it"
    if name in (TORCHES | TORCH_ONLY) and choice.torch:
        return f"only ImageAI 3 needs PyTorch; ImageAI {template.imageai.version} runs on TensorFlow"
    if name in _NOT_NEEDED:
        return _NOT_NEEDED[name]
    opencv = opencv_of(own)
    if name in OPENCVS and opencv and name != opencv:
        return f"template {template.name} has {opencv}, and both hold the package cv2"
    if source.complete and (name in own or _follows(name, source)):
        return REQUIRED_ONLY
    return ""


def _follows(name: str, source: Source) -> bool:
    """Tell whether an installed distribution is there only because another one requires it."""
    return name not in source.top if source.top is not None else name in TENSORFLOW_ONLY


def _bare(line: Line) -> Line:
    """Return the line without its version: an installer chose that, so it is preferred, not required."""
    assert line.requirement is not None  # noqa: S101 - sorted out before
    extras = f"[{','.join(sorted(line.requirement.extras))}]" if line.requirement.extras else ""
    return replace(line, requirement=Requirement(f"{line.requirement.name}{extras}"))


def _contradict(one: Line, other: Line) -> bool:
    if one.requirement is None or other.requirement is None:
        return False
    if one.requirement.marker is not None or other.requirement.marker is not None:
        return False
    return bool((one.requirement.specifier & other.requirement.specifier).is_unsatisfiable())


def _preferred(source: Source, choice: Choice) -> tuple[Pin, ...]:
    """Return the versions that are kept where they fit: all of a complete listing, and a file's constraints."""
    framework = choice.selection.release.framework
    never = RELEASES[framework] | followers(framework)
    pins = {
        line.name: Pin(line.name, line.pin, ())
        for line in reversed(source.lines)
        if line.pin and (source.complete or line.constraint) and line.name not in never and not is_cuda(line.name)
    }
    return tuple(pins[name] for name in sorted(pins))


def _opencvs(source: Source, own: str) -> list[Problem]:
    lines = [line for line in source.lines if line.name in OPENCVS and not line.constraint]
    if len({line.name for line in lines}) < 2:
        return []
    names = ", ".join(dict.fromkeys(line.name for line in lines))
    other = next(line for line in lines if line.name != lines[0].name)
    return [
        Problem(
            other.place,
            other.text,
            f"{names} overwrite each other's files: each of them holds the package cv2.",
            own or lines[0].name,
            "https://github.com/opencv/opencv-python#installation-and-usage",
        )
    ]


def _torches(source: Source, choice: Choice) -> list[Problem]:
    line = next((line for line in source.lines if line.name in TORCHES), None)
    if line is None or not choice.torch or source.complete:
        return []
    version = choice.selection.template.imageai.version
    why = f"PyTorch is what ImageAI 3 runs on; ImageAI {version}, which runs on TensorFlow, does not use it."
    return [Problem(line.place, line.text, why)]


def needed_by_nobody(names: Iterable[str], lock: Lock) -> frozenset[str]:
    """Return the smallest set of ``names`` that requires all of them, by the ``via`` comments of the lock."""
    requires: dict[str, set[str]] = {}
    for pin in lock.pins:
        for above in pin.via:
            requires.setdefault(above, set()).add(pin.name)
    wanted = sorted({name for name in names if lock.pin(name)})
    kept = set(wanted)
    roots = {pin.name for pin in lock.pins if not pin.via} - kept
    for name in wanted:
        if name in _reached(roots | (kept - {name}), requires):
            kept.discard(name)
    return frozenset(kept)


def _reached(roots: set[str], requires: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    queue = list(roots)
    while queue:
        for below in requires.get(queue.pop(), ()):
            if below not in found:
                found.add(below)
                queue.append(below)
    return found
