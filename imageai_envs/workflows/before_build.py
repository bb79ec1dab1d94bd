"""Notes and warnings before an environment is built. Nothing here refuses."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from imageai_envs.checks import look_at
from imageai_envs.checks.packages import by_hand
from imageai_envs.environments.environment import Condition, Environment, condition_of, read_state

if TYPE_CHECKING:
    from imageai_envs.base.progress import Reporter
    from imageai_envs.interpreters import Interpreter
    from imageai_envs.locks.lockfile import Lock
    from imageai_envs.workflows.create import Plan


def warn_about_extras(plan: Plan, lock: Lock, reporter: Reporter) -> None:
    """Name the distributions that someone installed by hand into the environment that is replaced."""
    if condition_of(plan.root) is not Condition.FINISHED:
        return
    old = look_at(Environment(plan.name, plan.root, read_state(plan.root)))
    extra = [f"{item.name}=={item.version}" for item in by_hand(old, lock) if old.lock and not old.lock.pin(item.name)]
    if extra:
        options = " ".join(f"--with {text}" for text in extra)
        reporter.warn(
            f"installed by hand, so not in the new environment: {', '.join(extra)}   "
            f"(add it: imageai-env upgrade {plan.name} {options})"
        )


def warn_about_space(plan: Plan, reporter: Reporter) -> None:
    """Warn where the environment may not fit. Never refuse: with hardlinks from uv's cache it needs far less."""
    needed = plan.selection.template.variants[plan.selection.variant].disk_mb
    place = next(parent for parent in (plan.root, *plan.root.parents) if parent.exists())
    free = shutil.disk_usage(place).free // 1_000_000
    if free < needed:
        reporter.warn(f"the environment needs about {needed} MB; {free} MB are free at {place}")


def warn_about_gpu(plan: Plan, interpreter: Interpreter, reporter: Reporter) -> None:
    """Tell what keeps a GPU of this machine from the framework. Never refuse: images are built where there is none."""
    target = interpreter.target
    here = (target.platform, target.machine) == ("linux", "x86_64")
    if plan.selection.variant != "gpu" or not here:
        return
    from imageai_envs.doctor.inspections.gpu import before_install

    for finding in before_install(plan.selection.release, os.environ):
        tell = reporter.warn if finding.severity == "warning" else reporter.note
        tell(f"{finding.evidence}. {finding.cause}")
