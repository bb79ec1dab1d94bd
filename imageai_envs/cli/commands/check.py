"""``imageai-env check``."""

from __future__ import annotations

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import Session, answers, optional_name_argument


@click.command()
@optional_name_argument
@click.option("--all", "every", is_flag=True, help="Check every environment.")
@click.option("--deep", is_flag=True, help="Also let ImageAI classify a picture in it.")
@answers
def command(session: Session, /, name: str | None, every: bool, deep: bool) -> Result:
    """Compare an environment with its lock: Python, distributions, every file's hash, scripts.

    Nothing of the environment is run (except with --deep). Exit 1 when something is wrong.
    """
    from imageai_envs.base.errors import UsageProblem, VerifyError
    from imageai_envs.base.finding import Finding
    from imageai_envs.checks import check
    from imageai_envs.environments.store import Store
    from imageai_envs.verification.verify import verify

    store = Store(session.context)
    if every == (name is not None):
        raise UsageProblem("Give one environment, or --all.", hint="imageai-env check NAME")
    environments = store.all() if every else [store.get(name or "")]
    text: list[str] = []
    answers_: list[dict[str, object]] = []
    wrongs: list[bool] = []
    for environment in environments:
        findings = list(check(environment))
        if deep and all(finding.severity == "note" for finding in findings):
            context = session.context.logged(environment.name, "check")
            try:
                verify(environment.root, environment.lock(), "inference", context)
            except VerifyError as error:
                why = "What is installed is what is locked, and still it fails: look at the machine."
                findings.append(
                    Finding("does-not-run", "error", environment.name, error.message, why, error.hint or "")
                )
        wrong_here = [finding for finding in findings if finding.severity != "note"]
        wrongs.append(bool(wrong_here))
        answers_.append(
            {
                "name": environment.name,
                "root": str(environment.root),
                "findings": [finding.to_json() for finding in findings],
            }
        )
        text.append(f"{environment.name}: {'as locked' if not wrong_here else f'{len(wrong_here)} findings'}")
        for finding in findings:
            text.append(f"  {finding.severity}: {finding.id}: {finding.evidence}")
            text.append(f"    {finding.cause} Fix: {finding.fix}")
    return Result("check", {"environments": answers_}, text, exit_code=int(any(wrongs)))
