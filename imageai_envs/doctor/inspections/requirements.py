"""Declared requirements against what is installed: who wants what, by which chain, and what is there.

What ``pip check`` does, and three things more: whoever wants it is named up to the distribution that a person asked
for; what is known to be harmless is not reported (docs/compatibility.md: ImageAI's own pins, TensorFlow 2.5's
keras-nightly); and one OpenCV stands for the other.
"""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from imageai_envs.base.errors import TemplateError
from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.doctor.subject import release
from imageai_envs.request.stack import IMAGEAI_NEEDS, OPENCVS, TENSORFLOWS
from imageai_envs.request.target import Target

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Subject
    from imageai_envs.installed.distributions import Distribution

_LINK = "https://github.com/OlafenwaMoses/ImageAI/issues/533"
_ENOUGH = 3  # wanters named
_MANY = 3  # more missing distributions than this are one finding
_EXTRA = re.compile(r";.*\bextra\s*==")
_SITE = re.compile(r"python(?P<major>\d)\.(?P<minor>\d+)")


@dataclass(frozen=True)
class _Want:
    """One requirement of one distribution that is not met."""

    by: Distribution
    requirement: Requirement


def inspect(subject: Subject) -> list[Finding]:
    """Find requirements that are not met, one finding for each distribution that is wanted."""
    environment = marker_environment(subject)
    wants: dict[str, list[_Want]] = {}
    if environment is not None:
        for item in subject.winners.values():
            for requirement in _requirements(item, environment):
                name = canonicalize_name(requirement.name)
                if not _met(subject, name, requirement):
                    wants.setdefault(name, []).append(_Want(item, requirement))
    for harmless in _left_out(subject, wants) if wants else ():
        wants.pop(harmless, None)
    missing = {name: wanted for name, wanted in wants.items() if not subject.has(name)}
    unmet = [_unmet(subject, name, wanted) for name, wanted in wants.items() if name not in missing]
    if len(missing) > _MANY:
        return [_many_missing(subject, missing), *unmet, *_imageai(subject)]
    return [*(_missing(subject, name, wanted) for name, wanted in missing.items()), *unmet, *_imageai(subject)]


def marker_environment(subject: Subject) -> dict[str, str] | None:
    """Return what markers are evaluated with; None when not even the version of the Python is known."""
    if subject.facts:
        facts = subject.facts
        environment = Target.of(facts.version[:2], facts.sys_platform, facts.machine).marker_environment()
        full = ".".join(map(str, facts.version))
        environment |= {
            "python_full_version": full,
            "implementation_version": full,
            "implementation_name": facts.implementation.lower(),
            "platform_python_implementation": facts.implementation,
        }
    else:  # the interpreter is silent; its directory has the version in its name
        match = next((found for site in subject.sites if (found := _SITE.search(str(site)))), None)
        if match is None:
            return None
        minor = (int(match["major"]), int(match["minor"]))
        environment = Target.of(minor, sys.platform, platform.machine()).marker_environment()
    return environment | {"extra": ""}


def _requirements(item: Distribution, environment: dict[str, str]) -> list[Requirement]:
    """Return the requirements that apply here; IMAGEAI_NEEDS replaces ImageAI's own list."""
    if item.name == "imageai":
        return []
    found = []
    for text in item.requires:
        if _EXTRA.search(text):
            continue  # cheaper than parsing: half of all lines are for extras, and nobody knows which were asked for
        try:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(environment):
                found.append(requirement)
        except (InvalidRequirement, ValueError, KeyError):  # old metadata is not always PEP 508
            continue
    return found


def _met(subject: Subject, name: str, requirement: Requirement) -> bool:
    version = subject.version(name)
    if version is None:
        return _stand_in(subject, name)
    parsed = release(version)
    if parsed is None or not requirement.specifier:
        return True
    return requirement.specifier.contains(parsed, prereleases=True)


def _stand_in(subject: Subject, name: str) -> bool:
    """Tell whether another distribution brings the same package: any OpenCV, any TensorFlow."""
    return any(name in family and any(subject.has(other) for other in family) for family in (OPENCVS, TENSORFLOWS))


def _left_out(subject: Subject, wants: dict[str, list[_Want]]) -> frozenset[str]:
    """Return what a TensorFlow asks for and works better without, as its template says."""
    # Rarely needed, and reading TOML takes as long as reading all metadata.
    from imageai_envs.base.paths import shipped_templates
    from imageai_envs.templates.template_file import load_template

    tensorflow = subject.tensorflow
    if tensorflow is None:
        return frozenset()
    minor = ".".join(tensorflow.version.split(".")[:2])
    if minor not in remedy.minors():
        return frozenset()
    try:
        template = load_template(shipped_templates() / f"tf{minor}.toml")
    except TemplateError:
        return frozenset()
    dropped = template.left_out(tensorflow.version)
    return frozenset(name for name in dropped if all(want.by.name in TENSORFLOWS for want in wants.get(name, ())))


