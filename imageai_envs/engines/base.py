"""What an engine is given and what it can do. Both engines make the same lock from the same resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.installed.local_wheel import LocalWheel
    from imageai_envs.locks.lockfile import Lock, Pin
    from imageai_envs.request.interpreter import Interpreter
    from imageai_envs.request.target import Target


@dataclass(frozen=True)
class Resolution:
    """Everything that determines a resolution.

    Attributes:
        requirements: PEP 508 requirements to satisfy; ImageAI is not among them when its metadata is replaced.
        constraints: bounds on whatever gets installed.
        alone: requirements that are pinned without looking at their metadata (ImageAI).
        built: distributions that may be built from an sdist; everything else is wheels only.
        target: what it is resolved for; not always the target of the interpreter that is at hand.
        preferred: pins to keep where they still satisfy everything, for minimal diffs.
        upgrade: distributions whose preferred pin is ignored.
    """

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    alone: tuple[str, ...]
    built: tuple[str, ...]
    target: Target
    preferred: tuple[Pin, ...] = ()
    upgrade: frozenset[str] = frozenset()

    def preferences(self) -> tuple[Pin, ...]:
        """Return the pins that should be kept if possible."""
        return tuple(pin for pin in self.preferred if pin.name not in self.upgrade)


class Engine(Protocol):
    """A resolver and installer."""

    @property
    def name(self) -> str:
        """``uv`` or ``pip``."""

    @property
    def uv(self) -> Path | None:
        """The uv executable, for the engine that has one."""

    def describe(self, interpreter: Interpreter) -> str:
        """Return name and version for lock headers, for example ``uv 0.9.1``."""

    def resolve(
        self, resolution: Resolution, interpreter: Interpreter, work: Path, context: Context
    ) -> tuple[Pin, ...]:
        """Return the pins that satisfy ``resolution`` on its target, sorted by name.

        ``interpreter`` runs what has to be run; it is of the target's minor.

        Raises:
            RequestError: the target is another platform, and this engine resolves for its own only.
            UnsolvableError: no set of versions does, with the clash in words.
            InstallError: index, network or disk.
        """

    def install(
        self,
        python: Path,
        lock: Lock,
        work: Path,
        context: Context,
        only: frozenset[str] | None = None,
        beside: Sequence[LocalWheel] = (),
    ) -> None:
        """Install exactly ``lock`` into the environment of ``python``: hashes required, nothing resolved.

        With ``only``, just these distributions are installed, again even where they seem to be there. ``beside`` the
        lock, wheels that are at hand are installed.

        Raises:
            InstallError: index, network, disk, a hash that does not match, a build that failed.
        """

    def install_wheel(self, python: Path, wheel: LocalWheel, work: Path, context: Context) -> None:
        """Install one wheel that is at hand, again even where it seems to be there. No index is asked.

        Raises:
            InstallError: disk, or a hash that does not match.
        """

    def apart(self, cache: Path) -> Engine:
        """Return the same engine with an empty cache: what it installs is downloaded, and shares no file with others.

        ``cache`` is where that may lie until the caller deletes it.
        """

    def distrust(self, names: frozenset[str], work: Path, context: Context) -> bool:
        """Forget cached files of distributions that were found altered; return False when that cannot be now.

        uv's cache is hardlinked into environments: who edits an installed file edits the cache with it. All releases
        are forgotten, to be downloaded again when they are needed. Environments keep their files.
        """

    def uninstall(self, python: Path, names: frozenset[str], work: Path, context: Context) -> None:
        """Remove distributions from an environment.

        Raises:
            InstallError: the installer failed.
        """
