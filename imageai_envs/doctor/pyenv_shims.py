"""What pyenv's shims would start: read from its files, as ``pyenv which`` does; nothing is run.

A shim is on PATH for every command of every version that is installed. One whose version is not selected answers
127 ("command not found"), although ``which`` finds it.

Source: https://github.com/pyenv/pyenv#how-it-works and its ``libexec/pyenv-which``, ``pyenv-version-name``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_head, read_text
from imageai_envs.base.paths import runs

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = re.compile(r"^export PYENV_ROOT=(?P<quote>[\"']?)(?P<root>.+?)(?P=quote)$", re.MULTILINE)


@dataclass(frozen=True)
class Selection:
    """Which versions pyenv would use, and what selected them.

    Attributes:
        versions: names as written; ``system`` means the rest of PATH.
        origin: the file or variable that selects them.
    """

    versions: tuple[str, ...]
    origin: str


def shim_root(program: Path) -> Path | None:
    """Return pyenv's root if ``program`` is one of its shims."""
    try:
        text = read_head(program, 2048).decode("utf-8", "replace")
    except OSError:
        return None
    if not text.startswith("#!") or "pyenv" not in text:
        return None
    match = _ROOT.search(text)
    return Path(match["root"]) if match else None


def selection(root: Path, environ: Mapping[str, str], directory: Path) -> Selection:
    """Return what is selected in ``directory``: variable, ``.python-version`` there or above, the global file."""
    if environ.get("PYENV_VERSION"):
        return Selection(tuple(environ["PYENV_VERSION"].split(":")), "PYENV_VERSION")
    files = [above / ".python-version" for above in (directory, *directory.parents)]
    file = next((file for file in (*files, root / "version") if os.path.isfile(file)), None)  # noqa: PTH113 - no errors
    versions = _read(file) if file else ()
    return Selection(versions, str(file)) if versions else Selection(("system",), "nothing selects a version")


def installed(root: Path, version: str) -> Path | None:
    """Return the directory of an installed version; ``3.10`` and ``python-3.10`` mean the newest 3.10."""
    for name in (version, version.removeprefix("python-")):
        exact = root / "versions" / name
        if name and exact.is_dir():
            return exact
        try:
            fitting = [path for path in (root / "versions").iterdir() if path.name.startswith(f"{name}.")]
        except OSError:
            return None
        if fitting:
            return max(fitting, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)])
    return None


def behind(shim: Path, root: Path, selected: Selection, path: tuple[Path, ...]) -> Path | None:
    """Return the program that a shim would start; None when it would answer 127.

    Since pyenv 2.5 the rest of PATH is tried when no selected version has the program; before, it was an error.
    """
    for version in (*selected.versions, "system"):
        if version == "system":
            on_path = (entry / shim.name for entry in path)
            found = next((program for program in on_path if runs(program) and shim_root(program) is None), None)
        else:
            home = installed(root, version)
            found = home / "bin" / shim.name if home else None
        if found and runs(found):
            return found
    return None


def having(root: Path, program: str) -> tuple[str, ...]:
    """Return the installed versions that have a program."""
    try:
        homes = sorted((root / "versions").iterdir())
    except OSError:
        return ()
    return tuple(home.name for home in homes if os.access(home / "bin" / program, os.X_OK))


def _read(file: Path) -> tuple[str, ...]:
    try:
        text = read_text(file, errors="replace")
    except OSError:
        return ()
    words = (line.split()[0] for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return tuple(word for word in words if word != ".." and "/" not in word)
