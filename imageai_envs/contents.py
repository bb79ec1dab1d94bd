"""What is in an environment, and what of it is the user's: nobody but a person put it there.

Accounted for are the files of every distribution (RECORD, PEP 376), what the creator of the virtual environment wrote
(listed when it was made, see :func:`record_creation`), what we know of it (``.imageai-env/``), and bytecode. Everything
else is the user's, and so is a file of RECORD that is not the one that was installed: somebody edited it.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.additions import read as read_additions
from imageai_envs.distributions import distributions_in
from imageai_envs.environment import Condition, condition_of, write_atomically
from imageai_envs.paths import METADATA
from imageai_envs.recorded_files import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imageai_envs.distributions import Distribution

_CREATION = "venv.json"
_OURS = frozenset(
    {"owner.json", "state.json", "requirements.txt", "additions.json", "building", "keep.json", _CREATION}
)
_HALF_WRITTEN = re.compile(rf"\.(?:{'|'.join(map(re.escape, _OURS))})\.\d+")  # see environment.write_atomically
# What every creator of virtual environments writes; for environments that were made before they were listed.
_CREATED = re.compile(
    r"pyvenv\.cfg|lib64|(?:bin|Scripts)/(?:python[\d.]*(?:\.exe)?|pythonw\.exe|\N{GREEK PI SYMBOL}thon|pydoc\.bat"
    r"|\N{MATHEMATICAL ITALIC SMALL PI}thon|[Aa]ctivate(?:_this\.py|\.\w+)?|deactivate\.\w+)"
    r"|lib/python3\.\d+/site-packages/_virtualenv\.(?:py|pth)"
)
# uv writes these; one that a person filled with something else is that person's.
_MARKS = {".lock": b"", ".gitignore": b"*", "CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55"}
# What installers add to a dist-info and some of them do not list (PEP 376, PEP 610, uv).
_OF_INSTALLERS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
# The top of a virtual environment with wheels in it. Of one that was broken off, no more can be told.
_TOP = frozenset(
    {"bin", "lib", "lib64", "include", "share", "etc", "man", "Scripts", "Lib", "Include", "pyvenv.cfg", METADATA}
)


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


def users_contents(root: Path) -> Contents:
    """Return what of the environment at ``root`` is the user's. Nothing of it is run.

    Raises:
        OSError: it cannot be read.
    """
    if condition_of(root) is Condition.UNFINISHED:
        top = sorted(entry.name for entry in root.iterdir()) if root.is_dir() else []
        return Contents(tuple(name for name in top if name not in _TOP and not _is_mark(root, name)))
    created = _created(root)
    installed = _installed(root)
    recorded = set(_recorded(root, installed))
    known = _Known(root, created, recorded)
    added, _ = _added(root, "", known)
    edited = [
        path for path, content in (created or {}).items() if path not in recorded and _differs(root, path, content)
    ]
    return Contents(tuple(added), tuple(sorted({*edited, *_altered(root, installed)})))


@dataclass(frozen=True)
class _Known:
    """What accounts for files."""

    root: Path
    created: dict[str, str] | None
    recorded: set[str]

    def accounts_for(self, path: str) -> bool:
        """Tell whether the file at ``path`` is somebody's whom we know."""
        name = posixpath.basename(path)
        directory = posixpath.dirname(path)
        if path in self.recorded or path in (self.created or ()):
            return True
        if self.created is None and _CREATED.fullmatch(path):
            return True
        if directory == METADATA:
            return name in _OURS or _HALF_WRITTEN.fullmatch(name) is not None
        if directory.endswith(".dist-info") and name in _OF_INSTALLERS:
            return True
        compiled = posixpath.basename(directory) == "__pycache__" and ".pyc" in name
        return compiled or _is_mark(self.root, path)


def _is_mark(root: Path, path: str) -> bool:
    """Tell whether ``path`` is one of :data:`_MARKS`, with what uv writes into it."""
    if path not in _MARKS:
        return False
    try:
        content = (root / path).read_bytes()[:100]
    except OSError:
        return False
    return content.strip() == _MARKS[path] or (path == "CACHEDIR.TAG" and content.startswith(_MARKS[path]))


def _added(root: Path, directory: str, known: _Known) -> tuple[list[str], bool]:
    """Return what nothing accounts for below ``directory``, and whether anything there is accounted for."""
    added: list[str] = []
    accounted = False
    with os.scandir(root / directory) as entries:
        listing = sorted(entries, key=lambda entry: entry.name)
    for entry in listing:
        path = f"{directory}/{entry.name}" if directory else entry.name
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


def _installed(root: Path) -> list[Distribution]:
    """Return every distribution; each reads its RECORD once, so that one that cannot be read accounts for nothing."""
    return [item for site in _sites(root) for item in distributions_in(site)]


def _recorded(root: Path, installed: list[Distribution]) -> Iterator[str]:
    """Return every path that a RECORD names, relative to ``root``; those that lead out of it are nobody's."""
    for item in installed:
        for path in item.files:
            within = _within(root, item, path)
            if within:
                yield within
    for site in _sites(root):
        for name in read_additions(root).links:
            yield f"{site.relative_to(root).as_posix()}/tensorflow/{name}"


def _altered(root: Path, installed: list[Distribution]) -> Iterator[str]:
    """Return the installed files whose content is not the one that their RECORD names."""
    misrecorded = read_additions(root).misrecorded
    for item in installed:
        for path, said in item.hashes.items():
            within = _within(root, item, path)
            if not said or not within:
                continue
            state = state_of(item.site, path, misrecorded.get(path, said))
            if state == "altered" or (state == "missing" and os.path.lexists(root / within)):  # it cannot be read
                yield within


def _within(root: Path, item: Distribution, path: str) -> str:
    """Return a path of a RECORD relative to ``root``; empty if it leads out of it."""
    within = posixpath.normpath(f"{item.site.relative_to(root).as_posix()}/{path}")
    return "" if within.startswith(("../", "/")) else within


def _created(root: Path) -> dict[str, str] | None:
    """Return what :func:`record_creation` listed; None for environments of the versions before.

    Raises:
        OSError: it is there and cannot be read: then nobody can tell what somebody edited.
    """
    try:
        data = json.loads((root / METADATA / _CREATION).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return {str(path): str(content) for path, content in data.items()} if isinstance(data, dict) else None


def _content(root: Path, path: str) -> str:
    """Return what tells a file's or a link's content from another."""
    full = root / path
    if full.is_symlink():
        return f"-> {full.readlink()}"
    return hashlib.sha256(full.read_bytes()).hexdigest()


def _differs(root: Path, path: str, content: str) -> bool:
    try:
        return _content(root, path) != content
    except (FileNotFoundError, NotADirectoryError):
        return False  # gone: there is nothing to keep
    except OSError:
        return True
