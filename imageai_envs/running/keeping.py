"""Get the traceback of a Python program that has the terminal to itself.

Where standard output and standard error are one terminal, nothing may stand between: the order of the two would no
longer be theirs, and what they say to the terminal (modes, sizes) would not reach it. There Python is asked to write
the traceback that ends it into a file as well; see ``keeper/sitecustomize.py``.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.paths import home
from imageai_envs.base.scratch import scratch
from imageai_envs.running.watching import TAIL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TARGET = "_IMAGEAI_ENV_TRACEBACK"
_BEFORE = "_IMAGEAI_ENV_PYTHONPATH"


class Keeper:
    """A place for one traceback.

    Attributes:
        variables: the environment variables to start the program with.
    """

    def __init__(self, variables: Mapping[str, str], target: Path) -> None:
        path = variables.get("PYTHONPATH", "")
        directory = str(Path(__file__).parent / "keeper")
        self.variables = {
            **variables,
            _TARGET: str(target),
            _BEFORE: path,
            "PYTHONPATH": f"{directory}{os.pathsep}{path}" if path else directory,
        }
        self._target = target

    def read(self) -> bytes:
        """Return the traceback; empty when there was none, or the program keeps its Python from us (``-I``, ``-E``)."""
        try:
            with self._target.open("rb") as stream:
                stream.seek(max(os.fstat(stream.fileno()).st_size - TAIL, 0))
                return stream.read()
        except OSError:
            return b""


@contextlib.contextmanager
def keeper(variables: Mapping[str, str]) -> Iterator[Keeper]:
    """Yield a keeper; its place is private and goes away with it."""
    with scratch(home(), "run") as directory:
        yield Keeper(variables, directory / "traceback")
