"""Directories for work: ours alone, gone afterwards, swept after a kill, and never while their owner lives."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from imageai_envs.base import scratch as module
from imageai_envs.base.paths import Home
from imageai_envs.base.scratch import abandoned, at_work, is_held, nobody_at_work, scratch, sweep_scratch
from tests.support.tool import REPOSITORY

ELSEWHERE = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
HOLDER = """
import sys, time
from pathlib import Path
from imageai_envs.base.paths import Home
from imageai_envs.base import scratch as module
from imageai_envs.base.scratch import scratch
module._LONGEST = 4000  # pytest's directories are long
home = Home(*(Path(sys.argv[1]),) * 3)
with scratch(home, sys.argv[2]) as work:
    (work / "big").mkdir()
    (work / "big" / "file").write_text("x")
    print(work, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Everything in one directory."""
    return Home(tmp_path, tmp_path, tmp_path)


@pytest.fixture(autouse=True)
def _not_yet_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_swept", set())
    monkeypatch.setattr(module, "_LONGEST", 4000)  # pytest's directories are long


class Owner:
    """Another process that works in a directory."""

    def __init__(self, home: Home, kind: str = "lock") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, home.cache, kind], env=ELSEWHERE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.directory = Path(self.process.stdout.readline().strip())

    def kill(self) -> Path:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.directory


def entries(home: Home) -> list[str]:
    return sorted(name for name in os.listdir(home.cache / "scratch") if name != ".gate")


def test_it_is_private_and_goes_away(home: Home) -> None:
    with scratch(home, "install") as work:
        assert work.parent == home.cache / "scratch"
        assert stat.S_IMODE(work.stat().st_mode) == 0o700
        assert stat.S_IMODE(work.parent.stat().st_mode) == 0o700
        (work / "file").touch()
        assert is_held(work.with_suffix(".lock"))
        with scratch(home, "install") as other:
            assert other != work
    assert entries(home) == []


def test_it_goes_away_when_the_block_fails(home: Home) -> None:
    with pytest.raises(ZeroDivisionError), scratch(home, "install"):
        raise ZeroDivisionError
    assert entries(home) == []


def test_what_a_kill_leaves_is_swept_by_the_next_that_makes_one(home: Home) -> None:
    left = Owner(home).kill()
    assert (left / "big" / "file").exists()
    assert abandoned(home) == [left]
    with scratch(home, "probe") as work:
        assert entries(home) == [work.name, f"{work.name}.lock"]
    assert entries(home) == []


def test_what_a_living_process_uses_is_not_swept(home: Home) -> None:
    owner = Owner(home)
    try:
        assert abandoned(home) == []
        sweep_scratch(home)
        assert (owner.directory / "big" / "file").exists()
        assert is_held(owner.directory.with_suffix(".lock"))
    finally:
        owner.kill()
    sweep_scratch(home)
    assert entries(home) == []


def test_links_are_not_followed(home: Home, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").touch()
    left = Owner(home).kill()
    (left / "link").symlink_to(mine)
    (left.parent / ("probe-" + "0" * 16)).symlink_to(mine)
    (left.parent / (".doomed-" + "0" * 16)).symlink_to(mine)
    (left.parent / "probe-mine").symlink_to(mine)  # no name of ours
    sweep_scratch(home)
    assert (mine / "file").exists()
    assert entries(home) == ["probe-mine"]


def test_a_link_in_place_of_all_is_somebody_elses(home: Home, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    for name in ("probe-" + "0" * 16, ".doomed-" + "0" * 16):
        (mine / name).mkdir(parents=True)
    (home.cache / "scratch").symlink_to(mine)
    with scratch(home, "probe") as work:
        assert home.cache not in work.parents
        assert mine not in work.parents
        with nobody_at_work(home) as alone:
            assert not alone  # who works here cannot be seen
    assert len(list(mine.iterdir())) == 2


def test_what_resists_is_left_and_raises_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    left = Owner(home).kill()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "no")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        sweep_scratch(home)
        assert left.exists()
        assert not is_held(left.with_suffix(".lock"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", refuse)
        sweep_scratch(home)
        assert len(abandoned(home)) == 1
    sweep_scratch(home)
    assert entries(home) == []


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = Home(*(tmp_path / "file",) * 3)
    with scratch(home, "probe") as work:
        assert work.is_dir()
        assert work.name.startswith("imageai-env-probe-")
    assert not work.exists()


def test_a_path_that_is_too_long_for_sockets(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST", 90)
    deep = Home(*(home.cache / ("x" * 90),) * 3)
    with scratch(deep, "lock") as work:
        assert work.name.startswith("imageai-env-lock-")
        assert at_work(deep)  # gc can see us all the same
    assert not work.exists()
    assert not at_work(deep)


def test_the_longest_path_for_sockets(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with scratch(home, "lock") as work:
        length = len(os.fsencode(work))
    for longest, inside in ((length, True), (length - 1, False)):
        monkeypatch.setattr(module, "_LONGEST", longest)
        with scratch(home, "lock") as work:
            assert (work.parent == home.cache / "scratch") is inside


def test_a_directory_that_cannot_be_made_leaves_no_lock(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.mkdir

    def full(path: Path, *words: Any, **more: Any) -> None:
        if path.name.startswith("lock-"):
            raise OSError(28, "No space left on device")
        real(path, *words, **more)

    monkeypatch.setattr(Path, "mkdir", full)
    with scratch(home, "lock") as work:
        assert work.name.startswith("imageai-env-lock-")
        assert entries(home) == []
    assert entries(home) == []


def test_who_is_at_work(home: Home) -> None:
    assert not at_work(home)
    with nobody_at_work(home) as alone:
        assert alone
    beside = Owner(home, "shell")
    assert not at_work(home)
    owner = Owner(home)
    assert at_work(home)
    with nobody_at_work(home) as alone:
        assert not alone
    owner.kill()
    beside.kill()
    assert not at_work(home)


def test_nobody_begins_while_the_gate_is_held(home: Home) -> None:
    with ThreadPoolExecutor(1) as pool:
        with nobody_at_work(home) as alone:
            assert alone
            begun = pool.submit(lambda: scratch(home, "lock").__enter__())
            time.sleep(0.2)
            assert entries(home) == []
            assert not begun.done()
        work = begun.result(timeout=10)
    assert work.parent == home.cache / "scratch"


def test_many_at_once_make_and_sweep(home: Home) -> None:
    """Eight processes make and use directories while two sweep without end: none loses a file."""
    script = """
import sys, time
from pathlib import Path
from imageai_envs.base.paths import Home
from imageai_envs.base import scratch as module
from imageai_envs.base.scratch import scratch, sweep_scratch
module._LONGEST = 4000
home, end = Home(*(Path(sys.argv[1]),) * 3), time.monotonic() + 3
while time.monotonic() < end:
    if sys.argv[2] == "sweep":
        sweep_scratch(home)
        continue
    with scratch(home, "lock") as work:
        assert work.parent == home.cache / "scratch", work
        (work / "file").write_text("mine")
        time.sleep(0.002)
        assert (work / "file").read_text() == "mine"
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script, home.cache, kind], env=ELSEWHERE, stderr=subprocess.PIPE)
        for kind in ["make"] * 8 + ["sweep"] * 2
    ]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [(b"", 0)] * 10
    sweep_scratch(home)
    assert entries(home) == []
