"""Choose the working template nearest to what a source asks for, and say what of it cannot work at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from imageai_envs.catalog import REASONS, Catalog, Entry, Selection, load_catalog, select
from imageai_envs.framework import TENSORFLOW
from imageai_envs.paths import shipped_templates
from imageai_envs.request import Request
from imageai_envs.rescue.roles import TENSORFLOWS, TORCHES, is_cuda
from imageai_envs.unsupported import explain, load_unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imageai_envs.paths import Home
    from imageai_envs.rescue.source import Line, Source
    from imageai_envs.template import Template

_NEARNESS = ("project", "user", "shipped")
# Sources of what is said about tensorflow-gpu: its page on the index, https://pypi.org/project/tensorflow-gpu/.
_GONE = (
    "tensorflow-gpu ended with 2.11; from 2.12 on the name only holds a file that fails on purpose ('The "
    '"tensorflow-gpu" package has been removed!\').'
)


@dataclass(frozen=True)
class How:
    """What the user decides instead of us.

    Attributes:
        tensorflow: a TensorFlow to take, whatever the source says.
        template: a template to take, by name or file.
        variant: ``cpu`` or ``gpu``; None: as the source suggests.
        python: a version, an executable or a directory; None: as the source suggests.
        engine: ``auto``, ``uv`` or ``pip``.
        download: a missing Python may be fetched.
        verify: how a created environment is proved.
    """

    tensorflow: str | None = None
    template: str | None = None
    variant: str | None = None
    python: str | None = None
    engine: str = "auto"
    download: bool = True
    verify: str = "inference"


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


@dataclass(frozen=True)
class Choice:
    """The template, and why it is not quite what was asked for.

    Attributes:
        selection: template, exact TensorFlow, variant.
        python: the Python to look for; None when the template decides.
        problems: what cannot work of TensorFlow, ImageAI and Python.
        torch: PyTorch is asked for because of ImageAI 3, and goes with it.
    """

    selection: Selection
    python: str | None
    problems: tuple[Problem, ...]
    torch: bool


def choose_template(source: Source, how: How, home: Home) -> Choice:
    """Return the nearest working template for ``source``.

    Raises:
        RequestError: the user's own ``--tf``, ``--template`` or variant does not exist.
        TemplateError: the named template is not valid.
    """
    asked = [line for line in source.lines if line.requirement and not line.constraint]
    variant = how.variant or _variant(asked)
    tensorflows = [line for line in asked if line.name in TENSORFLOWS]
    problems = _overlaps(tensorflows)
    decisive = next((line for line in tensorflows if line.requirement and line.requirement.specifier), None)
    if how.tensorflow or decisive is None:
        selection = select(Request(template=how.template, tensorflow=how.tensorflow, variant=variant), home)
    else:
        selection, problem = _nearest(decisive, how, variant, home)
        problems += [problem] if problem else []
    problems += _imageai(asked, selection.template, complete=source.complete)
    python, problem = _python(source, selection.template)
    problems += [problem] if problem and not how.python else []
    imageai = next((line for line in asked if line.name == "imageai"), None)
    newest = imageai is not None and not imageai.pin and not source.complete
    torch = imageai is not None and (newest or (bool(imageai.pin) and _release(imageai.pin) >= Version("3")))
    return Choice(selection, how.python or python, tuple(problems), torch)


def _variant(asked: Iterable[Line]) -> str:
    """Return ``gpu`` when somebody asked for CUDA on TensorFlow's behalf; PyTorch's own CUDA does not count."""
    lines = list(asked)
    if any(line.name in ("tensorflow-gpu", "tf-nightly-gpu", "cudnn") for line in lines):
        return "gpu"
    if any("and-cuda" in line.requirement.extras for line in lines if line.requirement):
        return "gpu"
    cuda = any(is_cuda(line.name) for line in lines)
    return "gpu" if cuda and not any(line.name in TORCHES for line in lines) else "cpu"


def _overlaps(lines: list[Line]) -> list[Problem]:
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


def _nearest(line: Line, how: How, variant: str, home: Home) -> tuple[Selection, Problem | None]:
    """Return the newest TensorFlow that the line allows, or else the nearest one and what is wrong with the line's."""
    assert line.requirement is not None  # noqa: S101 - decisive lines have one
    specifier = line.requirement.specifier
    if how.template:
        named = select(Request(template=how.template, variant=variant), home)
        entries = [named.entry]
    else:
        entries = _entries(load_catalog(home), variant)
    served = [Selection(entry, patch, variant) for entry in entries for patch in entry.template.patches]
    fitting = [one for one in served if specifier.contains(one.version, prereleases=True)]
    gone = line.name == "tensorflow-gpu" and _pivot(specifier) >= Version("2.12")
    if fitting and not gone:
        # Of a range, the one that is taken when nobody asks for any; else the newest.
        usual = select(Request(variant=variant), home)
        alike = [one for one in fitting if one.version == usual.version and not how.template]
        return max(alike or fitting, key=lambda one: Version(one.version)), None
    if not served:
        return select(Request(template=how.template, variant=variant), home), None  # it says what is missing
    wanted = _pivot(specifier)
    reasons = load_unsupported(shipped_templates() / REASONS).tensorflow
    known = explain(reasons, str(wanted))
    minor = f"{wanted.major}.{wanted.minor}"
    of_minor = [one for one in served if one.template.minor == minor]
    instead = re.search(r"--tf (\S+)", known.instead) if known else None
    of_known = [one for one in served if instead and one.template.minor == instead[1]]
    older = [one for one in served if Version(one.version) <= wanted]
    pool = fitting or of_minor or of_known or older or served
    chosen = max(pool, key=lambda one: Version(one.version)) if pool is not served else pool[0]
    if gone:
        why, origin = _GONE, "https://pypi.org/project/tensorflow-gpu/"
    elif of_minor:
        why, origin = f"there is no TensorFlow that {specifier} allows among {_patches(of_minor)}.", ""
    elif known:
        why, origin = f"ImageAI 2.1.6 does not work with TensorFlow {wanted}: {known.reason}", known.source
    else:
        why, origin = f"no template has a TensorFlow that {specifier} allows.", ""
    return chosen, Problem(line.place, line.text, why, f"tensorflow=={chosen.version}", origin)


