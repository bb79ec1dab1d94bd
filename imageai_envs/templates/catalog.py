"""All templates in reach, and the one that answers a request."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import Version

from imageai_envs.base.errors import RequestError, TemplateError
from imageai_envs.base.paths import Home, shipped_templates
from imageai_envs.request.framework import FRAMEWORKS, TENSORFLOW, TORCH, Framework
from imageai_envs.templates.broken import Broken, judge
from imageai_envs.templates.defaults import DEFAULTS, load_defaults
from imageai_envs.templates.project import project_templates
from imageai_envs.templates.refusals import listed, no_imageai, no_release, other_imageai
from imageai_envs.templates.template_file import load_template
from imageai_envs.templates.unsupported import REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imageai_envs.request.framework import Release
    from imageai_envs.request.request import Request
    from imageai_envs.templates.template import Template

    Chooser = Callable[[Sequence[Template]], Template]
    """Picks one of several templates, the preferred one first."""

REFUSED = "{} was not looked into: it belongs to another user."
_NO_TEMPLATES = (REASONS, DEFAULTS)
_NEARNESS = ("project", "user", "shipped")
_EXAMPLES = {"--imageai": "2.1.6", **{framework.option: framework.example for framework in FRAMEWORKS}}


@dataclass(frozen=True)
class Entry:
    """A template and where it came from.

    Attributes:
        template: the template.
        origin: ``project``, ``user``, ``shipped`` or ``file``.
        hides: files of the same name that lie further away.
    """

    template: Template
    origin: str
    hides: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Catalog:
    """The templates that can be named.

    Attributes:
        entries: in the order of their versions.
        broken: files that are no templates, nearest first.
        refused: directories of templates that were not looked into, as they belong to another user.
    """

    entries: tuple[Entry, ...]
    broken: tuple[Broken, ...]
    refused: tuple[Path, ...] = ()

    def named(self, name: str) -> Entry | None:
        """Return the entry called ``name``."""
        return next((entry for entry in self.entries if entry.template.name == name), None)

    def refuse_broken(
        self, entry: Entry | None, name: str | None, framework: Framework | None = None, minor: str | None = None
    ) -> None:
        """Refuse to pass over a file that is broken, nearer than ``entry``, and may be the template that is meant.

        Args:
            entry: what would answer; None: nothing.
            name: the template that is meant.
            framework: with ``minor``: or any of this framework and minor.
            minor: see ``framework``.

        Raises:
            TemplateError: there is one; what is wrong with it, and what would have been taken instead.
        """
        nearer = _NEARNESS[: _NEARNESS.index(entry.origin)] if entry else _NEARNESS
        for broken in self.broken:
            if broken.origin in nearer and broken.may_be(name, framework, minor):
                if entry is None:
                    raise broken.error
                raise TemplateError(
                    f"{broken.error.message}\nIt may be the one that is meant, and is nearer than "
                    f"{entry.template.path}: fix it, or move it away.",
                    path=broken.error.path,
                    hint=broken.error.hint or f"imageai-env templates validate {broken.error.path}",
                )


@dataclass(frozen=True)
class Selection:
    """The answer to a request: which template, which exact version of its framework, which variant.

    Attributes:
        entry: the template.
        version: release of its framework.
        variant: ``cpu`` or ``gpu``.
        named: this release was asked for; otherwise it is the newest, unless a Python has wheels of an older one only.
    """

    entry: Entry
    version: str
    variant: str
    named: bool = True

    @property
    def template(self) -> Template:
        """The chosen template."""
        return self.entry.template

    @property
    def choosing(self) -> Template:
        """The template to choose a Python for."""
        return self.template.of(self.version) if self.named else self.template

    def on(self, python: tuple[int, int]) -> Selection:
        """Return the selection for a CPython minor."""
        return self if self.named else replace(self, version=self.template.newest_on(python))

    @property
    def release(self) -> Release:
        """The exact release of the template's framework."""
        return self.template.release(self.version)


def load_catalog(home: Home) -> Catalog:
    """Read every template of the project, the user and this package; of one name the nearest wins."""
    found: dict[str, Entry] = {}
    broken: list[Broken] = []
    project = project_templates()
    places = (project.directory, home.templates, shipped_templates())
    for origin, directory in zip(_NEARNESS, places, strict=True):
        for path in sorted(directory.glob("*.toml")) if directory else ():
            if path.name in _NO_TEMPLATES:
                continue
            try:
                template = load_template(path)
            except TemplateError as error:
                broken.append(judge(error, path, origin))
                continue
            nearer = found.get(template.name)
            if nearer:
                found[template.name] = Entry(nearer.template, nearer.origin, (*nearer.hides, path))
            else:
                found[template.name] = Entry(template, origin)
    return Catalog(tuple(sorted(found.values(), key=_order)), tuple(broken), project.refused)