_UNINSTALLED = (
    "Uninstalled, or left out because what wants it was installed with --no-deps, or an installation was interrupted. "
    "What needs it ends with ModuleNotFoundError."
)


def _missing(subject: Subject, name: str, wants: list[_Want]) -> Finding:
    evidence = f"{name} is not installed; {_wanted(subject, wants)}"
    fix = remedy.install(subject, _joined(name, wants))
    return Finding("missing-requirement", "error", name, evidence, _UNINSTALLED, fix, name)


def _many_missing(subject: Subject, missing: dict[str, list[_Want]]) -> Finding:
    """Return one finding for what one accident did."""
    first = next(iter(missing.values()))
    evidence = f"{len(missing)} are not installed: {', '.join(sorted(missing))}; {_wanted(subject, first)}, for one"
    fix = remedy.install(subject, *(_joined(name, wants) for name, wants in missing.items()))
    return Finding("missing-requirement", "error", f"{len(missing)} distributions", evidence, _UNINSTALLED, fix)


def _unmet(subject: Subject, name: str, wants: list[_Want]) -> Finding:
    return Finding(
        "unmet-requirement",
        "warning",
        name,
        f"{name} {subject.version(name)} is installed; {_wanted(subject, wants)}",
        "Another installation replaced it: pip install changes what is there and only warns "
        "('pip's dependency resolver does not currently take into account …').",
        remedy.install(subject, _joined(name, wants)),
        name,
        link="https://pip.pypa.io/en/stable/topics/dependency-resolution/",
    )


def _wanted(subject: Subject, wants: list[_Want]) -> str:
    words = [f"{_chain(subject, want.by)} wants {_written(want.requirement)}" for want in wants[:_ENOUGH]]
    return "; ".join(words) + (f"; and {len(wants) - _ENOUGH} more" if len(wants) > _ENOUGH else "")


def _joined(name: str, wants: list[_Want]) -> str:
    """Return one requirement that says what all of them say."""
    clauses = {str(clause) for want in wants for clause in want.requirement.specifier}
    return name + ",".join(sorted(clauses))


def _written(requirement: Requirement) -> str:
    """Return the requirement without marker, extras and address (which may hold a password)."""
    return f"{canonicalize_name(requirement.name)}{requirement.specifier}"


def _chain(subject: Subject, item: Distribution) -> str:
    """Return the chain of distributions that require ``item``, from one that nothing requires down to it."""
    names, seen = [f"{item.name} {item.version}"], {item.name}
    while parent := next(
        (other for other in subject.winners.values() if other.name not in seen and _wants(other, item.name)), None
    ):
        names.insert(0, parent.name)
        seen.add(parent.name)
        item = parent
    return " → ".join(names)


def _wants(item: Distribution, name: str) -> bool:
    lines = (re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in item.requires if not _EXTRA.search(line))
    return any(canonicalize_name(line) == name for line in lines)


def _imageai(subject: Subject) -> list[Finding]:
    imageai = subject.winners.get("imageai")
    parsed = release(imageai.version) if imageai else None
    if imageai is None or parsed is None:
        return []
    if parsed.major >= 3 and subject.tensorflow and not subject.has("torch"):
        return []  # the wrong ImageAI (breakers.py): what that one lacks is beside the point
    needed = IMAGEAI_NEEDS.get(parsed.major, ())
    if parsed.release < (2, 1, 6):  # it carries a copy of keras-resnet
        needed = tuple(name for name in needed if name != "keras-resnet")
    missing = [name for name in needed if not subject.has(name) and not _stand_in(subject, name)]
    if parsed.major == 2 and subject.has("keras-nightly"):
        missing = [name for name in missing if name != "keras"]
    if parsed.major == 2 and subject.has_tensorflow(">=2.21"):  # older ones require it themselves
        missing += [name for name in ("tensorboard",) if not subject.has(name)]
    findings = []
    for name in missing:
        only = {"keras-resnet": "RetinaNet", "tensorboard": "training of a detection model"}.get(name)
        findings.append(
            Finding(
                "missing-requirement",
                "warning" if only else "error",
                name,
                f"{name} is not installed; imageai {imageai.version} imports it",
                "imageai was installed with --no-deps, or it was uninstalled. "
                + (f"Only {only} needs it." if only else "What needs it ends with ModuleNotFoundError."),
                remedy.install(subject, name),
                name,
                link=_LINK,
            )
        )
    return findings
