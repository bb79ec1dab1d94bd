"""Install a lock so that every file is known to be the one that its wheel brought, before anything is called proved.

uv links files from its cache into environments: an edit in place, in any of them, is in the cache and in whatever is
installed from it afterwards. What is not as its RECORD says is reinstalled, past that cache, and the cache cleaned.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from imageai_envs.base.errors import ImageAIEnvError, InstallError
from imageai_envs.base.paths import METADATA, environment_python
from imageai_envs.building.own_copies import make_own_copies
from imageai_envs.installed.known_files import Ledger
from imageai_envs.installed.misrecorded import misrecorded_in
from imageai_envs.installed.record_files import differences, listing
from imageai_envs.installed.venv_files import site_packages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.engines.base import Engine
    from imageai_envs.installed.local_wheel import LocalWheel
    from imageai_envs.installed.record_files import Difference
    from imageai_envs.locks.lockfile import Lock


@dataclass(frozen=True)
class Installer:
    """Installs into one environment.

    Attributes:
        engine: who installs.
        root: the environment.
        lock: what it consists of.
        home: where the ledger of known files lies.
        log: record of all subprocesses.
        reporter: is told what was altered.
    """

    engine: Engine
    root: Path
    lock: Lock
    context: Context

    @property
    def _fresh(self) -> Path:
        """Cache of a second installation: on the file system of the environment, so that files can be linked."""
        return self.root / METADATA / "fresh"

    def install(
        self,
        work: Path,
        only: frozenset[str] | None = None,
        beside: Sequence[LocalWheel] = (),
        misrecorded: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Install the lock (see :meth:`imageai_envs.engines.base.Engine.install`) and look at every file.

        Args:
            work: for files that are needed meanwhile.
            only: install these distributions again, and look at them.
            beside: wheels that are at hand.
            misrecorded: files that RECORD is known to be wrong about; None: every METADATA may be one.

        Returns:
            Files whose wheel is wrong about them, with the hashes that RECORD should say; other than METADATA, which
            :mod:`imageai_envs.installed.misrecorded` finds.

        Raises:
            InstallError: as the engine; or files are not as their wheels brought them, and cannot be made so.
            OSError: no space for ImageAI's own copy.
        """
        shutil.rmtree(self._fresh, ignore_errors=True)  # a repair may have been killed
        self.engine.install(environment_python(self.root), self.lock, work, self.context, only=only, beside=beside)
        make_own_copies(self.root)
        ours = {canonicalize_name(wheel.requirement.partition("==")[0]): wheel for wheel in beside}
        locked = frozenset(pin.name for pin in self.lock.pins) if only is None else only
        altered = self._altered(locked | ours.keys(), misrecorded)
        if not altered:
            return {}
        self._reinstall(altered, work, {name: wheel for name, wheel in ours.items() if name in altered})
        return self._accepted(altered, self._altered(frozenset(altered), misrecorded))

    def _altered(
        self, names: frozenset[str], misrecorded: Mapping[str, str] | None
    ) -> dict[str, tuple[Difference, ...]]:
        site = site_packages(self.root)
        known = misrecorded_in(site) if misrecorded is None else misrecorded
        ledger = Ledger(self.context.home.known_files)
        return differences(site, ledger, known, names)

    def _reinstall(
        self, altered: dict[str, tuple[Difference, ...]], work: Path, beside: Mapping[str, LocalWheel]
    ) -> None:
        what = _words(altered)
        self.context.reporter.warn(
            f"not as its wheel brought it: {what}; installing it again. If a file was edited in place, other "
            "environments that share it have the edit too: imageai-env check NAME"
        )
        python = environment_python(self.root)
        engine = self.engine.apart(self._fresh)
        names = frozenset(altered) - beside.keys()
        try:
            if names:
                engine.install(python, self.lock, work, self.context, only=names)
            for wheel in beside.values():
                engine.install_wheel(python, wheel, work, self.context)
        except ImageAIEnvError as error:
            raise InstallError(
                f"{self.engine.name}'s cache has files that are not as their wheels brought them ({what}), and they "
                f"cannot be downloaded again. {error.message}",
                hint=error.hint,
                code="altered-cache",
            ) from error
        finally:
            shutil.rmtree(self._fresh, ignore_errors=True)
        # Only now that good ones are here: without a network the cache loses nothing.
        if not self.engine.distrust(frozenset(altered), work, self.context):
            self.context.reporter.warn(
                f"the cache of {self.engine.name} keeps the altered files, since another process uses it. "
                f"Later: uv cache clean {' '.join(altered)}"
            )
        make_own_copies(self.root)

    def _accepted(
        self, before: dict[str, tuple[Difference, ...]], after: dict[str, tuple[Difference, ...]]
    ) -> dict[str, str]:
        """Tell wheels that are wrong about themselves from files that someone alters while they are installed.

        The second time they came from files with the sha256 of the lock: what is the same again is what it says.
        """
        changing = {name: tuple(item for item in items if item not in before[name]) for name, items in after.items()}
        changing = {name: items for name, items in changing.items() if items}
        if changing:
            raise InstallError(
                f"Just installed, and not as its wheel brought it: {_words(changing)}. Something alters files while "
                "they are installed: another program, or a failing disk or memory.",
                hint="Look at `dmesg` and at what watches this directory, then run the same command again.",
                code="altered-again",
            )
        if after:
            self.context.reporter.warn(
                f"accepted as the locked wheel has it, though its RECORD says otherwise: {_words(after)}"
            )
        return {item.path: item.found for items in after.values() for item in items if item.found}


def _words(altered: dict[str, tuple[Difference, ...]]) -> str:
    return "; ".join(f"{name} ({listing([item.path for item in items])})" for name, items in altered.items())
