"""Did another manager work in here? conda leaves its own records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.checks.finding import Finding

if TYPE_CHECKING:
    from imageai_envs.checks.view import View


def inspect(view: View) -> list[Finding]:
    """Find traces of conda in the environment."""
    findings = []
    fix = f"imageai-env repair {view.name}"
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
    for item in view.installed:
        try:
            installer = (item.path / "INSTALLER").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue
        if installer == "conda":
            findings.append(
                Finding(
                    "conda-installed",
                    "error",
                    item.name,
                    f"{item.name} {item.version} was installed by conda",
                    "conda install was run with this environment active or as --prefix.",
                    fix,
                    item.name,
                )
            )
    return findings
