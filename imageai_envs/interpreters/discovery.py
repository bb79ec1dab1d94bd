"""Find the interpreters of this machine: each is asked once, and only when its file changed since."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.interpreters import places, probing
from imageai_envs.request.interpreter import Interpreter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imageai_envs.base.context import Context
    from imageai_envs.base.paths import Home
    from imageai_envs.base.progress import Reporter

# Asking is starting a process and waiting: a few at once hide the wait, many would only compete.
_AT_ONCE = 4


def find_interpreters(context: Context) -> tuple[Interpreter, ...]:
    """Return the interpreters of this machine, also those that cannot run TensorFlow (see ``unusable``).

    Files that do not answer as a Python (shims without a version behind them, dangling links, directories)
    are left out without a word; one that hangs is left out with a warning.

    Args:
        context: directories, reporter and log of the command.

    Returns:
        One entry per real file, in the order of :func:`places.candidates`.
    """
    sources: dict[str, places.Candidate] = {}
    for candidate in places.candidates(context.home.cache / "python-discovery"):
        base = probing.base_executable(candidate.executable)
        if base is not None and places.runs(base):
            sources.setdefault(os.path.realpath(base), places.Candidate(base, candidate.source))
    memory = _memory(context.home)
    answers = _answers(sources, memory, context.reporter)
    memory.save()
    found: dict[str, Interpreter] = {}
    for real, facts in answers.items():
        if interpreter := _interpreter(sources[real], real, facts):
            found.setdefault(os.path.realpath(interpreter.executable), interpreter)
    return tuple(found.values())


def interrogate(executable: Path, home: Home, *, source: str) -> Interpreter:
    """Ask one executable; for one in a virtual environment, its base interpreter is returned.

    Args:
        executable: the file to ask.
        home: answers are kept under its cache.
        source: goes into :attr:`Interpreter.source`.

    Raises:
        Unanswered: it is no Python, hangs, or its base is gone.
    """
    base = probing.base_executable(executable)
    if base is None:
        raise probing.Unanswered("the interpreter that this environment was made from is gone")
    real = os.path.realpath(base)
    memory = _memory(home)
    facts = memory.recall(real)
    if facts is None:
        facts = probing.ask(base)
        memory.keep(real, facts)
        memory.save()
    interpreter = _interpreter(places.Candidate(base, source), real, facts)
    if interpreter is None:
        raise probing.Unanswered("the interpreter that it starts belongs to an environment whose base is gone")
    return interpreter


def _memory(home: Home) -> probing.Memory:
    return probing.Memory(home.cache / "interpreters.json")


def _answers(
    sources: dict[str, places.Candidate], memory: probing.Memory, reporter: Reporter
) -> dict[str, probing.Facts]:
    """Return what the files say of themselves, in the order of ``sources``."""
    known: dict[str, probing.Facts] = {}
    asked: list[str] = []
    for real in sources:
        facts = memory.recall(real)
        if facts is not None:
            known[real] = facts
        elif not memory.hung(real):
            asked.append(real)
    for real, answer in zip(asked, _ask_all([sources[real].executable for real in asked]), strict=True):
        if isinstance(answer, probing.Facts):
            known[real] = answer
            memory.keep(real, answer)
        elif answer.hung:
            memory.keep_hung(real)
            reporter.warn(f"{sources[real].executable} was left out: it did not answer within {probing.TIMEOUT:g} s.")
    return {real: known[real] for real in sources if real in known}


def _ask_all(executables: Iterable[Path]) -> list[probing.Facts | probing.Unanswered]:
    waiting = list(executables)
    if not waiting:
        return []
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(pool.map(_ask, waiting))


def _ask(executable: Path) -> probing.Facts | probing.Unanswered:
    try:
        return probing.ask(executable)
    except probing.Unanswered as reason:
        return reason


def _interpreter(candidate: places.Candidate, real: str, facts: probing.Facts) -> Interpreter | None:
    """Combine where it was found with what it said; None when a launcher led into a broken environment."""
    executable: Path | None = candidate.executable
    if os.path.realpath(facts.executable) != real:  # the file only launches another one
        executable = probing.base_executable(Path(facts.executable))
    if executable is None:
        return None
    in_conda = (executable.parent.parent / "conda-meta").is_dir()
    return Interpreter(
        executable=executable,
        version=facts.version,
        implementation=facts.implementation,
        sys_platform=facts.sys_platform,
        machine=facts.machine,
        source="conda" if in_conda and candidate.source != "asked" else candidate.source,
        unusable=facts.unusable,
        lacking=facts.lacking,
    )
