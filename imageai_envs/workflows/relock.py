"""``lock``: write a lock file, update it with few changes, or tell that it has drifted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from imageai_envs.base.errors import DriftError, LockFileError, RequestError
from imageai_envs.engines import get_engine
from imageai_envs.engines.compile_lock import compile_lock
from imageai_envs.environments.environment import write_atomically
from imageai_envs.locks.inputs import LockInputs
from imageai_envs.locks.lockfile import Change, Lock, compare, is_lock, read_lock
from imageai_envs.locks.verified import nearest_lock, verified_lock
from imageai_envs.request.request import Request
from imageai_envs.templates.catalog import select
from imageai_envs.workflows.create import find_python
from imageai_envs.workflows.template_choice import MachineChoice

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.request.target import Target
    from imageai_envs.templates.catalog import Chooser


@dataclass(frozen=True)
class LockOptions:
    """Options of ``lock``.

    Attributes:
        request: versions and additions; an empty one means: those of the lock that is there.
        path: the lock file.
        engine: ``auto``, ``uv`` or ``pip``.
        upgrade_all: keep no pin.
        upgrade: names whose pins are not kept.
        download: a missing Python may be fetched.
        target: what the lock is for; None: what the lock that is there is for, or this machine.
    """

    request: Request
    path: Path
    engine: str = "auto"
    upgrade_all: bool = False
    upgrade: tuple[str, ...] = ()
    download: bool = True
    target: Target | None = None


@dataclass(frozen=True)
class Updated:
    """A lock after ``lock``; ``written`` is False when the file already said all of it."""

    lock: Lock
    previous: Lock | None
    changes: tuple[Change, ...]
    written: bool


def update_lock(options: LockOptions, context: Context) -> Updated:
    """Compile the lock and write it if it differs.

    Raises:
        LockFileError: the file is there and is not a lock of ours.
        UnsolvableError: no set of versions satisfies the request.
        InstallError: index, network or disk.
    """
    previous = _previous(options.path)
    _check_upgrades(options, previous)
    lock = _compile(options, previous, context)
    written = lock != previous
    if written:
        options.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(options.path, lock.render())
    return Updated(lock, previous, compare(previous.pins if previous else (), lock.pins), written)


def check_lock(options: LockOptions, context: Context) -> Lock:
    """Return the lock if it was compiled from what is asked for now; nothing is resolved for that.

    Raises:
        DriftError: it was not; the package diff is in the message and in ``data``.
        LockFileError: there is no lock, or it is damaged.
    """
    lock = read_lock(options.path)
    request = _request(options.request, lock)
    target = lock.header.target
    choice = MachineChoice(request.variant, request.python or target.python_version, context, download=options.download)
    selection = select(request, context.home, _for_gpu_as_before(lock, request, choice)).on(target.python)
    if LockInputs(selection, request.extras, target).digest == lock.header.inputs:
        return lock
    fresh = _compile(options, lock, context)
    changes = compare(lock.pins, fresh.pins)
    listing = "\n".join(f"  {change}" for change in changes) or "  (the packages stay the same)"
    raise DriftError(
        f"{options.path} does not match what is asked for any more:\n{listing}",
        hint=f"imageai-env lock -o {options.path}   (with the same options)",
        data={"path": str(options.path), "in_sync": False, "changes": [vars(change) for change in changes]},
    )


def _for_gpu_as_before(lock: Lock | None, request: Request, choice: MachineChoice) -> Chooser:
    """For a GPU prefer the template of the lock that is there: it may be checked where there is another driver."""
    if lock is None or request.variant != "gpu":
        return choice
    name = lock.header.template
    return lambda templates: next((one for one in templates if one.name == name), None) or choice(templates)


def _previous(path: Path) -> Lock | None:
    if not path.exists():
        return None
    if path.is_dir() or not is_lock(path):
        raise LockFileError(
            f"{path} is there and is not a lock of imageai-env; it is not overwritten.",
            hint="Choose another file: imageai-env lock -o requirements.lock.txt",
            code="not-ours",
        )
    return read_lock(path)


def _check_upgrades(options: LockOptions, previous: Lock | None) -> None:
    for name in options.upgrade:
        if previous is None or previous.pin(name) is None:
            raise RequestError(
                f"--upgrade-package {name}: {options.path} has no such distribution.",
                hint=f"Add it with --with {name}",
                code="no-such-package",
            )


def _request(request: Request, lock: Lock | None) -> Request:
    """Return what is asked for: the options, or else what the lock that is there was made for."""
    nothing_said = request == Request(python=request.python)
    if lock is None or not nothing_said:
        return request
    return lock.header.request(python=request.python)


def _target(options: LockOptions, previous: Lock | None) -> Target | None:
    """Return what the lock is for; None for the Python that will be found."""
    if options.target is None:
        # Another Python that is asked for now is of this machine.
        return previous.header.target if previous and not options.request.python else None
    if options.request.python and options.request.python != options.target.python_version:
        raise RequestError(
            f"--target {options.target} is for Python {options.target.python_version}, "
            f"--python says {options.request.python}.",
            hint="Drop --python.",
            code="bad-target",
        )
    return options.target


def _compile(options: LockOptions, previous: Lock | None, context: Context) -> Lock:
    request = _request(options.request, previous)
    target = _target(options, previous)
    wanted = request.python or (target.python_version if target else None)
    choice = MachineChoice(request.variant, wanted, context, download=options.download)
    selection = select(request, context.home, _for_gpu_as_before(previous, request, choice))
    if choice.reason:
        context.reporter.note(f"taking template {selection.template.name}: {choice.reason}")
    context = context.logged("lock", "lock")
    interpreter = find_python(selection, wanted, context, download=options.download)
    engine = get_engine(options.engine)
    target = target or interpreter.target
    inputs = LockInputs(selection.on(target.python), request.extras, target)
    if previous is None and not options.upgrade_all:
        proved = verified_lock(inputs)
        if proved:
            return proved
        previous = nearest_lock(inputs)
    keep = () if previous is None or options.upgrade_all else previous.pins
    upgrade = frozenset(canonicalize_name(name) for name in options.upgrade)
    return compile_lock(inputs, engine, interpreter, context, preferred=keep, upgrade=upgrade)
