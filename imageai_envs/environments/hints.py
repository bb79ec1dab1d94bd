"""Commands that errors and findings tell people to run, quoted so that they can be pasted."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

from imageai_envs.base.paths import home, looks_like_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from imageai_envs.environments.environment import State


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


def create_again(name: str, root: Path | None, state: State | None) -> str:
    """Return the command that builds an environment without its lock: from what was asked for when it was made.

    Without a state nobody knows what was in it; the command then has a gap for the person to fill.

    Args:
        name: name of the environment.
        root: its directory; named where it is outside the store; None for one that is not there yet.
        state: its record.
    """
    where = [] if root is None or root.parent == home().environments else ["--path", str(root)]
    force = ["--force"] if root else []
    if state is None:
        command = command_line(["imageai-env", "create", name, *where, "--tf", "VERSION", *force])
        return f"{command}   (what was in it is not known any more: say which version, and add what else it needs)"
    return command_line(["imageai-env", "create", name, *where, *_options(state), *force])


def _options(state: State) -> Iterator[str]:
    request = state.request
    named_by_path = request.template and (request.template.endswith(".toml") or looks_like_path(request.template))
    yield from ("--template", request.template if named_by_path and request.template else state.template)
    yield from (state.release.framework.option, state.release.version)
    yield from ("--python", request.python or ".".join(state.python_version.split(".")[:2]), f"--{state.variant}")
    for extra in request.extras:
        yield from ("--with", extra)
    if state.verified != "inference":
        yield from ("--verify", state.verified)
