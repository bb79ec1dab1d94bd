"""Which commands are Python programs that do not talk to a person, so that their failure is worth a sentence."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_head

if TYPE_CHECKING:
    from collections.abc import Sequence

_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:t|d)?")
_INTERACTIVE = re.compile(r"jupyter.*|asyncio|code|pdb|bpython|ptpython|ipython3?|IPython|xonsh")
_OPTION = re.compile(r"-([^cmWX]*)([cmWX]?)(.*)", re.DOTALL)  # flags, one with a value, its value


def is_python_program(program: str, argv: Sequence[str]) -> bool:
    """Tell whether this is a Python program that does not talk to a person.

    Args:
        program: the executable that was found.
        argv: the command as it was given, its name first.
    """
    name = Path(argv[0]).name
    if os.name != "posix" or _INTERACTIVE.fullmatch(name) or os.environ.get("PYTHONINSPECT"):
        return False
    if _PYTHON.fullmatch(name):
        return _runs_a_program(argv[1:])
    try:
        # Long paths make pip and uv write `#!/bin/sh` and the Python into the second line.
        head = read_head(Path(program), 1024).splitlines()[:3]
    except OSError:
        return False
    return bool(head) and head[0].startswith(b"#!") and any(b"python" in line for line in head)


def _runs_a_program(words: Sequence[str]) -> bool:
    """Tell whether these arguments of python name something to run; without it, and with -i, it asks a person."""
    left = iter(words)
    for word in left:
        option = _OPTION.fullmatch(word)
        if option is None:
            return True
        if word.startswith("--"):
            continue
        flags, valued, value = option.groups()
        if "i" in flags:
            return False
        if valued == "c":
            return True
        if valued and not value:
            value = next(left, "")
        if valued == "m":
            return not _INTERACTIVE.fullmatch(value.split(".")[0])
    return not os.isatty(0)
