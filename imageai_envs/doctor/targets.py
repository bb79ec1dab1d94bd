"""What a word means that someone gives to ``doctor``: a name, a directory, a Python, or nothing at all."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.context import Context
from imageai_envs.base.errors import RequestError
from imageai_envs.base.paths import METADATA, expanded, looks_like_path
from imageai_envs.doctor.subject import Subject, look_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imageai_envs.base.paths import Home
    from imageai_envs.environments.environment import Environment

_HINT = "imageai-env doctor .venv   (or: imageai-env doctor --python /usr/bin/python3)"
_INSIDE = (".venv", "venv", "env", ".env")  # where projects keep their environment
_PYTHONS = ("Scripts/python.exe", "python.exe") if os.name == "nt" else ("bin/python", "bin/python3", "bin/python2")


def resolve(
    home: Home, name_or_path: str | None, python: str | None, environ: Mapping[str, str] | None = None
) -> Subject:
    """Return the subject that is meant.

    Args:
        home: where our environments are.
        name_or_path: an environment of ours, an environment's directory, a project with one in it, or a Python.
        python: an executable, by path or as a command of ``PATH``.
        environ: the variables to look with; default: ours.

    Raises:
        RequestError: there is no such thing.
    """
    variables = dict(os.environ if environ is None else environ)
    if python is not None:
        return _executable(home, _command(python, variables), python, variables)
    if name_or_path is None:
        found = users_python(variables)
        if found is None:
            raise RequestError(
                "There is no python and no python3 on PATH, and no environment is active.",
                hint="imageai-env python list",
                code="no-such-python",
            )
        return _executable(home, found, str(found), variables)
    path = expanded(name_or_path)
    if not looks_like_path(name_or_path):
        root = _named(home, name_or_path)
        if root is not None:
            return _directory(home, root, name_or_path, variables)
        if not name_or_path.strip() or not os.path.lexists(path):
            raise _unknown(home, name_or_path)
    elif not os.path.lexists(path):
        raise _unknown(home, name_or_path)
    path = path.absolute()
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises PermissionError
        return _directory(home, path, name_or_path, variables)
    return _executable(home, path, name_or_path, variables)


def free_name(subject: Subject, home: Home) -> str:
    """Return a name for a clean environment beside this one: its own, or its project's, with ``-clean``."""
    from imageai_envs.base.progress import Silent
    from imageai_envs.environments.store import MAX_NAME, Store

    root = subject.root or subject.executable.parent
    base = subject.environment.name if subject.environment else root.parent.name if root.name in _INSIDE else root.name
    base = re.sub(r"[^A-Za-z0-9_-]+", "-", base).strip("-_")[: MAX_NAME - len("-clean-99")] or "my"
    name, number = f"{base}-clean", 2
    while os.path.lexists(Store(Context(home, Silent())).root_for(name)):
        name, number = f"{base}-clean-{number}", number + 1
    return name


def _named(home: Home, name: str) -> Path | None:
    """Return the directory of our environment of that name."""
    from imageai_envs.base.progress import Silent
    from imageai_envs.environments.ownership import has_marker
    from imageai_envs.environments.store import MAX_NAME, Store

    root = Store(Context(home, Silent())).root_for(name) if len(name) <= MAX_NAME and "\0" not in name else None
    return root if root is not None and has_marker(root) else None


def users_python(environ: Mapping[str, str]) -> Path | None:
    """Return the Python that a user gets: the active environment's, else the first ``python``, ``python3`` on PATH."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        active = environ.get(variable)
        if active and (inside := _python_in(Path(active))):
            return inside
    for name in ("python", "python3"):
        found = shutil.which(name, path=environ.get("PATH"))
        if found:
            return Path(found).absolute()
    return None


def _python_in(root: Path) -> Path | None:
    """Return an environment's Python, also one that is only a dead link: that is what is to be diagnosed."""
    return next((root / name for name in _PYTHONS if os.path.lexists(root / name)), None)


