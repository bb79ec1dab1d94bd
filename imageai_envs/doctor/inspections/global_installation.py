"""Are TensorFlow, Keras or ImageAI installed where every project shares them?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.request.stack import MODULES

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Subject
    from imageai_envs.installed.distributions import Distribution

_HEAVY = (*MODULES["tensorflow"], *MODULES["keras"], "imageai")


def inspect(subject: Subject) -> list[Finding]:
    """Find them in a system Python, in the user site, or in conda's base."""
    if subject.facts is None or subject.kind == "venv":
        return []
    installed = [subject.winners[name] for name in _HEAVY if name in subject.winners]
    if subject.kind == "conda":
        return _base(subject, installed) if os.path.isdir(subject.facts.prefix / "condabin") else []  # noqa: PTH112
    user = subject.facts.user_site
    findings = []
    for where, items in (
        ("the user site", [item for item in installed if item.site == user]),
        ("the system's Python", [item for item in installed if item.site != user]),
    ):
        if items:
            findings.append(
                Finding(
                    "global-installation",
                    "warning",
                    str(items[0].site),
                    f"{_listing(items)} in {where}, {items[0].site}",
                    "pip was run without an environment. All projects of this Python share these versions: the next "
                    "'pip install' for another project changes them, and ImageAI 2 needs versions that others do not.",
                    f"{remedy.fresh(subject)}   (then: imageai-env run myproj -- python your_script.py)",
                    link="https://packaging.python.org/en/latest/guides/installing-using-pip-and-virtual-environments/",
                )
            )
    return findings


def _base(subject: Subject, installed: list[Distribution]) -> list[Finding]:
    if not installed:
        return []
    return [
        Finding(
            "global-installation",
            "warning",
            str(subject.root),
            f"{_listing(installed)} in conda's base environment",
            "The base environment is conda's own: what is installed there conflicts with what conda itself needs, and "
            "every other project sees it.",
            remedy.fresh(subject),
            link="https://docs.conda.io/projects/conda/en/stable/user-guide/getting-started.html",
        )
    ]


def _listing(items: list[Distribution]) -> str:
    return ", ".join(f"{item.name} {item.version}" for item in items)
