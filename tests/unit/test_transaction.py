"""Either the old environment or the new one, whatever ends the work and at whatever moment.

A kill is told by what it leaves on the disk: each moment of a replacement is laid out by hand and then settled.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs import transaction
from imageai_envs.environment import METADATA, State, is_finished, is_ours, mark, read_state, write_state
from imageai_envs.errors import InstallError, RequestError
from imageai_envs.framework import TENSORFLOW, Release
from imageai_envs.paths import Home
from imageai_envs.progress import Silent
from imageai_envs.request import Request
from imageai_envs.transaction import aside, check_free, delete, is_unsettled, locked, recover, replacing, settle, sweep
from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "envs"
    place.mkdir()
    return place / "x"


def state(created: str) -> State:
    return State(
        name="x",
        created=created,
        request=Request(tensorflow="2.10", extras=("six",)),
        template="tf2.10",
        release=Release(TENSORFLOW, "2.10.1"),
        imageai="2.1.6",
        variant="cpu",
        target="cp310-linux-x86_64",
        python="/usr/bin/python3.10",
        python_version="3.10.13",
        engine="uv 0.13.9",
        creator="virtualenv",
        lock="sha256:0",
        verified="inference",
        seconds={"lock": 1.0},
        tool="0.1.0",
    )


def build(root: Path, word: str, *, finished: bool = True, building: bool = False) -> None:
    """Lay out an environment of ours."""
    mark(root)
    (root / "content").write_text(word, encoding="utf-8")
    if finished:
        write_state(root, state(word))
    if building:
        (root / METADATA / "building").touch()


def content(root: Path) -> str:
    return (root / "content").read_text(encoding="utf-8")


def neighbours(root: Path) -> list[str]:
    return sorted(path.name for path in root.parent.iterdir())


# Moments of a kill ------------------------------------------------------------------------------------------------


def test_killed_before_anything(root: Path) -> None:
    build(root, "old")
    assert not is_unsettled(root)
    settle(root)
    assert content(root) == "old"


def test_killed_after_the_old_one_was_set_aside(root: Path) -> None:
    build(aside(root), "old")
    assert is_unsettled(root)
    settle(root)
    assert (content(root), neighbours(root)) == ("old", ["x"])


def test_killed_before_the_new_one_has_its_name(root: Path) -> None:
    build(aside(root), "old")
    build(root.with_name(".x.imageai-env-new-0a1b2c3d"), "new", finished=False, building=True)
    settle(root)
    assert content(root) == "old"
    assert not is_unsettled(root)


def test_the_new_one_appears_with_its_marker(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def watched(place: Path) -> None:
        mark(place)
        seen.append(root.exists())

    monkeypatch.setattr(transaction, "mark", watched)
    with replacing(root, force=False):
        assert is_unsettled(root)
        build(root, "new")
    assert seen == [False]


def test_a_marker_that_cannot_be_written_brings_the_old_one_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(place: Path) -> None:
        mark(place)
        raise OSError(28, "No space left on device")

    build(root, "old")
    monkeypatch.setattr(transaction, "mark", full)
    with pytest.raises(OSError, match="No space left"), replacing(root, force=True):
        pytest.fail("the block must not run")
    assert (content(root), neighbours(root)) == ("old", ["x"])


def test_killed_while_building_beside_an_old_one(root: Path) -> None:
    build(aside(root), "old")
    build(root, "new", finished=False, building=True)
    settle(root)
    assert (content(root), neighbours(root)) == ("old", ["x"])
    assert is_finished(root)


def test_killed_between_the_state_and_the_sweeping(root: Path) -> None:
    build(aside(root), "old")
    build(root, "new", building=True)
    settle(root)
    assert (content(root), neighbours(root)) == ("new", ["x"])
    assert not is_unsettled(root)


def test_killed_with_the_old_one_still_there_and_the_new_one_done(root: Path) -> None:
    build(aside(root), "old")
    build(root, "new")
    assert is_unsettled(root)
    settle(root)
    assert (content(root), neighbours(root)) == ("new", ["x"])


def test_killed_while_building_the_first_one(root: Path) -> None:
    build(root, "new", finished=False, building=True)
    assert is_unsettled(root)
    settle(root)
    assert neighbours(root) == []


def test_killed_between_the_state_and_the_end_of_the_first_one(root: Path) -> None:
    build(root, "new", building=True)
    settle(root)
    assert content(root) == "new"
    assert not is_unsettled(root)


def test_a_torn_state_is_no_state(root: Path) -> None:
    build(aside(root), "old")
    build(root, "new", building=True)
    path = root / METADATA / "state.json"
    path.write_text(path.read_text(encoding="utf-8")[:40], encoding="utf-8")
    settle(root)
    assert content(root) == "old"


def test_settling_twice_is_settling_once(root: Path) -> None:
    build(aside(root), "old")
    build(root, "new", finished=False, building=True)
    settle(root)
    settle(root)
    assert content(root) == "old"


def test_settling_spares_what_is_not_ours(root: Path) -> None:
    build(aside(root), "old")
    root.mkdir()
    (root / "precious").write_text("mine", encoding="utf-8")
    with pytest.raises(RequestError, match="left alone"):
        settle(root)
    assert (root / "precious").exists()
    assert content(aside(root)) == "old"


def test_a_directory_that_only_has_the_name_of_an_old_one(root: Path) -> None:
    aside(root).mkdir()
    (aside(root) / "precious").write_text("mine", encoding="utf-8")
    assert not is_unsettled(root)
    settle(root)
    assert neighbours(root) == [aside(root).name]


def test_recover_mends_and_says_so(root: Path, home: Home) -> None:
    assert recover(root, home)
    assert not home.locks.exists()  # nothing to mend: nothing is written either
    build(aside(root), "old")
    assert recover(root, home)
    assert content(root) == "old"


# Replacing --------------------------------------------------------------------------------------------------------


def test_a_first_one(root: Path) -> None:
    with replacing(root, force=False):
        assert is_ours(root)
        assert is_unsettled(root)
        build(root, "new")
    assert (content(root), neighbours(root)) == ("new", ["x"])
    assert not is_unsettled(root)


def test_an_empty_directory_is_a_free_place(root: Path) -> None:
    root.mkdir()
    with replacing(root, force=False):
        build(root, "new")
    assert content(root) == "new"


def test_the_old_one_waits_until_the_new_one_is_done(root: Path) -> None:
    build(root, "old")
    with replacing(root, force=True):
        assert content(aside(root)) == "old"
        assert not (root / "content").exists()
        build(root, "new")
    sweep()
    assert (content(root), neighbours(root)) == ("new", ["x"])


def test_an_unfinished_one_is_replaced_without_force(root: Path) -> None:
    build(root, "wreck", finished=False)
    with replacing(root, force=False):
        build(root, "new")
    sweep()
    assert (content(root), neighbours(root)) == ("new", ["x"])


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), OSError(28, "full")])
def test_whatever_ends_the_block_the_old_one_comes_back(root: Path, error: BaseException) -> None:
    build(root, "old")
    with pytest.raises(type(error)) as caught, replacing(root, force=True):
        (root / "content").write_text("half", encoding="utf-8")
        raise error
    assert caught.value is error
    assert (content(root), neighbours(root)) == ("old", ["x"])
    assert not is_unsettled(root)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_whatever_ends_a_first_block_nothing_stays(root: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), replacing(root, force=False):
        (root / "content").write_text("half", encoding="utf-8")
        raise error
    assert neighbours(root) == []


def test_interrupted_after_the_state_was_written_the_new_one_stays(root: Path) -> None:
    build(root, "old")
    with pytest.raises(KeyboardInterrupt), replacing(root, force=True):
        build(root, "new")
        raise KeyboardInterrupt
    assert content(root) == "new"
    settle(root)
    assert (content(root), neighbours(root)) == ("new", ["x"])


def test_a_block_must_write_the_state(root: Path) -> None:
    build(root, "old")
    with pytest.raises(InstallError, match="not finished") as caught, replacing(root, force=True):
        (root / "content").write_text("half", encoding="utf-8")
    assert caught.value.code == "unfinished"
    assert content(root) == "old"


@pytest.fixture
def common_place() -> Iterator[Path]:
    """A directory in which file modes count: we are nobody there, should we be root."""
    with tempfile.TemporaryDirectory(prefix="imageai-env-test-") as directory:
        place = Path(directory)
        before = os.geteuid()
        if before == 0:
            os.chown(place, 65534, -1)
            os.seteuid(65534)
        try:
            yield place
        finally:
            os.seteuid(before)
            for path in place.rglob("*"):
                if path.is_dir():
                    path.chmod(0o700)


def test_undo_when_the_new_one_cannot_be_deleted(common_place: Path) -> None:
    root = common_place / "x"
    build(root, "old")
    with pytest.raises(ValueError, match="no"), replacing(root, force=True):
        resisting = root / "lib" / "resisting"
        resisting.mkdir(parents=True)
        (resisting / "file").touch()
        resisting.chmod(0o500)
        raise ValueError("no")
    assert content(root) == "old"
    assert is_finished(root)
    assert not is_unsettled(root)
    rest = [name for name in neighbours(root) if name != "x"]
    assert [(common_place / name / "lib" / "resisting" / "file").exists() for name in rest] == [True]


def test_undo_of_a_first_one_that_cannot_be_deleted(common_place: Path) -> None:
    root = common_place / "x"
    with pytest.raises(ValueError, match="no"), replacing(root, force=False):
        resisting = root / "resisting"
        resisting.mkdir()
        (resisting / "file").touch()
        resisting.chmod(0o500)
        raise ValueError("no")
    assert not root.exists()
    with replacing(root, force=False):
        build(root, "new")
    assert content(root) == "new"


def test_a_place_that_cannot_be_written_changes_nothing(common_place: Path) -> None:
    root = common_place / "sub" / "x"
    root.parent.mkdir()
    build(root, "old")
    root.parent.chmod(0o500)
    with pytest.raises(PermissionError), replacing(root, force=True):
        pytest.fail("the block must not run")
    assert content(root) == "old"


# What is not ours -------------------------------------------------------------------------------------------------


def test_finished_ones_need_force(root: Path) -> None:
    build(root, "old")
    with pytest.raises(RequestError, match="already an environment") as caught:
        check_free(root, force=False)
    assert caught.value.code == "exists"
    check_free(root, force=True)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("kind", ["directory", "file", "link to ours", "dangling link", "link to an empty directory"])
def test_foreign_things_are_refused_and_left_alone(root: Path, tmp_path: Path, kind: str, force: bool) -> None:
    other = tmp_path / "other"
    if kind == "directory":
        root.mkdir()
        (root / "precious").touch()
    elif kind == "file":
        root.write_text("mine", encoding="utf-8")
    elif kind == "link to ours":
        build(other, "theirs")
        root.symlink_to(other)
    elif kind == "dangling link":
        root.symlink_to(other)
    else:
        other.mkdir()
        root.symlink_to(other)
    before = (sorted(str(path) for path in tmp_path.rglob("*")), root.is_symlink())
    with pytest.raises(RequestError, match="was not made by imageai-env") as caught, replacing(root, force=force):
        pytest.fail("the block must not run")
    assert caught.value.code == "not-ours"
    with pytest.raises(RequestError, match="left alone"):
        delete(root)
    assert (sorted(str(path) for path in tmp_path.rglob("*")), root.is_symlink()) == before


def test_a_linked_parent_is_followed(tmp_path: Path, home: Home) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    root = tmp_path / "link" / "x"
    with locked(root, home, Silent()), replacing(root, force=False):
        build(root, "new")
    assert content(tmp_path / "real" / "x") == "new"
    # Both spellings are one environment, so they share one lock.
    with locked(root, home, Silent()):
        locks = set(home.locks.iterdir())
        with locked(tmp_path / "real" / "x", home, Silent()):
            assert set(home.locks.iterdir()) == locks


def test_delete(root: Path) -> None:
    build(root, "old")
    target = root.parent / "elsewhere"
    target.mkdir()
    (target / "precious").touch()
    (root / "link").symlink_to(target)
    delete(root)
    assert not root.exists()
    sweep()
    assert neighbours(root) == ["elsewhere"]
    assert (target / "precious").exists()


def test_rests_of_killed_deletions_are_in_nobodys_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 7)  # as in every container
    for _ in range(2):
        build(root, "old")
        delete(root)
        assert not root.exists()
    assert len(neighbours(root)) == 2
    sweep()
    assert neighbours(root) == []


def test_a_kill_before_the_marker_was_whole_leaves_nothing_either(root: Path) -> None:
    """What has no marker is removed only where nothing else is in it."""
    build(root, "old")
    half = root.with_name(".x.imageai-env-new-0123abcd")
    for content_of_half in ((), (METADATA,), (METADATA, f"{METADATA}/.owner.json.77")):
        half.mkdir()
        for name in content_of_half:
            (half / name).touch() if name.endswith("77") else (half / name).mkdir()
        assert is_unsettled(root)
        settle(root)
        assert neighbours(root) == ["x"]
    for precious in ("file", f"{METADATA}/file"):
        (half / precious).parent.mkdir(parents=True)
        (half / precious).touch()
        assert not is_unsettled(root)
        settle(root)
        assert (half / precious).exists()
        half.rename(half.with_name(f"kept-{precious.count('/')}"))
    assert content(root) == "old"


def test_states_that_cannot_be_understood(root: Path) -> None:
    build(root, "old")
    assert read_state(root) == state("old")
    path = root / METADATA / "state.json"
    whole = path.read_text(encoding="utf-8")
    for text in ("", "[]", "null", "{}", whole.replace('"schema": 1', '"schema": 2'), whole.replace('"name"', '"nam"')):
        path.write_text(text, encoding="utf-8")
        assert read_state(root) is None
    path.write_bytes(b"\xff\xfe")
    assert read_state(root) is None
    assert is_ours(root)


# Two processes ----------------------------------------------------------------------------------------------------

_OTHER = """\
import sys
from pathlib import Path
from imageai_envs.paths import Home
from imageai_envs.progress import Silent
from imageai_envs.transaction import locked