def _entries(catalog: Catalog, variant: str) -> list[Entry]:
    """Return the entries with the variant, of each TensorFlow minor the nearest: as :func:`select` chooses."""
    found: dict[str, Entry] = {}
    for entry in sorted(catalog.entries, key=lambda one: _NEARNESS.index(one.origin)):
        if variant in entry.template.variants and entry.template.framework is TENSORFLOW:
            found.setdefault(entry.template.minor, entry)
    return sorted(found.values(), key=lambda one: Version(one.template.minor))


def _patches(selections: Iterable[Selection]) -> str:
    return ", ".join(one.version for one in selections)


def _pivot(specifier: SpecifierSet) -> Version:
    """Return the version that a specifier is about: a pin, else its lower bound, else its upper one."""
    order = {"==": 0, "===": 0, "~=": 1, ">=": 2, ">": 2}
    first = min(specifier, key=lambda one: (order.get(one.operator, 3), one.version), default=None)
    return _release(first.version.removesuffix(".*")) if first else Version("0")


def _release(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")


def _imageai(asked: Iterable[Line], template: Template, *, complete: bool) -> list[Problem]:
    own = template.imageai
    fits = f"imageai=={own.version}"
    reasons = load_unsupported(shipped_templates() / REASONS).imageai_on_tensorflow
    for line in asked:
        if line.name != "imageai" or line.requirement is None:
            continue
        wanted = _pivot(line.requirement.specifier)
        if not line.requirement.specifier.contains(own.version):
            known = explain(reasons, str(wanted))
            why = known.reason if known else f"template {template.name} has ImageAI {own.version}."
            return [Problem(line.place, line.text, f"with TensorFlow: {why}", fits, known.source if known else "")]
        if complete:
            return []
        problems = []
        if not line.pin and line.requirement.specifier.contains("3.0.3"):
            known = explain(reasons, "3.0.3")
            why = f"without a version pip takes ImageAI 3: {known.reason if known else ''}"
            problems.append(Problem(line.place, line.text, why, fits, known.source if known else ""))
        if own.replaces_dependencies:
            nearest = f"{fits} with its own pins set aside"
            problems.append(Problem(line.place, fits, own.reason, nearest, own.source))
        return problems
    return []


def _python(source: Source, template: Template) -> tuple[str | None, Problem | None]:
    """Return the Python that the source says it wants, if the template runs on it; else what is wrong with it."""
    try:
        specifier = SpecifierSet(source.python)
    except InvalidSpecifier:
        return None, None
    if not source.python:
        return None, None
    allowed = [minor for minor in template.python_preferred if specifier.contains(f"{minor}.99")]
    said = re.fullmatch(r"==(\d+\.\d+)(?:\.\*|\.\d+)?", source.python)
    if said and template.allows_python((int(said[1].split(".")[0]), int(said[1].split(".")[1]))):
        return said[1], None
    if allowed:
        return (allowed[0] if allowed[0] != template.python_preferred[0] else None), None
    nearest = template.python_preferred[0] if template.python_preferred else template.python_words()
    words = f"Python {said[1]}" if said else f"Python {source.python}"
    return None, Problem(source.python_place, words, template.python_reason, f"Python {nearest}")
