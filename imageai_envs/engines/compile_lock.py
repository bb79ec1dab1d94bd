"""From a request to a lock: what is resolved, by whom, and what is done about ImageAI's wrong metadata.

Everything is resolved *without* ImageAI (its real dependencies stand in the template); ImageAI is then pinned alone
and appended. A resolver-wide override would also erase TensorFlow's own caps: Keras 3 beside TensorFlow 2.15 was
seen that way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imageai_envs.base.errors import UnsolvableError
from imageai_envs.base.scratch import scratch
from imageai_envs.engines.base import Resolution
from imageai_envs.locks.lockfile import Lock, Pin

if TYPE_CHECKING:
    from imageai_envs.base.context import Context
    from imageai_envs.engines.base import Engine
    from imageai_envs.locks.inputs import LockInputs
    from imageai_envs.request.interpreter import Interpreter


def resolution_of(
    inputs: LockInputs, preferred: tuple[Pin, ...] = (), upgrade: frozenset[str] = frozenset()
) -> Resolution:
    """Return what an engine is given."""
    return Resolution(
        inputs.requirements, inputs.constraints, inputs.alone, inputs.built, inputs.target, preferred, upgrade
    )


def check_clashes(inputs: LockInputs) -> None:
    """Find a requirement of the user that no version can satisfy together with the template, before any download.

    Raises:
        UnsolvableError: with both requirements, the reason of the cap and its source.
    """
    template = inputs.selection.template
    environment = inputs.target.marker_environment()
    reasons = {cap.distribution: cap for cap in template.caps if cap.releases.contains(inputs.selection.version)}
    fixed = [Requirement(text) for text in (*inputs.constraints, *inputs.requirements)]
    replaced = [Requirement(f"imageai=={template.imageai.version}")]
    for text in inputs.extras:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate(environment):
            continue
        for own in (*fixed, *replaced):
            if canonicalize_name(own.name) != canonicalize_name(wanted.name) or str(own) == str(wanted):
                continue
            if (own.specifier & wanted.specifier).is_unsatisfiable():
                cap = reasons.get(canonicalize_name(own.name)) if str(own) in inputs.constraints else None
                why = f"\n  Why the template has it: {cap.reason} (source: {cap.source})" if cap else ""
                raise UnsolvableError(
                    f"Your requirement {text!r} and {str(own)!r} of template {template.name} exclude each other.{why}",
                    hint=f"Drop {text!r}, or ask for a version of {own.name} that {str(own.specifier)!r} allows.",
                    code="clash",
                )


def compile_lock(
    inputs: LockInputs,
    engine: Engine,
    interpreter: Interpreter,
    context: Context,
    *,
    preferred: tuple[Pin, ...] = (),
    upgrade: frozenset[str] = frozenset(),
) -> Lock:
    """Resolve ``inputs`` for ``interpreter`` and return the closed lock.

    Args:
        inputs: what the lock is for.
        engine: who resolves.
        interpreter: a Python of the target's minor; of the target itself, if the engine is pip.
        context: directories, reporter and log of the command.
        preferred: pins to keep where possible, so that a new lock differs only where it must.
        upgrade: names whose preferred pin is not kept.

    Raises:
        UnsolvableError: no set of versions satisfies everything.
        InstallError: index, network or disk.
    """
    check_clashes(inputs)
    what = f"{inputs.selection.template.name} ({inputs.selection.variant})"
    context.reporter.step(f"resolving {what} for {inputs.target} with {engine.name}")
    with scratch(context.home, "lock") as work:
        resolution = resolution_of(inputs, preferred, upgrade)
        pins = engine.resolve(resolution, interpreter, work, context)
    kept = tuple(pin for pin in pins if pin.name not in inputs.dropped)
    names = frozenset(pin.name for pin in kept)
    # A distribution that was only there for another's sake keeps no word of the one that was left out.
    kept = tuple(Pin(pin.name, pin.version, pin.hashes, tuple(v for v in pin.via if v in names)) for pin in kept)
    return Lock(inputs.header(engine.describe(interpreter), names), kept)
