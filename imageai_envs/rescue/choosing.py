"""Choose the working template nearest to what a source asks for, and say what of it cannot work at all."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from imageai_envs.base.errors import RequestError
from imageai_envs.base.paths import shipped_templates
from imageai_envs.request.framework import TENSORFLOW, TORCH
from imageai_envs.request.request import Request
from imageai_envs.request.stack import PYTORCHES, RELEASES, TORCHES, is_cuda
from imageai_envs.rescue.source import pivot
from imageai_envs.rescue.unfit import Problem, imageai_problems, mismatched_pair, overlaps
from imageai_envs.templates.catalog import Catalog, Entry, Selection, load_catalog, nearest_of_minor, select
from imageai_envs.templates.unsupported import REASONS, explain, load_unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imageai_envs.base.paths import Home
    from imageai_envs.request.framework import Framework
    from imageai_envs.rescue.source import Line, Source
    from imageai_envs.templates.template import Template

# Sources of what is said about tensorflow-gpu: its page on the index, https://pypi.org/project/tensorflow-gpu/.
_GONE = (
    "tensorflow-gpu ended with 2.11; from 2.12 on the name only holds a file that fails on purpose ('The "
    '"tensorflow-gpu" package has been removed!\').'
)
_LOCAL = "https://pytorch.org/get-started/previous-versions/"
_BOTH = "{release} is what ImageAI 3 runs on; TensorFlow is kept as a package like any other. For .h5 models: --tf 2.10"


@dataclass(frozen=True)
class RescueOptions:
    """What the user decides instead of us.

    Attributes:
        tensorflow: a TensorFlow to take, whatever the source says.
        template: a template to take, by name or file.
        variant: ``cpu`` or ``gpu``; None: as the source suggests.
        python: a version, an executable or a directory; None: as the source suggests.
        engine: ``auto``, ``uv`` or ``pip``.
        download: a missing Python may be fetched.
        verify: how a created environment is proved.
        torch: a PyTorch to take, whatever the source says.
    """

    tensorflow: str | None = None
    template: str | None = None
    variant: str | None = None
    python: str | None = None
    engine: str = "auto"
    download: bool = True
    verify: str = "inference"
    torch: str | None = None


@dataclass(frozen=True)
class Choice:
    """The template, and why it is not quite what was asked for.

    Attributes:
        selection: template, exact release of its framework, variant.
        python: the Python to look for; None when the template decides.
        problems: what cannot work of TensorFlow, PyTorch, ImageAI and Python.
        torch: PyTorch is asked for because of ImageAI 3, and goes with it: the template runs on TensorFlow.
        note: what people should know about the choice, empty otherwise.
    """

    selection: Selection
    python: str | None
    problems: tuple[Problem, ...]
    torch: bool
    note: str = ""


def choose_template(source: Source, options: RescueOptions, home: Home) -> Choice:
    """Return the nearest working template for ``source``.

    Raises:
        RequestError: the user's own ``--tf``, ``--torch``, ``--template`` or variant does not exist.
        TemplateError: the named template is not valid.
    """
    asked = [line for line in source.lines if line.requirement and not line.constraint]
    imageai = next((line for line in asked if line.name == "imageai"), None)
    framework = _framework(asked, imageai, options, home, complete=source.complete)
    # PyTorch's wheels bring their own CUDA: what a source has of it says nothing about a variant.
    variant = options.variant or ("cpu" if framework is TORCH else _variant(asked))
    tensorflows = [line for line in asked if line.name in RELEASES[TENSORFLOW]]
    problems = overlaps(tensorflows)
    own = [line for line in asked if line.name in RELEASES[framework]]
    decisive = next((line for line in own if line.requirement and line.requirement.specifier), None)
    wanted = imageai_for(imageai, framework, home)
    if options.tensorflow or options.torch or decisive is None:
        request = Request(
            template=options.template, tensorflow=options.tensorflow, torch=options.torch, variant=variant
        )
        if not (options.template or options.tensorflow or options.torch):
            request = replace(request, imageai=wanted)
        selection = _select(request, options, home)
        if not (options.template or options.tensorflow or options.torch):
            selection = _on_its_python(source, selection, options, home)
    else:
        selection, found = _nearest(source, decisive, framework, wanted, options, variant, home)
        problems += found
        if not options.template:
            template = selection.template
            load_catalog(home).refuse_broken(selection.entry, template.name, framework, template.minor)
    problems += mismatched_pair(asked, selection)
    problems += imageai_problems(asked, selection, complete=source.complete)
    python, problem = _python(source, selection.choosing)
    problems += [problem] if problem and not options.python else []
    newest = imageai is not None and not imageai.pin and not source.complete
    unused = framework is TENSORFLOW and (newest or (imageai is not None and _only_3(imageai)))
    note = _BOTH.format(release=selection.release) if framework is TORCH and tensorflows else ""
    return Choice(selection, options.python or python, tuple(problems), unused, note)


def _framework(
    asked: list[Line], imageai: Line | None, options: RescueOptions, home: Home, *, complete: bool
) -> Framework:
    """Return what the wanted ImageAI runs on.

    ImageAI 3 without TensorFlow: PyTorch. With both frameworks ImageAI 3 is what runs, if it can: a listing of
    everything installed must have torchvision too. TensorFlow without PyTorch is the copied recipe
    (``pip install tensorflow imageai``), in which ImageAI 3 never ran.
    """
    if options.tensorflow or options.torch:
        return TENSORFLOW if options.tensorflow else TORCH
    if options.template:
        return _select(
            Request(template=options.template, variant=options.variant or _variant(asked)), options, home
        ).template.framework
    names = {line.name for line in asked}
    torch = bool(names & PYTORCHES) and (not complete or "torchvision" in names)
    if names & RELEASES[TENSORFLOW]:
        return TORCH if imageai is not None and _only_3(imageai) and torch else TENSORFLOW
    if imageai is not None and _only_3(imageai):
        return TORCH
    may_be_3 = imageai is None or bool(imageai.requirement and imageai.requirement.specifier.contains("3.0.3"))
    return TORCH if names & (PYTORCHES | {"torchvision"}) and may_be_3 else TENSORFLOW


def _only_3(imageai: Line) -> bool:
    """Tell whether a line asks for ImageAI 3: it allows none of the older ones that templates have."""
    assert imageai.requirement is not None  # noqa: S101 - sorted out before
    specifier = imageai.requirement.specifier
    return pivot(specifier) >= Version("3") and not specifier.contains("2.1.6")


def imageai_for(imageai: Line | None, framework: Framework, home: Home) -> str | None:
    """Return the ImageAI that a template of ``framework`` is to have; None: whichever is usual.

    The newest that the line allows; of one that no template has, what :data:`REASONS` names instead.
    """
    entries = [entry for entry in load_catalog(home).entries if entry.template.framework is framework]
    own = sorted({entry.template.imageai.version for entry in entries}, key=Version)
    usual = select(Request(imageai="3" if framework is TORCH else None), home).template.imageai.version
    if imageai is None or imageai.requirement is None or imageai.requirement.specifier.contains(usual):
        return usual if framework is TORCH else None
    allowed = [version for version in own if imageai.requirement.specifier.contains(version)]
    if allowed:
        return allowed[-1]
    wanted = pivot(imageai.requirement.specifier)
    known = explain(load_unsupported(shipped_templates() / REASONS).imageai, str(wanted))
    instead = known.instead.removeprefix("--imageai ") if known else ""
    return instead if instead in own else usual if framework is TORCH else None


def _select(request: Request, options: RescueOptions, home: Home) -> Selection:
    """Select; a variant that only the source suggests gives way to what the template has."""
    try:
        return select(request, home)
    except RequestError as error:
        if options.variant or error.code != "no-such-variant":
            raise
        return select(replace(request, variant="cpu"), home)


def _variant(asked: Iterable[Line]) -> str:
    """Return ``gpu`` when someone asked for CUDA on TensorFlow's behalf; PyTorch's own CUDA does not count."""
    lines = list(asked)
    if any(line.name in ("tensorflow-gpu", "tf-nightly-gpu", "cudnn") for line in lines):
        return "gpu"
    if any("and-cuda" in line.requirement.extras for line in lines if line.requirement):
        return "gpu"
    cuda = any(is_cuda(line.name) for line in lines)
    return "gpu" if cuda and not any(line.name in TORCHES for line in lines) else "cpu"


def _on_its_python(source: Source, usual: Selection, options: RescueOptions, home: Home) -> Selection:
    """Return the newest release with the same ImageAI on the Python that is asked for; none: the usual one."""
    if _serves(usual, source, options):
        return usual
    entries = _entries(load_catalog(home), usual.variant, usual.template.framework)
    alike = [entry for entry in entries if entry.template.imageai.version == usual.template.imageai.version]
    serving = [
        one
        for entry in alike
        if _serves(one := Selection(entry, entry.template.newest, usual.variant, named=False), source, options)
    ]
    return serving[-1] if serving else usual


def _serves(selection: Selection, source: Source, options: RescueOptions) -> bool:
    """Tell whether a template runs on the Python that the user or the source asks for; when nobody does, it does."""
    if options.python:
        said = re.fullmatch(r"(\d+)\.(\d+)(?:\.\d+)?", options.python)
        return said is None or selection.choosing.allows_python((int(said[1]), int(said[2])))
    return _python(source, selection.choosing)[1] is None


def _nearest(
    source: Source,
    line: Line,
    framework: Framework,
    imageai: str | None,
    options: RescueOptions,
    variant: str,
    home: Home,
) -> tuple[Selection, list[Problem]]:
    """Return the newest release that the line allows, or else the nearest one and what is wrong with the line's."""
    assert line.requirement is not None  # noqa: S101 - decisive lines have one
    specifier = line.requirement.specifier
    wanted = pivot(specifier)
    problems: list[Problem] = []
    if options.template:
        named = _select(Request(template=options.template, variant=variant), options, home)
        entries, variant = [named.entry], named.variant
    else:
        catalog = load_catalog(home)
        entries = _entries(catalog, variant, framework)
        having = {Version(entry.template.minor).major for entry in entries}
        if not options.variant and variant != "cpu" and wanted.major not in having:
            entries, variant = _entries(catalog, "cpu", framework), "cpu"
    served: list[Selection] = []
    for entry in entries:
        # A range that allows every patch of a minor names none: the Python may then decide.
        exact = not all(line.allows(patch) for patch in entry.template.patches)
        served += [Selection(entry, patch, variant, named=exact) for patch in entry.template.patches]
    if not served:
        return _select(
            Request(template=options.template, variant=variant), options, home
        ), []  # it says what is missing
    fitting = [one for one in served if line.allows(one.version)]
    gone = line.name == "tensorflow-gpu" and wanted >= Version("2.12")
    if fitting and not gone:
        # Of a range, the one with the ImageAI that is asked for, on the Python that is, and that is taken when nobody
        # asks for any; else the newest.
        pool = [one for one in fitting if one.template.imageai.version == imageai] or fitting
        pool = [one for one in pool if _serves(one, source, options)] or pool
        usual = select(Request(variant=variant, imageai=imageai if framework is TORCH else None), home)
        alike = [one for one in pool if one.version == usual.version and not options.template]
        chosen = max(alike or pool, key=lambda one: Version(one.version))
        if wanted.local and not specifier.contains(chosen.version):
            why = f"builds such as +{wanted.local} are on download.pytorch.org only; the index has the release itself."
            return chosen, [Problem(line.place, line.text, why, f"torch=={chosen.version}", _LOCAL)]
    else:
        chosen, problem = _instead(line, framework, served, fitting, gone=gone)
        problems.append(problem)
    if line.name == "tensorflow-gpu" and chosen.variant == "cpu" and not options.variant:
        why = f"template {chosen.template.name} has no gpu variant: it runs on the processor."
        told = problems[0] if problems else Problem(line.place, line.text, "", f"tensorflow=={chosen.version}")
        problems = [replace(told, why=f"{told.why} {why}".strip())]
    return chosen, problems


