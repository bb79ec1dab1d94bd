"""All inspections of one interpreter, in the order in which their findings are to be read, and the verdict."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.base.redaction import redact
from imageai_envs.doctor.inspections import (
    breakers,
    damaged,
    global_installation,
    gpu,
    kernels,
    machine,
    managers,
    overlaps,
    pairs,
    requirements,
    shadowing,
    standard_library,
    torch_gpu,
    venv_misuse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from imageai_envs.doctor.subject import Subject

    Inspection = Callable[[Subject], list[Finding]]

INSPECTIONS: tuple[Inspection, ...] = (
    venv_misuse.inspect,
    shadowing.inspect,
    overlaps.inspect,
    damaged.inspect,
    managers.inspect,
    breakers.inspect,
    pairs.inspect,
    requirements.inspect,
    standard_library.inspect,
    global_installation.inspect,
    gpu.inspect,
    torch_gpu.inspect,
    machine.inspect,
    kernels.inspect,
)

_SEVERITIES = ("error", "warning", "note")
# Root causes before their consequences, within a severity. What is not named here stands at its end.
_ORDER = (
    "python-missing", "python-not-executable", "pyvenv-cfg", "moved", "pythonhome", "python-silent",
    "system-site-packages", "pythonpath-shadows", "user-site-shadows", "module-shadowed",
    "imageai-3-tensorflow", "overlap", "duplicate", "file-missing", "file-altered", "other-python", "conda-and-pip",
    "missing", "other-version",
    "module-without-distribution", "imageai-tensorflow-1", "imageai-too-old", "tensorflow-missing", "torch-missing",
    "tkinter-missing", "hook-missing", "hook-outdated", "hook-needed", "tensorflow-keras-3", "numpy-2", "protobuf-4",
    "keras-3", "keras-mismatch", "keras-nightly",
    "torchvision-mismatch", "torchvision-build", "numpy-2-torch", "numpy-2-matplotlib", "matplotlib-3.6",
    "h5py-3", "tensorflow-optimizers", "numpy-1.24", "missing-requirement", "unmet-requirement",
    "global-installation", "pip-in-conda", "conda-over-venv",
)  # fmt: skip
_LAST = ("python-unsupported", "no-venv")
_SENTENCE = re.compile(r"(?<=[.:]) ")
_CONSEQUENCES = ("unmet-requirement", "missing-requirement")


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        subject: what was looked at.
        findings: errors first, root causes before consequences.
        verdict: one sentence.
    """

    subject: Subject
    findings: tuple[Finding, ...]
    verdict: str

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return the findings that say that something will fail."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def diagnose(subject: Subject, inspections: tuple[Inspection, ...] = INSPECTIONS) -> Diagnosis:
    """Inspect ``subject``. Nothing is changed, and nothing of it runs but the interpreter that already answered.

    An inspection that fails on what nobody foresaw becomes a finding itself, and does not keep the others from
    answering.
    """
    findings = _silence(subject)
    if subject.environment:
        from imageai_envs.checks import check_quickly

        findings += check_quickly(subject.environment)
    for inspect in inspections:
        findings += _safely(inspect, subject)
    ordered = tuple(_redacted(finding) for finding in _order(_merge(subject, findings)))
    return Diagnosis(subject, ordered, _verdict(subject, ordered))


def _safely(inspect: Inspection, subject: Subject) -> list[Finding]:
    try:
        return inspect(subject)
    except Exception as error:  # noqa: BLE001 - someone's damaged files must not hide the other findings
        name = inspect.__module__.rpartition(".")[2]
        return [
            Finding(
                "not-inspected",
                "note",
                name,
                f"the inspection '{name}' failed: {type(error).__name__}: {error}",
                "Something in there is damaged in a way that was not foreseen; the other inspections answered.",
                "report it at the project's page, with this line",
            )
        ]