def _order(entry: Entry) -> tuple[int, Version, str]:
    template = entry.template
    return FRAMEWORKS.index(template.framework), Version(template.minor), template.name


def select(request: Request, home: Home, choose: Chooser | None = None) -> Selection:
    """Find the template that answers ``request`` and the exact release of its framework.

    Args:
        request: what is asked for.
        home: the user's directories.
        choose: picks among the templates that answer equally, the preferred one first; by default it takes that one.

    Raises:
        RequestError: nothing answers it; the message gives the reason and the nearest that does.
        TemplateError: the named template is not valid.
    """
    if _is_path(request.template):
        entry = _from_file(request.template)
    else:
        entry = _from_catalog(request, load_catalog(home), choose)
    template = entry.template
    if request.imageai and not _is_imageai(template, _parse(request.imageai, "--imageai")):
        raise other_imageai(template, request.imageai)
    if request.variant not in template.variants:
        raise RequestError(
            f"Template {template.name} has no {request.variant} variant.",
            hint=f"imageai-env templates show {template.name}",
            code="no-such-variant",
        )
    named = _named(request, template)
    return Selection(entry, named or template.newest, request.variant, named=named is not None)


def _is_path(name: str | None) -> bool:
    return name is not None and (name.endswith(".toml") or "/" in name or "\\" in name)


def _from_file(name: str | None) -> Entry:
    return Entry(load_template(Path(os.path.expanduser(name or ""))), "file")  # noqa: PTH111 - of nobody: no error


def _from_catalog(request: Request, catalog: Catalog, choose: Chooser | None) -> Entry:
    if request.template:
        entry = catalog.named(request.template)
        catalog.refuse_broken(entry, request.template)
        if entry:
            return entry
        raise RequestError(
            f"There is no template {request.template!r}. Known: {listed(catalog.entries)}."
            + "".join(f"\n{REFUSED.format(path)}" for path in catalog.refused),
            hint="imageai-env templates list",
            code="no-such-template",
        )
    asked = _asked(request)
    if asked is None:
        alike = _alternatives(_default(request, catalog), request.variant, catalog)
        chosen = choose([one.template for one in alike]) if choose and len(alike) > 1 else alike[0].template
        entry = next(one for one in alike if one.template is chosen)
        catalog.refuse_broken(entry, entry.template.name)
        return entry
    framework, text = asked
    wanted = _parse(text, framework.option)
    minor = f"{wanted.major}.{wanted.minor}"
    of_framework = [entry for entry in catalog.entries if entry.template.framework is framework]
    of_minor = [entry for entry in of_framework if entry.template.minor == minor]
    # Of those without the variant the nearest is taken too: select says then what is missing.
    answering = nearest_of_minor([one for one in of_minor if request.variant in one.template.variants] or of_minor)
    best = answering[0] if answering else None
    catalog.refuse_broken(best, best.template.name if best else None, framework, minor)
    if best is None:
        raise no_release(framework, text, of_framework)
    return _only(answering)


def nearest_of_minor(entries: Sequence[Entry]) -> list[Entry]:
    """Return those of the entries of one minor that answer for it: the nearest.

    Of several in one place, the one that is the default or has the plain name (``tf2.10``); without one, all of them.
    """
    nearest = min((_NEARNESS.index(entry.origin) for entry in entries), default=0)
    there = [entry for entry in entries if entry.origin == _NEARNESS[nearest]]
    defaults = load_defaults(shipped_templates() / DEFAULTS).values() if len(there) > 1 else ()
    plain = [entry for entry in there if entry.template.name in (_plain_name(entry.template), *defaults)]
    return plain or there


def _plain_name(template: Template) -> str:
    return f"{template.framework.option.removeprefix('--')}{template.minor}"


def _only(entries: list[Entry]) -> Entry:
    """Return the one entry that answers.

    Raises:
        RequestError: there are several, and nothing says which is meant.
    """
    if len(entries) > 1:
        template = entries[0].template
        raise RequestError(
            f"Several templates of the {entries[0].origin} have {template.framework.title} {template.minor}: "
            f"{listed(entries)}.",
            hint=f"--template {template.name}",
            code="several-templates",
        )
    return entries[0]