def _instead(
    line: Line, framework: Framework, served: list[Selection], fitting: list[Selection], *, gone: bool
) -> tuple[Selection, Problem]:
    """Return the release nearest to one that no template has, and why there is none."""
    assert line.requirement is not None  # noqa: S101 - decisive lines have one
    specifier = line.requirement.specifier
    wanted = pivot(specifier)
    reasons = load_unsupported(shipped_templates() / REASONS).tensorflow if framework is TENSORFLOW else ()
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
        why, origin = f"there is no {framework.title} that {specifier} allows among {_patches(of_minor)}.", ""
    elif known:
        why, origin = f"no template has TensorFlow {wanted}: {known.reason}", known.source
    else:
        offered = ", ".join(dict.fromkeys(one.template.minor for one in served))
        why, origin = f"templates have no {framework.title} that {specifier} allows; they have {offered}.", ""
    return chosen, Problem(line.place, line.text, why, f"{framework.name}=={chosen.version}", origin)


def _entries(catalog: Catalog, variant: str, framework: Framework) -> list[Entry]:
    """Return the entries with the variant, of each minor of the framework the nearest: as :func:`select` chooses."""
    of_framework = [entry for entry in catalog.entries if entry.template.framework is framework]
    having = [entry for entry in of_framework if variant in entry.template.variants]
    minors = dict.fromkeys(entry.template.minor for entry in having)  # in the catalogue's order, that of versions
    return [nearest_of_minor([one for one in having if one.template.minor == minor])[0] for minor in minors]


def _patches(selections: Iterable[Selection]) -> str:
    return ", ".join(one.version for one in selections)


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
