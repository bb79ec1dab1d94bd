"""From a request to a proved environment: plan first, then do exactly the plan."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs import __version__
from imageai_envs.base.errors import LockFileError, PythonNotFoundError, RequestError
from imageai_envs.base.scratch import scratch
from imageai_envs.building import beside_lock
from imageai_envs.building.install import Installer
from imageai_envs.engines import get_engine
from imageai_envs.engines.compile_lock import check_clashes, compile_lock
from imageai_envs.engines.empty_venv import create_venv, creator_name
from imageai_envs.engines.lock_cache import cache_lock, cached_lock
from imageai_envs.engines.uv import find_uv
from imageai_envs.environments.contents import record_creation
from imageai_envs.environments.environment import Environment, State, write_lock, write_state
from imageai_envs.environments.hints import install_beside_us
from imageai_envs.environments.store import Store
from imageai_envs.environments.transaction import check_free, locked, replacing
from imageai_envs.interpreters import Interpreter, choose, uv_fetcher
from imageai_envs.locks.inputs import LockInputs
from imageai_envs.locks.lockfile import Lock, read_lock
from imageai_envs.locks.verified import nearest_lock, verified_lock
from imageai_envs.templates.catalog import Selection, select
from imageai_envs.verification.verify import Verification, verify
from imageai_envs.workflows.before_build import warn_about_extras, warn_about_gpu, warn_about_space
from imageai_envs.workflows.template_choice import MachineChoice, name_another

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imageai_envs.base.context import Context
    from imageai_envs.base.process import Log
    from imageai_envs.base.progress import Reporter
    from imageai_envs.engines.base import Engine
    from imageai_envs.environments.users_files import Kept
    from imageai_envs.request.request import Request


@dataclass(frozen=True)
class CreateOptions:
    """Options of ``create``.

    Attributes:
        request: versions and additions.
        name: the environment's name; None only with ``path``, then the project's directory names it.
        path: where it shall lie; None: in the store.
        lock: a lock, or a lock file, to use as it is, instead of resolving.
        engine: ``auto``, ``uv`` or ``pip``.
        verify: level of proof.
        force: replace an environment that is there.
        download: a missing Python may be fetched.
        wait: wait for another process that works on the same environment.
        upgrade: resolve again instead of taking the verified lock.
        newest: of the templates that answer take the newest, not the usual one.
    """

    request: Request
    name: str | None
    path: Path | None = None
    lock: Lock | Path | None = None
    engine: str = "auto"
    verify: str = "inference"
    force: bool = False
    download: bool = True
    wait: bool = True
    upgrade: bool = False
    newest: bool = False


@dataclass(frozen=True)
class Plan:
    """What will be done; ``create --dry-run`` prints it, ``create`` executes it.

    Attributes:
        options: what was asked.
        name: name of the environment.
        root: its directory.
        selection: template, exact release and variant.
        interpreter: the Python; None when ``fetch`` says which one is to be fetched.
        fetch: version of the Python to fetch.
        engine: who resolves and installs.
        lock: the given or the verified lock; None: one is compiled.
        log: record of all subprocesses.
    """

    options: CreateOptions
    name: str
    root: Path
    selection: Selection
    interpreter: Interpreter | None
    fetch: str | None
    engine: Engine
    lock: Lock | None
    log: Log

    @property
    def replaces(self) -> bool:
        """Tell whether something is there that will be replaced."""
        return self.root.exists()

    def _lock_words(self) -> str:
        if isinstance(self.options.lock, Path):
            return str(self.options.lock)
        return "given" if self.options.lock else "verified" if self.lock else "compile"

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        template = self.selection.template
        python: dict[str, object] = {"fetch": self.fetch}
        requirements: dict[str, object] = {}
        if self.interpreter:
            python |= {
                "executable": str(self.interpreter.executable),
                "version": self.interpreter.version_text,
                "source": self.interpreter.source,
                "creator": creator_name(self.interpreter, self.engine.uv),
            }
            inputs = LockInputs(self.selection, self.options.request.extras, self.interpreter.target)
            requirements = {
                "target": str(self.interpreter.target),
                "requirements": list(inputs.requirements),
                "constraints": list(inputs.constraints),
                "dropped": list(inputs.dropped),
                "built_from_source": list(inputs.built),
            }
        return {
            "name": self.name,
            "root": str(self.root),
            "replaces": self.replaces,
            "template": template.name,
            "template_path": str(template.path),
            **self.selection.release.to_json(),
            "imageai": template.imageai.version,
            "variant": self.selection.variant,
            "engine": self.engine.name,
            "python": python,
            "lock": self._lock_words(),
            **requirements,
            "disk_mb": template.variants[self.selection.variant].disk_mb,
            "verify": self.options.verify,
        }


@dataclass(frozen=True)
class Created:
    """A finished environment and its proof; ``kept`` is what the user had put into the one that it replaced."""

    environment: Environment
    verification: Verification
    seconds: dict[str, float]
    log: Path
    kept: tuple[Kept, ...] = ()


class _FetchLaterError(Exception):
    """Raised instead of fetching while only a plan is wanted."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.version = version


