"""Play sequences with real processes, real installers and real kills, against tiny wheels of the local index."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from imageai_envs.environments.environment import Condition, condition_of
from tests.chaos.ground import Ground
from tests.chaos.playing import End, Player, wipe
from tests.chaos.sequences import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOOL = (sys.executable, "-m", "imageai_envs")
_USUAL = 2.0  # seconds, of a command that was not seen yet
_PATIENCE = 600  # seconds


@dataclass
class WithKills:
    """Gives commands as processes of their own; the step says after which part of its usual time one is killed.

    Attributes:
        files: a directory with ``tiny.toml``, the template, and the locks ``a.txt`` and ``b.txt``.
        cache: our cache, shared by all grounds.
        seconds: how long each command took when nobody killed it.
        killed: how many were.
    """

    files: Path
    cache: Path
    seconds: dict[str, float] = field(default_factory=dict)
    killed: int = 0

    @contextmanager
    def on(self, place: Path) -> Iterator[None]:
        """Move directories and variables below ``place``."""
        here = Path.cwd()
        (place / "project").mkdir(parents=True)
        (place / "store" / "config" / "templates").mkdir(parents=True)
        shutil.copy(self.files / "tiny.toml", place / "store" / "config" / "templates")
        for name in ("a.txt", "b.txt"):
            shutil.copy(self.files / name, place)
        os.chdir(place / "project")
        variables = {
            "IMAGEAI_ENV_HOME": str(place / "store"),
            "IMAGEAI_ENV_CACHE": str(self.cache),
            "TMPDIR": str(place / "tmp"),
            # What is edited in place must not be edited in the cache and in other environments with it.
            "UV_LINK_MODE": "copy",
        }
        try:
            with patch.dict(os.environ, variables):
                yield
        finally:
            os.chdir(here)

    def give(self, _ground: Ground, words: tuple[str, ...], step: Step) -> End:
        """Run one command; kill it and all that it started, if the step says so."""
        usual = self.seconds.get(words[0], _USUAL)
        start = time.monotonic()
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            child = subprocess.Popen(
                [*_TOOL, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            killed = False
            try:
                child.wait(_PATIENCE if step.moment is None else step.moment * usual)
            except subprocess.TimeoutExpired:
                killed = step.moment is not None
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            output.seek(0)
            text = output.read()
        if killed:
            self.killed += 1
        else:
            self.seconds[words[0]] = time.monotonic() - start
        wrong = "Traceback (most recent call last)" in text or "Something unexpected happened" in text
        return End(text, killed, f"traceback: {text}" if wrong else "")


@contextmanager
def player(place: Path, files: Path) -> Iterator[tuple[Player, WithKills]]:
    """Yield who plays sequences below ``place`` with real processes; ``files`` as in :class:`WithKills`."""
    commands = WithKills(files, place / "cache")
    elsewhere, made = place / "another", place / "made"
    with commands.on(elsewhere):
        ground = Ground(elsewhere, made)
        words = ("create", "x", "--lock", str(elsewhere / "a.txt"), "--verify", "none")
        end = commands.give(ground, words, Step((), words, None, None))
        if condition_of(ground.root("x")) is not Condition.FINISHED:
            sys.exit(end.said)
        ground.root("x").rename(made)
    wipe(elsewhere)
    yield Player(place, made, commands), commands
