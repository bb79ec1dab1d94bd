"""Keep environments working: repair, recreate, sync, upgrade, clone, rename.

Whatever changes more than a few files goes through the same plan and the same transaction as ``create``: the old
environment waits aside until the new one is proved.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from imageai_envs import additions
from imageai_envs.checks import check, look_at, packages
from imageai_envs.creating import Created, Wish, execute, find_python, plan_creation
from imageai_envs.engines import get_engine
from imageai_envs.engines.uv import find_uv
from imageai_envs.errors import InstallError, RequestError
from imageai_envs.hook import DISTRIBUTION as HOOK
from imageai_envs.lockfile import Change, Lock, compare, read_lock
from imageai_envs.locking import LockInputs, compile_lock
from imageai_envs.logs import open_log
from imageai_envs.removing import remove
from imageai_envs.request import Request
from imageai_envs.transaction import locked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imageai_envs.checks import Finding
    from imageai_envs.environment import Environment
    from imageai_envs.paths import Home
    from imageai_envs.progress import Reporter
    from imageai_envs.store import Store


@dataclass(frozen=True)
class How:
    """How an environment is rebuilt.

    Attributes:
        engine: ``uv``, ``pip``, or ``auto`` for the one that made it.
        verify: level of proof; None for the one that it has.
        python: another Python than the one that it has.
        download: a missing Python may be fetched.
        wait: wait for another process that works on it.
    """

    engine: str = "auto"
    verify: str | None = None
    python: str | None = None
    download: bool = True
    wait: bool = True


def recreate(
    environment: Environment,
    home: Home,
    reporter: Reporter,
    how: How,
    lock: Path | None = None,
    name: str | None = None,
) -> Created:
    """Build the environment anew from its lock, or from ``lock``; with ``name``, a further one beside it.

    The Python is the one that it was made from, or another of the same minor when that is gone.

    Raises:
        LockFileError: the lock is missing or damaged.
        ImageAIEnvError: as for ``create``; the environment is then as it was.
    """
    if lock is None:
        environment.lock()  # if it is lost, this says how to build the environment without it
    state = environment.state
    python = how.python
    if python is None and state and Path(state.python).exists():
        python = state.python
    in_store = environment.root == home.environments / environment.name
    wish = Wish(
        request=Request(python=python),
        name=name or environment.name,
        path=None if in_store or name else environment.root,
        lock=lock or environment.lock_path,
        engine=_engine(environment, how),
        verify=how.verify or (state.verified if state else "inference"),
        force=name is None,
        download=how.download,
        wait=how.wait,
    )
    return execute(plan_creation(wish, home, reporter), home, reporter)


def _engine(environment: Environment, how: How) -> str:
    if how.engine != "auto" or environment.state is None:
        return how.engine
    return "pip" if environment.state.engine.startswith("pip") else "uv" if find_uv() else "auto"


@dataclass(frozen=True)
class Repaired:
    """What ``repair`` found and did.

    Attributes:
        before: findings that led to the repair.
        mended: distributions installed anew.
        removed: distributions and directories taken out.
        recreated: it had to be rebuilt as a whole.
    """

    before: tuple[Finding, ...]
    mended: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    recreated: bool = False


def repair(environment: Environment, home: Home, reporter: Reporter, how: How) -> Repaired:
    """Mend what ``check`` finds, in place where single distributions are at fault, and check again.

    Raises:
        InstallError: it could not be mended; ``recreate`` is the next step.
    """
    findings = check(environment)
    if not findings:
        return Repaired(())
    lock = look_at(environment).lock
    if lock is None or not all(_mendable(finding, lock) for finding in findings):
        reporter.note("more than single distributions is damaged; recreating the environment from its lock")
        return _rebuild(environment, home, reporter, how, findings, lock)
    with locked(environment.root, home, reporter, wait=how.wait):
        repaired = _mend(environment, lock, findings, home, reporter, how)
    if check(environment):
        reporter.note("mending in place was not enough; recreating the environment from its lock")
        return _rebuild(environment, home, reporter, how, findings, lock)
    return repaired


def _rebuild(
    environment: Environment,
    home: Home,
    reporter: Reporter,
    how: How,
    findings: tuple[Finding, ...],
    lock: Lock | None,
) -> Repaired:
    altered = frozenset(f.distribution for f in findings if f.id == "file-altered" and f.distribution)
    if lock and altered:
        log = open_log(home, environment.name, "repair")
        get_engine(_engine(environment, how), home).distrust(altered, home.data, log)
    left = check(recreate(environment, home, reporter, how).environment)
    if left:
        raise InstallError(
            f"After rebuilding, something is wrong still: {left[0].evidence}.",
            hint="Another environment may have altered the cache: uv cache clean, then repair again.",
            code="not-mended",
        )
    return Repaired(findings, recreated=True)


def _mendable(finding: Finding, lock: Lock) -> bool:
    if finding.id in ("extra", "conda-meta", "cuda-links") or finding.distribution == HOOK:
        return True
    return bool(finding.distribution) and lock.pin(finding.distribution) is not None


def _mend(
    environment: Environment, lock: Lock, findings: Sequence[Finding], home: Home, reporter: Reporter, how: How
) -> Repaired:
    engine = get_engine(_engine(environment, how), home)
    log = open_log(home, environment.name, "repair")
    found = frozenset(finding.distribution for finding in findings if finding.distribution)
    names = found - {HOOK}
    extra = frozenset(finding.subject for finding in findings if finding.id == "extra")
    altered = frozenset(finding.distribution for finding in findings if finding.id == "file-altered")
    removed = sorted(extra)
    with tempfile.TemporaryDirectory(prefix="imageai-env-repair-") as work:
        for finding in findings:
            if finding.id == "conda-meta":
                shutil.rmtree(environment.root / "conda-meta")
                removed.append("conda-meta")
        _drop_stale_records(environment, lock, found)
        engine.distrust(altered, Path(work), log)
        engine.uninstall(environment.python, extra, Path(work), log)
        if names:
            reporter.step(f"installing {len(names)} distributions anew: {', '.join(sorted(names))}")
            engine.install(environment.python, lock, Path(work), log, reporter, only=names)
    # Also when nothing but TensorFlow was installed anew: its links went with it.
    additions.renew(environment.root, additions.read(environment.root), engine, log, reporter, hook_too=HOOK in found)
    mended = found | ({"CUDA links"} if any(finding.id == "cuda-links" for finding in findings) else set())
    return Repaired(tuple(findings), tuple(sorted(mended)), tuple(removed))


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


def sync(environment: Environment, lock: Path | None, home: Home, reporter: Reporter, how: How) -> tuple[Change, ...]:
    """Make the environment exactly a lock (its own by default) and return what changed; nothing is done if it is.

    Raises:
        LockFileError: the lock cannot be read, or is for another target.
        ImageAIEnvError: as for ``create``; the environment is then as it was.
    """
    wanted = read_lock(lock) if lock else environment.lock()
    view = look_at(environment)
    findings = packages.inspect(replace(view, lock=wanted))
    if not findings and view.lock is not None and view.lock.digest == wanted.digest:
        return ()
    before = {item.name: item.version for item in view.installed}
    recreate(environment, home, reporter, how, lock=lock)
    after = {item.name: item.version for item in look_at(environment).installed}
    return tuple(  # empty where only a header, or the files of the same versions, are other ones
        Change(name, before.get(name, ""), after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def upgrade(
    environment: Environment, names: Sequence[str], extras: Sequence[str], home: Home, reporter: Reporter, how: How
) -> tuple[Change, ...]:
    """Lock anew (everything, or just ``names``; with further requirements), rebuild, verify; return the changes.

    Raises:
        RequestError: a name that is not locked.
        ImageAIEnvError: as for ``create``; the environment is then as it was.
    """
    from imageai_envs.catalog import select

    lock = environment.lock()
    for name in names:
        if lock.pin(name) is None:
            raise RequestError(
                f"{environment.name} has no distribution {name}.",
                hint=f"imageai-env upgrade {environment.name} --with {name}",
                code="no-such-package",
            )
    header = lock.header
    request = Request(
        template=header.template,
        variant=header.variant,
        extras=tuple(dict.fromkeys((*header.requires, *extras))),
    ).at(header.release)
    selection = select(request, home)
    log = open_log(home, environment.name, "upgrade")
    wanted = how.python or header.target.python_version
    interpreter = find_python(selection, wanted, home, log, reporter, download=how.download)
    engine = get_engine(_engine(environment, how), home)
    keep = lock.pins if names or extras else ()
    fresh = compile_lock(
        LockInputs(selection, request.extras, interpreter.target),
        engine,
        interpreter,
        log,
        reporter,
        preferred=keep,
        upgrade=frozenset(canonicalize_name(name) for name in names),
    )
    changes = compare(lock.pins, fresh.pins)
    if not changes and fresh.header.inputs == header.inputs:
        return ()
    reporter.note("changes: " + (", ".join(str(change) for change in changes) or "none in the packages"))
    with tempfile.TemporaryDirectory(prefix="imageai-env-upgrade-") as work:
        path = Path(work) / "requirements.lock.txt"
        path.write_text(fresh.render(), encoding="utf-8")
        recreate(environment, home, reporter, replace(how, python=str(interpreter.executable)), lock=path)
    return changes


def rename(environment: Environment, name: str, store: Store, reporter: Reporter, how: How) -> Created:
    """Give an environment another name: built anew from its lock (a virtual environment cannot be moved).

    Raises:
        ImageAIEnvError: as for ``create``; the environment then keeps its name.
    """
    if environment.root != store.home.environments / environment.name:
        raise RequestError(
            f"{environment.name} lies at {environment.root}; its place decides, not a name.",
            hint=f"imageai-env clone {environment.name} {name}",
            code="not-in-store",
        )
    created = recreate(environment, store.home, reporter, how, name=name)
    remove(environment, store, reporter)
    return created