class Teller(Silent):
    def note(self, text):
        print(text, flush=True)

root, home = Path(sys.argv[1]), Home(*map(Path, sys.argv[2:5]))
with locked(root, home, Teller()):
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


def test_a_second_process_waits_and_says_so(root: Path, home: Home) -> None:
    with locked(root, home, Silent()):
        waiting = other(root, home)
        assert waiting.stdout is not None
        assert "waiting for it" in waiting.stdout.readline()
        assert waiting.poll() is None
    assert waiting.stdout.readline() == "inside\n"
    out, _ = waiting.communicate("\n", timeout=60)
    assert (out, waiting.returncode) == ("", 0)


def test_another_environment_is_not_held(root: Path, home: Home) -> None:
    with locked(root, home, Silent()):
        free = other(root.with_name("y"), home)
        out, _ = free.communicate("\n", timeout=60)
    assert out == "inside\n"


def test_what_a_living_process_builds_is_not_mended(root: Path, home: Home) -> None:
    holder = other(root, home)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "inside\n"
    build(root, "half", finished=False, building=True)
    assert not recover(root, home)
    assert content(root) == "half"
    holder.kill()
    holder.communicate(timeout=60)
    assert recover(root, home)
    assert not root.exists()


def test_the_lock_goes_with_its_process_and_with_an_error(root: Path, home: Home) -> None:
    with pytest.raises(ValueError, match="no"), locked(root, home, Silent()):
        raise ValueError("no")
    free = other(root, home)
    out, _ = free.communicate("\n", timeout=60)
    assert out == "inside\n"
