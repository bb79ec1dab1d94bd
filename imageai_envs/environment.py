"""An environment: a virtual environment that carries our marker, its lock and its state.

The directory of the environment *is* the virtual environment (``root/bin/python``), whether it lies in the store or
in a project; what we know of it lies in ``root/.imageai-env/``. So it moves, is set aside and is deleted as one.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from imageai_envs.errors import LockFileError
from imageai_envs.framework import FRAMEWORKS, release_in
from imageai_envs.hints import create_again
from imageai_envs.lockfile import Lock, read_lock
from imageai_envs.paths import METADATA as METADATA
from imageai_envs.paths import environment_python
from imageai_envs.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.framework import Release

SCHEMA = 1
_MARKER = "owner.json"
_STATE = "state.json"
_LOCK = "requirements.txt"


@dataclass(frozen=True)
class State:
    """The record of a finished environment, written last.

    Attributes:
        name: its name.
        created: UTC, ISO 8601.
        request: what was asked for.
        template: the template that answered.
        release: exact release of the framework.
        imageai: exact release.
        variant: ``cpu`` or ``gpu``.
        target: CPython minor and platform.
        python: the base interpreter's executable.
        python_version: its exact version.
        engine: who installed, with version.
        creator: ``uv``, ``virtualenv`` or ``venv``.
        lock: digest of the lock that is installed.
        verified: level of the proof: ``inference``, ``imports`` or ``none``.
        seconds: what each step took.
        tool: version of this tool.
    """

    name: str
    created: str
    request: Request
    template: str
    release: Release
    imageai: str
    variant: str
    target: str
    python: str
    python_version: str
    engine: str
    creator: str
    lock: str
    verified: str
    seconds: dict[str, float]
    tool: str

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        data: dict[str, object] = {"schema": SCHEMA}
        for key, value in asdict(self).items():
            data |= self.release.to_json() if key == "release" else {key: value}
        return data


@dataclass(frozen=True)
class Environment:
    """One environment on disk. ``state`` is None when it was never finished, or its record is damaged."""

    name: str
    root: Path
    state: State | None

    @property
    def python(self) -> Path:
        """Its Python executable."""
        return environment_python(self.root)

    @property
    def lock_path(self) -> Path:
        """Its lock."""
        return self.root / METADATA / _LOCK

    def lock(self) -> Lock:
        """Read its lock.

        Raises:
            LockFileError: missing or damaged; the hint builds what was asked for anew.
        """
        try:
            return read_lock(self.lock_path)
        except LockFileError as error:
            error.hint = create_again(self.name, self.root, self.state)
            raise


def is_ours(root: Path) -> bool:
    """Tell whether ``root`` carries our marker. Only such directories are ever deleted."""
    return not root.is_symlink() and (root / METADATA / _MARKER).is_file()


def is_finished(root: Path) -> bool:
    """Tell whether the environment at ``root`` was completed: its state is the last thing written."""
    return is_ours(root) and read_state(root) is not None


def mark(root: Path) -> None:
    """Create ``root`` with our marker in it."""
    (root / METADATA).mkdir(parents=True, exist_ok=True)
    write_atomically(root / METADATA / _MARKER, json.dumps({"schema": SCHEMA, "owner": "imageai-env"}) + "\n")


def is_half_marked(root: Path) -> bool:
    """Tell whether :func:`mark` was killed in ``root``: nothing is there but what it makes, and no marker yet."""
    try:
        inside = [entry.name for entry in root.iterdir()]
        marks = [entry.name for entry in (root / METADATA).iterdir()] if inside else []
    except OSError:
        return False
    half = all(name.startswith(f".{_MARKER}.") for name in marks)
    return not root.is_symlink() and inside in ([], [METADATA]) and half


def unmark(root: Path) -> None:
    """Remove what :func:`is_half_marked` tells of; a directory that is not empty then stays."""
    with contextlib.suppress(OSError):
        for half in (root / METADATA).glob(f".{_MARKER}.*"):
            half.unlink()
        for directory in (root / METADATA, root):
            if directory.exists():
                directory.rmdir()


def write_lock(root: Path, lock: Lock) -> None:
    """Store the lock with the environment."""
    write_atomically(root / METADATA / _LOCK, lock.render())


def write_state(root: Path, state: State) -> None:
    """Store the state; from here on the environment exists."""
    write_atomically(root / METADATA / _STATE, json.dumps(state.to_json(), indent=2) + "\n")


def read_state(root: Path) -> State | None:
    """Return the state of the environment at ``root``; None when there is none, or it cannot be understood."""
    try:
        data = json.loads((root / METADATA / _STATE).read_text(encoding="utf-8"))
        if data.pop("schema") != SCHEMA:
            return None
        request = data.pop("request")
        request["extras"] = tuple(request["extras"])
        release = release_in({framework.name: data.pop(framework.name, "") for framework in FRAMEWORKS})
        return State(request=Request(**request), release=release, **data) if release else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that it is either the old one or the new one, also after a crash.

    Raises:
        OSError: it cannot be written; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
