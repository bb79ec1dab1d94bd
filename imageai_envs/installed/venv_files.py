"""What the files of a virtual environment say of it: ``pyvenv.cfg``, where its distributions are, console scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.errors import VerifyError
from imageai_envs.base.file_reading import read_head, read_text

if TYPE_CHECKING:
    from pathlib import Path


def site_packages(root: Path) -> Path:
    """Return the directory of an environment's distributions, without running its Python.

    Raises:
        VerifyError: there is none.
    """
    candidates = [*sorted((root / "lib").glob("python3*/site-packages")), root / "Lib" / "site-packages"]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise VerifyError(f"{root} has no site-packages.", code="no-site-packages")


def read_cfg(root: Path) -> dict[str, str]:
    """Return the keys of ``pyvenv.cfg`` (PEP 405)."""
    try:
        text = read_text(root / "pyvenv.cfg", errors="replace")
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, value in pairs}


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
        head = read_head(script, 1024)
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
