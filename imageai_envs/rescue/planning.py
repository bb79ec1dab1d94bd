"""From someone's requirements to a clean environment: what cannot work, what is kept, and what changes."""

from __future__ import annotations

import platform
import shlex
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from imageai_envs.base.context import Context
from imageai_envs.base.errors import InstallError, LockFileError, PythonNotFoundError
from imageai_envs.base.paths import expanded
from imageai_envs.base.progress import Silent
from imageai_envs.engines import get_engine
from imageai_envs.environments.environment import write_atomically
from imageai_envs.environments.store import Store, validate_name
from imageai_envs.environments.transaction import check_free
from imageai_envs.locks.inputs import LockInputs
from imageai_envs.locks.lockfile import Lock, is_lock
from imageai_envs.request.request import Request
from imageai_envs.request.target import Target
from imageai_envs.rescue.changes import LineChange, changes_of, in_order, relaxed
from imageai_envs.rescue.choosing import Choice, RescueOptions, choose_template
from imageai_envs.rescue.fitting import Fit, Fitting, Item, asked_for, settled, within_template
from imageai_envs.rescue.installed import read_distributions, read_environment
from imageai_envs.rescue.reading import read_source
from imageai_envs.rescue.sorting import Sorted, needed_by_nobody, sort_lines
from imageai_envs.rescue.unfit import Problem
from imageai_envs.workflows.create import Created, CreateOptions, execute, find_python, plan_creation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from imageai_envs.base.paths import Home
    from imageai_envs.engines.base import Engine
    from imageai_envs.installed.distributions import Distribution
    from imageai_envs.request.interpreter import Interpreter
    from imageai_envs.rescue.source import Source
    from imageai_envs.templates.catalog import Selection


@dataclass(frozen=True)
class Rescue:
    """What can be made of a source. Nothing has been changed yet.

    Attributes:
        source: what was read.
        selection: template, exact release of its framework and variant.
        request: what :func:`carry_out` creates; its extras are all that is kept.
        interpreter: the Python that was resolved for; None when there was none.
        problems: what cannot work as it was asked for.
        changes: line by line.
        lock: the resolved set; None when nothing could be resolved.
        unchecked: why ``lock`` is None; empty otherwise.
        runs: how often the resolver ran.
        options: what the user decided.
    """

    source: Source
    selection: Selection
    request: Request
    interpreter: Interpreter | None
    problems: tuple[Problem, ...]
    changes: tuple[LineChange, ...]
    lock: Lock | None
    unchecked: str
    runs: int
    options: RescueOptions

    @property
    def create_command(self) -> str:
        """Return the ``create`` command that makes the same environment."""
        words = ["imageai-env", "create", "NAME"]
        words += ["--template", self.options.template] if self.options.template else []
        words += [self.selection.release.framework.option, self.selection.version]
        words += ["--gpu"] if self.selection.variant == "gpu" else []
        words += ["--python", self.request.python] if self.request.python else []
        for extra in self.request.extras:
            words += ["--with", extra]
        return shlex.join(words)

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "source": {"path": self.source.label, "kind": self.source.kind, "notes": list(self.source.notes)},
            "template": self.selection.template.name,
            **self.selection.release.to_json(),
            "imageai": self.selection.template.imageai.version,
            "variant": self.selection.variant,
            "python": self.interpreter.version_text if self.interpreter else self.request.python,
            "checked": self.lock is not None,
            "unchecked": self.unchecked,
            "problems": [asdict(problem) for problem in self.problems],
            "changes": [asdict(change) for change in self.changes],
            "requirements": list(self.request.extras),
            "create": self.create_command,
        }


def plan_rescue(path: Path, context: Context, options: RescueOptions | None = None) -> Rescue:
    """Plan the rescue of a file (requirements, freeze, ``environment.yml``, ``pyproject.toml``) or an environment.

    Nothing of an environment is run, and nothing is changed, except that a missing Python may be fetched.

    Raises:
        RequestError: it cannot be read, or there is nothing in it; or an option that cannot be.
        UnsolvableError: the template itself does not resolve.
    """
    path = expanded(path)
    source = read_environment(path) if path.is_dir() else read_source(path)
    return rescue_source(source, context, options)


def plan_rescue_of(
    distributions: Iterable[Distribution],
    label: str,
    python: str,
    context: Context,
    options: RescueOptions | None = None,
) -> Rescue:
    """Plan the rescue of what some Python has installed, for example a global one.

    Args:
        distributions: everything installed, in the order of ``sys.path``.
        label: how to call it: the environment's directory or the interpreter's path.
        python: its version, such as ``3.10``; empty when unknown.
        context: directories, reporter and log of the command.
        options: what the user decided.

    Raises:
        UnsolvableError: the template itself does not resolve.
    """
    return rescue_source(read_distributions(distributions, label, python), context, options)


