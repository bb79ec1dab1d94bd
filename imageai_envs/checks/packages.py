"""Are exactly the locked distributions installed? Told from the names of dist-info directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.checks.view import SEEDS

if TYPE_CHECKING:
    from imageai_envs.checks.view import View
    from imageai_envs.installed.distributions import Distribution
    from imageai_envs.locks.lockfile import Lock


def inspect(view: View) -> list[Finding]:
    """Find distributions that are missing, extra, of another version, or there twice."""
    if view.lock is None or view.site is None:
        return []
    fix = view.environment.fix_by("repair")
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
                    "An installation was interrupted, or two installers worked on one directory.",
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
                    "Someone installed it by hand (pip install).",
                    fix,
                    pin.name,
                )
            )
    findings += [
        Finding(
            "extra",
            "warning",
            item.name,
            f"{item.name} {item.version} is installed and not locked",
            "Someone installed it by hand; a recreated environment will not have it.",
            f"imageai-env sync {view.name}   (or lock it: imageai-env upgrade {view.name} --with {item.name})"
            if view.environment.ours
            else view.environment.fix_by("sync"),
        )
        for item in by_hand(view, view.lock)
    ]
    return findings


def by_hand(view: View, lock: Lock) -> list[Distribution]:
    """Return the installed distributions that neither ``lock`` nor we account for, one of each name."""
    found = {item.name: item for item in reversed(view.installed)}
    known = SEEDS | view.additions.distributions
    return [found[name] for name in sorted(found) if lock.pin(name) is None and name not in known]
