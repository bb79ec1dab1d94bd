"""What is in an environment, and which of it the user put there.

Accounted for are the files of every distribution (RECORD, PEP 376), what the creator of the virtual environment wrote
(listed when it was made, see :func:`record_creation`), what we know of it (``.imageai-env/``), and bytecode. Everything
else is the user's, and so is a file of RECORD that is not the one that was installed: someone edited it.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import RECORDS, parse_json, read_text
from imageai_envs.base.paths import METADATA, is_inside
from imageai_envs.environments.additions import read as read_additions
from imageai_envs.environments.environment import Condition, condition_of, write_atomically
from imageai_envs.installed.known_files import hash_file
from imageai_envs.installed.record_files import differences, read_records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imageai_envs.environments.additions import Additions
    from imageai_envs.installed.known_files import Ledger

_CREATION = "venv.json"
_OURS = frozenset(
    {"owner.json", "state.json", "requirements.txt", "additions.json", "building", "keep.json", "own.copy", _CREATION}
)
_DOWNLOADS = f"{METADATA}/fresh"  # see installing
_HALF_WRITTEN = re.compile(rf"\.(?:{'|'.join(map(re.escape, _OURS))})\.\d+")  # see environment.write_atomically
# What every creator of virtual environments writes; for environments that were made before they were listed.
_CREATED = re.compile(
    r"pyvenv\.cfg|lib64|(?:bin|Scripts)/(?:python[\d.]*(?:\.exe)?|pythonw\.exe|\N{GREEK PI SYMBOL}thon|pydoc\.bat"
    r"|\N{MATHEMATICAL ITALIC SMALL PI}thon|[Aa]ctivate(?:_this\.py|\.\w+)?|deactivate\.\w+)"
    r"|lib/python3\.\d+/site-packages/_virtualenv\.(?:py|pth)"
)
# What creators of virtual environments (uv, virtualenv, venv of Python 3.13) mark them with, to the letter: one that
# says anything else is a person's.
_MARKS = {
    ".lock": re.compile(""),
    ".gitignore": re.compile(r"(?:# [Cc]reated by (?:virtualenv automatically|venv; see [^\n]*)\n)?\*\n?"),
    "CACHEDIR.TAG": re.compile(
        r"Signature: 8a477f597d28d172789f06886806bc55\n?"
        r"(?:# This file is a cache directory tag created by [^\n]*\n# For information about [^\n]*\n#[^\n]*\n?)?"
    ),
}
# What installers add to a dist-info and some of them do not list (PEP 376, PEP 610, uv).
_OF_INSTALLERS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
_DEEPEST = 200  # directories in each other; what is deeper, no wheel has, and this would not come back from
# The top of a virtual environment with wheels in it. Of one that was interrupted, no more can be told.
_TOP = frozenset({"bin", "lib", "lib64", "include", "share", "etc", "man", "Scripts", "Lib", "Include"})


@dataclass(frozen=True)
class Contents:
    """What of an environment is the user's, as paths relative to it, ``/`` between their parts.

    Attributes:
        added: files, links and directories that nothing accounts for; a directory with nothing else in it as a whole.
        edited: files that were installed and are not as they were installed; not those in ``added`` or below it.
    """

    added: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything is."""
        return bool(self.added or self.edited)


def record_creation(root: Path) -> None:
    """List what is in the new, empty virtual environment at ``root``: all of it is its creator's.

    Raises:
        OSError: the list cannot be written.
    """
    files = (path for path in _files(root, "") if not path.startswith(f"{METADATA}/") and not _is_compiled(path))
    listed = {path: _content(root, path) for path in files}
    write_atomically(root / METADATA / _CREATION, json.dumps(listed, indent=0) + "\n")


def users_contents(root: Path, ledger: Ledger | None = None) -> Contents:
    """Return what of the environment at ``root`` is the user's. Nothing of it is run.

    Args:
        root: the environment.
        ledger: knows files that were hashed before; None: all are hashed.

    Raises:
        OSError: it cannot be read, so that nobody can tell.
    """
    installed = _Installed.read(root)
    added = _all_added(root, installed)
    below = tuple(f"{path}/" for path in added)
    edited = _all_edited(root, installed, ledger)
    return Contents(added, tuple(path for path in edited if not f"{path}/".startswith(below)))


def added_files(root: Path) -> tuple[str, ...]:
    """Return what nothing in the environment at ``root`` accounts for (see :class:`Contents`).

    Raises:
        OSError: it cannot be read.
    """
    return _all_added(root, _Installed.read(root))


