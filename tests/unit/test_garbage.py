"""What gc may take: nothing that is used by a process, no log of an environment that lives."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base import scratch as module
from imageai_envs.base.context import Context
from imageai_envs.base.logs import open_log
from imageai_envs.base.paths import Home
from imageai_envs.base.progress import Silent
from imageai_envs.base.scratch import scratch
from imageai_envs.workflows.garbage import Garbage, collect, find_garbage
from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


@pytest.fixture
def helper(home: Home) -> Path:
    """A helper environment and its lock."""
    root = home.helpers / "cp310-linux-x86_64-0123456789ab"
    root.mkdir(parents=True)
    (root / "imageai-env-helper").touch()
    root.with_name(f"{root.name}.lock").touch()
    return root


def log_of(home: Home, name: str) -> Path:
    log = open_log(home, name, "create")
    log.write("x")
    return log.path


def gc(home: Home) -> set[str]:
    """Collect, and return the paths that went, below the home."""
    gone = collect(find_garbage(home), Context(home, Silent()))
    assert not any(os.path.lexists(item.path) for item in gone)
    return {str(item.path.relative_to(home.data.parent)) for item in gone}


# Logs ---------------------------------------------------------------------------------------------------------------


def test_logs_of_every_environment_that_lives_stay(home: Home) -> None:
    names = ("stored", "waiting", "linked", "recorded", "gone")
    logs = {name: log_of(home, name) for name in names}
    (home.environments / "stored").mkdir(parents=True)
    (home.environments / ".waiting.imageai-env-old").mkdir()
    home.links.mkdir()
    (home.links / "linked.json").write_text('{"path": "/srv/proj/.venv"}', encoding="utf-8")
    records = home.data / "records"
    records.mkdir()
    (records / f"recorded.{'0123456789abcdef' * 2}.json").write_text("damaged", encoding="utf-8")
    assert "data/logs/gone" in gc(home)
    assert {name for name, log in logs.items() if log.exists()} == {"stored", "waiting", "linked", "recorded"}


def test_the_last_logs_of_commands_without_an_environment_stay(home: Home) -> None:
    for subject in ("lock", "rescue", "_crashes", "gone"):
        (home.logs / subject).mkdir(parents=True)
        for number in range(5):
            (home.logs / subject / f"2026010{number}T000000-{subject}-1.log").write_text("x", encoding="utf-8")
    gc(home)
    for subject in ("lock", "rescue", "_crashes"):
        kept = sorted(path.name[:8] for path in (home.logs / subject).iterdir())
        assert kept == ["20260102", "20260103", "20260104"]
    assert not (home.logs / "gone").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_store_that_cannot_be_read_is_not_taken_for_empty(home: Home) -> None:
    log_of(home, "x")
    home.environments.mkdir(parents=True)
    home.environments.chmod(0)
    try:
        with pytest.raises(PermissionError):
            find_garbage(home)
    finally:
        home.environments.chmod(0o700)


def test_a_file_where_the_store_belongs_is_not_taken_for_an_empty_one(home: Home) -> None:
    log = log_of(home, "x")
    home.environments.touch()
    with pytest.raises(NotADirectoryError):
        find_garbage(home)
    assert log.exists()


# Helpers and caches -------------------------------------------------------------------------------------------------


def test_a_helper_that_nobody_uses_goes_and_its_lock_stays(home: Home, helper: Path) -> None:
    assert gc(home) == {f"cache/helpers/{helper.name}"}
    assert [path.name for path in home.helpers.iterdir()] == [f"{helper.name}.lock"]


def test_a_helper_whose_lock_another_process_holds_stays(home: Home, helper: Path) -> None:
    lock = helper.with_name(f"{helper.name}.lock")
    planned = find_garbage(home)
    assert [item.kind for item in planned] == ["helper"]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        assert find_garbage(home) == ()
        assert collect(planned, Context(home, Silent())) == ()  # begun after gc had looked
        assert (helper / "imageai-env-helper").exists()
        assert lock.exists()
        owner.communicate("")
    assert gc(home) == {f"cache/helpers/{helper.name}"}


def test_while_a_command_resolves_helpers_caches_and_logs_stay(home: Home, helper: Path) -> None:
    """What runs in a helper holds no lock of the helper: many may run there at once. It is known by its directory."""
    (home.cache / "pip-tools").mkdir()
    log = log_of(home, "gone")
    planned = find_garbage(home)
    assert [item.kind for item in planned] == ["cache", "helper", "log"]
    script = (
        "import sys; from pathlib import Path; from imageai_envs.base.paths import Home;"
        "from imageai_envs.base.scratch import scratch\n"
        "with scratch(Home(*(Path(sys.argv[1]),) * 3), 'lock') as work: print(work, flush=True); sys.stdin.read()"
    )
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, "-c", script, home.cache],
        env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as owner:  # fmt: skip
        assert owner.stdout is not None
        owner.stdout.readline()
        assert find_garbage(home) == ()
        assert collect(planned, Context(home, Silent())) == ()
        assert all(item.path.exists() for item in planned)
        owner.communicate("")
    assert gc(home) == {f"cache/helpers/{helper.name}", "cache/pip-tools", "data/logs/gone"}
    assert not log.exists()


def test_a_shell_that_is_open_keeps_nothing(home: Home, helper: Path) -> None:
    with scratch(home, "shell"):
        assert gc(home) == {f"cache/helpers/{helper.name}"}


@pytest.mark.parametrize("name", ["virtualenv", "pip-tools", "locks", "pages", "known-files"])
def test_caches(home: Home, name: str, tmp_path: Path) -> None:
    (home.cache / name / "deep").mkdir(parents=True)
    (home.cache / ".interpreters-abc").touch()
    (home.cache / "interpreters.json").touch()
    (home.cache / "python-discovery").mkdir()
    mine = tmp_path / "mine"
    mine.mkdir()
    (home.cache / name / "link").symlink_to(mine)
    assert gc(home) == {f"cache/{name}", "cache/.interpreters-abc"}
    assert sorted(path.name for path in home.cache.iterdir()) == ["interpreters.json", "python-discovery", "scratch"]
    assert mine.exists()


# Rests, and looking only ----------------------------------------------------------------------------------------------


def test_what_killed_commands_left_goes_also_while_another_works(
    home: Home, helper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = home.cache / "scratch" / ("probe-" + "0" * 16)
    left.mkdir(parents=True)
    (left / "big").write_text("x" * 5000, encoding="utf-8")
    monkeypatch.setattr(module, "_swept", {left.parent})  # as a process that began before the kill
    with scratch(home, "install"):
        (item,) = find_garbage(home)
        assert (item.kind, item.path) == ("scratch", left)
        assert item.size >= 5000
        assert collect((item,), Context(home, Silent())) == (item,)
    assert not left.exists()


def test_rests_that_are_not_ours_stay(home: Home) -> None:
    (home.environments / ".other.imageai-env-rest-4567abcd" / "thesis").mkdir(parents=True)
    assert find_garbage(home) == ()


def test_looking_changes_nothing(home: Home, helper: Path) -> None:
    (home.cache / "locks").mkdir()
    (home.cache / "scratch" / ("probe-" + "0" * 16)).mkdir(parents=True)
    log_of(home, "gone")

    def tree() -> dict[str, int]:
        return {str(path): path.lstat().st_mtime_ns for path in sorted(home.data.parent.rglob("*"))}

    before = tree()
    assert [item.kind for item in find_garbage(home)] == ["cache", "helper", "log", "scratch"]
    assert tree() == before


def test_nothing_there_makes_nothing(home: Home) -> None:
    assert find_garbage(home) == ()
    item = Garbage("cache", home.cache / "pages", 0)
    assert collect((item,), Context(home, Silent())) == (item,)
