"""Read a template file (the format: ``docs/templates.md``) and find everything that is wrong with it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from imageai_envs.base.toml_reader import Problems, Table, read_toml
from imageai_envs.request.framework import FRAMEWORKS, TENSORFLOW, Framework
from imageai_envs.request.interpreter import OPTIONAL_MODULES
from imageai_envs.templates.template import VARIANTS, Cap, ImageAI, Template, Treatment, Variant, is_template_name

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
_LARGEST = 10**15  # MB of an environment; above it, arithmetic is what fails
_LONGEST = 200  # characters of a version, a specifier or a name
_MINOR = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")


def load_template(path: Path) -> Template:
    """Read and validate a template file.

    Raises:
        TemplateError: with every problem of the file.
    """
    root, problems = read_toml(path, "Template")
    schema = root.integer("schema")
    if schema != SCHEMA and not problems.found:
        problems.add("schema", f"this version reads schema {SCHEMA}, the file says {schema}")
    name, summary = root.text("name"), root.text("summary")
    if name.strip() and not is_template_name(name):
        problems.add("name", f"{name[:80]!r} is none: up to 64 letters, digits, dots, dashes and underscores")
    if "\n" in summary:
        problems.add("summary", "must be one line")
    framework = _framework(root)
    minor, patches = _read_releases(root.table(framework.name), framework)
    python, python_of, preferred, modules, python_reason = _read_python(root.table("python"), patches)
    template = Template(
        name=name,
        summary=summary,
        path=path,
        framework=framework,
        minor=minor,
        patches=patches,
        python=python,
        python_of=python_of,
        python_preferred=preferred,
        python_modules=modules,
        python_reason=python_reason,
        imageai=_read_imageai(root.table("imageai")),
        variants=_read_variants(root.table("variants"), framework, problems),
        caps=tuple(_read_cap(table, framework) for table in root.tables("caps")),
        source_only=tuple(_read_treatment(table, framework, marked=True) for table in root.tables("source-only")),
        dropped=tuple(_read_treatment(table, framework) for table in root.tables("dropped")),
    )
    root.end()
    problems.raise_if_any("Template")
    return template


def _framework(root: Table) -> Framework:
    """Return the framework whose table is there; TensorFlow without one, so that the missing table is reported."""
    return next((framework for framework in FRAMEWORKS if root.has(framework.name)), TENSORFLOW)


def _read_releases(table: Table | None, framework: Framework) -> tuple[str, tuple[str, ...]]:
    if table is None:
        return "", ()
    minor, patches = table.text("minor"), table.texts("patches")
    if minor:
        table.parsed("minor", minor, _minor)
    for patch in patches:
        version = table.parsed("patches", patch, _version)
        if version is not None and minor and not patch.startswith(f"{minor}."):
            table.problems.add(table.place("patches"), f"{patch} is not a release of {framework.title} {minor}")
    if not patches:
        table.problems.add(table.place("patches"), "must name at least one release")
    table.end()
    return minor, patches


def _read_python(
    table: Table | None, patches: tuple[str, ...]
) -> tuple[SpecifierSet, dict[str, SpecifierSet], tuple[str, ...], tuple[str, ...], str]:
    if table is None:
        return SpecifierSet(), {}, (), (), ""
    text = table.text("requires")
    requires = table.parsed("requires", text, _specifier) or SpecifierSet()
    of = {
        patch: table.parsed("releases", narrower, _specifier) or SpecifierSet()
        for patch, narrower in (table.mapping("releases") or {}).items()
    }
    for patch in of:
        if patch not in patches:
            table.problems.add(table.place("releases"), f"{patch} is not among the patches")
    preferred = table.texts("preferred")
    for version in preferred:
        if table.parsed("preferred", version, _minor) is not None and not requires.contains(version):
            table.problems.add(table.place("preferred"), f"{version} is not in {text}")
    modules = table.texts("modules", required=False)
    for name in modules:
        if name not in OPTIONAL_MODULES:
            known = ", ".join(OPTIONAL_MODULES)
            table.problems.add(table.place("modules"), f"{name!r} is not known; interpreters are asked for {known}")
    reason = table.text("reason")
    table.end()
    return requires, of, preferred, modules, reason


def _read_imageai(table: Table | None) -> ImageAI:
    if table is None:
        return ImageAI("", replaces_dependencies=False, dependencies=(), reason="", source="")
    replaces = table.flag("replaces-dependencies", default=False)
    version = table.text("version")
    table.parsed("version", version, _version)
    result = ImageAI(
        version=version,
        replaces_dependencies=replaces,
        dependencies=_read_requirements(table, "dependencies", None, required=replaces),
        reason=table.text("reason", required=replaces),
        source=table.text("source", required=replaces),
    )
    table.end()
    return result


def _read_variants(table: Table | None, framework: Framework, problems: Problems) -> dict[str, Variant]:
    variants: dict[str, Variant] = {}
    if table is None:
        return variants
    for name in VARIANTS:
        part = table.table(name, required=False)
        if part is None:
            continue
        size, links = part.integer("disk-mb", required=False), part.mapping("cuda-links")
        if not 0 <= size <= _LARGEST:
            part.problems.add(part.place("disk-mb"), f"must be between 0 and {_LARGEST}")
        for link in (text for pair in (links or {}).items() for text in pair):
            part.parsed("cuda-links", link, _file_name)
        variants[name] = Variant(
            name,
            _read_requirements(part, "requirements", framework, required=True),
            size,
            links,
            part.flag("hook", default=False),
        )
        part.end()
    table.end()
    if not variants and not problems.found:
        problems.add("variants", f"must have at least one of {', '.join(VARIANTS)}")
    return variants


def _read_requirements(table: Table, key: str, framework: Framework | None, *, required: bool) -> tuple[str, ...]:
    lines = table.texts(key, required=required)
    for line in lines:
        table.parsed(key, line.replace(f"{{{framework.name}}}", "0") if framework else line, _requirement)
    return lines


def _read_cap(table: Table, framework: Framework) -> Cap:
    text = table.text("requirement")
    requirement = table.parsed("requirement", text, _requirement) if text else None
    if requirement is not None and not requirement.specifier:
        table.problems.add(table.place("requirement"), f"{text!r} bounds nothing")
    releases = _read_when(table, framework)
    cap = Cap(text, releases, table.text("reason"), table.text("source"))
    table.end()
    return cap


def _read_treatment(table: Table, framework: Framework, *, marked: bool = False) -> Treatment:
    name = table.parsed("distribution", table.text("distribution"), _distribution) or ""
    text = table.text("marker", required=False) if marked else ""
    marker = table.parsed("marker", text, _marker) if text else None
    item = Treatment(name, _read_when(table, framework), table.text("reason"), table.text("source"), marker)
    table.end()
    return item


def _read_when(table: Table, framework: Framework) -> SpecifierSet:
    key = framework.name
    return table.parsed(key, table.text(key, required=False), _specifier) or SpecifierSet()


@cache  # templates repeat each other
def _version(text: str) -> Version:
    try:
        return Version(_short(text))
    except ValueError as error:
        raise ValueError("not a PEP 440 version") from error


def _minor(text: str) -> Version:
    if not _MINOR.fullmatch(text):
        raise ValueError("not a minor, such as 2.10")
    return Version(text)


def _file_name(text: str) -> str:
    if not _FILE.fullmatch(text):
        raise ValueError("not a plain file name")
    return text


def _distribution(text: str) -> str:
    try:
        return canonicalize_name(_short(text), validate=True)
    except ValueError as error:
        raise ValueError("not the name of a distribution (PEP 508)") from error


def _short(text: str) -> str:
    """Refuse what has more digits than numbers can have."""
    if len(text) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST} characters")
    return text


@cache
def _specifier(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(_short(text))
    except ValueError as error:
        raise ValueError("not a PEP 440 specifier") from error


def _marker(text: str) -> Marker:
    try:
        return Marker(text)
    except InvalidMarker as error:
        raise ValueError(f"not a PEP 508 marker ({error})") from error


@cache
def _requirement(text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"not a PEP 508 requirement ({error})") from error
    if requirement.url:
        raise ValueError("direct references cannot be locked with hashes")
    if not str(requirement).isprintable():
        raise ValueError("it has control characters")
    if any(len(one.version) > _LONGEST for one in requirement.specifier):
        raise ValueError("its version is no number any more")
    return requirement