def _fetch_later(version: str) -> Path:
    raise _FetchLaterError(version)


def plan_creation(options: CreateOptions, context: Context, *, dry_run: bool = False) -> Plan:
    """Look everything up that ``options`` need, and change nothing (save fetching a Python, unless ``dry_run``).

    Raises:
        RequestError: a name, version, place or requirement that cannot be.
        PythonNotFoundError: no interpreter fits.
    """
    name, root = Store(context).place(options.name, options.path)
    check_free(root, context.home, force=options.force)
    lock = read_lock(options.lock) if isinstance(options.lock, Path) else options.lock
    request = _request_of(lock, options.request) if lock else options.request
    wanted = request.python or (lock.header.target.python_version if lock else None)
    if options.newest and (lock or request.template or request.tensorflow or request.torch):
        raise RequestError(
            "--newest chooses the template; a template, a version of TensorFlow or PyTorch, or a lock says it already.",
            hint="Drop --newest, or the other option.",
            code="newest-and-version",
        )
    choice = MachineChoice(request.variant, wanted, context, download=options.download, newest=options.newest)
    selection = select(request, context.home, choice)
    _tell(selection, request, choice.reason, context.reporter)
    engine = get_engine(options.engine)
    context = context.logged(name, "create")
    fetch_later: str | None = None
    try:
        interpreter: Interpreter | None = find_python(
            selection, wanted, context, download=options.download, dry_run=dry_run
        )
    except _FetchLaterError as later:
        interpreter, fetch_later = None, later.version
    except (PythonNotFoundError, RequestError) as error:
        if error.code in ("python-not-found", "python-unsupported") and not lock:
            name_another(error, selection.template, request.variant, wanted, context)
        raise
    if interpreter:
        if lock and lock.header.target != interpreter.target:
            raise LockFileError(
                f"{options.lock if isinstance(options.lock, Path) else 'This'} is a lock for {lock.header.target}; "
                f"this would be {interpreter.target}.",
                hint="Lock for this machine: imageai-env lock -o FILE",
            )
        selection = selection.on(interpreter.minor)
        if not lock:
            inputs = LockInputs(selection, request.extras, interpreter.target)
            check_clashes(inputs)
            lock = None if options.upgrade else verified_lock(inputs)
    options = replace(options, request=request)
    return Plan(options, name, root, selection, interpreter, fetch_later, engine, lock, context.log)


def _request_of(lock: Lock, request: Request) -> Request:
    """Return the request that a lock answers; options that say something else are refused."""
    if request.tensorflow or request.torch or request.imageai or request.extras:
        raise RequestError(
            "A lock already says which versions to install; --tf, --torch, --imageai, --with and -r go with `lock`.",
            hint="imageai-env lock --tf 2.10 --with ... -o FILE",
            code="lock-and-versions",
        )
    answered = lock.header.request(python=request.python)
    return replace(answered, template=request.template or answered.template)


def _tell(selection: Selection, request: Request, reason: str, reporter: Reporter) -> None:
    entry = selection.entry
    if request.template is None and request.tensorflow is None and request.torch is None:
        reporter.note(f"no version asked for; taking template {entry.template.name}{reason and f': {reason}'}")
    for hidden in entry.hides:
        reporter.note(f"template {entry.template.name} of the {entry.origin} is used; it hides {hidden}")
    if entry.origin == "file":
        reporter.note(f"using template {entry.template.path} as it is")


