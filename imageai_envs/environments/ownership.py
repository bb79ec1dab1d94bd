"""Which directories are ours to replace and delete: a record in the store and the marker inside must agree.

A marker alone is a claim: it comes along with a clone, an archive, a copied tree or a container layer. So every
environment gets a random id, which stands in its marker and in a record of the store that also says where it is.
The record is written before the directory appears; a path inside the store is recorded relative to it, so that a moved
home stays ours.

Before there were records, markers had no id. Such a directory is ours where only we write: in ``envs/``, or where a
file of ``links/`` names it and it was finished.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import parse_json, read_head, read_text
from imageai_envs.base.paths import METADATA
from imageai_envs.environments.environment import is_finished, write_atomically

if TYPE_CHECKING:
    from imageai_envs.base.paths import Home

_SCHEMA = 2
_RECORD_SCHEMA = 1
MARKER = "owner.json"
_WITHOUT_ID = ""  # the claim of a marker of the versions before
_UNREADABLE = "?"  # the claim of a marker that is damaged, or cannot be read this time
_ID = re.compile(r"[0-9a-f]{32}")
_RECORD = re.compile(r"(?P<name>.+)\.(?P<id>[0-9a-f]{32})\.json")
# What stands beside an environment while it is changed, or after a command was killed.
LEFTOVER = re.compile(r"\.(?P<name>.+)\.imageai-env-(?P<kind>old|new|rest)(?:-(?P<tag>[0-9a-f]{8}))?")
_LARGEST = 1 << 12  # bytes of a marker; ours has a hundred


@dataclass(frozen=True)
class Record:
    """What the store knows of one directory that we made.

    Attributes:
        name: the environment's name.
        id: random; the marker inside repeats it.
        root: where the environment lies.
    """

    name: str
    id: str
    root: Path


def aside(root: Path) -> Path:
    """Return where the old environment waits while ``root`` is rebuilt: a sibling, so that a rename suffices."""
    return root.with_name(f".{root.name}.imageai-env-old")


def place_of(directory: Path) -> Path:
    """Return the environment that ``directory`` belongs to: itself, or the one that it waits for or is the rest of."""
    match = LEFTOVER.fullmatch(directory.name)
    return directory.with_name(match["name"]) if match else directory


def marker_of(directory: Path) -> str | None:
    """Return the id that the marker in ``directory`` claims: empty in one of a version before; None without a marker.

    Whatever is behind a symbolic link is no marker.
    """
    path = directory / METADATA / MARKER
    if directory.is_symlink() or path.parent.is_symlink() or path.is_symlink() or not path.is_file():
        return None
    try:
        data = parse_json(read_head(path, _LARGEST))
    except (OSError, ValueError):
        data = None
    claim = data.get("id", _WITHOUT_ID) if isinstance(data, dict) else None
    return claim if isinstance(claim, str) and (claim == _WITHOUT_ID or _ID.fullmatch(claim)) else _UNREADABLE


def has_marker(directory: Path) -> bool:
    """Tell whether ``directory`` says that it is an environment of ours. It may be read; no more follows from it."""
    return marker_of(directory) is not None


def owns(directory: Path, home: Home) -> bool:
    """Tell whether ``directory`` is an environment of ours, or what waits for or is left of one."""
    claim = marker_of(directory)
    if claim is None:
        return False
    place = real_place(place_of(directory))
    if claim == _WITHOUT_ID:
        return _was_ours(directory, place, home)
    return any(record.root == place or _was_renamed(record, place, home) for record in records(home, id_=claim))


def _was_renamed(record: Record, place: Path, home: Home) -> bool:
    """Tell whether the user renamed an environment in the store, which holds no directories of others."""
    inside = home.environments.resolve()
    gone = not os.path.lexists(record.root) and not os.path.lexists(aside(record.root))
    return record.root.parent == inside == place.parent and gone


def _was_ours(directory: Path, place: Path, home: Home) -> bool:
    """Judge a marker without an id. An unfinished one outside the store may come from anywhere: it is not ours."""
    if place.parent == home.environments.resolve():
        return True
    return is_finished(directory) and any(real_place(path) == place for path in links(home).values())


def records(home: Home, *, name: str = "*", id_: str = "*") -> list[Record]:
    """Return the store's records, of one name or one id if given; a damaged one is passed over."""
    found = []
    pattern = f"{name if name == '*' else glob.escape(name)}.{id_}.json"
    for file in sorted(home.records.glob(pattern)):
        match = _RECORD.fullmatch(file.name)
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            path = parse_json(read_text(file))["path"]
            root = home.data.resolve() / path
            if match and name in ("*", match["name"]) and root.name:  # the root directory is no environment
                found.append(Record(match["name"], match["id"], root))
    return found


