"""``imageai-env doctor``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import Session, answers, optional_name_argument, source_options, verify_option

if TYPE_CHECKING:
    from imageai_envs.doctor.doctor import Diagnosis
    from imageai_envs.doctor.subject import Subject

_EPILOG = """\b
Examples:
  imageai-env doctor                        the python of this terminal
  imageai-env doctor .venv                  an environment, or a project's
  imageai-env doctor --python python3.9     any Python
  imageai-env doctor .venv --fix --name myproj
"""


@click.command(epilog=_EPILOG)
@optional_name_argument
@click.option("--python", metavar="EXE", help="Diagnose this Python: a path, or a command on PATH.")
@click.option("--fix", is_flag=True, help="Create a clean environment from what is installed; this one stays as it is.")
@click.option("--name", "new", metavar="NAME", help="The name of the clean environment; default: made from this one's.")
@click.option("--template", metavar="NAME|FILE", help="The template of the clean environment.")
@verify_option("How the clean environment is proved.")
@source_options
@answers
def command(
    session: Session, /, name: str | None, python: str | None, *, fix: bool, new: str | None, **options: Any
) -> Result:
    """Say what is wrong with an environment or Python, whoever made it, and what fixes it.

    NAME is an environment; PATH is one too, or a project with a .venv in it, or a Python. Without either, the python
    that you get in this terminal is diagnosed. Nothing of it is changed, --fix creates another one. Exit 1 when
    something will fail.
    """
    from imageai_envs.base.errors import UsageProblem
    from imageai_envs.doctor.targets import resolve

    if name is not None and python is not None:
        raise UsageProblem("Give NAME|PATH or --python, not both.", hint="imageai-env doctor --python /usr/bin/python3")
    if new is not None and not fix:
        raise UsageProblem("--name names what --fix creates.", hint=f"imageai-env doctor --fix --name {new}")
    subject = resolve(session.home, name, python)
    from imageai_envs.cli.findings import diagnosis_text
    from imageai_envs.doctor.doctor import diagnose

    diagnosis = diagnose(subject)
    data: dict[str, object] = {
        "subject": _subject(diagnosis.subject),
        "verdict": diagnosis.verdict,
        "findings": [finding.to_json() for finding in diagnosis.findings],
    }
    text = diagnosis_text(diagnosis)
    if not fix:
        if len(diagnosis.errors) > 1 and not subject.environment:
            way = f"--python {shlex.quote(python)}" if python else shlex.quote(name) if name else ""
            text += ["", f"All at once, in a clean environment: imageai-env doctor {way} --fix".replace("  ", " ")]
        return Result("doctor", data, text, exit_code=1 if diagnosis.errors else 0)
    if all(finding.severity == "note" for finding in diagnosis.findings):
        return Result("doctor", {**data, "rescue": None}, [*text, "", "There is nothing to fix."])
    made = _fix(session, diagnosis, new, options)
    return Result("doctor", {**data, **made.data}, [*text, "", *made.text])


def _fix(session: Session, diagnosis: Diagnosis, new: str | None, options: dict[str, Any]) -> Result:
    """Create a clean environment from what is installed in the one that was diagnosed."""
    from imageai_envs.cli.commands.create import describe
    from imageai_envs.cli.commands.rescue import describe_plan
    from imageai_envs.doctor.targets import free_name
    from imageai_envs.rescue import RescueOptions, carry_out, check_name, plan_rescue_of

    subject = diagnosis.subject
    chosen = new or free_name(subject, session.home)
    check_name(chosen, session.home)
    wanted = RescueOptions(
        template=options["template"],
        engine=options["engine"],
        download=not options["no_download"],
        verify=options["verify"],
    )
    label = str(subject.root or subject.executable)
    python = subject.facts.minor if subject.facts else ""
    plan = plan_rescue_of(subject.winners.values(), label, python, session.context, wanted)
    made = describe("doctor", carry_out(plan, chosen, session.context))
    return Result("doctor", {"rescue": plan.to_json(), "created": made.data}, [*describe_plan(plan), "", *made.text])


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
