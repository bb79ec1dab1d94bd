"""Are the links to the CUDA libraries and the runtime hook as they were made?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.building.cuda_links import is_right
from imageai_envs.request.stack import HOOK

if TYPE_CHECKING:
    from imageai_envs.checks.view import View

_ENOUGH = 3  # links named


def inspect(view: View) -> list[Finding]:
    """Find links that are missing or lead elsewhere, and a hook that is gone."""
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
    if view.additions.hook and not any(item.name == HOOK for item in view.installed):
        findings.append(
            Finding(
                "hook-missing",
                "error",
                HOOK,
                f"{HOOK} {view.additions.hook} was installed and is not there",
                "It was uninstalled. Without it ImageAI cannot train with TensorFlow 2.11-2.15, or XLA not find CUDA.",
                fix,
                HOOK,
            )
        )
    return findings
