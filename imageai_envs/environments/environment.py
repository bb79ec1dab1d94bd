"""An environment: a virtual environment with our marker, its lock and its state in it.

The directory of the environment *is* the virtual environment (``root/bin/python``), whether it is in the store or
in a project; what we know of it is in ``root/.imageai-env/``. So it moves, is set aside and is deleted as one.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from imageai_envs.base.errors import LockFileError
from imageai_envs.base.file_reading import parse_json, read_text
from imageai_envs.base.paths import METADATA as METADATA
from imageai_envs.base.paths import environment_python
from imageai_envs.environments.hints import create_again
from imageai_envs.locks.lockfile import Lock, read_lock
from imageai_envs.request.framework import FRAMEWORKS, release_in
from imageai_envs.request.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.request.framework import Release

SCHEMA = 1
_STATE = "state.json"
_LOCK = "requirements.txt"
_BUILDING = "building"  # is in an environment while it is built


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
    """One environment on disk.

    Attributes:
        name: its name.
        root: its directory.
        state: None when it was never finished, or its state cannot be read.
        ours: the store knows it (:mod:`~imageai_envs.environments.ownership`); others can be read and run, not changed.
    """

    name: str
    root: Path
    state: State | None
    ours: bool = True

    def fix_by(self, verb: str) -> str:
        """Return the command that changes it (``repair``, ``recreate``); what builds a copy of one that is not ours."""
        if self.ours:
            return f"imageai-env {verb} {self.name}"
        return f"imageai-env clone {shlex.quote(str(self.root))} {self._copy}"

    @property
    def _copy(self) -> str:
        """Return a name for a copy of our own."""
        return f"{self.name.lstrip('.') or 'env'}-copy"

    @property
    def condition(self) -> Condition:
        """Return what its files say of it."""
        return condition_of(self.root)

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
            LockFileError: missing or damaged; the hint builds what was asked for again.
        """
        try:
            return read_lock(self.lock_path)
        except LockFileError as error:
            name, root = (self.name, self.root) if self.ours else (self._copy, None)
            error.hint = create_again(name, root, self.state)
            raise


class Condition(Enum):
    """What the files of an environment say of it. Each has its own words and its own rights.

    Attributes:
        FINISHED: it was completed, and its state can be read.
        UNFINISHED: it was interrupted while it was built: nothing in it is worth keeping but what the user put there.
        UNREADABLE: its state is damaged or gone. It was finished once: only who says so (``--force``) replaces it.
        NEWER: a newer version of this tool wrote its state. It can be run and removed; that version changes it.
    """

    FINISHED = "finished"
    UNFINISHED = "unfinished"
    UNREADABLE = "unreadable"
    NEWER = "newer"


def condition_of(root: Path) -> Condition:
    """Return the condition of the environment at ``root``.

    The state is written as a whole, last, and the file ``building`` is there before anything else: so only a missing
    state beside ``building`` tells of a build that was interrupted.
    """
    if read_state(root) is not None:
        return Condition.FINISHED
    if not os.path.lexists(root / METADATA / _STATE):
        interrupted = is_building(root) or not root.exists()
        return Condition.UNFINISHED if interrupted else Condition.UNREADABLE
    schema = (_load(root) or {}).get("schema")
    return Condition.NEWER if isinstance(schema, int) and schema > SCHEMA else Condition.UNREADABLE


def is_finished(root: Path) -> bool:
    """Tell whether the environment at ``root`` was completed: its state is the last thing written."""
    return read_state(root) is not None


def is_building(root: Path) -> bool:
    """Tell whether the environment at ``root`` is being built, or a build was interrupted."""
    return (root / METADATA / _BUILDING).exists()


def begin_building(root: Path) -> None:
    """Say in ``root`` that it is being built.

    Raises:
        OSError: it cannot be written.
    """
    (root / METADATA / _BUILDING).touch()


def end_building(root: Path) -> None:
    """Take back :func:`begin_building`."""
    (root / METADATA / _BUILDING).unlink(missing_ok=True)


def write_lock(root: Path, lock: Lock) -> None:
    """Store the lock with the environment."""
    write_atomically(root / METADATA / _LOCK, lock.render())


def write_state(root: Path, state: State) -> None:
    """Store the state; from here on the environment exists."""
    write_atomically(root / METADATA / _STATE, json.dumps(state.to_json(), indent=2) + "\n")


def read_state(root: Path) -> State | None:
    """Return the state of the environment at ``root``; None when there is none, or it cannot be understood."""
    try:
        data = dict(_load(root) or {})
        if data.pop("schema") != SCHEMA:
            return None
        request = data.pop("request")
        request["extras"] = tuple(request["extras"])
        release = release_in({framework.name: data.pop(framework.name, "") for framework in FRAMEWORKS})
        state = State(request=Request(**request), release=release, **data) if release else None
    except (TypeError, KeyError, AttributeError, ValueError):
        return None
    return state if state and _is_of_its_types(state) else None


def _is_of_its_types(state: State) -> bool:
    """Tell whether every value is of the type that it is said to be: the file may be anybody's."""
    texts = [value for key, value in vars(state).items() if key not in ("request", "release", "seconds")]
    request = vars(state.request)
    asked = [value for key, value in request.items() if key != "extras" and value is not None]
    return all(isinstance(value, str) for value in (*texts, *asked, *state.request.extras)) and isinstance(
        state.seconds, dict
    )


def _load(root: Path) -> dict[str, Any] | None:
    try:
        data = parse_json(read_text(root / METADATA / _STATE))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


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
