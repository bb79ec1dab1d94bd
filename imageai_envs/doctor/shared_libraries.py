"""Which shared libraries a program needs and where the system has them: read from files, nothing is loaded.

Linux only: ELF (System V gABI, "Dynamic Section") and glibc's ``/etc/ld.so.cache`` (``sysdeps/generic/dl-cache.h`` of
glibc, the format of 1997 and later that ``ldconfig`` writes by itself since glibc 2.32).
"""

from __future__ import annotations

import os
import platform
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imageai_envs.base.file_reading import RECORDS, open_file, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CACHE = Path("/etc/ld.so.cache")
DIRECTORIES = tuple(
    Path(text)
    for text in (
        f"/lib/{platform.machine()}-linux-gnu", f"/usr/lib/{platform.machine()}-linux-gnu",
        "/lib64", "/usr/lib64", "/lib", "/usr/lib",
    )
)  # fmt: skip
"""What the dynamic linker searches without a cache: Debian's directories, the others', musl's."""

_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER, _ENTRY = 48, 24
_PT_LOAD, _PT_DYNAMIC, _DT_NEEDED, _DT_STRTAB = 1, 2, 1, 5
_LARGEST = 1 << 20  # bytes of a dynamic section or a string table that are looked at; real ones have kilobytes


@dataclass(frozen=True)
class Libraries:
    """Where the dynamic linker would find libraries for a program without search paths of its own.

    Attributes:
        extra: directories searched first: those of ``LD_LIBRARY_PATH``.
        cache: glibc's cache; one that is missing or of another format is no error.
        directories: searched last.
    """

    extra: tuple[Path, ...] = ()
    cache: Path = CACHE
    directories: tuple[Path, ...] = DIRECTORIES

    def find(self, soname: str) -> Path | None:
        """Return the file that the linker would load for a name; None when it would find none."""
        for directory in self.extra:
            if os.path.exists(directory / soname):  # noqa: PTH110 - Path.exists may raise
                return directory / soname
        cached = self._cached.get(soname)
        if cached and os.path.exists(cached):  # noqa: PTH110
            return Path(cached)
        found = (directory / soname for directory in self.directories)
        return next((path for path in found if os.path.exists(path)), None)  # noqa: PTH110

    @cached_property
    def _cached(self) -> Mapping[str, str]:
        try:
            data = read_bytes(self.cache, limit=RECORDS)
        except OSError:
            return {}
        return _entries(data)


def searched(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the directories of ``LD_LIBRARY_PATH``."""
    text = environ.get("LD_LIBRARY_PATH", "").replace(";", ":")
    return tuple(Path(entry) for entry in text.split(":") if entry)


def missing(start: Iterable[Path], bundled: Iterable[Path], libraries: Libraries) -> tuple[str, ...]:
    """Return the libraries that are not found when some files are loaded, indirect ones included.

    Args:
        start: extension modules.
        bundled: directories that their search paths reach: what the wheel brings itself.
        libraries: the system's.
    """
    own = tuple(bundled)
    waiting, seen, absent = list(start), set[str](), []
    while waiting:
        for name in needed(waiting.pop()):
            if name in seen:
                continue
            seen.add(name)
            inside = next((place / name for place in own if os.path.exists(place / name)), None)  # noqa: PTH110
            if inside:
                waiting.append(inside)
            elif libraries.find(name) is None:
                absent.append(name)
    return tuple(sorted(absent))


def needed(file: Path) -> tuple[str, ...]:
    """Return the names of the libraries that an ELF file needs directly; none for any other file."""
    try:
        with open_file(file) as stream:
            return _needed(stream)
    except (OSError, ValueError, struct.error):
        return ()


def _needed(stream: BinaryIO) -> tuple[str, ...]:
    ident = stream.read(16)
    if len(ident) < 16 or ident[:4] != b"\x7fELF" or ident[5] not in (1, 2):
        return ()
    order, wide = "<" if ident[5] == 1 else ">", ident[4] == 2
    segments = _segments(stream, order, wide=wide)
    dynamic = next(((offset, size) for kind, offset, _, size in segments if kind == _PT_DYNAMIC), None)
    if dynamic is None:
        return ()
    stream.seek(dynamic[0])
    raw = stream.read(min(dynamic[1], _LARGEST))
    pair = struct.Struct(f"{order}{'QQ' if wide else 'II'}")
    tags = [pair.unpack_from(raw, place) for place in range(0, len(raw) - pair.size + 1, pair.size)]
    address = next((value for tag, value in tags if tag == _DT_STRTAB), None)
    loads = [(start, offset, size) for kind, offset, start, size in segments if kind == _PT_LOAD]
    place = next(
        (address - start + offset for start, offset, size in loads if address and start <= address < start + size), None
    )
    if place is None:
        return ()
    names = []
    for tag, value in tags:
        if tag == _DT_NEEDED and value < _LARGEST * 64:
            stream.seek(place + value)
            names.append(stream.read(256).split(b"\0")[0].decode("utf-8", "replace"))
    return tuple(names)


def _segments(stream: BinaryIO, order: str, *, wide: bool) -> list[tuple[int, int, int, int]]:
    """Return type, offset, address and size in the file of each program header."""
    stream.seek(0)
    head = stream.read(64)
    table = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", head, 32 if wide else 28)[0]
    size, count = struct.unpack_from(f"{order}HH", head, 54 if wide else 42)
    stream.seek(table)
    raw = stream.read(size * count)
    found = []
    for index in range(count):
        kind = struct.unpack_from(f"{order}I", raw, index * size)[0]
        if wide:
            offset, address, _, length = struct.unpack_from(f"{order}QQQQ", raw, index * size + 8)
        else:
            offset, address, _, length = struct.unpack_from(f"{order}IIII", raw, index * size + 4)
        found.append((kind, offset, address, length))
    return found


def _entries(data: bytes) -> dict[str, str]:
    begin = data.find(_MAGIC)  # behind the old format's table where both are written
    if begin < 0:
        return {}
    table = data[begin:]
    found: dict[str, str] = {}
    try:
        (count,) = struct.unpack_from("=I", table, len(_MAGIC))
        for index in range(min(count, len(table) // _ENTRY)):
            _, key, value = struct.unpack_from("=iII", table, _HEADER + index * _ENTRY)
            path = _text(table, value)
            if "/lib32/" not in path and "/i386-" not in path and "/libx32/" not in path:
                found.setdefault(_text(table, key), path)
    except (struct.error, ValueError):
        return {}
    return found


def _text(table: bytes, place: int) -> str:
    return table[place : table.index(b"\0", place)].decode("utf-8", "replace")
