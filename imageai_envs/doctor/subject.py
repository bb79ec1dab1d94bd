"""What is diagnosed: an interpreter with everything that it would import, read once and shared by all inspections."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imageai_envs.base.errors import VerifyError
from imageai_envs.installed.distributions import Distribution, distributions_in
from imageai_envs.installed.venv_files import site_packages
from imageai_envs.interpreters import probing
from imageai_envs.request.stack import TENSORFLOWS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from imageai_envs.environments.environment import Environment

TIMEOUT = 20.0
"""Seconds that the interpreter may take to answer."""


@dataclass(frozen=True)
class Facts(probing.Facts):
    """What the interpreter says of itself, started as its user starts it: with PYTHONPATH, user site and all.

    Attributes:
        prefix: ``sys.prefix``; differs from ``base_prefix`` in a virtual environment (PEP 405).
        base_prefix: prefix of the installation below.
        path: ``sys.path`` without the working directory.
        purelib: where its pip installs to.
        user_site: directory of the user site, there or not (PEP 370); None when unknown.
        user_site_enabled: it is on ``path`` if it exists.
        libc: name and version, ``("glibc", "2.36")``; empty strings when unknown.
        modules: top-level module to the file that importing it would load, None for none.
    """

    prefix: Path
    base_prefix: Path
    path: tuple[Path, ...]
    purelib: Path
    user_site: Path | None
    user_site_enabled: bool
    libc: tuple[str, str]
    modules: Mapping[str, str | None]

    @property
    def bits(self) -> int:
        """Return 64 or 32."""
        return 64 if self.wide else 32

    @property
    def in_venv(self) -> bool:
        """Tell whether this is a virtual environment's Python."""
        return self.prefix != self.base_prefix

    @property
    def minor(self) -> str:
        """Return the version as ``3.10``."""
        return f"{self.version[0]}.{self.version[1]}"

    @classmethod
    def read(cls, value: Any) -> Facts:
        """Build from decoded JSON.

        Raises:
            ValueError: something is missing or of another type.
        """
        try:
            return cls(
                **vars(probing.Facts.read(value)),
                prefix=Path(value["prefix"]),
                base_prefix=Path(value["base_prefix"]),
                path=tuple(Path(entry) for entry in value["path"]),
                purelib=Path(value["purelib"]),
                user_site=Path(value["user_site"]) if value["user_site"] else None,
                user_site_enabled=bool(value["user_site_enabled"]),
                libc=(str(value["libc"][0]), str(value["libc"][1])),
                modules=dict(value["modules"]),
            )
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(probing.NO_ANSWER) from error


@dataclass(frozen=True)
class Subject:
    """An interpreter under diagnosis.

    Attributes:
        label: how to call it before people: the environment's name, or the path that was given.
        executable: the interpreter that was asked.
        root: directory of the environment (with ``pyvenv.cfg`` or ``conda-meta``); None for a global installation.
        environment: ours, when it carries our marker.
        facts: its answer; None when it gave none.
        silence: why it gave none, empty otherwise.
        environ: the variables that it was started with.
    """

    label: str
    executable: Path
    root: Path | None
    environment: Environment | None
    facts: Facts | None
    silence: str
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Return ``venv``, ``conda`` or ``global``."""
        # os.path throughout: methods of Path raise PermissionError where nothing may be looked at.
        if self.root and os.path.isdir(self.root / "conda-meta") and not os.path.lexists(self.root / "pyvenv.cfg"):  # noqa: PTH112
            return "conda"
        return "venv" if self.root else "global"

    @cached_property
    def distributions(self) -> tuple[Distribution, ...]:
        """Return everything installed along its ``sys.path``, in that order: of one name the first one wins."""
        return tuple(found for site in self.sites for found in distributions_in(site))

    @cached_property
    def sites(self) -> tuple[Path, ...]:
        """Return the directories of distributions; without an answer of the interpreter only those below the root."""
        if self.facts:
            # By their real names: in a virtual environment of Fedora lib64 is a link to lib, and both are on the path.
            found: dict[str, Path] = {}
            for path in self.facts.path:
                if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises PermissionError
                    found.setdefault(os.path.realpath(path), path)
            return tuple(found.values())
        if self.root:
            try:
                return (site_packages(self.root),)
            except VerifyError:
                pass
        return ()

    @cached_property
    def winners(self) -> Mapping[str, Distribution]:
        """Return, by normalized name, the distribution that ``importlib.metadata`` reports: the first on the path."""
        found: dict[str, Distribution] = {}
        for item in self.distributions:
            found.setdefault(item.name, item)
        return found

    def copies(self, name: str) -> tuple[Distribution, ...]:
        """Return every copy of a distribution, the winning one first."""
        return tuple(item for item in self.distributions if item.name == name)

    def version(self, name: str) -> str | None:
        """Return the version of a distribution; None when it is not installed."""
        item = self.winners.get(name)
        return item.version if item else None

    def has(self, name: str, versions: str = "") -> bool:
        """Tell whether a distribution is installed in one of ``versions`` (PEP 440; empty: any)."""
        item = self.winners.get(name)
        return item is not None and within(item.version, versions)

    def has_tensorflow(self, versions: str = "") -> bool:
        """Tell whether a TensorFlow of any name is installed in one of ``versions``."""
        return self.tensorflow is not None and within(self.tensorflow.version, versions)

    @property
    def tensorflow(self) -> Distribution | None:
        """Return the distribution that provides ``import tensorflow``."""
        return next((self.winners[name] for name in TENSORFLOWS if name in self.winners), None)


@cache
def release(version: str) -> Version | None:
    """Return a version; None for what is none, as old and damaged metadata has it."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version)
    except InvalidVersion:
        return None


def minor_of(version: str) -> str:
    """Return the minor of a version, ``2.19`` of ``2.19.1``."""
    return ".".join(version.split(".")[:2])


def within(version: str, versions: str) -> bool:
    """Tell whether a version is one of ``versions`` (PEP 440; empty: any), pre-releases and local builds included."""
    parsed = release(version)
    return not versions or (parsed is not None and _specifiers(versions).contains(parsed, prereleases=True))


@cache
def _specifiers(text: str) -> SpecifierSet:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(text)


def look_at(
    executable: Path,
    *,
    label: str,
    root: Path | None = None,
    environment: Environment | None = None,
    environ: Mapping[str, str] | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Subject:
    """Ask the interpreter and return the subject; one that is missing, broken or hanging gives one without facts.

    ``meanwhile`` is called while the interpreter runs.
    """
    environ = dict(os.environ if environ is None else environ)
    facts, silence = _ask(executable, environ, meanwhile)
    if root is None and facts and (facts.in_venv or os.path.isdir(facts.prefix / "conda-meta")):  # noqa: PTH112
        root = facts.prefix
    return Subject(label, executable, root, environment, facts, silence, environ)


def _ask(
    executable: Path, environ: Mapping[str, str], meanwhile: Callable[[], object] | None
) -> tuple[Facts | None, str]:
    # Its own variables on purpose: what PYTHONPATH does to it is what we are to find out. Nothing is written.
    variables = {**environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        answer = probing.question(executable, imports=True, environment=variables, timeout=TIMEOUT, meanwhile=meanwhile)
        return Facts.read(answer), ""
    except (probing.Unanswered, ValueError) as error:
        return None, str(error)
