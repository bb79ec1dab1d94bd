"""The template spec: one TensorFlow minor and one ImageAI version, and what makes them work together.

The format is documented in ``docs/templates.md``. Every cap carries its reason and its source, because a cap
without a reason cannot be removed safely later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imageai_envs.errors import RequestError
from imageai_envs.toml_reader import Problems, Table, read_toml

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.target import Target

SCHEMA = 1
VARIANTS = ("cpu", "gpu")


@dataclass(frozen=True)
class Cap:
    """An upper bound (or pin) on a distribution, with the error that it prevents.

    Attributes:
        requirement: a PEP 508 requirement used as a constraint: it bounds, it does not install.
        tensorflow: the TensorFlow versions that need it; empty for all of the template.
        reason: what fails without it, in words and with the error text.
        source: where that was seen.
    """

    requirement: str
    tensorflow: SpecifierSet
    reason: str
    source: str

    @property
    def distribution(self) -> str:
        """Return the normalized name of the capped distribution."""
        return canonicalize_name(Requirement(self.requirement).name)


@dataclass(frozen=True)
class Treatment:
    """A distribution that is treated in its own way (built from source, or left out), and why."""

    distribution: str
    tensorflow: SpecifierSet
    reason: str
    source: str


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
        requirements: PEP 508 requirements; ``{tensorflow}`` stands for the exact TensorFlow version.
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
        minor: the TensorFlow minor, ``2.10``.
        patches: exact TensorFlow releases, oldest first; the last answers ``--tf 2.10``.
        python: PEP 440 specifier of the Pythons that ImageAI and this TensorFlow both run on.
        python_preferred: minors in the order in which they are tried.
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
    minor: str
    patches: tuple[str, ...]
    python: SpecifierSet
    python_preferred: tuple[str, ...]
    python_reason: str
    imageai: ImageAI
    variants: dict[str, Variant]
    caps: tuple[Cap, ...]
    source_only: tuple[Treatment, ...]
    dropped: tuple[Treatment, ...]

    @property
    def newest(self) -> str:
        """Return the newest TensorFlow patch that this template knows."""
        return self.patches[-1]

    def allows_python(self, version: tuple[int, int]) -> bool:
        """Tell whether a CPython minor is in the template's range."""
        return self.python.contains(f"{version[0]}.{version[1]}")

    def python_words(self) -> str:
        """Return the range of Pythons in words, such as ``3.7 to 3.10``."""
        minors = [f"3.{minor}" for minor in range(5, 30) if self.python.contains(f"3.{minor}")]
        if not minors:
            return str(self.python)
        return minors[0] if len(minors) == 1 else f"{minors[0]} to {minors[-1]}"

    def requirements(self, variant: str, tensorflow: str, target: Target) -> tuple[str, ...]:
        """Return the PEP 508 requirements for ``target``, markers already evaluated, in template order.

        Raises:
            RequestError: this variant has no TensorFlow distribution on that platform.
        """
        environment = target.marker_environment()
        own = [text.replace("{tensorflow}", tensorflow) for text in self.variants[variant].requirements]
        applicable = [line for text in own if (line := _applies(text, environment))]
        if not applicable:
            windows = variant == "gpu" and target.platform == "win32"
            raise RequestError(
                f"Template {self.name} has no {variant} TensorFlow for {target.platform} {target.machine}."
                + (" TensorFlow 2.10 was the last with a GPU on Windows itself." if windows else ""),
                hint="--tf 2.10, or newer ones inside WSL2" if windows else "imageai-env templates list",
                code="no-such-target",
            )
        shared = [line for text in self.imageai.dependencies if (line := _applies(text, environment))]
        return (*applicable, *shared)

    def constraints(self, tensorflow: str, target: Target) -> tuple[str, ...]:
        """Return the caps that this TensorFlow version needs on ``target``, as PEP 508 constraints."""
        environment = target.marker_environment()
        lines = (_applies(cap.requirement, environment) for cap in self.caps if cap.tensorflow.contains(tensorflow))
        return tuple(line for line in lines if line)

    def sources_built(self, tensorflow: str) -> tuple[str, ...]:
        """Return the distributions that may be built from source."""
        return tuple(item.distribution for item in self.source_only if item.tensorflow.contains(tensorflow))

    def left_out(self, tensorflow: str) -> tuple[str, ...]:
        """Return the distributions that are removed from the resolved set."""
        return tuple(item.distribution for item in self.dropped if item.tensorflow.contains(tensorflow))


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
    minor, patches = _read_tensorflow(root.table("tensorflow"))
    python, preferred, python_reason = _read_python(root.table("python"))
    template = Template(
        name=name,
        summary=summary,
        path=path,
        minor=minor,
        patches=patches,
        python=python,
        python_preferred=preferred,
        python_reason=python_reason,
        imageai=_read_imageai(root.table("imageai")),
        variants=_read_variants(root.table("variants"), problems),
        caps=tuple(_read_cap(table) for table in root.tables("caps")),
        source_only=tuple(_read_treatment(table) for table in root.tables("source-only")),
        dropped=tuple(_read_treatment(table) for table in root.tables("dropped")),
    )
    root.end()
    problems.raise_if_any("Template")
    return template


