"""All templates in reach, and the one that answers a request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from imageai_envs.errors import RequestError, TemplateError
from imageai_envs.paths import Home, project_templates, shipped_templates
from imageai_envs.template import Template, load_template
from imageai_envs.unsupported import explain, load_unsupported

if TYPE_CHECKING:
    from imageai_envs.request import Request

# A file of reasons, not a template: the only TOML in a template directory that is not one.
REASONS = "unsupported.toml"
_NEARNESS = ("project", "user", "shipped")


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
    """The templates that can be named, nearest first, and the files that could not be read."""

    entries: tuple[Entry, ...]
    broken: tuple[TemplateError, ...]

    def named(self, name: str) -> Entry | None:
        """Return the entry called ``name``."""
        return next((entry for entry in self.entries if entry.template.name == name), None)


@dataclass(frozen=True)
class Selection:
    """The answer to a request: which template, which exact TensorFlow, which variant."""

    entry: Entry
    tensorflow: str
    variant: str

    @property
    def template(self) -> Template:
        """The chosen template."""
        return self.entry.template


def load_catalog(home: Home) -> Catalog:
    """Read every template of the project, the user and this package; of one name the nearest wins."""
    found: dict[str, Entry] = {}
    broken: list[TemplateError] = []
    places = (project_templates(), home.templates, shipped_templates())
    for origin, directory in zip(_NEARNESS, places, strict=True):
        for path in sorted(directory.glob("*.toml")):
            if path.name == REASONS:
                continue
            try:
                template = load_template(path)
            except TemplateError as error:
                broken.append(error)
                continue
            nearer = found.get(template.name)
            if nearer:
                found[template.name] = Entry(nearer.template, nearer.origin, (*nearer.hides, path))
            else:
                found[template.name] = Entry(template, origin)
    return Catalog(tuple(sorted(found.values(), key=_order)), tuple(broken))


def _order(entry: Entry) -> tuple[Version, str]:
    return Version(entry.template.minor), entry.template.name


def select(request: Request, home: Home) -> Selection:
    """Find the template that answers ``request`` and the exact TensorFlow in it.

    Raises:
        RequestError: nothing answers it; the message gives the reason and the nearest that does.
        TemplateError: the named template is not valid.
    """
    _explain_imageai(request)
    entry = _from_file(request.template) if _is_path(request.template) else _from_catalog(request, load_catalog(home))
    template = entry.template
    if request.imageai and Version(request.imageai) != Version(template.imageai.version):
        raise RequestError(
            f"Template {template.name} has ImageAI {template.imageai.version}; you asked for {request.imageai}.",
            hint=f"--imageai {template.imageai.version}",
            code="imageai-version",
        )
    if request.variant not in template.variants:
        raise RequestError(
            f"Template {template.name} has no {request.variant} variant.",
            hint=f"imageai-env templates show {template.name}",
            code="no-such-variant",
        )
    return Selection(entry, _exact(request.tensorflow, template), request.variant)


def _is_path(name: str | None) -> bool:
    return name is not None and (name.endswith(".toml") or "/" in name or "\\" in name)


def _from_file(name: str | None) -> Entry:
    return Entry(load_template(Path(name or "").expanduser()), "file")


def _from_catalog(request: Request, catalog: Catalog) -> Entry:
    if request.template:
        entry = catalog.named(request.template)
        if entry:
            return entry
        for error in catalog.broken:  # it may be there and unreadable
            if f"{request.template}.toml" in error.message:
                raise error
        raise RequestError(
            f"There is no template {request.template!r}. Known: {_names(catalog)}.",
            hint="imageai-env templates list",
            code="no-such-template",
        )
    if request.tensorflow is None:
        return _default(catalog)
    wanted = _parse(request.tensorflow, "--tf")
    minor = f"{wanted.major}.{wanted.minor}"
    of_minor = [entry for entry in catalog.entries if entry.template.minor == minor]
    # Of those without the variant the nearest is taken too: select says then what is missing.
    answering = [entry for entry in of_minor if request.variant in entry.template.variants] or of_minor
    if answering:
        return min(answering, key=lambda entry: _NEARNESS.index(entry.origin))
    raise _no_tensorflow(request.tensorflow, catalog)


def _default(catalog: Catalog) -> Entry:
    if not catalog.entries:
        raise RequestError("No usable template was found.", hint="imageai-env templates list", code="no-template")
    shipped = [entry for entry in catalog.entries if entry.origin == "shipped"] or list(catalog.entries)
    # The newest in which ImageAI runs as it is, without our hook to mend TensorFlow for it.
    plain = [entry for entry in shipped if "cpu" in entry.template.variants and not entry.template.variants["cpu"].hook]
    return (plain or shipped)[-1]


def _explain_imageai(request: Request) -> None:
    """Refuse an ImageAI that no TensorFlow template can have, with the reason, before templates are compared."""
    if request.imageai is None:
        return
    _parse(request.imageai, "--imageai")
    if request.template is None:
        _, reasons = load_unsupported(shipped_templates() / REASONS)
        known = explain(reasons, request.imageai)
        if known:
            raise RequestError(
                f"ImageAI {request.imageai} is not offered: {known.reason}",
                hint=known.instead,
                code="imageai-version",
            )


def _no_tensorflow(wanted: str, catalog: Catalog) -> RequestError:
    reasons, _ = load_unsupported(shipped_templates() / REASONS)
    known = explain(reasons, wanted)
    if known:
        return RequestError(
            f"TensorFlow {wanted} is not offered: {known.reason} (source: {known.source})",
            hint=known.instead,
            code="no-such-tensorflow",
        )
    # Entries are in the order of their versions: the newest that is not newer, else the oldest.
    older = [entry for entry in catalog.entries if Version(entry.template.minor) <= Version(wanted)]
    near = older[-1] if older else next(iter(catalog.entries), None)
    return RequestError(
        f"No template has TensorFlow {wanted}. Known: {_names(catalog)}.",
        hint=f"--tf {near.template.minor}" if near else "imageai-env templates list",
        code="no-such-tensorflow",
    )


def _names(catalog: Catalog) -> str:
    return ", ".join(entry.template.name for entry in catalog.entries) or "none"


def _exact(tensorflow: str | None, template: Template) -> str:
    """Return the exact TensorFlow release: the newest patch for a minor, the named one otherwise."""
    if tensorflow is None:
        return template.newest
    wanted = _parse(tensorflow, "--tf")
    if len(wanted.release) <= 2 and not wanted.is_prerelease and f"{wanted.major}.{wanted.minor}" == template.minor:
        return template.newest
    for patch in template.patches:
        if Version(patch) == wanted:
            return patch
    raise RequestError(
        f"Template {template.name} has no TensorFlow {tensorflow}. It has {', '.join(template.patches)}.",
        hint=f"--tf {template.newest}",
        code="no-such-tensorflow",
    )


def _parse(text: str, option: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        raise RequestError(
            f"{option} {text!r} is not a version (PEP 440).",
            hint=f"{option} {'2.1.6' if option == '--imageai' else '2.10'}",
            code="bad-version",
        ) from error
