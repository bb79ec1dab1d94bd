"""Prove an environment: what is installed is what the lock says, and ImageAI really runs."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.base.errors import VerifyError
from imageai_envs.base.redaction import redact
from imageai_envs.installed.distributions import distributions_in
from imageai_envs.installed.venv_files import site_packages
from imageai_envs.verification.cuda import is_proved_here, prove_cuda
from imageai_envs.verification.devices import device_variables
from imageai_envs.verification.probe_runner import run_probe
from imageai_envs.verification.which_probes import probe_of

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.base.process import Finished, Log
    from imageai_envs.explain.rules import Rule
    from imageai_envs.locks.lockfile import Lock

_TIMEOUT = 900  # seconds; the probe takes 10-20 on two cores, a machine under load more


@dataclass(frozen=True)
class Verification:
    """The proof of an environment.

    Attributes:
        level: ``inference``, ``imports`` or ``none``.
        seconds: duration of the probe inside the environment, 0 for ``none``.
        answer: what the probe answered: versions, import times, ImageAI's result, peak memory in MiB.
    """

    level: str
    seconds: float
    answer: dict[str, object]


def installed(root: Path) -> dict[str, str]:
    """Return the installed distributions of an environment, normalized name to version, from their dist-infos."""
    return {item.name: item.version for item in distributions_in(site_packages(root))}


def check_installed(root: Path, lock: Lock) -> None:
    """Compare what is installed with the lock.

    Raises:
        VerifyError: something is missing or has another version.
    """
    have = installed(root)
    wrong = [
        f"{pin.name}: locked {pin.version}, installed {have.get(pin.name, 'nothing')}"
        for pin in lock.pins
        if have.get(pin.name) != pin.version
    ]
    if wrong:
        raise VerifyError(
            "What is installed is not what the lock says:\n" + "\n".join(f"  {line}" for line in wrong),
            code="not-as-locked",
        )


def verify(root: Path, lock: Lock, level: str, context: Context) -> Verification:
    """Prove the environment at ``root`` up to ``level``.

    Raises:
        VerifyError: with the reason in plain words.
    """
    check_installed(root, lock)
    if level == "none":
        return Verification("none", 0.0, {})
    proof = prove_cuda(root, lock, context) if is_proved_here(lock) else None
    if proof:
        context.reporter.note(proof.words())
    context.reporter.step("importing ImageAI" if level == "imports" else "classifying a picture with ImageAI")
    done, answer = run_probe(
        root,
        probe_of(lock.header.imageai),
        (level, "{directory}"),
        context,
        timeout=_TIMEOUT,
        variables=device_variables(lock.header.variant),
    )
    if done.ok and answer and answer.get("ok"):
        if proof:
            answer["cuda"] = proof.to_json()
        seconds = answer.get("seconds", 0.0)
        return Verification(level, float(seconds) if isinstance(seconds, (int, float)) else 0.0, answer)
    raise _failure(done, answer, context.log)


def _failure(done: Finished, answer: dict[str, object] | None, log: Log) -> VerifyError:
    if answer is None:
        words, hint, code = _death(done)
        return VerifyError(
            f"{words}\n  Full log: {log.path}", hint=hint, code=code, data={"returncode": done.returncode}
        )
    error = answer.get("error")
    details = error if isinstance(error, dict) else {}
    text = f"{details.get('type')}: {details.get('text')}"
    evidence = redact(f"at stage {answer.get('stage')!r}: {text}")
    whole = f"{details.get('traceback')}\n{done.stderr}"
    rule = _cause(whole)
    if rule:
        return VerifyError(
            f"{rule.cause}\n  {evidence}\n  Full log: {log.path}",
            hint=f"The template must cap it: {rule.cap}"
            if rule.cap
            else f"{rule.plain_fix}; then the same command again",
            data={"probe": answer, "rule": rule.id},
        )
    return VerifyError(
        f"The environment was built, but ImageAI does not run in it, {evidence}\n  Full log: {log.path}",
        hint="Build it without proof and look yourself: the same command with --verify none",
        data={"probe": answer},
    )


def _cause(text: str) -> Rule | None:
    """Return the rule that names the cause; warnings, and wrappers of other errors, name none."""
    from imageai_envs.explain.explain import explain

    return next((item.rule for item in explain(text) if item.rule.names_cause), None)


def _rule_for(status: int) -> Rule:
    from imageai_envs.explain.rules import shipped_rules

    return next(rule for rule in shipped_rules() if status in rule.statuses)


def _death(done: Finished) -> tuple[str, str | None, str]:
    """Say why the probe ended without an answer."""
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode  # as shells count, and rules do
    if status == 128 + signal.SIGILL:
        rule = _rule_for(status)
        return rule.cause, rule.plain_fix, "no-avx"
    if status == 137:
        rule = _rule_for(status)
        return rule.cause, rule.plain_fix, "out-of-memory"
    if done.returncode < 0:
        return f"The verification was ended by signal {-done.returncode}.", None, "probe-died"
    tail = "\n".join(f"  {line}" for line in redact(done.stderr).splitlines()[-5:])
    return (
        f"The environment's Python ended without an answer (exit {done.returncode}).\n{tail}",
        None,
        "probe-died",
    )