def _asked(request: Request) -> tuple[Framework, str] | None:
    """Return which framework's version is asked for; None for any.

    Raises:
        RequestError: more than one.
    """
    said = {TENSORFLOW: request.tensorflow, TORCH: request.torch}
    asked = [(framework, text) for framework, text in said.items() if text is not None]
    if len(asked) > 1:
        raise RequestError(
            "An ImageAI runs on TensorFlow (2.x) or on PyTorch (3.x), not on both.",
            hint="Drop --tf or --torch.",
            code="two-frameworks",
        )
    return asked[0] if asked else None


def _is_imageai(template: Template, wanted: Version) -> bool:
    """Tell whether a template has this ImageAI; ``3`` means any release of 3."""
    own = Version(template.imageai.version)
    short = wanted.release[: len(own.release)] == own.release[: len(wanted.release)] and not wanted.is_prerelease
    return own == wanted or (short and len(wanted.release) < len(own.release))


def _default(request: Request, catalog: Catalog) -> Entry:
    """Return the entry for a request without a version of a framework."""
    if not catalog.entries:
        raise RequestError("No usable template was found.", hint="imageai-env templates list", code="no-template")
    defaults = load_defaults(shipped_templates() / DEFAULTS)
    if request.imageai is None:
        name = defaults[TENSORFLOW]
        entry = catalog.named(name)
        if entry is None:
            catalog.refuse_broken(None, name)
            raise RequestError(
                f"The default template {name} is not there.", hint="imageai-env templates list", code="no-template"
            )
        return entry
    wanted = _parse(request.imageai, "--imageai")
    known = [entry for entry in catalog.entries if _is_imageai(entry.template, wanted)]
    if not known:
        raise no_imageai(request.imageai, catalog)
    usual = [entry for name in defaults.values() for entry in known if entry.template.name == name]
    if usual:
        return usual[0]
    # No default has it: the newest minor that a shipped template has it for; without one, that anybody's has.
    newest = ([entry for entry in known if entry.origin == "shipped"] or known)[-1].template
    same = [one for one in known if (one.template.framework, one.template.minor) == (newest.framework, newest.minor)]
    return _only(nearest_of_minor([one for one in same if one.origin == "shipped"] or same))


def _alternatives(usual: Entry, variant: str, catalog: Catalog) -> list[Entry]:
    """Return the usual template, unless it lacks the variant, and what may answer in its place, the newest first.

    These are the shipped ones of other minors of its framework with the same ImageAI, and nearer ones of their names.
    Of several of a minor it is the plain one.
    """
    own, names = usual.template, {path.stem for path in shipped_templates().glob("*.toml")}
    minors: dict[str, list[Entry]] = {}
    for entry in reversed(catalog.entries):
        template = entry.template
        same = (template.framework, template.imageai.version) == (own.framework, own.imageai.version)
        if same and template.minor != own.minor and template.name in names and variant in template.variants:
            minors.setdefault(template.minor, []).append(entry)
    plain = [[one for one in same if one.template.name == _plain_name(one.template)] for same in minors.values()]
    others = [(first or same)[0] for first, same in zip(plain, minors.values(), strict=True)]
    lacks = usual.origin == "shipped" and variant not in own.variants  # of one's own it is told
    return others if lacks and others else [usual, *others]


def _named(request: Request, template: Template) -> str | None:
    """Return the release of the framework that is asked for exactly; None: any patch of the minor, or any minor."""
    asked = _asked(request)
    if asked is None:
        return None
    framework, text = asked
    if framework is not template.framework:
        raise RequestError(
            f"Template {template.name} runs on {template.framework.title}; you asked for {framework.title} {text}.",
            hint=f"Drop {framework.option}, or the template: imageai-env templates list",
            code="no-such-release",
        )
    wanted = _parse(text, framework.option)
    if len(wanted.release) <= 2 and not wanted.is_prerelease and f"{wanted.major}.{wanted.minor}" == template.minor:
        return None
    for patch in template.patches:
        if Version(patch) == wanted:
            return patch
    raise RequestError(
        f"Template {template.name} has no {framework.title} {text}. It has {', '.join(template.patches)}.",
        hint=f"{framework.option} {template.newest}",
        code="no-such-release",
    )


def _parse(text: str, option: str) -> Version:
    try:
        return Version(text)
    except ValueError as error:  # also one of thousands of digits
        raise RequestError(
            f"{option} {text[:80]!r} is not a version (PEP 440).",
            hint=f"{option} {_EXAMPLES[option]}",
            code="bad-version",
        ) from error
