"""Named environments: where they are, what they are called, which exist."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.environment import Environment, is_finished, is_ours, read_state, write_atomically
from imageai_envs.errors import BusyError, RequestError
from imageai_envs.paths import looks_like_path as looks_like_path
from imageai_envs.transaction import LEFTOVER, is_unsettled, locked, recover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imageai_envs.paths import Home
    from imageai_envs.progress import Reporter

MAX_NAME = 64
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
# Device names on Windows, with or without an extension; a store is sometimes on a shared drive.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


def validate_name(name: str) -> str:
    """Return ``name`` if it can name an environment.

    Raises:
        RequestError: empty, too long, a path, hidden, or reserved on some system.
    """
    problem = ""
    if not name:
        problem = "it is empty"
    elif len(name) > MAX_NAME:
        problem = f"it has {len(name)} characters; {MAX_NAME} are allowed"
    elif "/" in name or "\\" in name or name in (".", ".."):
        problem = "it is a path"
    elif not name.isascii() or not _NAME.fullmatch(name):
        problem = "allowed are letters, digits, '.', '_' and '-', beginning with a letter or digit"
    elif _RESERVED.fullmatch(name):
        problem = "it is a device name on Windows"
    if problem:
        shown = name if len(name) <= MAX_NAME else f"{name[:20]}…"
        raise RequestError(
            f"{shown!r} cannot name an environment: {problem}.",
            hint="imageai-env create myproj   (for an environment inside a project: --path .venv)",
            code="bad-name",
        )
    return name


def _name_of_project(root: Path) -> str:
    try:
        return validate_name(root.parent.name)
    except RequestError as error:
        raise RequestError(
            f"The directory's name {root.parent.name!r} cannot name an environment.",
            hint=f"Give a name: imageai-env create NAME --path {root}",
            code="bad-name",
        ) from error


def _own_name(entry: str) -> str:
    """Return the environment that a directory of the store belongs to: itself, or the one that it waits for."""
    match = LEFTOVER.fullmatch(entry)
    return match["name"] if match else "" if entry.startswith(".") else entry


@dataclass(frozen=True)
class Store:
    """The environments of one user."""

    home: Home

    def root_for(self, name: str) -> Path:
        """Return where the environment ``name`` lies, or would lie."""
        return self.linked(name) or self.home.environments / name

    def place(self, name: str | None, path: Path | None) -> tuple[str, Path]:
        """Return name and directory of an environment to be: in the store, or at ``path``.

        Without a name the directory of the project around ``path`` names it.

        Raises:
            RequestError: no name, one that cannot be, or one that another environment has.
        """
        if path is None:
            if name is None:
                raise RequestError("The environment needs a name.", hint="imageai-env create myproj", code="bad-name")
            validate_name(name)
            linked = self.linked(name)
            if linked is not None and linked.exists():
                raise RequestError(
                    f"The name {name} belongs to the environment at {linked}.",
                    hint=f"Another name, or --path {linked} --force to replace that one.",
                    code="exists",
                )
            return name, self.home.environments / name
        root = path.expanduser().absolute()
        own = validate_name(name) if name is not None else _name_of_project(root)
        linked = self.linked(own)
        if (self.home.environments / own).exists() or (linked is not None and linked.exists() and linked != root):
            raise RequestError(
                f"There is another environment called {own}.",
                hint=f"Give this one a name: imageai-env create NAME --path {path}",
                code="exists",
            )
        return own, root

    def linked(self, name: str) -> Path | None:
        """Return where a ``--path`` environment called ``name`` lies."""
        try:
            data = json.loads((self.home.links / f"{name}.json").read_text(encoding="utf-8"))
            return Path(data["path"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def link(self, name: str, root: Path) -> None:
        """Remember that ``name`` lies at ``root``."""
        self.home.links.mkdir(parents=True, exist_ok=True)
        write_atomically(self.home.links / f"{name}.json", json.dumps({"path": str(root)}) + "\n")

    def unlink(self, name: str) -> None:
        """Forget where ``name`` lies; the environment itself is not touched."""
        (self.home.links / f"{name}.json").unlink(missing_ok=True)

    def get(self, name_or_path: str) -> Environment:
        """Return an existing environment by name or by directory.

        Raises:
            RequestError: there is none; similar names are suggested.
        """
        if looks_like_path(name_or_path):
            root = Path(name_or_path).expanduser().absolute()
            self._recover(root)
            if not is_ours(root):
                raise RequestError(
                    f"{root} is not an environment made by imageai-env.",
                    hint=f"imageai-env create --path {name_or_path}",
                    code="no-such-environment",
                )
            state = read_state(root)
            return Environment(state.name if state else root.name, root, state)
        root = self.root_for(validate_name(name_or_path))
        self._recover(root)
        if not is_ours(root):
            raise self._missing(name_or_path)
        return Environment(name_or_path, root, read_state(root))

    @contextmanager
    def hold(self, name_or_path: str, reporter: Reporter, *, wait: bool = True) -> Iterator[Environment]:
        """Yield an existing environment that no other process changes meanwhile.

        Raises:
            RequestError: there is none.
            BusyError: another process works on it, and ``wait`` is False.
        """
        if looks_like_path(name_or_path):
            root = Path(name_or_path).expanduser().absolute()
        else:
            root = self.root_for(validate_name(name_or_path))
        if not is_ours(root) and not is_unsettled(root):
            with suppress(BusyError):  # begun by another process this very moment: then that is waited for
                self.get(name_or_path)  # says that there is none, and what there is
        with locked(root, self.home, reporter, wait=wait):
            yield self.get(name_or_path)

    def _recover(self, root: Path) -> None:
        """Mend what a killed command left at ``root``.

        Raises:
            BusyError: a living command is at work there, and the environment cannot be used meanwhile.
        """
        if not recover(root, self.home) and not is_finished(root):
            raise BusyError(
                f"Another imageai-env is building {root} right now.",
                hint="Wait for it, then run the same command.",
            )

    def _missing(self, name: str) -> RequestError:
        import difflib

        names = [environment.name for environment in self.all()]
        near = difflib.get_close_matches(name, names, n=1)
        listing = f" There are: {', '.join(names)}." if names else " There are none yet."
        return RequestError(
            f"There is no environment {name!r}.{listing}",
            hint=f"Did you mean {near[0]}?" if near else f"imageai-env create {name}",
            code="no-such-environment",
        )

    def all(self) -> list[Environment]:
        """Return every environment, by name, unfinished ones too. Nothing of them is executed."""
        found: dict[str, Environment] = {}
        if self.home.environments.is_dir():
            names = {_own_name(entry.name) for entry in self.home.environments.iterdir()}
            for root in (self.home.environments / name for name in names if name):
                recover(root, self.home)
                if is_ours(root):
                    found[root.name] = Environment(root.name, root, read_state(root))
        if self.home.links.is_dir():
            for file in self.home.links.glob("*.json"):
                root_ = self.linked(file.stem)
                if root_ is not None:
                    recover(root_, self.home)
                if root_ is not None and is_ours(root_):
                    found[file.stem] = Environment(file.stem, root_, read_state(root_))
        return [found[name] for name in sorted(found)]
