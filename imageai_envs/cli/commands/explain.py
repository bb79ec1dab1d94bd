"""``imageai-env explain``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from imageai_envs.base.result import Result, Table
from imageai_envs.cli.options import FILE_TYPE, Session, answers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import BinaryIO

    from imageai_envs.explain.explain import Explanation

_EPILOG = """\b
Examples:
  imageai-env explain "ImportError: libGL.so.1: cannot open shared object file"
  python detect.py 2>&1 | imageai-env explain
  imageai-env explain --file train.log --env myproj
"""


@click.command(epilog=_EPILOG)
@click.argument("words", metavar="[TEXT|-]...", nargs=-1)
@click.option("--file", type=FILE_TYPE, metavar="FILE", help="Explain what a file holds, of any size.")
@click.option(
    "--env", "name", metavar="NAME|PATH", help="Confirm the cause by what is installed there; nothing of it is run."
)
@click.option("--list", "every", is_flag=True, help="List all errors that are known.")
@answers
def command(session: Session, /, words: tuple[str, ...], file: Path | None, name: str | None, *, every: bool) -> Result:
    """Say what an error text or a whole log means, and what fixes it.

    TEXT is the error; with - (or nothing, and something piped in) it is read from standard input. Exit 1 when
    nothing in it is known.
    """
    from imageai_envs.base.errors import UsageProblem
    from imageai_envs.explain.explain import explain

    if every:
        return _list()
    if file is not None and words:
        raise UsageProblem("Give TEXT or --file, not both.", hint="imageai-env explain --file LOG")
    if file is None and not words and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageProblem(
            "There is nothing to explain: no TEXT, no --file, and nothing is piped in.",
            hint='imageai-env explain "the last lines of the error"   (or: COMMAND 2>&1 | imageai-env explain)',
        )
    root, installed = _environment(session, name)
    if file is not None:
        with _opened(file) as stream:
            found = explain(stream, installed)
    elif words and words != ("-",):
        found = explain("\n".join(words), installed)
    else:
        found = explain(sys.stdin.buffer, installed)
    return _answer(found, file, root)


def _environment(session: Session, name: str | None) -> tuple[Path | None, Mapping[str, str] | None]:
    if name is None:
        return None, None
    from imageai_envs.doctor.installed import environment_root, installed_in

    root = environment_root(session.home, name)
    return root, installed_in(root)


def _opened(file: Path) -> BinaryIO:
    from imageai_envs.base.errors import RequestError
    from imageai_envs.base.file_reading import open_file

    try:
        return open_file(file, pipe=True)
    except OSError as error:
        raise RequestError(f"Cannot read {file}: {error.strerror or error}.", code="unreadable") from error


def _answer(found: tuple[Explanation, ...], file: Path | None, root: Path | None) -> Result:
    from imageai_envs.cli.explanations import full

    data: dict[str, object] = {
        "file": str(file) if file else None,
        "environment": str(root) if root else None,
        "explanations": [item.to_json() for item in found],
    }
    if found:
        return Result("explain", data, full(found))
    look = f"imageai-env doctor {root}" if root else "imageai-env doctor"
    text = [
        "Unknown: none of the errors known here is in this text. It may be an error of the program itself.",
        f"Next: {look}   (looks at the environment for what is wrong, error or not)",
    ]
    return Result("explain", data, text, exit_code=1)


def _list() -> Result:
    from imageai_envs.explain.rules import shipped_rules

    rules = shipped_rules()
    rows = tuple((rule.topic, rule.id, rule.cause) for rule in rules)
    data: dict[str, object] = {
        "rules": [
            {
                "rule": rule.id, "topic": rule.topic, "warning": rule.warning, "cause": rule.cause,
                "versions": rule.versions, "fix": list(rule.fix), "links": list(rule.links),
                "example": rule.example.strip(),
            }
            for rule in rules
        ]
    }  # fmt: skip
    return Result("explain", data, [Table(("TOPIC", "RULE", "CAUSE"), rows)])
