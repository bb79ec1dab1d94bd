"""Have the traceback that ends a Python program written into a file too, so that its failure can be explained.

Its standard streams stay untouched. The hook is ``traceback_hook/sitecustomize.py``. ``python -I`` and ``-E``, programs
that set ``sys.excepthook`` themselves, and whatever fails without an exception write none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TAIL = 256 * 1024
"""Bytes of the file that are read; TensorFlow's longest tracebacks have 20 kB."""

_TARGET = "_IMAGEAI_ENV_TRACEBACK"
_BEFORE = "_IMAGEAI_ENV_PYTHONPATH"


def hooked(variables: Mapping[str, str], file: Path) -> dict[str, str]:
    """Return the environment variables with which a Python writes its traceback into ``file``."""
    path = variables.get("PYTHONPATH", "")
    directory = str(Path(__file__).parent / "traceback_hook")
    return {
        **variables,
        _TARGET: str(file),
        _BEFORE: path,
        "PYTHONPATH": f"{directory}{os.pathsep}{path}" if path else directory,
    }


def read_end(file: Path) -> bytes:
    """Return the end of the traceback; empty when there is none."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(os.fstat(stream.fileno()).st_size - TAIL, 0))
            return stream.read()
    except OSError:
        return b""
