"""``imageai-env create``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import (
    FILE_TYPE,
    Session,
    answers,
    request_from,
    request_options,
    source_options,
    verify_option,
)

if TYPE_CHECKING:
    from imageai_envs.workflows.create import Created, Plan

_EPILOG = """\b
Examples:
  imageai-env create myproj --tf 2.10
  imageai-env create myproj --newest
  imageai-env create myproj --tf 2.4.0 --python 3.8 --with pandas
  imageai-env create --path .venv -r requirements-extra.txt
  imageai-env create myproj --lock requirements.lock.txt
"""


@click.command(epilog=_EPILOG)
@click.argument("name", required=False)
@request_options
@click.option("--lock", type=FILE_TYPE, metavar="FILE", help="Install this lock instead of resolving.")
@click.option(
    "--path",
    type=FILE_TYPE,
    metavar="DIR",
    help="Put it there (.venv) instead of the store.",
)
@source_options
@verify_option("How it is proved: ImageAI classifies a picture, is imported, or not at all.")
@click.option("--upgrade", is_flag=True, help="Resolve to the newest versions, not to the lock that was proved.")
@click.option("--newest", is_flag=True, help="The newest template for a Python that is here or can be fetched.")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
@click.option("--force", is_flag=True, help="Replace an environment that is there; it stays until the new one works.")
@answers
def command(session: Session, /, name: str | None, **options: Any) -> Result:
    """Create an environment and prove that ImageAI runs in it.

    Finds (or fetches) a Python, takes the template's verified lock (or resolves one, with hashes), builds an
    isolated virtual environment from it, and lets ImageAI classify a picture in it. If any of that fails, nothing is
    left behind.
    """
    from imageai_envs.workflows.create import CreateOptions, execute, plan_creation

    dry_run = options.pop("dry_run")
    wanted = CreateOptions(
        request=request_from(options),
        name=name,
        path=options["path"],
        lock=options["lock"],
        engine=options["engine"],
        verify=options["verify"],
        force=options["force"],
        download=not options["no_download"],
        upgrade=options["upgrade"],
        newest=options["newest"],
    )
    plan = plan_creation(wanted, session.context, dry_run=dry_run)
    if dry_run:
        return Result("create", {"plan": plan.to_json(), "dry_run": True}, _describe_plan(plan))
    return describe("create", execute(plan, session.context))


def describe(command_name: str, created: Created) -> Result:
    """Return the answer of a command that made an environment."""
    environment, state = created.environment, created.environment.state
    assert state is not None  # noqa: S101 - execute has just written it
    proof = {
        "inference": "ImageAI classified a picture in it",
        "imports": "ImageAI imports in it",
        "none": "not proved (--verify none)",
    }[created.verification.level]
    name = environment.name
    text = [
        f"{name}: {state.release} ({state.variant}) + ImageAI {state.imageai} on Python "
        f"{state.python_version}; {proof}.",
        f"  in   {environment.root}",
        f"  took {sum(created.seconds.values()):.1f} s "
        f"({', '.join(f'{step} {seconds:.1f}' for step, seconds in created.seconds.items())})",
        f"  run  imageai-env run {name} -- python your_script.py",
        f"  or   imageai-env shell {name}",
    ]
    data: dict[str, object] = {
        "environment": {"name": name, "root": str(environment.root), **state.to_json()},
        "verification": {
            "level": created.verification.level,
            "seconds": created.verification.seconds,
            "answer": created.verification.answer,
        },
        "kept": [kept.to_json() for kept in created.kept],
        "log": str(created.log),
    }
    return Result(command_name, data, text)


def _describe_plan(plan: Plan) -> list[str]:
    data = plan.to_json()
    python = (
        f"Python {plan.interpreter.version_text} at {plan.interpreter.executable} ({plan.interpreter.source})"
        if plan.interpreter
        else f"Python {plan.fetch}, to be fetched by uv"
    )
    lines = [
        f"Would {'replace' if plan.replaces else 'create'} {plan.name} in {plan.root}",
        f"  template     {data['template']} ({data['variant']}): {plan.selection.release}, ImageAI {data['imageai']}",
        f"  python       {python}",
        f"  engine       {data['engine']}",
        f"  lock         {data['lock']}",
    ]
    for title in ("requirements", "constraints", "dropped", "built_from_source"):
        values = data.get(title)
        if values and isinstance(values, list):
            lines.append(f"  {title.replace('_', ' '):<12} {', '.join(values)}")
    return [*lines, f"  verify       {data['verify']}", f"  disk         about {data['disk_mb']} MB"]
