"""Is the ``python`` that a terminal starts the one that is meant, and its ``pip`` the same Python's?"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.base.paths import runs, scripts_directory
from imageai_envs.doctor import pyenv_shims
from imageai_envs.installed.venv_files import python_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imageai_envs.doctor.subject import Subject

_SUFFIX = ".exe" if os.name == "nt" else ""
_WHICH = "type -a python pip" if os.name != "nt" else "where python pip"
_PYENV = "https://github.com/pyenv/pyenv#how-it-works"


def inspect_path(subject: Subject, directory: Path) -> list[Finding]:
    """Find what is wrong with PATH and VIRTUAL_ENV of the terminal, as seen from the working ``directory``."""
    environ, path = subject.environ, entries(subject.environ)
    return [
        *_active(environ, path),
        *_shims(environ, path, directory),
        *_pip(environ, path, directory),
    ]


def entries(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the absolute directories of PATH."""
    return tuple(path for text in environ.get("PATH", "").split(os.pathsep) if (path := Path(text)).is_absolute())


def first(path: tuple[Path, ...], *names: str) -> Path | None:
    """Return the program that a shell would start for the first of ``names`` that there is."""
    return next(
        (entry / f"{name}{_SUFFIX}" for name in names for entry in path if runs(entry / f"{name}{_SUFFIX}")), None
    )


def _active(environ: Mapping[str, str], path: tuple[Path, ...]) -> list[Finding]:
    text = environ.get("VIRTUAL_ENV", "")
    if not text:
        return []
    root = Path(text)
    if not root.is_dir():
        return [
            Finding(
                "active-missing",
                "warning",
                text,
                f"VIRTUAL_ENV is {text}, and there is no such directory",
                "The environment was removed, renamed or moved while it was active in this terminal.",
                "deactivate   (or open a new terminal), then activate an environment that exists",
            )
        ]
    python = first(path, "python", "python3")
    if python is not None and _same(python.parent, scripts_directory(root)):
        return []
    return [
        Finding(
            "wrong-python-first",
            "warning",
            str(python or "python"),
            f"{root} is active (VIRTUAL_ENV), but "
            + (f"'{python.name}' on PATH is {python}" if python else "no python is on PATH"),
            "PATH was changed after the activation (shell start-up file, 'pyenv init', Homebrew, conda), or "
            "VIRTUAL_ENV was set by hand. Programs start with other packages than those of the environment.",
            f"deactivate; . {shlex.quote(str(scripts_directory(root) / 'activate'))}   ({_WHICH}: what comes first)",
            link="https://docs.python.org/3/library/venv.html#how-venvs-work",
        )
    ]


def _shims(environ: Mapping[str, str], path: tuple[Path, ...], directory: Path) -> list[Finding]:
    for name in ("python", "python3"):
        shim = first(path, name)
        root = pyenv_shims.shim_root(shim) if shim else None
        if shim is None or root is None:
            continue
        selected = pyenv_shims.selection(root, environ, directory)
        absent = [item for item in selected.versions if item != "system" and not pyenv_shims.installed(root, item)]
        target = pyenv_shims.behind(shim, root, selected, path)
        if target is None:
            return [_answers_127(shim, root, selected, absent)]
        if absent:
            return [_not_installed(root, selected, absent, target)]
    return []


def _answers_127(shim: Path, root: Path, selected: pyenv_shims.Selection, absent: list[str]) -> Finding:
    have = pyenv_shims.having(root, shim.name)
    versions = ", ".join(selected.versions)
    return Finding(
        "pyenv-shim",
        "warning",
        str(shim),
        f"'{shim.name}' on PATH is a shim of pyenv, and "
        + (f"{', '.join(absent)} is not installed" if absent else f"{versions} has no {shim.name}")
        + f" ({selected.origin}): it answers 127, command not found",
        "pyenv puts a shim on PATH for every version that is installed; it works only for those that are selected.",
        f"pyenv global {have[-1]}   (installed: {', '.join(have)})"
        if have
        else f"pyenv install {(absent or ['3.10'])[0]}",
        link=_PYENV,
    )


def _not_installed(root: Path, selected: pyenv_shims.Selection, absent: list[str], target: Path) -> Finding:
    return Finding(
        "pyenv-version",
        "warning",
        selected.origin,
        f"{selected.origin} selects Python {', '.join(absent)}, which pyenv has not installed in {root}; "
        f"'python' is {target} instead, or an error with older releases of pyenv",
        "The file came with the project, or the version was removed or upgraded.",
        f"pyenv install {absent[0]}   (or: pyenv local VERSION, with one of pyenv versions)",
        link=_PYENV,
    )


def _pip(environ: Mapping[str, str], path: tuple[Path, ...], directory: Path) -> list[Finding]:
    python, pip = first(path, "python", "python3"), first(path, "pip", "pip3")
    if python is None or pip is None or os.name == "nt":  # pip.exe keeps its Python inside
        return []
    real_python, real_pip = (_through(program, environ, path, directory) for program in (python, pip))
    if real_python is None or real_pip is None:  # a shim that answers 127 is told already
        return []
    owner = python_of(real_pip)
    if not owner or _identity(Path(owner)) == _identity(real_python):
        return []
    return [
        Finding(
            "other-pip",
            "warning",
            str(pip),
            f"'pip' on PATH is {pip} and installs for {owner}, while 'python' is {real_python}",
            "The environment has no pip of its own, or another directory comes first on PATH. What 'pip install' "
            "brings is not found by 'import'.",
            f"{python.name} -m pip install …   (always the right one; without pip: {python.name} -m ensurepip)",
            link="https://snarky.ca/why-you-should-use-python-m-pip/",
        )
    ]


def _through(program: Path, environ: Mapping[str, str], path: tuple[Path, ...], directory: Path) -> Path | None:
    root = pyenv_shims.shim_root(program)
    if root is None:
        return program
    return pyenv_shims.behind(program, root, pyenv_shims.selection(root, environ, directory), path)


def _identity(python: Path) -> str:
    """Return what identifies an installation: the environment's directory, or the real file of another Python."""
    root = python.parent.parent
    return os.path.realpath(root if (root / "pyvenv.cfg").is_file() else python)


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