def _is_environment(root: Path) -> bool:
    directories = (root / "conda-meta", root / METADATA)
    return os.path.isfile(root / "pyvenv.cfg") or any(map(os.path.isdir, directories))  # noqa: PTH113 - Path's raise


def _directory(home: Home, path: Path, label: str, environ: Mapping[str, str]) -> Subject:
    candidates = [path, *(path / name for name in _INSIDE)]
    root = next((one for one in candidates if _is_environment(one)), None)
    if root is None:  # an installation, such as a directory of pyenv's, or an environment without its pyvenv.cfg
        root = next((one for one in candidates if _python_in(one)), None)
    if root is None:
        raise RequestError(
            f"There is no Python environment in {path}: no pyvenv.cfg, no conda-meta, no bin/python, and none in "
            f"{', '.join(_INSIDE)} below it.",
            hint=f"imageai-env create --path {path / '.venv'}",
            code="no-such-environment",
        )
    python = _python_in(root) or root / _PYTHONS[0]
    if not _is_environment(root):
        return _look(python, label, environ)
    return _look(python, label, environ, root, _marked(home, root))


def _marked(home: Home, root: Path) -> Environment | None:
    """Return the environment that ``root`` says to be, ours or not."""
    if not os.path.isdir(root / METADATA):  # noqa: PTH112 - before imports that take longer than the answer
        return None
    from imageai_envs.environments.environment import Environment, read_state
    from imageai_envs.environments.ownership import has_marker, name_of

    if not has_marker(root):
        return None
    own = name_of(root, home)
    return Environment(own or root.name, root, read_state(root), ours=own is not None)


def _command(python: str, environ: Mapping[str, str]) -> Path:
    if python.strip() and not looks_like_path(python):
        found = shutil.which(python, path=environ.get("PATH"))
        if found:
            return Path(found).absolute()
    path = expanded(python).absolute()
    if not python.strip() or not os.path.lexists(path):
        raise RequestError(
            f"There is no Python {python!r}: neither a file nor a command on PATH.",
            hint="imageai-env python list",
            code="no-such-python",
        )
    if os.path.isdir(path):  # noqa: PTH112 - as above
        inside = _python_in(path)
        if inside is None:
            raise RequestError(f"There is no Python in {path}.", hint=_HINT, code="no-such-python")
        return inside
    return path


def _executable(home: Home, path: Path, label: str, environ: Mapping[str, str]) -> Subject:
    if path.exists() and not os.access(path, os.X_OK):
        raise RequestError(
            f"{path} is not a program, so it is no Python.",
            hint=f"imageai-env rescue {label}" if path.suffix in (".txt", ".yml", ".yaml") else _HINT,
            code="no-such-python",
        )
    parent = path.parent.parent
    root = parent if path.parent.name in ("bin", "Scripts") and _is_environment(parent) else None
    return _look(path, label, environ, root, _marked(home, root) if root else None)


def _look(
    python: Path,
    label: str,
    environ: Mapping[str, str],
    root: Path | None = None,
    environment: Environment | None = None,
) -> Subject:
    """Look at a Python, and import the inspections while it starts: a fifth of the time of a diagnosis."""

    def import_inspections() -> None:
        import imageai_envs.doctor.doctor  # noqa: F401

    return look_at(
        python, label=label, root=root, environment=environment, environ=environ, meanwhile=import_inspections
    )


def _unknown(home: Home, name: str) -> RequestError:
    import difflib

    from imageai_envs.base.progress import Silent
    from imageai_envs.environments.store import MAX_NAME, Store

    names = Store(Context(home, Silent())).names()
    near = difflib.get_close_matches(name, names, n=1)
    shown = name if len(name) <= MAX_NAME else f"{name[:20]}…"
    listing = f" Environments: {', '.join(names)}." if names else ""
    return RequestError(
        f"There is neither an environment {shown!r} nor a file or directory of that name.{listing}",
        hint=f"imageai-env doctor {near[0]}" if near else _HINT,
        code="no-such-environment",
    )