def _read_tensorflow(table: Table | None) -> tuple[str, tuple[str, ...]]:
    if table is None:
        return "", ()
    minor, patches = table.text("minor"), table.texts("patches")
    for patch in patches:
        version = table.parsed("patches", patch, _version)
        if version is not None and minor and not patch.startswith(f"{minor}."):
            table.problems.add(table.place("patches"), f"{patch} is not a release of TensorFlow {minor}")
    if not patches:
        table.problems.add(table.place("patches"), "must name at least one release")
    table.end()
    return minor, patches


def _read_python(table: Table | None) -> tuple[SpecifierSet, tuple[str, ...], str]:
    if table is None:
        return SpecifierSet(), (), ""
    text = table.text("requires")
    requires = table.parsed("requires", text, _specifier) or SpecifierSet()
    preferred = table.texts("preferred")
    for version in preferred:
        if table.parsed("preferred", version, _version) is not None and not requires.contains(version):
            table.problems.add(table.place("preferred"), f"{version} is not in {text}")
    reason = table.text("reason")
    table.end()
    return requires, preferred, reason


def _read_imageai(table: Table | None) -> ImageAI:
    if table is None:
        return ImageAI("", replaces_dependencies=False, dependencies=(), reason="", source="")
    replaces = table.flag("replaces-dependencies", default=False)
    version = table.text("version")
    table.parsed("version", version, _version)
    result = ImageAI(
        version=version,
        replaces_dependencies=replaces,
        dependencies=_read_requirements(table, "dependencies", required=replaces),
        reason=table.text("reason", required=replaces),
        source=table.text("source", required=replaces),
    )
    table.end()
    return result


def _read_variants(table: Table | None, problems: Problems) -> dict[str, Variant]:
    variants: dict[str, Variant] = {}
    if table is None:
        return variants
    for name in VARIANTS:
        part = table.table(name, required=False)
        if part is None:
            continue
        variants[name] = Variant(
            name,
            _read_requirements(part, "requirements", required=True),
            part.integer("disk-mb", required=False),
            part.mapping("cuda-links"),
            part.flag("hook", default=False),
        )
        part.end()
    table.end()
    if not variants and not problems.found:
        problems.add("variants", f"must have at least one of {', '.join(VARIANTS)}")
    return variants


def _read_requirements(table: Table, key: str, *, required: bool) -> tuple[str, ...]:
    lines = table.texts(key, required=required)
    for line in lines:
        table.parsed(key, line.replace("{tensorflow}", "0"), _requirement)
    return lines


def _read_cap(table: Table) -> Cap:
    text = table.text("requirement")
    requirement = table.parsed("requirement", text, _requirement) if text else None
    if requirement is not None and not requirement.specifier:
        table.problems.add(table.place("requirement"), f"{text!r} bounds nothing")
    tensorflow = _read_when(table)
    cap = Cap(text, tensorflow, table.text("reason"), table.text("source"))
    table.end()
    return cap


def _read_treatment(table: Table) -> Treatment:
    name = canonicalize_name(table.text("distribution"))
    item = Treatment(name, _read_when(table), table.text("reason"), table.text("source"))
    table.end()
    return item


def _read_when(table: Table) -> SpecifierSet:
    return table.parsed("tensorflow", table.text("tensorflow", required=False), _specifier) or SpecifierSet()


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        raise ValueError("not a PEP 440 version") from error


def _specifier(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError("not a PEP 440 specifier") from error


def _requirement(text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"not a PEP 508 requirement ({error})") from error
    if requirement.url:
        raise ValueError("direct references cannot be locked with hashes")
    return requirement
