"""Named environments: where they are, what they are called, which exist."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.errors import BusyError, RequestError
from imageai_envs.base.paths import expanded
from imageai_envs.base.paths import looks_like_path as looks_like_path
from imageai_envs.environments import ownership
from imageai_envs.environments.environment import Environment, is_finished, read_state
from imageai_envs.environments.ownership import aside, has_marker, owns
from imageai_envs.environments.transaction import is_held, is_unsettled, locked, not_ours, recover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imageai_envs.base.context import Context
    from imageai_envs.base.paths import Home

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


def _check_path(root: Path) -> None:
    """Refuse a path at which an environment would be built and could not be used.

    Raises:
        RequestError: it has a separator of search paths, or a control character: scripts name it in their first line.
    """
    problem = ""
    if os.pathsep in str(root):
        problem = f"a directory with a {os.pathsep!r} cannot stand on PATH"
    elif re.search(r"[\x00-\x1f\x7f]", str(root)):
        problem = "it has a control character"
    if problem:
        raise RequestError(
            f"{str(root)!r} cannot become an environment: {problem}.",
            hint="Choose another place: --path DIR, or IMAGEAI_ENV_HOME for all.",
            code="bad-path",
        )


def _check_place(root: Path) -> None:
    """Refuse a directory that must not become an environment, also when it is empty.

    Raises:
        RequestError: the working directory, the home or a parent of theirs; a mount point; a git work tree.
    """
    real, here = root.resolve(), Path.cwd().resolve()
    home = Path.home().resolve()
    problem = ""
    if real == here or real in here.parents:
        problem = "it is the working directory, or one above it"
    elif real == home or real in home.parents:
        problem = "it is your home directory, or one above it"
    elif os.path.ismount(real):
        problem = "it is a mount point"
    elif os.path.lexists(root / ".git"):
        problem = "it is a git work tree"
    if problem:
        raise RequestError(
            f"{root} cannot become an environment: {problem}.",
            hint=f"A directory of its own in it: imageai-env create --path {shlex.quote(str(root / '.venv'))}",
            code="bad-place",
        )


@dataclass(frozen=True)
class Store:
    """The environments of one user.

    Attributes:
        context: where they are, and who is told what is kept when an interrupted command is settled.
    """

    context: Context

    @property
    def home(self) -> Home:
        """Return the directories of environments and records."""
        return self.context.home

    def root_for(self, name: str) -> Path:
        """Return the directory of the environment ``name``, which need not exist."""
        return self.linked(name) or self.context.home.environments / name

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
            if linked is not None:
                raise RequestError(
                    f"The name {name} belongs to the environment at {linked}.",
                    hint=f"Another name, or replace that one: --path {shlex.quote(str(linked))} --force",
                    code="exists",
                )
            _check_path(self.context.home.environments / name)
            return name, self.context.home.environments / name
        root = _absolute(path)
        _check_path(root)
        own = validate_name(name) if name is not None else _name_of_project(root)
        if not owns(root, self.context.home):
            _check_place(root)
        linked = self.linked(own)
        elsewhere = linked is not None and ownership.real_place(linked) != ownership.real_place(root)
        if elsewhere or (self.context.home.environments / own).exists():
            raise RequestError(
                f"There is another environment called {own}.",
                hint=f"Give this one a name: imageai-env create NAME --path {path}",
                code="exists",
            )
        return own, root

    def linked(self, name: str) -> Path | None:
        """Return the directory of a ``--path`` environment called ``name``."""
        return ownership.named(name, self.context.home)

    def get(self, name_or_path: str, *, to_use: bool = False) -> Environment:
        """Return an existing environment by name or by directory.

        What a killed command left is settled first; outside the store only with ``to_use``: looking at a directory
        that someone names changes nothing in it.

        Raises:
            RequestError: there is none; similar names are suggested.
            BusyError: it is being built, and cannot be used meanwhile.
        """
        by_path, root = looks_like_path(name_or_path), self._root_of(name_or_path)
        if to_use or not (by_path or self.linked(name_or_path)):
            settled = recover(root, self.context)
        else:
            settled = not (is_unsettled(root, self.context) and is_held(root, self.context.home))
        if not settled and not is_finished(root):
            raise BusyError(
                f"Another imageai-env is building {root} right now.",
                hint="Wait for it, then run the same command.",
            )
        if not has_marker(root):
            raise self._waiting(root) or (self._no_environment(root) if by_path else self.missing(name_or_path))
        return self._at(root, None if by_path else name_or_path)

    def _root_of(self, name_or_path: str) -> Path:
        """Return the directory that is meant by a name or a path.

        Raises:
            RequestError: it cannot be one of an environment.
        """
        if not looks_like_path(name_or_path):
            return self.root_for(validate_name(name_or_path))
        root = _absolute(Path(name_or_path))
        if not root.name:
            raise self._no_environment(root)  # the root directory
        return root

    def _at(self, root: Path, name: str | None = None) -> Environment:
        """Return the environment with a marker at ``root``; of one that is not ours, nothing is believed."""
        own = ownership.name_of(root, self.context.home)
        return Environment(own or name or root.name, root, read_state(root), ours=own is not None)

    def _waiting(self, root: Path) -> RequestError | None:
        """Return the error for an environment that waits aside since its replacement was interrupted."""
        if not owns(aside(root), self.context.home):
            return None
        return RequestError(
            f"The replacement of {root} was interrupted; the environment before it waits beside it.",
            hint=f"imageai-env run {shlex.quote(str(root))} -- python --version   (using it brings it back)",
            code="interrupted-before",
        )

    @staticmethod
    def _no_environment(root: Path) -> RequestError:
        return RequestError(
            f"{root} is not an environment made by imageai-env.",
            hint=f"imageai-env create --path {shlex.quote(str(root))}",
            code="no-such-environment",
        )

    @contextmanager
    def hold(self, name_or_path: str, *, wait: bool = True, to_read: bool = False) -> Iterator[Environment]:
        """Yield an existing environment that no other process changes meanwhile.

        Raises:
            RequestError: there is none, or it is not ours (one that is only read, ``to_read``, need not be).
            BusyError: another process works on it, and ``wait`` is False.
        """
        root = self._root_of(name_or_path)
        if not owns(root, self.context.home) and not is_unsettled(root, self.context):
            found: Environment | None = None
            with suppress(BusyError):  # begun by another process this very moment: then that is waited for
                found = self.get(name_or_path)  # says that there is none, and what there is
            if found and not found.ours:
                if not to_read:
                    raise not_ours(root)
                yield found
                return
        with locked(root, self.context, wait=wait):
            yield self.get(name_or_path, to_use=True)

    def missing(self, name: str) -> RequestError:
        """Return the error for a name that no environment has; similar names are suggested."""
        import difflib

        names = self.names()
        near = difflib.get_close_matches(name, names, n=1)
        listing = f" There are: {', '.join(names)}." if names else " There are none yet."
        return RequestError(
            f"There is no environment {name!r}.{listing}",
            hint=f"Did you mean {near[0]}?" if near else f"imageai-env create {name}",
            code="no-such-environment",
        )

    def all(self) -> list[Environment]:
        """Return every environment, sorted by name; what killed commands left in the store is settled on the way.

        Directories of the store that carry a marker without a record of ours (copied there) are among them.
        """
        found: dict[str, Environment] = {}
        for root in self._inside():
            try:
                recover(root, self.context)
                if has_marker(root):
                    found[root.name] = self._at(root)
            except PermissionError as error:  # noqa: PERF203 - one that someone closed does not hide the others
                self.context.reporter.warn(f"{root} cannot be looked into: {error.strerror}")
        for name, root in self._outside():
            waiting = owns(aside(root), self.context.home)
            if waiting or owns(root, self.context.home):
                found[name] = Environment(name, root, read_state(root))
        return [found[name] for name in sorted(found)]

    def names(self) -> list[str]:
        """Return the names of all environments, from file names alone."""
        inside = set()
        for root in self._inside():
            with suppress(PermissionError):
                inside |= {root.name} if has_marker(root) else set()
        return sorted({*inside, *(name for name, root in self._outside() if owns(root, self.context.home))})

    def _inside(self) -> list[Path]:
        """Return the directories of the store that are environments, or that killed commands left something of."""
        if not self.context.home.environments.is_dir():
            return []
        places = {ownership.place_of(entry).name for entry in self.context.home.environments.iterdir()}
        return [self.context.home.environments / name for name in sorted(places) if not name.startswith(".")]

    def _outside(self) -> list[tuple[str, Path]]:
        """Return names and directories of the environments outside the store."""
        inside = self.context.home.environments.resolve()
        recorded = {
            record.name: record.root for record in ownership.records(self.context.home) if record.root.parent != inside
        }
        return [
            (name, root)
            for name in {**ownership.links(self.context.home), **recorded}
            if (root := ownership.named(name, self.context.home)) is not None
        ]


def _absolute(path: Path) -> Path:
    """Return the absolute path of a directory that was named; ``..`` is followed, a link under its own name is not."""
    root = expanded(path).absolute()
    return root.resolve() if ".." in root.parts else root
