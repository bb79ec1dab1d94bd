"""Do the console scripts start this environment's Python? A moved environment's do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.finding import Finding
from imageai_envs.paths import scripts_directory

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.checks.view import View

_ENOUGH = 3  # scripts named; more say the same


def inspect(view: View) -> list[Finding]:
    """Find scripts whose first line names a Python elsewhere."""
    wrong = [
        (path, python)
        for path in scripts_in(scripts_directory(view.environment.root))
        if (python := python_elsewhere(path))
    ]
    if not wrong:
        return []
    names = ", ".join(path.name for path, _ in wrong[:_ENOUGH]) + (" …" if len(wrong) > _ENOUGH else "")
    return [
        Finding(
            "moved",
            "error",
            str(view.environment.root),
            f"{len(wrong)} scripts ({names}) start {wrong[0][1]}",
            "The environment was moved or copied from another place.",
            f"imageai-env recreate {view.name}",
        )
    ]


def scripts_in(directory: Path) -> list[Path]:
    """Return the files of a directory of executables, links left out; none when it cannot be read."""
    try:
        return sorted(path for path in directory.iterdir() if path.is_file() and not path.is_symlink())
    except OSError:
        return []


def python_elsewhere(script: Path) -> str:
    """Return the Python that a script starts if it is not in the script's own directory."""
    program = python_of(script)
    return "" if program.startswith(f"{script.parent}/") else program


def python_of(script: Path) -> str:
    """Return the Python that a script names in its first line; empty when it names none, or by ``env``."""
    try:
        with script.open("rb") as stream:
            head = stream.read(1024)
    except OSError:
        return ""
    if not head.startswith(b"#!"):
        return ""
    lines = head[2:].decode("utf-8", "replace").splitlines()
    first = lines[0].strip() if lines else ""
    if first == "/bin/sh" and len(lines) > 1 and lines[1].startswith("'''exec'"):
        first = lines[1].removeprefix("'''exec'").strip()  # how pip writes a path that is long or has spaces
    program = first[1:].split('"')[0] if first.startswith('"') else first.split(" ")[0].strip("'")
    name = program.rsplit("/", 1)[-1]
    return program if name.startswith("python") else ""  # /usr/bin/env, /bin/sh: no matter where they are
