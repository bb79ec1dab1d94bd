"""``imageai-env rescue``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imageai_envs.base.result import Result, Table
from imageai_envs.cli.options import FILE_TYPE, Session, answers, source_options, verify_option

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.rescue import Rescue

_EPILOG = """\b
Examples:
  imageai-env rescue requirements.txt                 what cannot work, and what would
  imageai-env rescue requirements.txt --name myproj   and create it
  imageai-env rescue environment.yml -o requirements.lock.txt
  imageai-env rescue old-project/.venv --name myproj
"""
_FEW = 40  # rows; of a longer listing those that stay are only counted


@click.command(epilog=_EPILOG)
@click.argument("source", metavar="FILE|PATH", type=FILE_TYPE)
@click.option("--name", metavar="NAME", help="Create the clean environment under this name.")
@click.option("-o", "--output", type=FILE_TYPE, metavar="FILE", help="Write the clean set as a lock.")
@click.option("--tf", "--tensorflow", "tensorflow", metavar="VERSION", help="Take this TensorFlow instead.")
@click.option("--torch", metavar="VERSION", help="Take this PyTorch, and ImageAI 3, instead.")
@click.option("--template", metavar="NAME|FILE", help="Take this template instead.")
@click.option("--cpu/--gpu", "cpu", default=None, help="For the processor or for CUDA; default: as FILE asks for.")
@click.option("--python", metavar="VERSION|PATH", help="The Python to use; default: as FILE asks for, if it works.")
@source_options
@verify_option("How the created environment is proved.")
@answers
def command(session: Session, /, source: Path, name: str | None, output: Path | None, **options: Any) -> Result:
    """Make a working environment of a requirements file or a broken environment.

    Reads requirements.txt, pip freeze, environment.yml, pyproject.toml or an environment's directory; says what
    cannot work and why, and the nearest set that does. FILE|PATH itself is never changed, and nothing of it is run.
    """
    from imageai_envs.cli.commands.create import describe
    from imageai_envs.rescue import RescueOptions, carry_out, check_name, plan_rescue, write_lock_to

    wanted = RescueOptions(
        tensorflow=options["tensorflow"],
        template=options["template"],
        variant=None if options["cpu"] is None else "cpu" if options["cpu"] else "gpu",
        python=options["python"],
        engine=options["engine"],
        download=not options["no_download"],
        verify=options["verify"],
        torch=options["torch"],
    )
    if name is not None:
        check_name(name, session.home)
    plan = plan_rescue(source, session.context, wanted)
    text = describe_plan(plan)
    data = plan.to_json()
    if output is not None:
        write_lock_to(plan, output)
        data["lock"] = str(output)
        text.append(f"Wrote {output}.")
    if name is None:
        text += _ways(plan, output)
        return Result("rescue", data, text)
    made = describe("rescue", carry_out(plan, name, session.context))
    return Result("rescue", {**data, "created": made.data}, [*text, "", *made.text])


def describe_plan(plan: Rescue) -> list[str | Table]:
    """Return a plan for people: what cannot work, what does, and every line's fate (``doctor --fix`` shows it too)."""
    """Return a plan for people: what cannot work, then what becomes of each line."""
    label, template = plan.source.label, plan.selection.template
    text: list[str | Table] = []
    if plan.problems:
        count = len(plan.problems)
        text.append(f"{label} cannot work as it is: {count} problem{'s' if count > 1 else ''}.")
        for problem in plan.problems:
            text.append(f"  {f'{problem.place}: ' if problem.place else ''}{problem.requirement}")
            text.append(f"    {problem.why}{f' Nearest: {problem.nearest}.' if problem.nearest else ''}")
    else:
        text.append(f"{label}: nothing in it is known not to work.")
    text += [f"  note: {note}" for note in plan.source.notes]
    python = f" on Python {plan.interpreter.version_text}" if plan.interpreter else ""
    text.append(
        f"Nearest that works: template {template.name} ({plan.selection.variant}), "
        f"{plan.selection.release} + ImageAI {template.imageai.version}{python}."
    )
    if plan.unchecked:
        text.append(f"Not checked against the index: {plan.unchecked}")
    rows = [change for change in plan.changes if change.action != "kept" or len(plan.changes) <= _FEW]
    table = tuple((row.action, row.line, row.before, row.after, row.why) for row in rows)
    text.append(Table(("Change", "Where", "Was", "Becomes", "Why"), table))
    if len(rows) < len(plan.changes):
        text.append(f"{len(plan.changes) - len(rows)} others stay as they are.")
    return text


def _ways(plan: Rescue, output: Path | None) -> list[str]:
    if output is not None:
        return [f"Create it: imageai-env create NAME --lock {output}"]
    return [f"Create it: imageai-env rescue {plan.source.label} --name NAME", f"The same: {plan.create_command}"]