def _silence(subject: Subject) -> list[Finding]:
    if subject.facts is not None:
        return []
    return [
        Finding(
            "python-silent",
            "error",
            str(subject.executable),
            f"asked what it is, {subject.executable} did not answer: {subject.silence}",
            "It is broken, hangs while it starts (a .pth file or sitecustomize that waits, a network drive), or is no "
            "Python. What could be read without it follows.",
            _revive(subject),
        )
    ]


def _revive(subject: Subject) -> str:
    from imageai_envs.doctor import remedy

    if subject.environment:
        return subject.environment.fix_by("recreate")
    return remedy.fresh(subject)


def _merge(subject: Subject, findings: list[Finding]) -> list[Finding]:
    """Keep the most severe of duplicate findings, and fold consequences into their causes."""
    kept: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.id, finding.subject)
        if key not in kept or _rank(finding.severity) < _rank(kept[key].severity):
            kept[key] = finding
    if any(finding.id == "python-missing" for finding in findings):
        kept = {key: finding for key, finding in kept.items() if key[0] != "python-silent"}
    # What comes from elsewhere and breaks something is the root of what it breaks.
    broken = {finding.distribution or finding.subject for finding in kept.values() if finding.severity == "error"}
    for id_ in shadowing.blamed(subject, broken):
        kept |= {key: replace(found, severity="error") for key, found in kept.items() if key[0] == id_}
    # A named cause says more than 'wants keras<2.11': that becomes its evidence.
    named: dict[str, tuple[str, str]] = {}
    for finding in _order(list(kept.values())):
        if finding.id not in _CONSEQUENCES and finding.severity == "error":
            named.setdefault(finding.distribution or finding.subject, (finding.id, finding.subject))
    for key, finding in list(kept.items()):
        cause = named.get(finding.subject)
        if finding.id in _CONSEQUENCES and cause is not None:
            wanted = finding.evidence.partition("; ")[2]
            kept[cause] = replace(kept[cause], evidence=f"{kept[cause].evidence}; {wanted}")
            del kept[key]
    return list(kept.values())


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def _order(findings: list[Finding]) -> list[Finding]:
    def place(finding: Finding) -> tuple[int, int]:
        if finding.id in _ORDER:
            return _rank(finding.severity), _ORDER.index(finding.id)
        return _rank(finding.severity), len(_ORDER) + (finding.id in _LAST)

    return sorted(findings, key=place)


def _redacted(finding: Finding) -> Finding:
    """Return it without credentials: requirements by address and indexes in commands may hold some."""
    return replace(finding, **{field.name: redact(getattr(finding, field.name)) for field in fields(finding)})


def _verdict(subject: Subject, findings: tuple[Finding, ...]) -> str:
    errors = [finding for finding in findings if finding.severity == "error"]
    warnings = sum(finding.severity == "warning" for finding in findings)
    if errors:
        more = f" ({_count(len(errors) - 1, 'further error')})" if len(errors) > 1 else ""
        why = _SENTENCE.split(errors[0].cause, maxsplit=1)[0].rstrip(".:,")
        return f"Something will fail: {errors[0].evidence.partition('; ')[0].rstrip('.')}. {why}.{more}"
    what = summary(subject)
    if subject.tensorflow is None and not subject.has("imageai"):
        remark = f" {_count(warnings, 'warning')}." if warnings else ""
        return f"Neither TensorFlow nor ImageAI is installed here.{remark}"
    if warnings:
        return f"{what}: nothing that is known to fail, and {_count(warnings, 'warning')}."
    return f"{what}: nothing wrong was found."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def summary(subject: Subject) -> str:
    """Return what matters in one line: TensorFlow, ImageAI, Python."""
    parts = []
    if subject.tensorflow:
        parts.append(f"TensorFlow {subject.tensorflow.version}")
    if subject.has("imageai"):
        parts.append(f"ImageAI {subject.version('imageai')}")
    if subject.has("torch"):
        parts.append(f"PyTorch {subject.version('torch')}")
    python = f"Python {'.'.join(map(str, subject.facts.version))}" if subject.facts else "a Python that does not answer"
    return f"{' with '.join(parts)} on {python}" if parts else python
