"""Did another manager work in here? conda leaves its own records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding

if TYPE_CHECKING:
    from imageai_envs.checks.view import View


def inspect(view: View) -> list[Finding]:
    """Find traces of conda in the environment."""
    findings = []
    fix = view.environment.fix_by("repair")
    meta = view.environment.root / "conda-meta"
    if meta.exists():
        findings.append(
            Finding(
                "conda-meta",
                "error",
                str(meta),
                "conda installed packages into this environment",
                "conda and pip overwrite each other's files without knowing.",
                fix,
            )
        )
    findings += [
        Finding(
            "conda-installed",
            "error",
            item.name,
            f"{item.name} {item.version} was installed by conda",
            "conda install was run with this environment active or as --prefix.",
            fix,
            item.name,
        )
        for item in view.installed
        if item.installer == "conda"
    ]
    return findings