def _all_added(root: Path, installed: _Installed) -> tuple[str, ...]:
    if condition_of(root) is Condition.UNFINISHED:
        top = [entry.name for entry in root.iterdir()] if root.is_dir() else []
        added = [name for name in top if name not in _TOP and not _is_mark(root, name)]
        return tuple(sorted([*added, *_added_to_ours(root)]))
    return tuple(sorted(_added(root, "", _Known(root, installed.created, installed.recorded(root)))[0]))


def _added_to_ours(root: Path) -> list[str]:
    """Return the user's files in ``.imageai-env``: every file that we write there has a known name."""
    paths = [f"{METADATA}/{entry.name}" for entry in (root / METADATA).iterdir()] if (root / METADATA).is_dir() else []
    ours = _Known(root, None, set())
    return [path for path in paths if path != _DOWNLOADS and ((root / path).is_dir() or not ours.accounts_for(path))]


def _all_edited(root: Path, installed: _Installed, ledger: Ledger | None) -> tuple[str, ...]:
    if condition_of(root) is Condition.UNFINISHED:
        return ()
    created = {path for path, content in (installed.created or {}).items() if _differs(root, path, content)}
    return tuple(sorted({*(created - installed.recorded(root)), *installed.altered(root, ledger)}))


@dataclass(frozen=True)
class _Installed:
    """What an environment says was put into it, read once: a RECORD that cannot be read accounts for nothing.

    Attributes:
        created: what :func:`record_creation` listed; None for environments that were made before it was.
        records: site-packages, with the rows of each distribution's RECORD.
        additions: what it got beside its lock.
    """

    created: dict[str, str] | None
    records: tuple[tuple[Path, list[tuple[str, list[tuple[str, str]]]]], ...]
    additions: Additions

    @classmethod
    def read(cls, root: Path) -> _Installed:
        """Read it.

        Raises:
            OSError: the list of what was created is there and cannot be read.
        """
        return cls(_created(root), tuple((site, read_records(site)) for site in _sites(root)), read_additions(root))

    def recorded(self, root: Path) -> set[str]:
        """Return every path that a RECORD names, relative to ``root``; paths outside of it are ignored."""
        links = [f"tensorflow/{name}" for name in self.additions.links]
        return {
            within
            for site, records in self.records
            for path in (*links, *(path for _, rows in records for path, _ in rows))
            if (within := _within(root, site, path))
        }

    def altered(self, root: Path, ledger: Ledger | None) -> Iterator[str]:
        """Return the installed files whose content is not the one that their RECORD names, or cannot be read."""
        for site, records in self.records:
            for items in differences(site, ledger, self.additions.misrecorded, records=records).values():
                for item in items:
                    within = _within(root, site, item.path)
                    if within and (item.found or os.path.lexists(root / within)):
                        yield within


def _within(root: Path, site: Path, path: str) -> str:
    """Return a path of a RECORD relative to ``root``; empty if it leads out of it."""
    within = posixpath.normpath(f"{site.relative_to(root).as_posix()}/{path}")
    return "" if within.startswith(("../", "/")) else within


@dataclass(frozen=True)
class _Known:
    """What accounts for files."""

    root: Path
    created: dict[str, str] | None
    recorded: set[str]

    def accounts_for(self, path: str) -> bool:
        """Tell whether the file at ``path`` is someone's whom we know."""
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
        return _is_compiled(path) or _is_mark(self.root, path)


def _is_compiled(path: str) -> bool:
    """Tell whether a file is bytecode, which comes and goes."""
    directory, name = posixpath.split(path)
    return posixpath.basename(directory) == "__pycache__" and ".pyc" in name


def _is_mark(root: Path, path: str) -> bool:
    """Tell whether ``path`` is one of :data:`_MARKS`, with nothing in it but what creators write."""
    if path == METADATA or path == "pyvenv.cfg":
        return True
    try:
        return path in _MARKS and _MARKS[path].fullmatch(read_text(root / path)) is not None
    except OSError:
        return False


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
            below, has_known = ([path], False) if path.count("/") > _DEEPEST else _added(root, path, known)
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


def _created(root: Path) -> dict[str, str] | None:
    path = root / METADATA / _CREATION
    if not os.path.lexists(path):
        return None
    try:
        data = parse_json(read_text(path, limit=RECORDS))
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    return {path: str(content) for path, content in data.items() if is_inside(path)}


def _content(root: Path, path: str) -> str:
    """Return a value that identifies the content of a file or link."""
    full = root / path
    if full.is_symlink():
        return f"-> {full.readlink()}"
    return hash_file(str(full))


def _differs(root: Path, path: str, content: str) -> bool:
    """Tell whether the file is there and another one; one that cannot be read may be anything."""
    try:
        return os.path.lexists(root / path) and _content(root, path) != content
    except OSError:
        return True
