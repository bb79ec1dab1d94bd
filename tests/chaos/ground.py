"""The ground that a sequence is played on, what people put there, and whether all of it is still there.

What a person wrote is told by its bytes: each file has its own, so it is found wherever it went. What is nobody else's
as a whole (a repository, an environment that came from elsewhere) is compared name by name.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.paths import METADATA, Home
from imageai_envs.environments.environment import Condition, condition_of, is_building
from imageai_envs.environments.ownership import LEFTOVER, marker_of, owns
from tests.chaos.sequences import CREATED, PLACES, Edit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MARKER: dict[str, object] = {"schema": 2, "owner": "imageai-env", "id": "0123456789abcdef0123456789abcdef"}
_STATES = {"state damaged": "{", "state newer": '{"schema": 99}'}
_OLD_MARKER: dict[str, object] = {"schema": 1, "owner": "imageai-env"}


@dataclass
class Written:
    """What someone wrote, where it is, or was when we last saw it, and where it was written."""

    content: bytes
    path: Path
    first: Path


@dataclass
class Ground:
    """One sandbox.

    Attributes:
        place: its directory.
        made: an environment that another store made, to be copied.
        written: the user's files and links, unless they lie in ``foreign``.
        foreign: directories, files and links that are not ours, with all that is in them.
        said: everything that was printed.
    """

    place: Path
    made: Path
    written: list[Written] = field(default_factory=list)
    foreign: dict[Path, dict[str, bytes]] = field(default_factory=dict)
    said: str = ""
    _number: int = 0

    def __post_init__(self) -> None:
        for name in ("project/deep", "elsewhere", "store/envs", "tmp"):
            (self.place / name).mkdir(parents=True)
        self.write(self.place / "project" / "train.py")

    @property
    def home(self) -> Home:
        """Where the store lies."""
        store = self.place / "store"
        return Home(store, store / "cache", store / "config")

    def root(self, name: str) -> Path:
        """Return where the environment ``name`` lies or would lie."""
        return self.place / PLACES[name]

    def roots(self) -> list[Path]:
        """Return every place at which there may be an environment by now."""
        return [*(self.root(name) for name in PLACES), *(self.home.environments / name for name in ("z", "c", "a"))]

    # What people do ---------------------------------------------------------------------------------------------

    def write(self, path: Path, head: bytes = b"") -> None:
        """Write a file of the user's; what it replaces was the user's to lose."""
        self._number += 1
        mark = b"# " if path.suffix == ".py" else b""  # a comment alone in .gitignore is what creators write
        content = head + mark + b"written by a person, %d\n" % self._number
        self.forget(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_name(f"{path.name}~")
            half.write_bytes(content)
            half.replace(path)
        except OSError:  # something else is there, or someone closed it
            return
        self.written.append(Written(content, path, path))

    def forget(self, path: Path) -> None:
        """Take out what lay at or below ``path``: its owner did away with it."""
        self.written = [item for item in self.written if item.path != path and path not in item.path.parents]

    def lay(self, name: str, what: str) -> None:
        """Lay out what was there before (see :data:`~tests.chaos.sequences.BEFORE`)."""
        root = self.root(name)
        kind, _, beside = what.partition(" as ")
        if beside:
            tag = "" if beside == "old" else "-0a1b2c3d"
            root = root.with_name(f".{root.name}.imageai-env-{beside}{tag}")
        if what == "kept name":
            self.do(Edit(what, name))
            return
        if os.path.lexists(root):
            return
        root.parent.mkdir(parents=True, exist_ok=True)
        if kind == "version before":
            self._lay_one_of_the_version_before(name, root)
            return
        if kind == "empty":
            root.mkdir()
            return
        if kind == "link":
            target = self.place / "elsewhere" / name
            self.write(target / "precious.txt")
            root.symlink_to(target)
        elif kind == "file":
            root.write_bytes(b"nothing but a file\n")
        elif kind == "copied":
            shutil.copytree(self.made, root, symlinks=True)
            self.write(root / "train.py")
        else:
            # In the store a marker without an id says that it is ours: nobody but us writes there.
            old = kind == "git with old marker" and root.parent != self.home.environments
            bare = what in ("git", "files")
            self._lay_repository(root, None if bare else _OLD_MARKER if old else _MARKER)
        self.forget(root)
        self.foreign[root] = {}

    def _lay_repository(self, root: Path, marker: dict[str, object] | None) -> None:
        for path in (".git/HEAD", ".git/objects/ab/cdef", "src/my module.py", "README"):
            self.write(root / path)
        if marker:
            (root / METADATA).mkdir()
            (root / METADATA / "owner.json").write_text(json.dumps(marker), encoding="utf-8")
            (root / METADATA / "building").touch()
            plan = {"to": "stolen", "move": ["src", ".git"], "copy": ["README"]}
            (root / METADATA / "keep.json").write_text(json.dumps(plan), encoding="utf-8")

    def _lay_one_of_the_version_before(self, name: str, root: Path) -> None:
        shutil.copytree(self.made, root, symlinks=True)
        (root / METADATA / "venv.json").unlink()
        (root / METADATA / "owner.json").write_text(json.dumps(_OLD_MARKER), encoding="utf-8")
        if root.parent != self.home.environments:
            self.home.links.mkdir(exist_ok=True)
            (self.home.links / f"{name}.json").write_text(json.dumps({"path": str(root)}), encoding="utf-8")
        self.write(root / "from the version before.txt")

    def do(self, edit: Edit) -> None:
        """Let a person do something."""
        root = self.root(edit.place)
        kept = root.with_name(f"{root.name}-kept-{datetime.now(timezone.utc).date()}")
        if edit.what == "kept name":
            self.write(kept / "train.py")
            self.write(kept / "bin" / "activate")
        elif edit.what == "kept name in the way":
            self.write(kept)
        elif edit.what in ("moved away", "moved back"):
            away = root.with_name(f"{root.name}-away")
            self._move(*((root, away) if edit.what == "moved away" else (away, root)))
        elif edit.what == "copied over":
            self._copy(root, self.root(edit.path or edit.place))
        elif root.is_dir() and not root.is_symlink():
            self._do_inside(edit, root)
        for path in self.foreign:
            self.forget(path)  # compared as a whole

    def _do_inside(self, edit: Edit, root: Path) -> None:
        site = next(iter(sorted(root.glob("lib/python3*/site-packages"))), root / "lib")
        path = root / edit.path.format(site=site.relative_to(root).as_posix())
        # Of one that was interrupted, nobody can tell whose the files below these are.
        if edit.path in CREATED and not (root / METADATA / "venv.json").exists():
            return  # nobody can tell either how these were before
        half = is_building(root) and condition_of(root) is Condition.UNFINISHED
        if half and path.relative_to(root).parts[:1] in (("lib",), ("bin",), ("pyvenv.cfg",), (METADATA,)):
            return
        if edit.what == "added":
            self.write(path)
        elif edit.what in ("appended", "replaced"):
            self._alter(path, in_place=edit.what == "appended")
        elif edit.what == "removed":
            shutil.rmtree(root)
            self.forget(root)
            self.foreign.pop(root, None)
        else:
            self._spoil(edit.what, root, site)

    def _alter(self, path: Path, *, in_place: bool) -> None:
        if not path.is_file() or path.is_symlink():
            return
        before = path.read_bytes()
        if not in_place:
            self.write(path, before)
            return
        self._number += 1
        content = before + b"# appended by a person, %d\n" % self._number
        self.forget(path)
        path.write_bytes(content)
        self.written.append(Written(content, path, path))

    def _spoil(self, what: str, root: Path, site: Path) -> None:
        state, record = root / METADATA / "state.json", next(iter(site.glob("numpy*.dist-info/RECORD")), None)
        if what == "link":
            self._number += 1
            target = f"/nowhere/{self._number}"
            (root / f"link {self._number}").symlink_to(target)
            link = root / f"link {self._number}"
            self.written.append(Written(f"-> {target}".encode(), link, link))
        elif what == "closed directory" and not (root / "closed").exists():
            self.write(root / "closed" / "secret.txt")
            (root / "closed").chmod(0o500)
        elif what == "hand-installed":
            self._install_by_hand(site)
        elif what in _STATES and state.is_file():
            state.write_text(_STATES[what], encoding="utf-8")
        elif what == "state gone":
            state.unlink(missing_ok=True)
        elif what == "record gone" and record:
            record.unlink()
        elif what == "creation gone":
            self._forget_creation(root)

    def _forget_creation(self, root: Path) -> None:
        (root / METADATA / "venv.json").unlink(missing_ok=True)
        for created in CREATED:
            self.forget(root / created)

    @staticmethod
    def _install_by_hand(site: Path) -> None:
        info = site / "handy-1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (site / "handy.py").write_text("", encoding="utf-8")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: handy\nVersion: 1.0\n\n", encoding="utf-8")
        rows = ["handy.py,,", *(f"{info.name}/{name},," for name in ("METADATA", "RECORD"))]
        (info / "RECORD").write_text("\n".join(rows) + "\n", encoding="utf-8")

    def _copy(self, source: Path, target: Path) -> None:
        if marker_of(source) == "" and target.parent == self.home.environments:
            return  # see lay
        if source.is_dir() and not source.is_symlink() and not os.path.lexists(target):
            shutil.copytree(source, target, symlinks=True)
            self.foreign[target] = {}

    def _move(self, source: Path, target: Path) -> None:
        if not os.path.lexists(source) or os.path.lexists(target):
            return
        source.rename(target)
        for item in self.written:
            if source in item.path.parents:
                item.path = item.first = target / item.path.relative_to(source)
        if source in self.foreign:
            self.foreign[target] = self.foreign.pop(source)

    # What is still there ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Remember what is not ours as it is now."""
        self.foreign = {path: listing(path) for path in self.foreign}

    def touched(self) -> list[str]:
        """Return what of the things that are not ours has changed since :meth:`look`."""
        return [f"foreign files touched: {path}" for path, before in self.foreign.items() if listing(path) != before]

    def lost(self, *, settled: bool, waiting: Sequence[Path] = ()) -> list[str]:
        """Return which files of the user's are nowhere, or elsewhere without a word.

        Args:
            settled: nothing is to be settled any more, so what was moved must have been named.
            waiting: directories that wait for someone's decision, with all that is in them.
        """
        where = defaultdict(list)
        for path, mode, content in _below(str(self.place)):
            if not stat.S_ISDIR(mode):
                where[content].append(Path(path))
        wrong = []
        for item in self.written:
            found = where.get(item.content, [])
            if item.first in found:  # never moved, or back again
                item.path = item.first
            if item.path in found:
                continue
            named = [path for path in found if self._is_named(path, item.path)]
            if any(place in path.parents for path in found for place in waiting):
                continue
            if named:
                item.path = named[0]
            elif not found:
                wrong.append(f"user bytes lost: {item.path}")
            elif settled:
                wrong.append(f"moved without a word: {item.path} to {found[0]}")
        return wrong

    def _is_named(self, path: Path, before: Path) -> bool:
        places = [parent for parent in path.parents if parent not in before.parents and self.place in parent.parents]
        return any(str(parent) in self.said for parent in places)

    def standing(self) -> dict[Path, str]:
        """Return the environments of ours that were finished once and that nothing is to be settled of, with ids."""
        return {
            root: marker_of(root) or ""
            for root in self.roots()
            if owns(root, self.home) and condition_of(root) is not Condition.UNFINISHED and not self.leftovers(root)
        }

    def leftovers(self, root: Path | None = None) -> list[Path]:
        """Return what a command that was ended left beside ``root``, or anywhere."""
        parents = [root.parent] if root else sorted({place.parent for place in self.roots()})
        return [
            entry
            for parent in parents
            if parent.is_dir()
            for entry in parent.iterdir()
            if (match := LEFTOVER.fullmatch(entry.name))
            and entry not in self.foreign
            and (root is None or match["name"] == root.name)
        ]


def listing(root: Path) -> dict[str, bytes]:
    """Return everything at and below ``root``: kind, mode and content by path."""
    if not os.path.lexists(root):
        return {}
    status = root.lstat()
    whole = not stat.S_ISDIR(status.st_mode)
    found = {".": b"%o " % status.st_mode + (_content(str(root), status.st_mode) if whole else b"")}
    return found if whole else found | {path: b"%o " % mode + content for path, mode, content in _below(str(root))}


def _below(directory: str) -> Iterator[tuple[str, int, bytes]]:
    """Yield path, mode and content of everything below ``directory``. Strings: this is most of what a play does."""
    with os.scandir(directory) as entries:
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                yield entry.path, mode, b""
                yield from _below(entry.path)
            else:
                yield entry.path, mode, _content(entry.path, mode)


def _content(path: str, mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return b"-> " + os.fsencode(os.readlink(path))  # noqa: PTH115 - as in _below
    with open(path, "rb") as stream:  # noqa: PTH123 - as in _below
        return stream.read()
