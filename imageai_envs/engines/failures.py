"""Turn the output of uv, pip and pip-tools into an error that says what happened and what to do.

What they say is in the catalogue of ``explain`` (``installers.toml``), causes before their effects.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imageai_envs.base.errors import ImageAIEnvError, InstallError, UnsolvableError
from imageai_envs.base.redaction import redact
from imageai_envs.engines.index_settings import what_keeps_pip_offline, what_keeps_uv_offline
from imageai_envs.explain.rules import installers_rules

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.base.process import Finished


# What uv says, whatever told it; pip says only that there are no versions.
_OFFLINE = re.compile(r"Packages were unavailable because|Network connectivity is disabled")
_NO_VERSIONS = re.compile(r"No matching distribution found|Could not find a version that (?:satisfies|matches)")
_DRAWING = " │╰├─▶×"  # noqa: RUF001 - what uv draws its trees with
_BUILD = re.compile(
    r"[Ff]ailed to build|metadata-generation-failed|subprocess-exited-with-error|build backend returned an error"
)
_TRACEBACK = "Traceback (most recent call last)"


def _end_of(text: str, limit: int = 12) -> str:
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if _TRACEBACK in text:  # pip's own; its last line says what happened
        lines = [line for line in lines if not line.startswith(" ") and _TRACEBACK not in line]
    return "\n".join(lines[-limit:])


def _known(text: str, log: Path) -> InstallError | None:
    """Return the error for the first rule that the output meets."""
    for rule in installers_rules():
        found = [pattern.expression.search(text) for pattern in rule.patterns if pattern.literal in text]
        first = min((match for match in found if match), key=lambda match: match.start(), default=None)
        if first:
            return _error(rule.cause, _line_at(text, first), rule.fix[0], log, failure=rule.failure)
    return None


def _not_built(text: str, log: Path) -> InstallError | None:
    match = _BUILD.search(text)
    if match is None:
        return None
    words = "A distribution without a wheel for this Python could not be built from source."
    hint = "Choose a Python that has wheels: imageai-env python list"
    return _error(words, _line_at(text, match), hint, log, failure="build-failed")


def _line_at(text: str, match: re.Match[str]) -> str:
    line = text[text.rfind("\n", 0, match.start()) + 1 :].splitlines()[0].strip()
    return re.sub(r"^(?:cause|error|ERROR|Caused by): *", "", line)


def _error(words: str, evidence: str, hint: str, log: Path, *, failure: str) -> InstallError:
    return InstallError(redact(f"{words}\n  {evidence[:400]}\n  Full log: {log}"), hint=hint, code=failure)


def _offline(text: str, log: Path) -> InstallError | None:
    """Return the error for what the cache lacks and nothing may be fetched for: no clash, though it looks like one."""
    match, setting = _OFFLINE.search(text), what_keeps_uv_offline()
    if match is None:
        match, setting = _NO_VERSIONS.search(text), what_keeps_pip_offline()
        if match is None or setting is None:
            return None
    name, undo = setting or ("uv's configuration", "drop offline and no-index there")
    reason = _unsolvable_words(text) or _line_at(text, match)
    return InstallError(
        redact(
            f"The index may not be asked ({name}), and what is here already lacks something.\n{_indent(reason)}\n"
            f"  Full log: {log}"
        ),
        hint=f"With a network: {undo}, then run the same command again; what it fetches is kept for the next time.",
        code="offline",
    )


def install_failure(done: Finished, log: Path) -> ImageAIEnvError:
    """Return the error for an installation that failed."""
    text = f"{done.stdout}\n{done.stderr}"
    offline = _offline(text, log)
    if offline:
        return offline
    known = _known(text, log) or _not_built(text, log)
    if known:
        return known
    return InstallError(
        redact(f"Installing failed:\n{_indent(_end_of(done.stderr or done.stdout))}\n  Full log: {log}")
    )


def resolution_failure(done: Finished, log: Path) -> ImageAIEnvError:
    """Return the error for a resolution that failed: no solution in words, or what kept it from ending."""
    text = f"{done.stdout}\n{done.stderr}"
    offline = _offline(text, log)
    if offline:
        return offline
    reason = _unsolvable_words(text)
    # When the index fails, both engines say in the end that nothing matches; then the index is the cause.
    known = _known(text, log)
    if known:
        return known
    if reason:
        return UnsolvableError(
            redact(f"No set of versions satisfies all requirements.\n{_indent(reason)}\n  Full log: {log}"),
            hint="Loosen or drop one of the requirements named above (--with, -r).",
        )
    not_built = _not_built(text, log)
    if not_built:
        return not_built
    return InstallError(redact(f"Resolving failed:\n{_indent(_end_of(done.stderr or done.stdout))}\n  Full log: {log}"))


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _unsolvable_words(text: str) -> str:
    """Return the resolver's own explanation, cleaned of its drawing, or ``""`` when it gave none."""
    solution = re.search(r"No solution found[^\n]*\n(?P<why>(?:.+\n?)+)", text)
    if solution:
        words = " ".join(line.strip(_DRAWING) for line in solution["why"].splitlines())
        return re.sub(r"\s+", " ", re.split(r"\s+hint:", words)[0]).strip().removeprefix("cause: ")
    conflict = re.search(r"The conflict is caused by:\n(?P<why>(?:[ \t]+\S.*\n?)+)", text)
    if conflict:
        return "\n".join(line.strip() for line in conflict["why"].splitlines())
    lines = [
        line.split("ERROR:")[-1].strip()
        for line in text.splitlines()
        if re.search(r"Could not find a version that (?:satisfies|matches)|No matching distribution found", line)
    ]
    return "\n".join(dict.fromkeys(line.split("exceptions.DistributionNotFound:")[-1].strip() for line in lines))
