"""Ways to make a valid file hostile that several kinds of inputs share."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.ground import Ground

    Mutation = Callable[[Ground], None]

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m"
"""Sets a terminal's title, clears it, colours it."""
OVERRIDE = "\u202etxt.exe"
"""Shown the other way round."""
DEEP = "(" * 900 + "os_name == 'posix'" + ")" * 900
"""A marker that a recursive parser does not survive."""


def replaced(file: str, old: str, new: str, *, count: int = 1) -> Mutation:
    """Return the mutation of a part of a file's text; the part must be there."""

    def mutate(ground: Ground) -> None:
        path = ground.world / file
        text = path.read_text(encoding="utf-8")
        assert old in text, (file, old)
        path.write_text(text.replace(old, new, count), encoding="utf-8", newline="")

    return mutate


def appended(file: str, text: str) -> Mutation:
    """Return the mutation that adds a text to the end of a file."""

    def mutate(ground: Ground) -> None:
        with (ground.world / file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    return mutate


def rewritten(file: str, change: Callable[[bytes], bytes]) -> Mutation:
    """Return the mutation of a file's bytes."""

    def mutate(ground: Ground) -> None:
        path = ground.world / file
        path.write_bytes(change(path.read_bytes()))

    return mutate


def linked(file: str, target: str) -> Mutation:
    """Return the mutation that puts a link in the place of a file."""

    def mutate(ground: Ground) -> None:
        _take_away(ground.world / file)
        (ground.world / file).symlink_to(ground.fill(target))

    return mutate


def piped(file: str) -> Mutation:
    """Return the mutation that puts a pipe that nobody writes to in the place of a file."""

    def mutate(ground: Ground) -> None:
        _take_away(ground.world / file)
        (ground.world / file).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(ground.world / file)

    return mutate


def socketed(file: str) -> Mutation:
    """Return the mutation that puts a socket in the place of a file."""

    def mutate(ground: Ground) -> None:
        _take_away(ground.world / file)
        here = Path.cwd()
        os.chdir((ground.world / file).parent)  # a socket's path has at most 107 bytes
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(Path(file).name)
        finally:
            os.chdir(here)

    return mutate


def emptied(file: str) -> Mutation:
    """Return the mutation that puts a directory in the place of a file."""

    def mutate(ground: Ground) -> None:
        _take_away(ground.world / file)
        (ground.world / file).mkdir()

    return mutate


def closed(file: str) -> Mutation:
    """Return the mutation that nobody may read a file."""
    return lambda ground: (ground.world / file).chmod(0)


def written(file: str, text: str) -> Mutation:
    """Return the mutation that writes a file."""

    def mutate(ground: Ground) -> None:
        path = ground.world / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ground.fill(text), encoding="utf-8", errors="surrogateescape", newline="")

    return mutate


def both(*mutations: Mutation) -> Mutation:
    """Return several mutations as one."""

    def mutate(ground: Ground) -> None:
        for one in mutations:
            one(ground)

    return mutate


def _take_away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
