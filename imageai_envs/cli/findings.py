"""A diagnosis in words for people: the verdict first, then what there is, then why and what to do."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from imageai_envs.base.result import Span, Table

if TYPE_CHECKING:
    from imageai_envs.base.finding import Finding
    from imageai_envs.base.result import Line
    from imageai_envs.doctor.doctor import Diagnosis
    from imageai_envs.doctor.subject import Subject

_LABEL = 6  # columns of `seen: ` and the others


def diagnosis_text(diagnosis: Diagnosis) -> list[Line | Table]:
    """Return a verdict, a table, and each finding with its evidence, cause and fix."""
    width = max(40, min(shutil.get_terminal_size((100, 24)).columns, 120))
    text: list[Line | Table] = [textwrap.fill(diagnosis.verdict, width, break_long_words=False, break_on_hyphens=False)]
    text.append(f"Looked at: {diagnosis.subject.executable}{_where(diagnosis.subject)}")
    if not diagnosis.findings:
        return text
    rows = tuple(
        (str(number), finding.severity, finding.id, finding.subject)
        for number, finding in enumerate(diagnosis.findings, 1)
    )
    text += ["", Table(("#", "SEVERITY", "WHAT", "ABOUT"), rows)]
    for number, finding in enumerate(diagnosis.findings, 1):
        text += ["", *_finding(number, finding, width)]
    return text


def _where(subject: Subject) -> str:
    if subject.environment:
        return f"   (environment {subject.environment.name})"
    kinds = {"venv": "virtual environment", "conda": "conda environment", "global": "no environment of its own"}
    return f"   ({kinds[subject.kind]})"


def _finding(number: int, finding: Finding, width: int) -> list[Line]:
    colours = {"error": "red", "warning": "yellow"}
    lines: list[Line] = [
        (f"{number}. ", Span(f"{finding.severity}: {finding.id}", colours.get(finding.severity, "cyan"))),
        _paragraph("seen:", finding.evidence, width),
        _paragraph("why:", finding.cause, width),
    ]
    lines.append(f"   {'fix:':<{_LABEL}}{finding.fix}")  # never broken, so that it can be copied
    if finding.link:
        lines.append(f"   {'see:':<{_LABEL}}{finding.link}")
    return lines


def _paragraph(label: str, text: str, width: int) -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=f"   {label:<{_LABEL}}",
        subsequent_indent=" " * (3 + _LABEL),
        break_long_words=False,
        break_on_hyphens=False,
    )
