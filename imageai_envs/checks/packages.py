"""Are exactly the locked distributions installed? Told from the names of dist-info directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.checks.view import SEEDS
from imageai_envs.finding import Finding

if TYPE_CHECKING:
    from imageai_envs.checks.view import View
    from imageai_envs.distributions import Distribution


def inspect(view: View) -> list[Finding]:
    """Find distributions that are missing, extra, of another version, or there twice."""
    if view.lock is None or view.site is None:
        return []
    fix = f"imageai-env repair {view.name}"
    have: dict[str, list[Distribution]] = {}
    for item in view.installed:
        have.setdefault(item.name, []).append(item)
    findings = []
    for pin in view.lock.pins:
        copies = have.get(pin.name, [])
        if len(copies) > 1:
            versions = ", ".join(sorted(copy.version for copy in copies))
            findings.append(
                Finding(
                    "duplicate",
                    "error",
                    pin.name,
                    f"{pin.name} is recorded {len(copies)} times: {versions}",
                    "An installation was broken off, or two installers worked on one directory.",
                    fix,
                    pin.name,
                )
            )
        elif not copies:
            findings.append(
                Finding(
                    "missing",
                    "error",
                    pin.name,
                    f"{pin.name}=={pin.version} is locked and not installed (no dist-info)",
                    "It was uninstalled, or its dist-info was deleted.",
                    fix,
                    pin.name,
                )
            )
        elif copies[0].version != pin.version:
            findings.append(
                Finding(
                    "other-version",
                    "error",
                    pin.name,
                    f"{pin.name} {copies[0].version} is installed, {pin.version} is locked",
                    "Somebody installed it by hand (pip install).",
                    fix,
                    pin.name,
                )
            )
    for name in sorted(have):
        if view.lock.pin(name) is None and name not in SEEDS | view.additions.distributions:
            version = have[name][0].version
            findings.append(
                Finding(
                    "extra",
                    "warning",
                    name,
                    f"{name} {version} is installed and not locked",
                    "Somebody installed it by hand; a recreated environment will not have it.",
                    f"imageai-env sync {view.name}   (or lock it: imageai-env upgrade {view.name} --with {name})",
                )
            )
    return findings
