"""Repair an environment in place: what ``check`` finds wrong is reinstalled, the rest stays."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.base.errors import InstallError
from imageai_envs.base.scratch import scratch
from imageai_envs.building import beside_lock
from imageai_envs.building.install import Installer
from imageai_envs.checks import check, faults, look_at
from imageai_envs.engines import get_engine
from imageai_envs.environments import additions
from imageai_envs.environments.contents import users_contents
from imageai_envs.environments.transaction import locked
from imageai_envs.environments.users_files import keep
from imageai_envs.request.stack import HOOK
from imageai_envs.workflows.maintain import RebuildOptions, check_changeable, engine_for, recreate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.checks import Finding
    from imageai_envs.environments.environment import Environment
    from imageai_envs.environments.users_files import Kept
    from imageai_envs.locks.lockfile import Lock


@dataclass(frozen=True)
class Repaired:
    """What ``repair`` found and did.

    Attributes:
        before: findings that led to the repair.
        fixed: distributions reinstalled.
        removed: distributions and directories taken out.
        recreated: it had to be rebuilt as a whole.
        kept: what of the user's was at risk, and where it is now.
    """

    before: tuple[Finding, ...]
    fixed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    recreated: bool = False
    kept: tuple[Kept, ...] = ()


def repair(environment: Environment, context: Context, options: RebuildOptions) -> Repaired:
    """Fix what ``check`` finds, in place where single distributions are at fault, and check again.

    Raises:
        InstallError: it could not be fixed; ``recreate`` is the next step.
    """
    check_changeable(environment)
    findings = _repairs(environment)
    if not findings:
        return Repaired(())
    lock = look_at(environment).lock
    if lock is None or not all(_repairable(finding, lock) for finding in findings):
        context.reporter.note("more than single distributions is damaged; recreating the environment from its lock")
        return _rebuild(environment, context, options, findings)
    with locked(environment.root, context, wait=options.wait):
        repaired = _repair(environment, lock, findings, context, options)
    if faults(environment):
        context.reporter.note("repairing in place was not enough; recreating the environment from its lock")
        return _rebuild(environment, context, options, findings, repaired.kept)
    return repaired


def _repairs(environment: Environment) -> tuple[Finding, ...]:
    """Return what is wrong, and a hook that is only older than ours: that is worth knowing, and nothing more."""
    return tuple(
        finding for finding in check(environment) if finding.severity != "note" or finding.distribution == HOOK
    )


def _rebuild(
    environment: Environment,
    context: Context,
    options: RebuildOptions,
    findings: tuple[Finding, ...],
    kept: tuple[Kept, ...] = (),
) -> Repaired:
    created = recreate(environment, context, options)
    left = faults(created.environment)
    if left:
        raise InstallError(
            f"After rebuilding, something is wrong still: {left[0].evidence}.",
            hint=f"imageai-env check {environment.name}",
            code="not-mended",
        )
    return Repaired(findings, recreated=True, kept=(*kept, *created.kept))


def _repairable(finding: Finding, lock: Lock) -> bool:
    if finding.id in ("extra", "conda-meta", "cuda-links") or finding.distribution == HOOK:
        return True
    return bool(finding.distribution) and lock.pin(finding.distribution) is not None


def _repair(
    environment: Environment, lock: Lock, findings: Sequence[Finding], context: Context, options: RebuildOptions
) -> Repaired:
    engine = get_engine(engine_for(environment, options))
    context = context.logged(environment.name, "repair")
    found = frozenset(finding.distribution for finding in findings if finding.distribution)
    names = found - {HOOK}
    extra = frozenset(finding.subject for finding in findings if finding.id == "extra")
    removed = sorted(extra)
    with scratch(context.home, "repair") as work:
        conda = ["conda-meta"] if any(finding.id == "conda-meta" for finding in findings) else []
        removed += conda
        kept = keep(environment.root, move=conda, copy=_at_risk(environment.root, findings))
        if kept:
            context.reporter.warn(kept.words())
        _drop_stale_records(environment, lock, found)
        engine.uninstall(environment.python, extra, work, context)
        if names:
            context.reporter.step(f"installing {len(names)} distributions again: {', '.join(sorted(names))}")
            installer = Installer(engine, environment.root, lock, context)
            installer.install(work, only=names, misrecorded=additions.read(environment.root).misrecorded)
    # Also when nothing but TensorFlow was reinstalled: its links went with it.
    beside_lock.renew(environment.root, additions.read(environment.root), engine, context, hook_too=HOOK in found)
    fixed = found | ({"CUDA links"} if any(finding.id == "cuda-links" for finding in findings) else set())
    return Repaired(tuple(findings), tuple(sorted(fixed)), tuple(removed), kept=(kept,) if kept else ())


def _at_risk(root: Path, findings: Sequence[Finding]) -> list[str]:
    """Return files of the user that an installer may overwrite or delete: edited ones, and those among its own.

    Without a RECORD nobody knows whose the files are; uv takes away every ``__pycache__`` as a whole.
    """
    contents = users_contents(root)
    edited = [path for path in contents.edited if (root / path).lstat().st_size]
    unknown = any(finding.id in ("record-missing", "duplicate") for finding in findings)
    among = [path for path in contents.added if "/site-packages/" in path and (unknown or "/__pycache__" in path)]
    return [*edited, *among]


def _drop_stale_records(environment: Environment, lock: Lock, names: frozenset[str]) -> None:
    """Remove dist-infos that no installer can use: second copies, and those without a RECORD."""
    left = [item for item in look_at(environment).installed if item.name in names]
    for item in tuple(left):
        pin = lock.pin(item.name)
        unusable = not (item.path / "RECORD").is_file()
        copies = sum(other.name == item.name for other in left)
        if unusable or (copies > 1 and pin is not None and pin.version != item.version):
            shutil.rmtree(item.path)
            left.remove(item)
