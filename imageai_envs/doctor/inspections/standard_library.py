"""tkinter: some Pythons come without it, and ImageAI imports it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Facts, Subject

_LIBRARY = re.compile(r"lib(?:tk|tcl)\d\.\d")


def inspect(subject: Subject) -> list[Finding]:
    """Find an ImageAI 3 whose Python cannot import tkinter."""
    facts = subject.facts
    if facts is None or not facts.no_tkinter or not subject.has("imageai", ">=3"):
        return []
    if subject.tensorflow and not subject.has("torch"):
        return []  # the wrong ImageAI (breakers.py): what that one lacks is beside the point
    return [
        Finding(
            "tkinter-missing", "error", str(subject.executable),
            f"its Python cannot import tkinter: {facts.no_tkinter}",
            "ImageAI 3 begins with 'from tkinter import Image' (imageai/Detection/__init__.py), though it shows no "
            "windows. Debian and Ubuntu pack tkinter apart, slim images leave Tk out, and pyenv builds without it "
            "where tk-dev is not installed. No pip brings it: it belongs to the Python.",
            _fix(subject, facts),
            link="https://docs.python.org/3/library/tkinter.html",
        )
    ]  # fmt: skip


def _fix(subject: Subject, facts: Facts) -> str:
    """Return what brings it to the Python below, where that is known; else an environment upon one that has it."""
    fresh = remedy.fresh(subject)
    library = _LIBRARY.search(facts.no_tkinter)
    if facts.sys_platform == "darwin":
        return f"brew install python-tk@{facts.minor}   (or, upon a Python that has it: {fresh})"
    if library and facts.sys_platform.startswith("linux"):
        return f"apt install {library[0]}   (or, upon a Python that has it: {fresh})"
    if facts.base_prefix.as_posix() == "/usr":
        return f"apt install python{facts.minor}-tk   (or, upon a Python that has it: {fresh})"
    return f"{fresh}   (it takes a Python that has tkinter)"
