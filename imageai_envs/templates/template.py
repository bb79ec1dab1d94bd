"""The template spec: one minor of a framework and one ImageAI version, and what makes them work together.

The format is documented in ``docs/templates.md``. Every cap carries its reason and its source, because a cap
without a reason cannot be removed safely later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from imageai_envs.base.errors import RequestError
from imageai_envs.request.framework import TENSORFLOW, Framework, Release

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.markers import Marker

    from imageai_envs.request.interpreter import Interpreter
    from imageai_envs.request.target import Target

VARIANTS = ("cpu", "gpu")
# It becomes a part of paths; what ends in .toml is a file on the command line, and Windows drops a dot at the end.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")


def is_template_name(text: str) -> bool:
    """Tell whether ``text`` can name a template: up to 64 letters, digits, dots, dashes and underscores."""
    return bool(_NAME.fullmatch(text)) and not text.endswith(".toml")


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
            it finds them by itself (see :mod:`imageai_envs.building.cuda_links`).
        hook: the environment gets the runtime hook (see :mod:`imageai_envs.building.hook`).
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