def links(home: Home) -> dict[str, Path]:
    """Return what the versions before knew of ``--path`` environments: name to directory."""
    found = {}
    for file in sorted(home.links.glob("*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            found[file.stem] = Path(parse_json(read_text(file))["path"])
    return found


def known_names(home: Home) -> set[str]:
    """Return the names of all environments that the store has a record of, damaged ones too."""
    recorded = (_RECORD.fullmatch(file.name) for file in home.records.glob("*.json"))
    return {match["name"] for match in recorded if match} | {file.stem for file in home.links.glob("*.json")}


def named(name: str, home: Home) -> Path | None:
    """Return the directory of the environment ``name`` outside the store, also one that is set aside; else None."""
    inside = home.environments.resolve()
    for record in records(home, name=name):
        if record.root.parent != inside and record.id in (marker_of(record.root), marker_of(aside(record.root))):
            return record.root
    linked = links(home).get(name)
    return linked if linked is not None and (owns(linked, home) or owns(aside(linked), home)) else None


def name_of(root: Path, home: Home) -> str | None:
    """Return the name under which the store knows the environment at ``root``; None for what is not ours."""
    if not owns(root, home):
        return None
    if root.parent.resolve() == home.environments.resolve():
        return root.name
    claim = marker_of(root)
    for record in records(home, id_=claim or "-"):
        return record.name
    return next((name for name, path in links(home).items() if real_place(path) == real_place(root)), root.name)


def register(name: str, root: Path, home: Home) -> str:
    """Record that the directory which will appear at ``root`` is ours; return the id for its marker.

    Raises:
        OSError: the record cannot be written.
    """
    id_ = os.urandom(16).hex()
    home.records.mkdir(parents=True, exist_ok=True)
    real, data = real_place(root), home.data.resolve()
    path = real.relative_to(data).as_posix() if real.is_relative_to(data) else str(real)
    write_atomically(home.records / f"{name}.{id_}.json", json.dumps({"schema": _RECORD_SCHEMA, "path": path}) + "\n")
    return id_


def forget(id_: str | None, place: Path, home: Home) -> None:
    """Drop what the store knows of a deleted directory of ``place``, by the id that its marker had."""
    if id_ and _ID.fullmatch(id_):
        for file in home.records.glob(f"*.{id_}.json"):
            file.unlink(missing_ok=True)
    elif id_ == _WITHOUT_ID and marker_of(place) != _WITHOUT_ID:
        _forget_links(real_place(place), home)


def forget_gone(root: Path, home: Home) -> None:
    """Drop what the store knows of directories at ``root`` that are gone. A disk that is not mounted is not gone."""
    real = real_place(root)
    try:
        here = [entry for entry in root.parent.iterdir() if place_of(entry) == root]
    except OSError:
        return
    claims = {marker_of(entry) for entry in here}
    if _UNREADABLE in claims:
        return
    tags = {match["tag"] for entry in here if (match := LEFTOVER.fullmatch(entry.name))}
    for record in records(home):
        if record.root == real and record.id not in claims and record.id[:8] not in tags:
            forget(record.id, root, home)
    if _WITHOUT_ID not in claims:
        _forget_links(real, home)


def _forget_links(real: Path, home: Home) -> None:
    for name, path in links(home).items():
        if real_place(path) == real:
            (home.links / f"{name}.json").unlink(missing_ok=True)


def mark(root: Path, id_: str) -> None:
    """Create ``root`` with our marker in it.

    Raises:
        OSError: it cannot be written.
    """
    (root / METADATA).mkdir(parents=True, exist_ok=True)
    data = {"schema": _SCHEMA, "owner": "imageai-env", "id": id_}
    write_atomically(root / METADATA / MARKER, json.dumps(data) + "\n")


def is_half_marked(directory: Path, home: Home) -> bool:
    """Tell whether :func:`mark` was killed in ``directory``: recorded, and nothing in it but what that makes."""
    match = LEFTOVER.fullmatch(directory.name)
    if not match or directory.is_symlink():
        return False
    place = real_place(place_of(directory))
    if not any(record.root == place and record.id[:8] == match["tag"] for record in records(home)):
        return False
    try:
        inside = [entry.name for entry in directory.iterdir()]
        marks = [entry.name for entry in (directory / METADATA).iterdir()] if inside else []
    except OSError:
        return False
    return inside in ([], [METADATA]) and all(name.startswith(f".{MARKER}.") for name in marks)


def unmark(directory: Path) -> None:
    """Remove what :func:`is_half_marked` is true of; a directory that is not empty then stays."""
    with contextlib.suppress(OSError):
        for half in (directory / METADATA).glob(f".{MARKER}.*"):
            half.unlink()
        for path in (directory / METADATA, directory):
            if path.exists():
                path.rmdir()


def real_place(root: Path) -> Path:
    """Return one spelling of a place: two ways through symbolic links are one. The name itself may not exist yet."""
    return root.parent.resolve() / root.name
