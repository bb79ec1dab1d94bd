"""Rebuild environments: recreate, sync, upgrade, clone, rename.

Whatever changes more than a few files goes through the same plan and the same transaction as ``create``: the old
environment waits aside until the new one is proved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from imageai_envs.base.errors import RequestError
from imageai_envs.checks import look_at, packages
from imageai_envs.engines import get_engine
from imageai_envs.engines.compile_lock import compile_lock
from imageai_envs.engines.uv import find_uv
from imageai_envs.environments.environment import Condition
from imageai_envs.locks.inputs import LockInputs
from imageai_envs.locks.lockfile import Change, Lock, compare, read_lock
from imageai_envs.request.request import Request
from imageai_envs.workflows.create import Created, CreateOptions, execute, find_python, plan_creation
from imageai_envs.workflows.remove import remove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imageai_envs.base.context import Context
    from imageai_envs.environments.environment import Environment
    from imageai_envs.environments.store import Store
    from imageai_envs.environments.users_files import Kept
    from imageai_envs.interpreters import Interpreter


@dataclass(frozen=True)
class RebuildOptions:
    """How an environment is rebuilt.

    Attributes:
        engine: ``uv``, ``pip``, or ``auto`` for the one that made it.
        verify: level of proof; None for the one that it has.
        python: another Python than the one that it has.
        download: a missing Python may be fetched.
        wait: wait for another process that works on it.
        keep_extra: what was installed by hand becomes a requirement of the new environment.
    """

    engine: str = "auto"
    verify: str | None = None
    python: str | None = None
    download: bool = True
    wait: bool = True
    keep_extra: bool = False


def recreate(
    environment: Environment,
    context: Context,
    options: RebuildOptions,
    lock: Lock | Path | None = None,
    name: str | None = None,
) -> Created:
    """Rebuild the environment from its lock, or from ``lock``; with ``name``, a further one beside it.

    The Python is the one that it was made from, or another of the same minor when that is gone.

    Raises:
        LockFileError: the lock is missing or damaged.
        ImageAIEnvError: as for ``create``; the environment is then as it was.
    """
    check_changeable(environment, to_read=name is not None)
    extras = extra_requirements(environment) if options.keep_extra and lock is None else ()
    if extras:
        lock, _ = _lock_again(environment, extras, context, options)
    lock = lock or environment.lock()  # if it is lost, this says how to build the environment without it
    state = environment.state
    python = options.python
    if python is None and state and Path(state.python).exists():
        python = state.python
    in_store = environment.root == context.home.environments / environment.name
    creation = CreateOptions(
        request=Request(python=python),
        name=name or environment.name,
        path=None if in_store or name else environment.root,
        lock=lock,
        engine=engine_for(environment, options),
        verify=options.verify or (state.verified if state else "inference"),
        force=name is None,
        download=options.download,
        wait=options.wait,
    )
    return execute(plan_creation(creation, context), context)


def check_changeable(environment: Environment, *, to_read: bool = False) -> None:
    """Refuse to change an environment that a newer version made: it knows what this one would lose.

    Raises:
        RequestError: it is such a one, and is not only read (``to_read``).
    """
    if not to_read and environment.condition is Condition.NEWER:
        raise RequestError(
            f"{environment.name} was made by a newer version of this tool; this one does not change it.",
            hint=f"Use the newer version, or build a second one: imageai-env clone {environment.name} "
            f"{environment.name}-copy",
            code="newer",
        )


def extra_requirements(environment: Environment) -> tuple[str, ...]:
    """Return what was installed by hand as requirements, each at its version.

    Raises:
        LockFileError: the environment's lock is missing or damaged.
        RequestError: one was installed from a directory, a repository or an address: that cannot be locked.
    """
    kept = []
    for item in packages.by_hand(look_at(environment), environment.lock()):
        if (item.path / "direct_url.json").exists():  # PEP 610
            raise RequestError(
                f"{item.name} {item.version} was installed from a directory, a repository or an address. It cannot be "
                "locked with hashes, so --keep-extra cannot keep it.",
                hint=f"imageai-env run {environment.name} -- python -m pip uninstall {item.name}   (install it again "
                "afterwards), then the same command.",
                code="direct-reference",
            )
        kept.append(f"{item.name}=={item.version}")
    return tuple(kept)


def engine_for(environment: Environment, options: RebuildOptions) -> str:
    """Return the engine that an environment is rebuilt with: by default the one that made it."""
    if options.engine != "auto" or environment.state is None:
        return options.engine
    return "pip" if environment.state.engine.startswith("pip") else "uv" if find_uv() else "auto"


@dataclass(frozen=True)
class Changed:
    """What changed in an environment.

    Attributes:
        changes: by distribution; none where it was as it should be, or only files of the same versions are other ones.
        kept: what the user had put into the environment before, and where it is now.
    """

    changes: tuple[Change, ...]
    kept: tuple[Kept, ...] = ()


def sync(environment: Environment, lock: Path | None, context: Context, options: RebuildOptions) -> Changed:
    """Make the environment exactly a lock (its own by default) and return what changed; nothing is done if it is.

    Raises:
        LockFileError: the lock cannot be read, or is for another target.
        ImageAIEnvError: as for ``create``; the environment is then as it was.
    """
    wanted = read_lock(lock) if lock else environment.lock()
    view = look_at(environment)
    findings = packages.inspect(replace(view, lock=wanted))
    if not findings and view.lock is not None and view.lock.digest == wanted.digest:
        return Changed(())
    before = {item.name: item.version for item in view.installed}
    created = recreate(environment, context, options, lock=wanted)
    after = {item.name: item.version for item in look_at(environment).installed}
    changes = tuple(
        Change(name, before.get(name, ""), after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )
    return Changed(changes, created.kept)


def upgrade(
    environment: Environment, names: Sequence[str], extras: Sequence[str], context: Context, options: RebuildOptions
) -> Changed:
    """Lock again (everything, or just ``names``; with further requirements), rebuild, verify; return the changes.

    Raises:
        RequestError: a name that is not locked.
        ImageAIEnvError: as for ``create``; the environment is then as it was.
    """
    check_changeable(environment)
    lock = environment.lock()
    for name in names:
        if lock.pin(name) is None:
            raise RequestError(
                f"{environment.name} has no distribution {name}.",
                hint=f"imageai-env upgrade {environment.name} --with {name}",
                code="no-such-package",
            )
    if options.keep_extra:
        extras = (*extras, *extra_requirements(environment))
    fresh, interpreter = _lock_again(environment, extras, context, options, names)
    changes = compare(lock.pins, fresh.pins)
    if not changes and fresh.header.inputs == lock.header.inputs:
        return Changed(())
    context.reporter.note("changes: " + (", ".join(str(change) for change in changes) or "none in the packages"))
    options = replace(options, python=str(interpreter.executable))
    return Changed(changes, recreate(environment, context, options, lock=fresh).kept)


def _lock_again(
    environment: Environment,
    extras: Sequence[str],
    context: Context,
    options: RebuildOptions,
    names: Sequence[str] | None = None,
) -> tuple[Lock, Interpreter]:
    """Compile a lock for what the environment's lock was made for, and ``extras``.

    Pins are kept, save those of ``names``; without names and further requirements, none is (None: all are).
    """
    from imageai_envs.templates.catalog import select

    lock = environment.lock()
    request = lock.header.request(extras=extras)
    selection = select(request, context.home)
    context = context.logged(environment.name, "lock")
    wanted = options.python or lock.header.target.python_version
    interpreter = find_python(selection, wanted, context, download=options.download)
    fresh = compile_lock(
        LockInputs(selection, request.extras, interpreter.target),
        get_engine(engine_for(environment, options)),
        interpreter,
        context,
        preferred=lock.pins if names is None or names or extras else (),
        upgrade=frozenset(canonicalize_name(name) for name in names or ()),
    )
    return fresh, interpreter


def rename(environment: Environment, name: str, store: Store, options: RebuildOptions) -> Created:
    """Give an environment another name: rebuilt from its lock (a virtual environment cannot be moved).

    Raises:
        ImageAIEnvError: as for ``create``; the environment then keeps its name.
    """
    if environment.root != store.home.environments / environment.name:
        raise RequestError(
            f"{environment.name} is at {environment.root}; its place decides, not a name.",
            hint=f"imageai-env clone {environment.name} {name}",
            code="not-in-store",
        )
    check_changeable(environment)
    created = recreate(environment, store.context, options, name=name)
    removed = remove(environment, store)
    return replace(created, kept=(removed.kept,)) if removed.kept else created
