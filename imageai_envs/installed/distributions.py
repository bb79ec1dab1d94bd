"""Installed distributions, read from their metadata directories; nothing of them is imported or run."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import open_file, read_record_file, read_text

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 13  # bytes; most heads are shorter
_LONGEST_HEAD = 1 << 20  # bytes; the longest on the index have some ten thousand
# The directory's name is enough (PEP 376, PEP 427); reading sixty METADATA files takes a tenth of a second.
# `.egg-info` is what Debian's packages and old setuptools leave, as a directory or as a file.
_RECORD = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+?)(?:-py\d(?:\.\d+)?)?\.(?:dist-info|egg-info)")


@dataclass(frozen=True)
class Distribution:
    """A distribution as its metadata directory describes it.

    Attributes:
        name: normalized name.
        version: as written, not necessarily PEP 440.
        path: its ``.dist-info`` or ``.egg-info``.
    """

    name: str
    version: str
    path: Path

    @property
    def site(self) -> Path:
        """Return the directory that it is installed in."""
        return self.path.parent

    @cached_property
    def installer(self) -> str:
        """Return what installed it (``pip``, ``uv``, ``conda``); empty when that is not recorded."""
        return _read(self.path / "INSTALLER").strip()

    @cached_property
    def requires(self) -> tuple[str, ...]:
        """Return its ``Requires-Dist`` lines, PEP 508 requirements as written."""
        return _fields(self.metadata, "Requires-Dist")

    @cached_property
    def requires_python(self) -> str:
        """Return its ``Requires-Python``, a PEP 440 specifier; empty when it has none."""
        return next(iter(_fields(self.metadata, "Requires-Python")), "")

    @cached_property
    def metadata(self) -> str:
        """Return the headers of METADATA or PKG-INFO, without the prose after them; empty when they cannot be read."""
        if self.path.suffix == ".dist-info":
            return _head(self.path / "METADATA")
        return _head(self.path / "PKG-INFO") or _head(self.path)

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """Return the tags of the wheel that it came from (PEP 425), such as ``cp310-cp310-win_amd64``; may be none."""
        return _fields(_head(self.path / "WHEEL"), "Tag")

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Return the paths of its RECORD, relative to :attr:`site`; none where there is no RECORD."""
        return tuple(self.hashes)

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Return the paths of its RECORD with their hashes as written; none of a RECORD that is no CSV."""
        try:
            rows = csv.reader(read_record_file(self.path / "RECORD", errors="replace").splitlines())
            return {row[0]: row[1] if len(row) > 1 else "" for row in rows if row}
        except (OSError, csv.Error):
            return {}


def distributions_in(site: Path) -> tuple[Distribution, ...]:
    """Return the distributions of one directory, several of one name possible; none if it cannot be read."""
    from packaging.utils import canonicalize_name  # slow to import; a diagnosis does so while its Python starts

    found = []
    try:
        entries = sorted(site.iterdir())
    except OSError:
        return ()
    for entry in entries:
        match = _RECORD.fullmatch(entry.name)
        if match:
            found.append(Distribution(canonicalize_name(match["name"]), match["version"], entry))
    return tuple(found)


def _read(path: Path) -> str:
    try:
        return read_text(path, errors="replace")
    except OSError:
        return ""


def _head(path: Path) -> str:
    """Return the headers: all before the first empty line. A README of megabytes may follow."""
    try:
        with open_file(path) as stream:
            text = b""
            while b"\n\n" not in text and len(text) < _LONGEST_HEAD:
                chunk = stream.read(_CHUNK)
                if not chunk:
                    break
                text = (text + chunk).replace(b"\r\n", b"\n")
    except OSError:
        return ""
    return text.partition(b"\n\n")[0].decode("utf-8", errors="replace")


def _fields(head: str, name: str) -> tuple[str, ...]:
    """Return a header's values."""
    prefix = f"{name}: "
    return tuple(line[len(prefix) :].strip() for line in head.split("\n") if line.startswith(prefix))
