"""Explanations as people read them: what, why, how to fix it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.result import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imageai_envs.base.result import Line
    from imageai_envs.explain.explain import Explanation

_AFTER_RUN = 2  # explanations that follow a traceback; more would hide it


def full(explanations: Sequence[Explanation]) -> list[Line]:
    """Return everything about each explanation, a block for each."""
    return [line for number, item in enumerate(explanations) for line in ([""] if number else []) + _block(item)]


def short(explanations: Sequence[Explanation], repair: str = "") -> list[Line]:
    """Return what follows a failed program: causes only, without warnings and what the environment refutes.

    Args:
        explanations: best first.
        repair: the command that fixes an environment of ours that is not as locked; it comes before other fixes.
    """
    causes = [item for item in explanations if item.confirmed is not False and not item.rule.warning]
    lines: list[Line] = []
    for item in causes[:_AFTER_RUN]:
        lines.append((Span("explained:", "yellow"), f" {item.rule.cause} [{item.rule.id}]"))
        lines += [f"  {item.because}"] if item.because else []
        lines += _fixes(([repair] if repair and item.confirmed else []) + list(item.rule.fix), indent="  ")
    return lines


def _block(item: Explanation) -> list[Line]:
    kind = "warning, it stops nothing" if item.rule.warning else item.rule.topic
    lines: list[Line] = [(Span(item.rule.id), f" ({kind})"), f"  {item.rule.cause}"]
    if item.confirmed is not None:
        lines.append(f"  {'confirmed' if item.confirmed else 'not the cause there'}: {item.because}")
    lines.append(f"  affects: {item.rule.versions}")
    lines += [f"  line {proof.line}: {proof.text}" if proof.line else f"  {proof.text}" for proof in item.evidence]
    return [*lines, *_fixes(item.rule.fix, indent="  "), *(f"  see: {link}" for link in item.rule.links)]


def _fixes(fixes: Sequence[str], indent: str) -> Iterator[str]:
    for number, fix in enumerate(fixes):
        yield f"{indent}{'or' if number else 'fix'}: {fix}"
