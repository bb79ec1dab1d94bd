"""Virtual environments that are not used, not whole, or not where they were made; and PATH that leads elsewhere.

Told from files and variables. A broken environment's Python is not run.

Sources: PEP 405 and https://docs.python.org/3/library/venv.html: ``pyvenv.cfg`` names the installation below,
the activation scripts and the first lines of console scripts hold the absolute path of the environment.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_text
from imageai_envs.base.finding import Finding
from imageai_envs.base.paths import environment_python, scripts_directory
from imageai_envs.doctor import remedy
from imageai_envs.doctor.inspections.on_path import inspect_path
from imageai_envs.installed.venv_files import python_elsewhere, read_cfg, scripts_in
from imageai_envs.request.stack import MODULES, PURPOSE

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Subject

_VENV = "https://docs.python.org/3/library/venv.html#how-venvs-work"
_ENOUGH = 3  # scripts named; more say the same
_ASSIGNED = re.compile(r"^\s*(?:export\s+)?VIRTUAL_ENV=(?P<value>.*)$", re.MULTILINE)


def inspect(subject: Subject) -> list[Finding]:
    """Find what is wrong with the environment itself, and with how the terminal uses environments."""
    return [
        *(_unmarked(subject) or _none(subject)),
        *_dangling(subject),
        *_moved(subject),
        *_no_pip(subject),
        *inspect_path(subject, _working_directory(subject)),
    ]


def _none(subject: Subject) -> list[Finding]:
    if subject.kind != "global" or subject.facts is None:
        return []
    if any(name in subject.winners for module in PURPOSE for name in MODULES[module]):
        return []  # what is installed there is reported with its names
    return [
        Finding(
            "no-venv",
            "note",
            str(subject.executable),
            f"{subject.executable} is not a virtual environment's Python",
            "What is installed there is shared by all projects of this Python.",
            f"{remedy.fresh(subject)}   (before anything is installed)",
            link=_VENV,
        )
    ]


def _unmarked(subject: Subject) -> list[Finding]:
    """Find an environment whose pyvenv.cfg is gone: its Python then starts as the base interpreter."""
    facts, root = subject.facts, subject.executable.parent.parent
    if subject.root is not None or facts is None or not (scripts_directory(root) / "activate").is_file():
        return []
    if (root / "pyvenv.cfg").exists() or os.path.realpath(facts.prefix) == os.path.realpath(root):
        return []
    return [
        Finding(
            "pyvenv-cfg",
            "error",
            str(root / "pyvenv.cfg"),
            f"it is missing, so {subject.executable} is the Python of {facts.prefix} and sees no package of {root}",
            "The file was deleted, or left out when the environment was copied.",
            _remake(subject),
            link=_VENV,
        )
    ]


def _dangling(subject: Subject) -> list[Finding]:
    root = subject.root
    if root is None or subject.kind != "venv" or subject.facts is not None:
        return []  # it answered: whatever its files say, it lives
    python = environment_python(root)
    fix = _remake(subject)
    gone = "The Python that it was made from was upgraded, moved or removed (pyenv, Homebrew, uv, the system)."
    if python.is_symlink() and not python.exists():
        target = _end_of(python)
        evidence = f"{python} is a link to {target}, which does not exist"
        return [Finding("python-missing", "error", str(python), evidence, gone, fix, link=_VENV)]
    if not python.exists():
        return [Finding("python-missing", "error", str(python), f"{python} is missing", "It was deleted.", fix)]
    home = read_cfg(root).get("home", "")
    if not home:
        return [
            Finding(
                "pyvenv-cfg",
                "error",
                str(root / "pyvenv.cfg"),
                "it is missing or names no home, so the Python there is not a virtual environment's",
                "The file was deleted or edited.",
                fix,
                link=_VENV,
            )
        ]
    if not Path(home).is_dir():
        evidence = f"{root / 'pyvenv.cfg'} names {home} as the home of its Python, and it does not exist"
        return [Finding("python-missing", "error", home, evidence, gone, fix, link=_VENV)]
    if not os.access(python, os.X_OK):
        cause = "Its mode was changed, or the disk is mounted without permission to execute."
        return [Finding("python-not-executable", "error", str(python), "it may not be executed", cause, fix)]
    return []


def _moved(subject: Subject) -> list[Finding]:
    root = subject.root
    if root is None or subject.kind != "venv":
        return []
    scripts = [
        (script.name, python)
        for script in scripts_in(scripts_directory(root))
        if (python := python_elsewhere(script)) and _another_environment(Path(python), root)
    ]
    activated = _activated(root)
    evidence = []
    if activated:
        evidence.append(f"its activate script activates {activated}")
    if scripts:
        names = ", ".join(name for name, _ in scripts[:_ENOUGH]) + (" …" if len(scripts) > _ENOUGH else "")
        evidence.append(f"{len(scripts)} of its scripts ({names}) start {scripts[0][1]}")
    if not evidence:
        return []
    return [
        Finding(
            "moved",
            "error",
            str(root),
            "; ".join(evidence),
            "The environment was moved, renamed or copied from another place. Environments hold their absolute path, "
            "so pip and the other commands work on the old place, or do not start.",
            _remake(subject),
            link=_VENV,
        )
    ]


def _another_environment(python: Path, root: Path) -> bool:
    """Tell whether a script's Python is gone or another environment's; /usr/bin/python3 may be meant so."""
    if os.path.realpath(python.parent) == os.path.realpath(scripts_directory(root)):
        return False  # the same place by another name
    return not python.exists() or (python.parent.parent / "pyvenv.cfg").is_file()


def _activated(root: Path) -> str:
    """Return the directory that the activate script of sh names when it is not ``root``; empty when it is."""
    try:
        text = read_text(scripts_directory(root) / "activate", errors="replace")
    except OSError:
        return ""
    for match in _ASSIGNED.finditer(text):
        # Written out as a path by venv, virtualenv and uv; Windows' branch asks cygpath, relocatable ones `realpath`.
        try:
            words = shlex.split(match["value"], comments=True)
        except ValueError:
            continue
        if len(words) == 1 and words[0].startswith("/") and os.path.realpath(words[0]) != os.path.realpath(root):
            return words[0]
    return ""


def _no_pip(subject: Subject) -> list[Finding]:
    facts = subject.facts
    if facts is None or subject.kind == "global" or facts.modules.get("pip"):
        return []
    return [
        Finding(
            "no-pip",
            "note",
            str(subject.root),
            "pip is not installed in it",
            "uv and 'venv --without-pip' make environments so. 'pip' typed in a terminal is then another Python's.",
            f"{shlex.quote(str(subject.executable))} -m ensurepip   (or use: uv pip)",
            link="https://docs.astral.sh/uv/pip/environments/",
        )
    ]


def _remake(subject: Subject) -> str:
    if subject.environment:
        return subject.environment.fix_by("recreate")
    root = subject.root or subject.executable.parent.parent
    return f"imageai-env rescue {shlex.quote(str(root))} --name myproj"


def _end_of(link: Path) -> Path:
    """Return the first file of a chain of links that does not exist."""
    for _ in range(40):  # what Linux follows at most
        if not link.is_symlink():
            break
        link = link.parent / os.readlink(link)  # noqa: PTH115 - the text, relative to the link
    return link


def _working_directory(subject: Subject) -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return Path(subject.environ.get("PWD", "/"))
