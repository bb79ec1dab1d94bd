"""What is in an environment, and what of it is the user's: nobody but a person put it there.

Accounted for are the files of every distribution (RECORD, PEP 376), what the creator of the virtual environment wrote
(listed when it was made, see :func:`record_creation`), what we know of it (``.imageai-env/``), and bytecode. Everything
else is the user's, and so is a file of RECORD that is not the one that was installed: somebody edited it.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.additions import read as read_additions
from imageai_envs.distributions import distributions_in
from imageai_envs.environment import Condition, condition_of, write_atomically
from imageai_envs.file_reading import read_text
from imageai_envs.known_files import hash_file
from imageai_envs.paths import METADATA
from imageai_envs.records import differences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imageai_envs.known_files import Ledger

_CREATION = "venv.json"
_OURS = frozenset(
    {"owner.json", "state.json", "requirements.txt", "additions.json", "building", "keep.json", "own.copy", _CREATION}
)
_DOWNLOADS = f"{METADATA}/fresh"  # see installing
_HALF_WRITTEN = re.compile(r"\.(?:.+)\.\d+")  # see environment.write_atomically
# What every creator of virtual environments writes; for environments that were made before they were listed.
_CREATED = re.compile(
    r"pyvenv\.cfg|lib64|(?:bin|Scripts)/(?:python[\d.]*(?:\.exe)?|pythonw\.exe|\N{GREEK PI SYMBOL}thon|pydoc\.bat"
    r"|\N{MATHEMATICAL ITALIC SMALL PI}thon|[Aa]ctivate(?:_this\.py|\.\w+)?|deactivate\.\w+)"
    r"|lib/python3\.\d+/site-packages/_virtualenv\.(?:py|pth)"
)
# Creators of virtual environments mark them so; a .gitignore that says more than "everything" is a person's.
_MARKS = frozenset({".lock", ".gitignore", "CACHEDIR.TAG"})
_CACHE_TAG = "Signature: 8a477f597d28d172789f06886806bc55"  # https://bford.info/cachedir/
_LONGEST_MARK = 100  # lines
# What installers add to a dist-info and some of them do not list (PEP 376, PEP 610, uv).
_OF_INSTALLERS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
# The top of a virtual environment with wheels in it. Of one that was broken off, no more can be told.
_TOP = frozenset({"bin", "lib", "lib64", "include", "share", "etc", "man", "Scripts", "Lib", "Include"})
_TOP_FILES = frozenset({"pyvenv.cfg", METADATA, *_MARKS})


@dataclass(frozen=True)
class Contents:
    """What of an environment is the user's, as paths relative to it, ``/`` between their parts.

    Attributes:
        added: files, links and directories that nothing accounts for; a directory with nothing else in it as a whole.
        edited: files that were installed and are not as they were installed.
    """

    added: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything is."""
        return bool(self.added or self.edited)


def record_creation(root: Path) -> None:
    """List what lies in the new, empty virtual environment at ``root``: all of it is its creator's.

    Raises:
        OSError: the list cannot be written.
    """
    listed = {path: _content(root, path) for path in _files(root, "") if not path.startswith(f"{METADATA}/")}
    write_atomically(root / METADATA / _CREATION, json.dumps(listed, indent=0) + "\n")


def users_contents(root: Path, ledger: Ledger | None = None) -> Contents:
    """Return what of the environment at ``root`` is the user's. Nothing of it is run.

    Args:
        root: the environment.
        ledger: knows files that were hashed before; None: all are hashed.

    Raises:
        OSError: it cannot be read.
    """
    return Contents(added_files(root), edited_files(root, ledger))


def added_files(root: Path) -> tuple[str, ...]:
    """Return what nothing in the environment at ``root`` accounts for (see :class:`Contents`).

    Raises:
        OSError: it cannot be read.
    """
    condition = condition_of(root)
    if condition is Condition.UNFINISHED:
        top = [entry.name for entry in root.iterdir()] if root.is_dir() else []
        return tuple(sorted(name for name in top if name not in _TOP | _TOP_FILES))
    known = _Known(root, _created(root), set(_recorded(root)), whole_metadata=condition is Condition.NEWER)
    return tuple(sorted(_added(root, "", known)[0]))


def edited_files(root: Path, ledger: Ledger | None = None) -> tuple[str, ...]:
    """Return the files of the environment at ``root`` that are not as they were installed (see :class:`Contents`)."""
    if condition_of(root) is Condition.UNFINISHED:
        return ()
    recorded = set(_recorded(root))
    created = {path for path, content in (_created(root) or {}).items() if _differs(root, path, content)}
    return tuple(sorted({*(created - recorded), *_altered(root, ledger)}))


