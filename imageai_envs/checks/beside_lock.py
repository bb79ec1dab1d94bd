"""Are the links to the CUDA libraries and the runtime hook as they should be?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.building import hook
from imageai_envs.building.cuda_links import is_right
from imageai_envs.request.stack import HOOK

if TYPE_CHECKING:
    from imageai_envs.checks.view import View

_ENOUGH = 3  # links named


def inspect(view: View) -> list[Finding]:
    """Find links that are missing or lead elsewhere, and a hook that is gone or old."""
    if view.site is None:
        return []
    findings = []
    fix = view.environment.fix_by("repair")
    wrong = [
        name for name, target in view.additions.links.items() if not is_right(view.site / "tensorflow" / name, target)
    ]
    if wrong:
        shown = ", ".join(wrong[:_ENOUGH]) + (f" and {len(wrong) - _ENOUGH} more" if len(wrong) > _ENOUGH else "")
        findings.append(
            Finding(
                "cuda-links",
                "error",
                str(view.site / "tensorflow"),
                f"{len(wrong)} links to CUDA libraries are missing or broken: {shown}",
                "TensorFlow or a CUDA wheel was reinstalled by hand. TensorFlow will not see the GPU.",
                fix,
            )
        )
    if view.additions.hook:
        findings += _hook(view, view.additions.hook, fix)
    return findings


def _hook(view: View, recorded: str, fix: str) -> list[Finding]:
    versions = {item.name: item.version for item in view.installed}
    installed = versions.get(HOOK, "")
    acting = hook.rows_of(installed, versions)
    absent = [shim for shim in hook.shims_for(versions) if shim.name not in acting]
    without = (
        f"Without it: {' '.join(shim.why for shim in absent)}" if absent else "Nothing here needs more than it does."
    )
    if not installed:
        evidence = f"{HOOK} {recorded} was installed and is not there"
        return [Finding("hook-missing", "error", HOOK, evidence, f"It was uninstalled. {without}", fix, HOOK)]
    if not hook.is_outdated(installed):
        return []
    severity = "error" if absent else "note"
    evidence = f"{HOOK} {installed} is installed; {hook.VERSION} is what this tool has now"
    return [
        Finding(
            "hook-outdated",
            severity,
            HOOK,
            evidence,
            f"An older version of this tool put it there. {without}",
            fix,
            HOOK,
        )
    ]
