"""The template spec: one minor of a framework and one ImageAI version, and what makes them work together.

The format is documented in ``docs/templates.md``. Every cap carries its reason and its source, because a cap
without a reason cannot be removed safely later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imageai_envs.errors import RequestError
from imageai_envs.framework import FRAMEWORKS, TENSORFLOW, Framework, Release
from imageai_envs.interpreters.model import OPTIONAL_MODULES
from imageai_envs.toml_reader import Problems, Table, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imageai_envs.interpreters.model import Interpreter
    from imageai_envs.target import Target

SCHEMA = 1
VARIANTS = ("cpu", "gpu")


@dataclass(frozen=True)
class Cap:
    """An upper bound (or pin) on a distribution, with the error that it prevents.

    Attributes:
        requirement: a PEP 508 requirement used as a constraint: it bounds, it does not install.
        releases: the releases of the framework that need it; empty for all of the template.
        reason: what fails without it, in words and with the error text.
        source: where that was seen.
    """

    requirement: str
    releases: SpecifierSet
    reason: str
    source: str

    @property
    def distribution(self) -> str:
        """Return the normalized name of the capped distribution."""
        return canonicalize_name(Requirement(self.requirement).name)


@dataclass(frozen=True)
class Treatment:
    """A distribution that is treated in its own way (built from source, or left out), and why.

    Attributes:
        distribution: its normalized name.
        releases: the releases of the framework for which that is so; empty for all of the template.
        reason: why.
        source: where that was seen.
        marker: a PEP 508 marker, when it is not so on every target.
    """

    distribution: str
    releases: SpecifierSet
    reason: str
    source: str
    marker: Marker | None = None


@dataclass(frozen=True)
class ImageAI:
    """ImageAI's part of a template.

    Attributes:
        version: the pinned version.
        replaces_dependencies: its metadata's requirements are set aside; ``dependencies`` stand for them.
        dependencies: PEP 508 requirements that ImageAI really has.
        reason: why, if they are replaced.
        source: where that was seen.
    """

    version: str
    replaces_dependencies: bool
    dependencies: tuple[str, ...]
    reason: str
    source: str


@dataclass(frozen=True)
class Variant:
    """What ``cpu`` or ``gpu`` installs.

    Attributes:
        name: ``cpu`` or ``gpu``.
        requirements: PEP 508 requirements; ``{tensorflow}`` or ``{torch}`` stands for the framework's exact version.
        disk_mb: size of the finished environment in MB (10^6 bytes), measured; 0 when unknown.
        cuda_links: further names for CUDA libraries, when TensorFlow needs links to those of the wheels; None when
            it finds them by itself (see :mod:`imageai_envs.cuda_links`).
        hook: the environment gets the runtime hook (see :mod:`imageai_envs.hook`).
    """

    name: str
    requirements: tuple[str, ...]
    disk_mb: int
    cuda_links: dict[str, str] | None = None
    hook: bool = False


@dataclass(frozen=True)
class Template:
    """A validated template.

    Attributes:
        name: such as ``tf2.10``.
        summary: one line for listings.
        path: the file that it was read from.
        framework: what this ImageAI runs on.
        minor: the framework's minor, ``2.10``.
        patches: exact releases, oldest first; the last answers ``--tf 2.10``.
        python: PEP 440 specifier of the Pythons that ImageAI and this minor both run on.
        python_of: for releases that have wheels for fewer of those Pythons, a specifier of these.
        python_preferred: minors in the order in which they are tried.
        python_modules: modules of the standard library that it needs and that some Pythons come without.
        python_reason: why not newer ones.
        imageai: ImageAI's part.
        variants: by name.
        caps: constraints.
        source_only: distributions that have no usable wheel and may be built from their sdist.
        dropped: distributions left out of the lock though something requires them.
    """

    name: str
    summary: str
    path: Path
    framework: Framework
    minor: str
    patches: tuple[str, ...]
    python: SpecifierSet
    python_of: Mapping[str, SpecifierSet]
    python_preferred: tuple[str, ...]
    python_modules: tuple[str, ...]
    python_reason: str
    imageai: ImageAI
    variants: dict[str, Variant]
    caps: tuple[Cap, ...]
    source_only: tuple[Treatment, ...]
    dropped: tuple[Treatment, ...]

    @property
    def newest(self) -> str:
        """Return the newest patch that this template knows."""
        return self.patches[-1]

    def newest_on(self, python: tuple[int, int]) -> str:
        """Return the newest patch that has wheels for a CPython minor."""
        text = f"{python[0]}.{python[1]}"
        having = [patch for patch in self.patches if self.python_of.get(patch, SpecifierSet()).contains(text)]
        return having[-1] if having else self.newest

    def of(self, version: str) -> Template:
        """Return this template for one release of its framework: the Pythons are those of its wheels."""
        return replace(self, python=self.python & self.python_of.get(version, SpecifierSet()))

    def release(self, version: str) -> Release:
        """Return the release of its framework with that version."""
        return Release(self.framework, version)

    def allows_python(self, version: tuple[int, int]) -> bool:
        """Tell whether a CPython minor is in the template's range."""
        return self.python.contains(f"{version[0]}.{version[1]}")

    def runs_on(self, interpreter: Interpreter) -> bool:
        """Tell whether an interpreter has a right version and the modules that are needed."""
        return self.allows_python(interpreter.minor) and not set(self.python_modules) & set(interpreter.lacking)

    def python_words(self) -> str:
        """Return the range of Pythons in words, such as ``3.7 to 3.10``."""
        minors = [f"3.{minor}" for minor in range(5, 30) if self.python.contains(f"3.{minor}")]
        if not minors:
            return str(self.python)
        return minors[0] if len(minors) == 1 else f"{minors[0]} to {minors[-1]}"

    def requirements(self, variant: str, version: str, target: Target) -> tuple[str, ...]:
        """Return the PEP 508 requirements for ``target``, markers already evaluated, in template order.

        Raises:
            RequestError: this variant has no distribution of the framework on that platform.
        """
        environment = target.marker_environment()
        own = [text.replace(f"{{{self.framework.name}}}", version) for text in self.variants[variant].requirements]
        applicable = [line for text in own if (line := _applies(text, environment))]
        if not applicable:
            windows = variant == "gpu" and target.platform == "win32" and self.framework is TENSORFLOW
            raise RequestError(
                f"Template {self.name} has no {variant} {self.framework.title} for {target.platform} {target.machine}."
                + (" TensorFlow 2.10 was the last with a GPU on Windows itself." if windows else ""),
                hint="--tf 2.10, or newer ones inside WSL2" if windows else "imageai-env templates list",
                code="no-such-target",
            )
        shared = [line for text in self.imageai.dependencies if (line := _applies(text, environment))]
        return (*applicable, *shared)

    def constraints(self, version: str, target: Target) -> tuple[str, ...]:
        """Return the caps that this release of the framework needs on ``target``, as PEP 508 constraints."""
        environment = target.marker_environment()
        lines = (_applies(cap.requirement, environment) for cap in self.caps if cap.releases.contains(version))
        return tuple(line for line in lines if line)

    def sources_built(self, version: str, target: Target) -> tuple[str, ...]:
        """Return the distributions that may be built from source on ``target``."""
        environment = target.marker_environment()
        return tuple(
            item.distribution
            for item in self.source_only
            if item.releases.contains(version) and (item.marker is None or item.marker.evaluate(environment))
        )

    def left_out(self, version: str) -> tuple[str, ...]:
        """Return the distributions that are removed from the resolved set."""
        return tuple(item.distribution for item in self.dropped if item.releases.contains(version))


def _applies(text: str, environment: dict[str, str]) -> str | None:
    """Return the requirement without its marker when the marker holds, else None."""
    requirement = Requirement(text)
    if requirement.marker is not None and not requirement.marker.evaluate(environment):
        return None
    requirement.marker = None
    return str(requirement)


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
    """Return the framework whose table is there; TensorFlow without one, so that its absence is what is told."""
    return next((framework for framework in FRAMEWORKS if root.has(framework.name)), TENSORFLOW)


def _read_releases(table: Table | None, framework: Framework) -> tuple[str, tuple[str, ...]]:
    if table is None:
        return "", ()
    minor, patches = table.text("minor"), table.texts("patches")
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
        if table.parsed("preferred", version, _version) is not None and not requires.contains(version):
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
        variants[name] = Variant(
            name,
            _read_requirements(part, "requirements", framework, required=True),
            part.integer("disk-mb", required=False),
            part.mapping("cuda-links"),
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
    name = canonicalize_name(table.text("distribution"))
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
        return Version(text)
    except InvalidVersion as error:
        raise ValueError("not a PEP 440 version") from error


@cache
def _specifier(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
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
    return requirement
