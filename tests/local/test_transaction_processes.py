"""One environment and two processes: the second one waits, and what a living one builds is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.context import Context
from imageai_envs.base.paths import Home
from imageai_envs.base.progress import Silent
from imageai_envs.environments.transaction import is_held, locked, recover
from tests.support.tool import REPOSITORY
from tests.unit.test_transaction import build, content

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config")


@pytest.fixture
def context(home: Home) -> Context:
    return Context(home, Silent())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "envs"
    place.mkdir()
    return place / "x"


_OTHER = """\
import sys
from pathlib import Path
from imageai_envs.base.context import Context
from imageai_envs.base.paths import Home
from imageai_envs.base.progress import Silent
from imageai_envs.environments.transaction import locked

class Teller(Silent):
    def note(self, text):
        print(text, flush=True)

root, home = Path(sys.argv[1]), Home(*map(Path, sys.argv[2:5]))
with locked(root, Context(home, Teller())):
    print("inside", flush=True)
    sys.stdin.readline()
"""


def other(root: Path, home: Home) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _OTHER, root, home.data, home.cache, home.config],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_process_waits_and_says_so(root: Path, home: Home, context: Context) -> None:
    with locked(root, context):
        waiting = other(root, home)
        assert waiting.stdout is not None
        assert "waiting for it" in waiting.stdout.readline()
        assert waiting.poll() is None
    assert waiting.stdout.readline() == "inside\n"
    assert is_held(root, home)
    out, _ = waiting.communicate("\n", timeout=60)
    assert (out, waiting.returncode) == ("", 0)


def test_another_environment_is_not_held(root: Path, home: Home, context: Context) -> None:
    with locked(root, context):
        free = other(root.with_name("y"), home)
        out, _ = free.communicate("\n", timeout=60)
    assert out == "inside\n"


def test_what_a_living_process_builds_is_left_alone(root: Path, home: Home, context: Context) -> None:
    holder = other(root, home)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "inside\n"
    build(root, home, "half", finished=False, building=True)
    assert not recover(root, context)
    assert content(root) == "half"
    holder.kill()
    holder.communicate(timeout=60)
    assert recover(root, context)
    assert not root.exists()


def test_the_lock_goes_with_its_process_and_with_an_error(root: Path, home: Home, context: Context) -> None:
    with pytest.raises(ValueError, match="no"), locked(root, context):
        raise ValueError("no")
    free = other(root, home)
    out, _ = free.communicate("\n", timeout=60)
    assert out == "inside\n"
