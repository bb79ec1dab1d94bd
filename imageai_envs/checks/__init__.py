"""Is an environment still what its lock says? One inspection per module; nothing of the environment is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.checks import beside_lock, files, foreign, interpreter, packages, scripts, users_files
from imageai_envs.checks.view import View, look_at

if TYPE_CHECKING:
    from imageai_envs.environments.environment import Environment

__all__ = ["Finding", "View", "check", "check_quickly", "faults", "look_at"]

_QUICK = (interpreter.inspect, packages.inspect, beside_lock.inspect)
_THOROUGH = (*_QUICK, foreign.inspect, scripts.inspect, files.inspect, users_files.inspect)


def check_quickly(environment: Environment) -> tuple[Finding, ...]:
    """Return what names and links show, without reading files: milliseconds, for listings."""
    return _run(environment, _QUICK)


def check(environment: Environment) -> tuple[Finding, ...]:
    """Return everything that is wrong, hashing every installed file: seconds for a gigabyte."""
    return _run(environment, _THOROUGH)


def faults(environment: Environment) -> tuple[Finding, ...]:
    """Return what :func:`check` finds wrong, without what is only worth knowing."""
    return tuple(finding for finding in check(environment) if finding.severity != "note")


def _run(environment: Environment, inspections: tuple[object, ...]) -> tuple[Finding, ...]:
    view = look_at(environment)
    findings = list(view.problems)
    for inspect in inspections:
        findings += inspect(view)  # type: ignore[operator]
    return tuple(findings)