def rescue_source(source: Source, context: Context, options: RescueOptions | None = None) -> Rescue:
    """Plan the rescue of something that was read already (see :func:`plan_rescue`)."""
    options = options or RescueOptions()
    choice = choose_template(source, options, context.home)
    source = replace(source, notes=(*source.notes, choice.note)) if choice.note else source
    parts = sort_lines(source, choice)
    context = context.logged("rescue", "rescue")
    engine = get_engine(options.engine)
    interpreter, python, moved, no_python = _find_python(choice, options, context)
    if interpreter is None:
        fit = _unresolved(parts, choice.selection, no_python)
    else:
        choice = replace(choice, selection=choice.selection.on(interpreter.minor))
        fitting = Fitting(choice.selection, interpreter, engine, context, parts.preferred)
        fit = fitting.search(parts.wanted)
    extras, lock = _kept(source, fit, choice.selection, engine, interpreter)
    found = [*choice.problems, *([moved] if moved else []), *parts.problems, *settled(fit)]
    problems = in_order([*found, *relaxed(source, choice, fit, found)], source)
    request = Request(template=options.template, variant=choice.selection.variant, python=python, extras=extras).at(
        choice.selection.release
    )
    changes = changes_of(source, choice, parts, fit.items, lock, interpreter)
    return Rescue(
        source, choice.selection, request, interpreter, problems, changes, lock, fit.unchecked, fit.runs, options
    )


def _find_python(
    choice: Choice, options: RescueOptions, context: Context
) -> tuple[Interpreter | None, str | None, Problem | None, str]:
    """Return the Python, what was asked for to get it, what is wrong with the one wanted, and why there is none."""
    wanted = choice.python
    try:
        found = find_python(choice.selection, wanted, context, download=options.download)
    except (PythonNotFoundError, InstallError) as error:
        if options.python or wanted is None:
            return None, options.python, None, error.message.splitlines()[0]
    else:
        return found, wanted, None, ""
    # The source's Python is preferred; any other that the template runs on is nearer than none.
    try:
        found = find_python(choice.selection, None, context, download=options.download)
    except (PythonNotFoundError, InstallError) as error:
        return None, None, None, error.message.splitlines()[0]
    nearest = f"Python {found.target.python_version}"
    why = f"there is no Python {wanted} on this machine, and none was fetched."
    return found, None, Problem("", f"Python {wanted}", why, nearest), ""


def _unresolved(parts: Sorted, selection: Selection, why: str) -> Fit:
    """Return what can be said without a Python: the template's own bounds."""
    minor = selection.template.python_preferred[0] if selection.template.python_preferred else "3.10"
    major, _, rest = minor.partition(".")
    target = Target.of((int(major), int(rest)), sys.platform, platform.machine())
    items, problems = within_template([Item(line, line.requirement) for line in parts.wanted], selection, target)
    return Fit(None, tuple(items), tuple(problems), why, 0)


def _kept(
    source: Source, fit: Fit, selection: Selection, engine: Engine, interpreter: Interpreter | None
) -> tuple[tuple[str, ...], Lock | None]:
    """Return the requirements to ask for, and the lock as the answer to just these."""
    if fit.lock is None or interpreter is None or not source.complete:
        return asked_for(fit.items, selection), fit.lock
    # Of everything installed, only what nobody requires is worth asking for: at the versions just resolved, so that
    # the same pins answer.
    names = needed_by_nobody([item.name for item in fit.items if item.requirement is not None], fit.lock)
    extras = []
    for item in fit.items:
        pin = fit.lock.pin(item.name)
        if item.requirement is not None and item.name in names and pin is not None:
            exact = Requirement(str(item.requirement))
            exact.specifier = Requirement(f"x=={pin.version}").specifier
            extras.append(str(exact))
    kept = tuple(dict.fromkeys(extras))
    inputs = LockInputs(selection, kept, interpreter.target)
    pinned = frozenset(pin.name for pin in fit.lock.pins)
    return kept, Lock(inputs.header(engine.describe(interpreter), pinned), fit.lock.pins)


def carry_out(rescue: Rescue, name: str, context: Context) -> Created:
    """Create the clean environment. The source is not touched.

    Raises:
        RequestError: the name is taken, or is none.
        UnsolvableError: no set of versions satisfies the request.
        InstallError: index, network or disk.
        VerifyError: it was built and does not work.
    """
    options, lock = rescue.options, rescue.lock
    request = Request(template=options.template, python=rescue.request.python) if lock else rescue.request
    creation = CreateOptions(
        request, name, lock=lock, engine=options.engine, verify=options.verify, download=options.download
    )
    return execute(plan_creation(creation, context), context)


def check_name(name: str, home: Home) -> None:
    """Refuse a name before any work is done for it.

    Raises:
        RequestError: it cannot name an environment, or names one.
    """
    check_free(Store(Context(home, Silent())).root_for(validate_name(name)), home, force=False)


def write_lock_to(rescue: Rescue, path: Path) -> None:
    """Write the clean set as a lock, which ``create --lock`` and bare pip install.

    Raises:
        InstallError: nothing was resolved.
        LockFileError: something that is no lock of ours is there.
    """
    if rescue.lock is None:
        raise InstallError(
            f"There is no lock to write, since nothing could be resolved: {rescue.unchecked}",
            hint="Run the same command again when the index answers.",
            code="nothing-resolved",
        )
    if path.is_dir() or (path.exists() and not is_lock(path)):
        raise LockFileError(
            f"{path} is there and is not a lock of imageai-env; it is not overwritten.",
            hint="Choose another file: -o requirements.lock.txt",
            code="not-ours",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, rescue.lock.render())