def find_python(
    selection: Selection, wanted: str | None, context: Context, *, download: bool, dry_run: bool = False
) -> Interpreter:
    """Return the Python for a selection, fetching one with uv when none is here and that is allowed.

    Raises:
        RequestError: ``wanted`` is a Python that the template does not run on.
        PythonNotFoundError: none fits.
    """
    why_not = ""
    fetch: Callable[[str], Path] | None = None
    uv = find_uv()
    if not download:
        why_not = "--no-download was given"
    elif uv is None:
        why_not = f"uv, which could fetch one, is not installed: {install_beside_us('uv')}"
    else:
        fetch = _fetch_later if dry_run else uv_fetcher(uv, context)
    return choose(selection.choosing, wanted, context, fetch=fetch, why_no_fetch=why_not)


@dataclass
class _Clock:
    """Seconds of each step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 2)


def execute(plan: Plan, context: Context) -> Created:
    """Do what the plan says. Whatever fails, what was there before is there afterwards.

    Raises:
        UnsolvableError: no set of versions satisfies the request.
        InstallError: index, network or disk.
        VerifyError: it was built and does not work.
    """
    if plan.interpreter is None:
        raise RequestError("This plan still has to fetch a Python.", code="no-python")
    interpreter, clock = plan.interpreter, _Clock()
    context = replace(context, log=plan.log)
    warn_about_space(plan, context.reporter)
    warn_about_gpu(plan, interpreter, context.reporter)
    plan.root.parent.mkdir(parents=True, exist_ok=True)
    with locked(plan.root, context, wait=plan.options.wait):
        # Resolved before anything is touched: most failures happen here and cost nothing.
        if plan.lock and not plan.options.lock:
            context.reporter.note(f"using the lock that comes with the template, verified {plan.lock.header.verified}")
        with clock.step("lock"):
            lock = plan.lock or _resolve(plan, interpreter, context)
        warn_about_extras(plan, lock, context.reporter)
        with replacing(plan.root, plan.name, context, force=plan.options.force) as replacement:
            verification = _build(plan, interpreter, lock, context, clock)
            state = _state(plan, interpreter, lock, verification, clock)
            write_state(plan.root, state)
    environment = Environment(plan.name, plan.root, state)
    return Created(environment, verification, clock.seconds, plan.log.path, tuple(replacement.kept))


def _resolve(plan: Plan, interpreter: Interpreter, context: Context) -> Lock:
    """Compile the lock, or take the one that the same question was answered with minutes ago."""
    inputs = LockInputs(plan.selection, plan.options.request.extras, interpreter.target)
    engine = plan.engine.describe(interpreter)
    lock = cached_lock(inputs.digest, engine, context.home)
    if lock is None:
        # With further requirements: as near as possible to the set that was proved.
        near = None if plan.options.upgrade else nearest_lock(inputs)
        keep = near.pins if near else ()
        lock = compile_lock(inputs, plan.engine, interpreter, context, preferred=keep)
        cache_lock(lock, context.home)
    return lock


def _build(plan: Plan, interpreter: Interpreter, lock: Lock, context: Context, clock: _Clock) -> Verification:
    write_lock(plan.root, lock)
    with clock.step("venv"):
        context.reporter.step(f"creating a virtual environment of Python {interpreter.version_text}")
        pip = create_venv(interpreter, plan.root, plan.name, context, plan.engine.uv)
        record_creation(plan.root)
    with clock.step("install"), scratch(context.home, "install") as work:
        context.reporter.step(f"installing {len(lock.pins)} distributions with {plan.engine.name}")
        variant = plan.selection.template.variants[plan.selection.variant]
        beside = (*(() if lock.pin("pip") else pip), *beside_lock.wheels(variant, work))
        installer = Installer(plan.engine, plan.root, lock, context)
        misrecorded = installer.install(work, beside=beside)
        beside_lock.add(plan.root, variant, lock.header.target, context.reporter, misrecorded)
    with clock.step("verify"):
        return verify(plan.root, lock, plan.options.verify, context)


def _state(plan: Plan, interpreter: Interpreter, lock: Lock, verification: Verification, clock: _Clock) -> State:
    return State(
        name=plan.name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        request=plan.options.request,
        template=plan.selection.template.name,
        release=plan.selection.release,
        imageai=plan.selection.template.imageai.version,
        variant=plan.selection.variant,
        target=str(interpreter.target),
        python=str(interpreter.executable),
        python_version=interpreter.version_text,
        engine=plan.engine.describe(interpreter),
        creator=creator_name(interpreter, plan.engine.uv),
        lock=lock.digest,
        verified=verification.level,
        seconds=clock.seconds,
        tool=__version__,
    )
