"""Commands that errors and findings tell people to run, quoted so that they can be pasted."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def command_line(words: Iterable[str]) -> str:
    """Return words as one line for the shell of this system."""
    if os.name == "nt":  # unproven
        return subprocess.list2cmdline(list(words))
    return shlex.join(words)


def install_beside_us(distribution: str) -> str:
    """Return the command that installs a distribution into the Python that runs us.

    Always the distribution itself, never an extra of ours: our own name is not on the index, and whoever registers it
    would get to run code on the machines of all who follow the hint.
    """
    from importlib.util import find_spec

    python = sys.executable or "python"
    install = command_line([python, "-m", "pip", "install", distribution])
    if find_spec("pip"):
        return install
    return f"{command_line([python, '-m', 'ensurepip'])} && {install}"  # a Python that uv made has no pip
