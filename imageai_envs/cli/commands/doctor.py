"""``imageai-env doctor``."""

from __future__ import annotations

import importlib
import shutil
import textwrap
import threading
from typing import TYPE_CHECKING

import click

from imageai_envs.cli.options import Session, answers, optional_name_argument
from imageai_envs.result import Result, Table

if TYPE_CHECKING:
    from imageai_envs.diagnose.doctor import Diagnosis
    from imageai_envs.diagnose.subject import Subject
    from imageai_envs.finding import Finding

_LABEL = 6  # columns of `seen: ` and its kin


@click.command()
@optional_name_argument
@click.option("--python", metavar="EXE", help="Diagnose this Python: a path, or a command on PATH.")
@answers
def command(session: Session, /, name: str | None, python: str | None) -> Result:
    """Say what is wrong with an environment or Python, made by imageai-env or not, and what mends it.

    NAME is an environment; PATH is one too, or a project with a .venv in it, or a Python. Without either, the python
    that you get in this terminal is diagnosed. Nothing is changed. Exit 1 when something will fail.
    """
    # The inspections are loaded while the interpreter under diagnosis starts: a fifth of the time of a diagnosis.
    threading.Thread(target=importlib.import_module, args=("imageai_envs.diagnose.doctor",), daemon=True).start()
    from imageai_envs.diagnose.targets import resolve
    from imageai_envs.errors import UsageProblem

    if name is not None and python is not None:
        raise UsageProblem("Give NAME|PATH or --python, not both.", hint="imageai-env doctor --python /usr/bin/python3")
    subject = resolve(session.home, name, python)
    from imageai_envs.diagnose.doctor import diagnose

    diagnosis = diagnose(subject)
    data: dict[str, object] = {
        "subject": _subject(diagnosis.subject),
        "verdict": diagnosis.verdict,
        "findings": [finding.to_json() for finding in diagnosis.findings],
    }
    return Result("doctor", data, _text(diagnosis), exit_code=1 if diagnosis.errors else 0)


def _subject(subject: Subject) -> dict[str, object]:
    facts = subject.facts
    return {
        "label": subject.label,
        "executable": str(subject.executable),
        "root": str(subject.root) if subject.root else None,
        "kind": subject.kind,
        "environment": subject.environment.name if subject.environment else None,
        "python": ".".join(map(str, facts.version)) if facts else None,
        "tensorflow": subject.tensorflow.version if subject.tensorflow else None,
        "imageai": subject.version("imageai"),
        "keras": subject.version("keras"),
        "torch": subject.version("torch"),
        "numpy": subject.version("numpy"),
        "distributions": len(subject.winners),
    }


def _text(diagnosis: Diagnosis) -> list[str | Table]:
    width = max(40, min(shutil.get_terminal_size((100, 24)).columns, 120))
    text: list[str | Table] = [textwrap.fill(diagnosis.verdict, width, break_long_words=False, break_on_hyphens=False)]
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


def _finding(number: int, finding: Finding, width: int) -> list[str]:
    colours = {"error": "red", "warning": "yellow"}
    title = click.style(f"{finding.severity}: {finding.id}", fg=colours.get(finding.severity, "cyan"), bold=True)
    lines = [
        f"{number}. {title}",
        _paragraph("seen:", finding.evidence, width),
        _paragraph("why:", finding.cause, width),
    ]
    lines.append(f"   {'mend:':<{_LABEL}}{finding.fix}")  # never broken, so that it can be copied
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
