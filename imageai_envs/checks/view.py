"""What inspections look at: the environment, its lock and its dist-infos, read once."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.base.errors import LockFileError, VerifyError
from imageai_envs.base.finding import Finding
from imageai_envs.environments.additions import read
from imageai_envs.environments.environment import Condition
from imageai_envs.installed.distributions import distributions_in
from imageai_envs.installed.venv_files import site_packages

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.environments.additions import Additions
    from imageai_envs.environments.environment import Environment
    from imageai_envs.installed.distributions import Distribution
    from imageai_envs.locks.lockfile import Lock

# Brought by whoever creates the environment, not by the lock.
SEEDS = frozenset({"pip", "setuptools", "wheel"})


@dataclass(frozen=True)
class View:
    """An environment as files.

    Attributes:
        environment: the environment.
        lock: its lock; None when that is missing or damaged.
        site: its site-packages; None when there is none.
        installed: dist-infos, several of one name possible.
        additions: what it got beside its lock.
        problems: what reading already told.
    """

    environment: Environment
    lock: Lock | None
    site: Path | None
    installed: tuple[Distribution, ...]
    additions: Additions
    problems: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """Name of the environment."""
        return self.environment.name


def look_at(environment: Environment) -> View:
    """Read an environment's lock and dist-infos."""
    problems: list[Finding] = [] if environment.ours else [_not_ours(environment)]
    if environment.state is None:
        problems.append(_without_state(environment))
    try:
        lock: Lock | None = environment.lock()
    except LockFileError as error:
        lock = None
        problems.append(
            Finding(
                "lock-missing",
                "error",
                str(environment.lock_path),
                error.message,
                "The environment's own copy of its lock was deleted or edited.",
                error.hint or "",
            )
        )
    try:
        site: Path | None = site_packages(environment.root)
    except VerifyError as error:
        site = None
        problems.append(
            Finding(
                "site-packages-missing",
                "error",
                str(environment.root),
                error.message,
                "The directory was deleted by hand.",
                environment.fix_by("recreate"),
            )
        )
    return View(
        environment, lock, site, distributions_in(site) if site else (), read(environment.root), tuple(problems)
    )


def _not_ours(environment: Environment) -> Finding:
    return Finding(
        "not-ours",
        "note",
        str(environment.root),
        "it carries the marker of an environment, and this store has no record of it",
        "It came with a clone, an archive or a copy, or belongs to another user or store. It is not changed.",
        f"imageai-env adopt {shlex.quote(str(environment.root))}",
    )


def _without_state(environment: Environment) -> Finding:
    """Say why an environment has no state that can be read, each case in its own words."""
    name, fix = environment.name, environment.fix_by("recreate")
    if environment.condition is Condition.NEWER:
        evidence, cause = "its state was written by a newer version of this tool", "That version knows more."
        return Finding("state-newer", "error", name, evidence, cause, "Change it with the newer version.")
    if environment.condition is Condition.UNFINISHED:
        return Finding("unfinished", "error", name, "it was not finished", "Its creation was interrupted.", fix)
    evidence, cause = "its state is missing or cannot be read", "The file was deleted or damaged."
    return Finding("state-missing", "error", name, evidence, cause, fix)