@dataclass(frozen=True)
class _Known:
    """What accounts for files."""

    root: Path
    created: dict[str, str] | None
    recorded: set[str]
    whole_metadata: bool

    def accounts_for(self, path: str) -> bool:
        """Tell whether the file at ``path`` is somebody's whom we know."""
        name = posixpath.basename(path)
        directory = posixpath.dirname(path)
        if path in self.recorded or path in (self.created or ()):
            return True
        if self.created is None and _CREATED.fullmatch(path):
            return True
        if directory == METADATA:
            return self.whole_metadata or name in _OURS or _HALF_WRITTEN.fullmatch(name) is not None
        if directory.endswith(".dist-info") and name in _OF_INSTALLERS:
            return True
        return self._is_ignored(path, name, directory)

    def _is_ignored(self, path: str, name: str, directory: str) -> bool:
        if posixpath.basename(directory) == "__pycache__" and ".pyc" in name:
            return True
        if path not in _MARKS:
            return False
        try:
            lines = read_text(self.root / path).splitlines()[:_LONGEST_MARK]
        except OSError:
            return False
        says = [line for line in lines if line.strip() and not line.startswith("#")]
        return says in ([], ["*"]) if path != "CACHEDIR.TAG" else says[:1] == [_CACHE_TAG]


def _added(root: Path, directory: str, known: _Known) -> tuple[list[str], bool]:
    """Return what nothing accounts for below ``directory``, and whether anything there is accounted for."""
    added: list[str] = []
    accounted = False
    with os.scandir(root / directory) as entries:
        listing = sorted(entries, key=lambda entry: entry.name)
    for entry in listing:
        path = f"{directory}/{entry.name}" if directory else entry.name
        if path == _DOWNLOADS:
            continue
        if not entry.is_dir(follow_symlinks=False):
            if known.accounts_for(path):
                accounted = True
            else:
                added.append(path)
            continue
        try:
            below, has_known = _added(root, path, known)
        except PermissionError:
            below, has_known = [path], False  # who closes a directory is a person
        accounted |= has_known
        if below and not has_known:
            below = [path]
        added += below
    return added, accounted


def _files(root: Path, directory: str) -> Iterator[str]:
    with os.scandir(root / directory) as entries:
        listing = sorted(entries, key=lambda entry: entry.name)
    for entry in listing:
        path = f"{directory}/{entry.name}" if directory else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _files(root, path)
        else:
            yield path


def _sites(root: Path) -> Iterator[Path]:
    for site in (*sorted(root.glob("lib/python3*/site-packages")), root / "Lib" / "site-packages"):
        if site.is_dir() and not site.is_symlink():
            yield site


def _recorded(root: Path) -> Iterator[str]:
    """Return every path that a RECORD names, relative to ``root``; those that lead out of it are nobody's."""
    for site in _sites(root):
        base = site.relative_to(root).as_posix()
        for item in distributions_in(site):
            for path in item.files:
                within = posixpath.normpath(f"{base}/{path}")
                if not within.startswith(("../", "/")):
                    yield within
        for name in read_additions(root).links:
            yield f"{base}/tensorflow/{name}"


def _altered(root: Path, ledger: Ledger | None) -> Iterator[str]:
    """Return the installed files whose content is not the one that their RECORD names."""
    misrecorded = read_additions(root).misrecorded
    for site in _sites(root):
        base = site.relative_to(root).as_posix()
        for items in differences(site, ledger, misrecorded).values():
            for item in items:
                path = posixpath.normpath(f"{base}/{item.path}")
                if item.found and not path.startswith(("../", "/")):
                    yield path


def _created(root: Path) -> dict[str, str] | None:
    """Return what :func:`record_creation` listed; None for environments of the versions before."""
    try:
        data = json.loads(read_text(root / METADATA / _CREATION))
    except (OSError, ValueError, RecursionError):
        return None
    return {str(path): str(content) for path, content in data.items()} if isinstance(data, dict) else None


def _content(root: Path, path: str) -> str:
    """Return what tells a file's or a link's content from another."""
    full = root / path
    if full.is_symlink():
        return f"-> {full.readlink()}"
    return hash_file(str(full))


def _differs(root: Path, path: str, content: str) -> bool:
    try:
        return _content(root, path) != content
    except OSError:
        return False  # gone: there is nothing to keep
