"""Requirements on ImageAI and what it runs on that cannot work with any release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from imageai_envs.base.paths import shipped_templates
from imageai_envs.doctor.inspections.pairs import torchvision_for
from imageai_envs.request.framework import TENSORFLOW, TORCH
from imageai_envs.request.stack import OPENCVS, PYTORCHES, opencv_of
from imageai_envs.rescue.source import exact_version, pivot, released
from imageai_envs.templates.unsupported import REASONS, explain, load_unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imageai_envs.rescue.source import Line
    from imageai_envs.templates.catalog import Selection
    from imageai_envs.templates.template import Template

_DECLARES_NOTHING = "https://pypi.org/pypi/imageai/3.0.3/json"


@dataclass(frozen=True)
class Problem:
    """Something that cannot work as it was asked for.

    Attributes:
        place: where it stands; empty when it does not stand in one line.
        requirement: as written.
        why: the reason, in words.
        nearest: what comes nearest to it and works; empty when nothing does.
        source: where the fact is from; empty when the index said so just now.
    """

    place: str
    requirement: str
    why: str
    nearest: str = ""
    source: str = ""


def own_pins(selection: Selection) -> dict[str, str]:
    """Return what the template's variant pins for this machine, by normalized name: its framework, above all."""
    name = selection.template.framework.name
    found: dict[str, str] = {}
    for text in selection.template.variants[selection.variant].requirements:
        requirement = Requirement(text.replace(f"{{{name}}}", selection.version))
        if requirement.marker is None or requirement.marker.evaluate():
            version = exact_version(requirement)
            found |= {canonicalize_name(requirement.name): version} if version else {}
    return found


def overlaps(lines: list[Line]) -> list[Problem]:
    """Find several builds of one TensorFlow."""
    whole = [line for line in lines if line.name in ("tensorflow", "tensorflow-cpu", "tensorflow-gpu")]
    if len({line.name for line in whole}) < 2:
        return []
    names = " and ".join(dict.fromkeys(line.name for line in whole))
    return [
        Problem(
            whole[1].place,
            whole[1].text,
            f"{names} are the same package in several builds: installed together they overwrite each other's files.",
            source="https://github.com/tensorflow/tensorflow/issues/7166",
        )
    ]


def mismatched_pair(asked: Iterable[Line], selection: Selection) -> list[Problem]:
    """Find a torchvision that was compiled for another PyTorch than the one beside it."""
    pins = {line.name: line for line in asked if line.pin}
    torch = next((pins[name] for name in sorted(PYTORCHES, reverse=True) if name in pins), None)
    vision = pins.get("torchvision")
    if torch is None or vision is None or selection.template.framework is not TORCH:
        return []
    versions = released(torch.pin), released(vision.pin)
    wanted = torchvision_for((versions[0].major, versions[0].minor))
    if wanted is None or wanted == (versions[1].major, versions[1].minor):
        return []
    why = (
        f"torchvision is compiled for one PyTorch, and that of {versions[0].public} is {wanted[0]}.{wanted[1]}; with "
        "another: RuntimeError: operator torchvision::nms does not exist."
    )
    own = own_pins(selection).get("torchvision", "")
    nearest = f"torchvision=={own}" if own else ""
    return [Problem(vision.place, vision.text, why, nearest, "https://github.com/pytorch/vision#installation")]


def imageai_problems(asked: Sequence[Line], selection: Selection, *, complete: bool) -> list[Problem]:
    """Find what is wrong with the ImageAI that is asked for, and with how pip would install it.

    Args:
        asked: the lines that ask for something.
        selection: what was chosen.
        complete: the lines are everything that is installed: how it got there does not matter any more.
    """
    line = next((line for line in asked if line.name == "imageai"), None)
    if line is None or line.requirement is None:
        return []
    template, specifier = selection.template, line.requirement.specifier
    own = template.imageai
    fits = f"imageai=={own.version}"
    if not specifier.contains(own.version):
        why, source = _other_imageai(template, pivot(specifier))
        return [Problem(line.place, line.text, why, fits, source)]
    if complete:
        return []
    problems = []
    if template.framework is TENSORFLOW and not line.pin and specifier.contains("3.0.3"):
        known = explain(load_unsupported(shipped_templates() / REASONS).imageai_on_tensorflow, "3.0.3")
        why = f"without a version pip takes ImageAI 3: {known.reason if known else ''}"
        problems.append(Problem(line.place, line.text, why, fits, known.source if known else ""))
    needed: set[str] = {canonicalize_name(Requirement(text).name) for text in own.dependencies}
    if template.framework is TORCH:
        same = {**dict.fromkeys(PYTORCHES, "torch"), **dict.fromkeys(OPENCVS, opencv_of(needed))}
        names = {same.get(one.name, one.name) for one in asked}
        brought = {"torch", "numpy", "pillow"} if "torchvision" in names else set()
        lacking = sorted((needed | {"torch", "torchvision"}) - names - brought)
        if lacking:
            why = f"ImageAI 3 declares no requirements, so pip does not bring what it needs: {', '.join(lacking)}."
            problems.append(Problem(line.place, line.text, why, f"{fits} with all that it needs", _DECLARES_NOTHING))
    elif own.replaces_dependencies:
        pinned = Version(own.version) >= Version("2.1.6")  # the older ones declare names without versions
        caps = {cap.distribution for cap in template.caps if cap.releases.contains(selection.version)}
        bounded = caps <= {line.name for line in asked}
        how = "its own pins set aside" if pinned else "releases of its own time"
        if pinned or not bounded:
            problems.append(Problem(line.place, fits, own.reason, f"{fits} with {how}", own.source))
    return problems


def _other_imageai(template: Template, wanted: Version) -> tuple[str, str]:
    """Return why a template does not have that ImageAI, and where the reason is from."""
    reasons = load_unsupported(shipped_templates() / REASONS)
    if template.framework is TENSORFLOW and wanted.major >= 3:
        known = explain(reasons.imageai_on_tensorflow, str(wanted))
        keep = f"To stay with ImageAI 3: {TORCH.option} {TORCH.example}."
        return f"with TensorFlow: {known.reason} {keep}" if known else keep, known.source if known else ""
    if template.framework is TENSORFLOW and Version(template.minor) < Version("2") and wanted >= Version("2.1.6"):
        return f"with TensorFlow 1: it is written for TensorFlow 2, and {template.imageai.version} runs on 1.15.", ""
    if template.framework is TENSORFLOW and Version(template.minor) >= Version("2"):
        known = explain(reasons.imageai_on_tensorflow, str(wanted))
        if known:
            return f"with TensorFlow: {known.reason}", known.source
    known = explain(reasons.imageai, str(wanted))
    return known.reason if known else f"template {template.name} has ImageAI {template.imageai.version}.", ""
