"""Either the old environment or the new one, whatever ends the work and at whatever moment.

A kill is told by what it leaves on the disk: each moment of a replacement is laid out by hand and then settled.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.context import Context
from imageai_envs.base.errors import InstallError, RequestError
from imageai_envs.base.paths import Home
from imageai_envs.base.progress import Silent
from imageai_envs.environments import transaction
from imageai_envs.environments.environment import (
    METADATA,
    Condition,
    State,
    begin_building,
    condition_of,
    is_finished,
    read_state,
    write_atomically,
    write_state,
)
from imageai_envs.environments.ownership import aside, forget_gone, mark, owns, place_of, records, register
from imageai_envs.environments.transaction import (
    check_free,
    discard,
    is_unsettled,
    locked,
    recover,
    replacing,
    settle,
)
from imageai_envs.request.framework import TENSORFLOW, Release
from imageai_envs.request.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listening(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


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


def build(root: Path, home: Home, word: str, *, finished: bool = True, building: bool = False) -> None:
    """Lay out an environment of ours."""
    if not owns(root, home):
        mark(root, register("x", place_of(root), home))
    (root / METADATA / "requirements.txt").write_text(word, encoding="utf-8")
    if finished:
        write_state(root, state(word))
    if building:
        (root / METADATA / "building").touch()


def content(root: Path) -> str:
    return (root / METADATA / "requirements.txt").read_text(encoding="utf-8")


def neighbours(root: Path) -> list[str]:
    return sorted(path.name for path in root.parent.iterdir())


# Moments of a kill ------------------------------------------------------------------------------------------------


def test_killed_before_anything(root: Path, home: Home, context: Context) -> None:
    build(root, home, "old")
    assert not is_unsettled(root, context)
    settle(root, context)
    assert content(root) == "old"


def test_killed_after_the_old_one_was_set_aside(root: Path, home: Home, context: Context) -> None:
    build(aside(root), home, "old")
    assert is_unsettled(root, context)
    settle(root, context)
    assert (content(root), neighbours(root)) == ("old", ["x"])


def test_killed_before_the_new_one_has_its_name(root: Path, home: Home, context: Context) -> None:
    build(aside(root), home, "old")
    build(root.with_name(".x.imageai-env-new-0a1b2c3d"), home, "new", finished=False, building=True)
    settle(root, context)
    assert content(root) == "old"
    assert not is_unsettled(root, context)


def test_the_new_one_appears_with_its_marker(
    root: Path, monkeypatch: pytest.MonkeyPatch, home: Home, context: Context
) -> None:
    """And with the note that it is being built: without it, it would be one whose state was lost."""
    seen: list[bool] = []

    def watched(place: Path, id_: str) -> None:
        mark(place, id_)
        seen.append(root.exists())

    def watched_too(place: Path) -> None:
        begin_building(place)
        seen.append(root.exists())

    monkeypatch.setattr(transaction, "mark", watched)
    monkeypatch.setattr(transaction, "begin_building", watched_too)
    with replacing(root, "x", context, force=False):
        assert is_unsettled(root, context)
        build(root, home, "new")
    assert seen == [False, False]


def test_a_marker_that_cannot_be_written_brings_the_old_one_back(
    root: Path, monkeypatch: pytest.MonkeyPatch, home: Home, context: Context
) -> None:
    def full(place: Path, id_: str) -> None:
        mark(place, id_)
        raise OSError(28, "No space left on device")

    build(root, home, "old")
    monkeypatch.setattr(transaction, "mark", full)
    with pytest.raises(OSError, match="No space left"), replacing(root, "x", context, force=True):
        pytest.fail("the block must not run")
    assert (content(root), neighbours(root)) == ("old", ["x"])


def test_what_cannot_be_deleted_again_is_not_forgotten(
    root: Path, monkeypatch: pytest.MonkeyPatch, home: Home, context: Context
) -> None:
    def full(place: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "begin_building", full)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(OSError, match="No space left"), replacing(root, "x", context, force=False):
            pytest.fail("the block must not run")
    assert len(neighbours(root)) == 1
    assert is_unsettled(root, context)
    settle(root, context)
    assert neighbours(root) == []


def test_killed_while_building_beside_an_old_one(root: Path, home: Home, context: Context) -> None:
    build(aside(root), home, "old")
    build(root, home, "new", finished=False, building=True)
    settle(root, context)
    assert (content(root), neighbours(root)) == ("old", ["x"])
    assert is_finished(root)


def test_killed_between_the_state_and_the_sweeping(root: Path, home: Home, context: Context) -> None:
    build(aside(root), home, "old")
    build(root, home, "new", building=True)
    settle(root, context)
    assert (content(root), neighbours(root)) == ("new", ["x"])
    assert not is_unsettled(root, context)


def test_killed_with_the_old_one_still_there_and_the_new_one_done(root: Path, home: Home, context: Context) -> None:
    build(aside(root), home, "old")
    build(root, home, "new")
    assert is_unsettled(root, context)
    settle(root, context)
    assert (content(root), neighbours(root)) == ("new", ["x"])


def test_killed_while_building_the_first_one(root: Path, home: Home, context: Context) -> None:
    build(root, home, "new", finished=False, building=True)
    assert is_unsettled(root, context)
    settle(root, context)
    assert neighbours(root) == []


def test_killed_between_the_state_and_the_end_of_the_first_one(root: Path, home: Home, context: Context) -> None:
    build(root, home, "new", building=True)
    settle(root, context)
    assert content(root) == "new"
    assert not is_unsettled(root, context)


@pytest.mark.parametrize("text", ["{", '{"schema": 2}', '{"schema": 1, "request": {"new": 1}}'])
@pytest.mark.parametrize("beside_an_old_one", [False, True])
def test_a_state_that_cannot_be_read_decides_nothing(
    root: Path, home: Home, text: str, beside_an_old_one: bool, context: Context
) -> None:
    """It was written, as the last thing: unreadable is not unfinished. Neither of the two goes."""
    if beside_an_old_one:
        build(aside(root), home, "old")
    build(root, home, "new", building=True)
    (root / METADATA / "state.json").write_text(text, encoding="utf-8")
    settle(root, context)
    assert content(root) == "new"
    assert not beside_an_old_one or content(aside(root)) == "old"
    with pytest.raises(RequestError) as caught, replacing(root, "x", context, force=False):
        pytest.fail("the block must not run")
    assert (caught.value.code, content(root)) == ("exists", "new")
    with replacing(root, "x", context, force=True):
        build(root, home, "newest")
    context.finish()
    assert (content(root), neighbours(root)) == ("newest", ["x"])


def test_settling_twice_is_settling_once(root: Path, home: Home, context: Context) -> None:
    build(aside(root), home, "old")
    build(root, home, "new", finished=False, building=True)
    settle(root, context)
    settle(root, context)
    assert content(root) == "old"


def test_settling_spares_what_is_not_ours(root: Path, home: Home, context: Context) -> None:
    build(aside(root), home, "old")
    root.mkdir()
    (root / "precious").write_text("mine", encoding="utf-8")
    with pytest.raises(RequestError, match="left alone"):
        settle(root, context)
    assert (root / "precious").exists()
    assert content(aside(root)) == "old"


def test_a_finished_one_that_is_not_ours_does_not_end_the_old_one(root: Path, home: Home, context: Context) -> None:
    """Somebody copied it there while ours was waiting."""
    build(aside(root), home, "old")
    mark(root, "0" * 32)
    (root / METADATA / "requirements.txt").write_text("theirs", encoding="utf-8")
    write_state(root, state("theirs"))
    with pytest.raises(RequestError, match="left alone"):
        settle(root, context)
    assert (content(root), content(aside(root))) == ("theirs", "old")


def test_a_directory_that_only_has_the_name_of_an_old_one(root: Path, home: Home, context: Context) -> None:
    aside(root).mkdir()
    (aside(root) / "precious").write_text("mine", encoding="utf-8")
    assert not is_unsettled(root, context)
    settle(root, context)
    assert neighbours(root) == [aside(root).name]


def test_recover_mends_and_says_so(root: Path, home: Home, context: Context) -> None:
    assert recover(root, context)
    assert not home.locks.exists()  # nothing to fix: nothing is written either
    build(aside(root), home, "old")
    assert recover(root, context)
    assert content(root) == "old"


def test_whoever_holds_an_environment_finds_it_settled(root: Path, home: Home, context: Context) -> None:
    build(aside(root), home, "old")
    build(root, home, "half", finished=False, building=True)
    with locked(root, context):
        assert (content(root), neighbours(root)) == ("old", ["x"])


def test_what_the_same_command_is_to_delete_is_settled_already(root: Path, home: Home) -> None:
    listener = Listening()
    context = Context(home, listener)
    build(root, home, "old")
    (root / "train.py").touch()
    discard(root, context)
    settle(root, context)
    (kept,) = neighbours(root)
    assert [kept in warning for warning in listener.warnings] == [True]


# Replacing --------------------------------------------------------------------------------------------------------


def test_a_first_one(root: Path, home: Home, context: Context) -> None:
    with replacing(root, "x", context, force=False):
        assert owns(root, home)
        assert is_unsettled(root, context)
        build(root, home, "new")
    assert (content(root), neighbours(root)) == ("new", ["x"])
    assert not is_unsettled(root, context)


def test_an_empty_directory_is_a_free_place(root: Path, home: Home, context: Context) -> None:
    root.mkdir()
    with pytest.raises(ValueError, match="no"), replacing(root, "x", context, force=False):
        raise ValueError("no")
    assert (neighbours(root), list(root.iterdir())) == (["x"], [])
    with replacing(root, "x", context, force=False):
        build(root, home, "new")
    assert content(root) == "new"


def test_the_old_one_waits_until_the_new_one_is_done(root: Path, home: Home, context: Context) -> None:
    build(root, home, "old")
    with replacing(root, "x", context, force=True):
        assert content(aside(root)) == "old"
        assert not (root / METADATA / "requirements.txt").exists()
        build(root, home, "new")
    context.finish()
    assert (content(root), neighbours(root)) == ("new", ["x"])


def test_an_unfinished_one_is_replaced_without_force(root: Path, home: Home, context: Context) -> None:
    build(root, home, "wreck", finished=False, building=True)
    with replacing(root, "x", context, force=False):
        build(root, home, "new")
    context.finish()
    assert (content(root), neighbours(root)) == ("new", ["x"])


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), OSError(28, "full")])
def test_whatever_ends_the_block_the_old_one_comes_back(
    root: Path, error: BaseException, home: Home, context: Context
) -> None:
    build(root, home, "old")
    with pytest.raises(type(error)) as caught, replacing(root, "x", context, force=True):
        (root / METADATA / "requirements.txt").write_text("half", encoding="utf-8")
        raise error
    assert caught.value is error
    assert (content(root), neighbours(root)) == ("old", ["x"])
    assert not is_unsettled(root, context)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_whatever_ends_a_first_block_nothing_stays(
    root: Path, error: BaseException, home: Home, context: Context
) -> None:
    with pytest.raises(type(error)), replacing(root, "x", context, force=False):
        (root / METADATA / "requirements.txt").write_text("half", encoding="utf-8")
        raise error
    assert neighbours(root) == []


def test_interrupted_after_the_state_was_written_the_new_one_stays(root: Path, home: Home, context: Context) -> None:
    build(root, home, "old")
    with pytest.raises(KeyboardInterrupt), replacing(root, "x", context, force=True):
        build(root, home, "new")
        raise KeyboardInterrupt
    assert content(root) == "new"
    settle(root, context)
    assert (content(root), neighbours(root)) == ("new", ["x"])


def test_a_block_must_write_the_state(root: Path, home: Home, context: Context) -> None:
    build(root, home, "old")
    with (
        pytest.raises(InstallError, match="not finished") as caught,
        replacing(root, "x", context, force=True),
    ):
        (root / METADATA / "requirements.txt").write_text("half", encoding="utf-8")
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
    home = Home(common_place / "data", common_place / "cache", common_place / "config")
    context = Context(home, Silent())
    root = common_place / "x"
    build(root, home, "old")
    with pytest.raises(ValueError, match="no"), replacing(root, "x", context, force=True):
        resisting = root / "lib" / "resisting"
        resisting.mkdir(parents=True)
        (resisting / "file").touch()
        resisting.chmod(0o500)
        raise ValueError("no")
    assert content(root) == "old"
    assert is_finished(root)
    (rest,) = [common_place / name for name in neighbours(root) if name not in ("x", "data")]
    assert (rest / "lib" / "resisting" / "file").exists()
    assert is_unsettled(root, context)  # still known to be ours: the next command tries again
    (rest / "lib" / "resisting").chmod(0o700)
    settle(root, context)
    assert neighbours(root) == ["data", "x"]


def test_undo_without_room_for_a_note_keeps_what_was_begun(
    root: Path, monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    listener = Listening()
    build(root, home, "old")
    with pytest.raises(ValueError, match="no"), replacing(root, "x", Context(home, listener), force=True):
        (root / "train.py").write_text("mine", encoding="utf-8")
        monkeypatch.setattr(transaction, "plan_keeping", full)
        raise ValueError("no")
    (kept,) = set(neighbours(root)) - {"x"}
    assert content(root) == "old"
    assert (root.with_name(kept) / "train.py").read_text(encoding="utf-8") == "mine"
    assert [kept in warning for warning in listener.warnings] == [True]


def test_undo_of_a_first_one_that_cannot_be_deleted(common_place: Path) -> None:
    home = Home(common_place / "data", common_place / "cache", common_place / "config")
    context = Context(home, Silent())
    root = common_place / "x"
    with pytest.raises(ValueError, match="no"), replacing(root, "x", context, force=False):
        resisting = root / "resisting"
        resisting.mkdir()
        (resisting / "file").touch()
        resisting.chmod(0o500)
        raise ValueError("no")
    assert not root.exists()
    with replacing(root, "x", context, force=False):
        build(root, home, "new")
    assert content(root) == "new"


def test_a_place_that_cannot_be_written_changes_nothing(common_place: Path, context: Context) -> None:
    home = Home(common_place / "data", common_place / "cache", common_place / "config")
    context = Context(home, Silent())
    root = common_place / "sub" / "x"
    root.parent.mkdir()
    build(root, home, "old")
    root.parent.chmod(0o500)
    with pytest.raises(PermissionError), replacing(root, "x", context, force=True):
        pytest.fail("the block must not run")
    assert content(root) == "old"


# What is not ours -------------------------------------------------------------------------------------------------


def test_finished_ones_need_force(root: Path, home: Home) -> None:
    build(root, home, "old")
    with pytest.raises(RequestError, match="already an environment") as caught:
        check_free(root, home, force=False)
    assert caught.value.code == "exists"
    check_free(root, home, force=True)


def test_an_environment_without_a_record_is_refused_with_the_ways_out(root: Path, home: Home) -> None:
    mark(root, "0" * 32)
    with pytest.raises(RequestError, match="no record of it") as caught:
        check_free(root, home, force=True)
    assert caught.value.code == "not-ours"
    assert "imageai-env adopt" in str(caught.value.hint)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("kind", ["directory", "file", "link to ours", "dangling link", "link to an empty directory"])
def test_foreign_things_are_refused_and_left_alone(
    root: Path, tmp_path: Path, kind: str, force: bool, home: Home, context: Context
) -> None:
    other = tmp_path / "other"
    if kind == "directory":
        root.mkdir()
        (root / "precious").touch()
    elif kind == "file":
        root.write_text("mine", encoding="utf-8")
    elif kind == "link to ours":
        build(other, home, "theirs")
        root.symlink_to(other)
    elif kind == "dangling link":
        root.symlink_to(other)
    else:
        other.mkdir()
        root.symlink_to(other)
    before = (sorted(str(path) for path in tmp_path.rglob("*")), root.is_symlink())
    with (
        pytest.raises(RequestError, match="was not made by imageai-env") as caught,
        replacing(root, "x", context, force=force),
    ):
        pytest.fail("the block must not run")
    assert caught.value.code == "not-ours"
    with pytest.raises(RequestError, match="left alone"):
        discard(root, context)
    assert (sorted(str(path) for path in tmp_path.rglob("*")), root.is_symlink()) == before


def test_a_linked_parent_is_followed(tmp_path: Path, home: Home, context: Context) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    root = tmp_path / "link" / "x"
    with locked(root, context), replacing(root, "x", context, force=False):
        build(root, home, "new")
    assert content(tmp_path / "real" / "x") == "new"
    # Both spellings are one environment, so they share one lock.
    with locked(root, context):
        locks = set(home.locks.iterdir())
        with locked(tmp_path / "real" / "x", context):
            assert set(home.locks.iterdir()) == locks


def test_delete(root: Path, home: Home, context: Context) -> None:
    build(root, home, "old")
    target = root.parent / "elsewhere"
    target.mkdir()
    (target / "precious").touch()
    (root / "link").symlink_to(target)
    discard(root, context)
    assert not root.exists()
    context.finish()
    kept = next(path for path in root.parent.iterdir() if path.name.startswith("x-kept-"))
    assert neighbours(root) == ["elsewhere", kept.name]
    assert (kept / "link").readlink() == target  # the user's link, not what it leads to
    assert (target / "precious").exists()


def test_what_cannot_be_kept_is_not_deleted(root: Path, monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    listener = Listening()
    context = Context(home, listener)
    build(root, home, "old")
    (root / "train.py").write_text("mine", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(transaction, "carry_out", full)
        assert discard(root, context) is None
        context.finish()
    (rest,) = neighbours(root)
    assert (root.with_name(rest) / "train.py").read_text(encoding="utf-8") == "mine"
    assert "No space left" in listener.warnings[0]
    settle(root, context)
    (kept,) = neighbours(root)
    assert (root.with_name(kept) / "train.py").read_text(encoding="utf-8") == "mine"


def test_a_link_to_a_directory_goes_as_a_link(root: Path, tmp_path: Path, home: Home, context: Context) -> None:
    build(root, home, "half", finished=False, building=True)
    (tmp_path / "precious").mkdir()
    (root / "lib64").symlink_to(tmp_path / "precious")
    discard(root, context)
    context.finish()
    assert neighbours(root) == []
    assert (tmp_path / "precious").is_dir()


def test_killed_between_the_marker_and_its_directory(root: Path, home: Home, context: Context) -> None:
    """The last steps of a deletion: what is left is known by its name."""
    for left in (METADATA, ""):
        build(root, home, "old")
        discard(root, context)
        ((rest, _),) = context.later.items()
        context.later.clear()
        for entry in (rest / METADATA).iterdir():
            entry.unlink()
        if not left:
            (rest / METADATA).rmdir()
        forget_gone(root, home)
        assert is_unsettled(root, context)
        settle(root, context)
        assert (neighbours(root), records(home)) == ([], [])


def test_rests_of_killed_deletions_are_in_nobodys_way(
    root: Path, monkeypatch: pytest.MonkeyPatch, home: Home, context: Context
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 7)  # as in every container
    for _ in range(2):
        build(root, home, "old")
        discard(root, context)
        assert not root.exists()
    assert len(neighbours(root)) == 2
    context.finish()
    assert neighbours(root) == []


def test_a_kill_before_the_marker_was_whole_leaves_nothing_either(root: Path, home: Home, context: Context) -> None:
    """What has no marker is removed only where nothing else is in it."""
    build(root, home, "old")
    half = root.with_name(f".x.imageai-env-new-{register('x', root, home)[:8]}")
    for content_of_half in ((), (METADATA,), (METADATA, f"{METADATA}/.owner.json.77")):
        half.mkdir()
        for name in content_of_half:
            (half / name).touch() if name.endswith("77") else (half / name).mkdir()
        assert is_unsettled(root, context)
        settle(root, context)
        assert neighbours(root) == ["x"]
        half = root.with_name(f".x.imageai-env-new-{register('x', root, home)[:8]}")
    for precious in ("file", f"{METADATA}/file"):
        (half / METADATA).mkdir(parents=True)
        (half / precious).touch()
        assert not is_unsettled(root, context)
        settle(root, context)
        assert (half / precious).exists()
        half.rename(half.with_name(f"kept-{precious.count('/')}"))
    nobodys = root.with_name(".x.imageai-env-new-0123abcd")  # such as a clone may bring along
    (nobodys / METADATA).mkdir(parents=True)
    (nobodys / METADATA / ".owner.json.77").touch()
    settle(root, context)
    assert (nobodys / METADATA / ".owner.json.77").exists()
    assert content(root) == "old"


def test_states_that_cannot_be_understood(root: Path, home: Home) -> None:
    build(root, home, "old")
    assert read_state(root) == state("old")
    path = root / METADATA / "state.json"
    whole = path.read_text(encoding="utf-8")
    for text in ("", "[]", "null", "{}", whole.replace('"schema": 1', '"schema": 2'), whole.replace('"name"', '"nam"')):
        path.write_text(text, encoding="utf-8")
        assert read_state(root) is None
    data = json.loads(whole)
    asked = data["request"]
    wrongs: tuple[dict[str, object], ...] = (
        {"created": ["now"]},
        {"lock": 1},
        {"seconds": []},
        {"request": asked | {"tensorflow": 2}},
        {"request": asked | {"extras": [1]}},
    )
    for wrong in wrongs:
        path.write_text(json.dumps(data | wrong), encoding="utf-8")
        assert read_state(root) is None, wrong
    path.write_bytes(b"\xff\xfe")
    assert read_state(root) is None
    assert owns(root, home)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (None, Condition.UNREADABLE),
        ("{", Condition.UNREADABLE),
        ('{"schema": 1}', Condition.UNREADABLE),
        ('{"schema": "2"}', Condition.UNREADABLE),
        ('{"schema": 2}', Condition.NEWER),
    ],
)
def test_what_a_state_says_of_an_environment(root: Path, home: Home, text: str | None, condition: Condition) -> None:
    build(root, home, "old")
    path = root / METADATA / "state.json"
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert condition_of(root) is condition
    with pytest.raises(RequestError, match="There is an environment"):
        check_free(root, home, force=False)
    if text is None:
        begin_building(root)
        assert condition_of(root) is Condition.UNFINISHED


def test_a_file_is_on_the_disk_before_it_has_its_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, int, str]] = []

    def watched(descriptor: int) -> None:
        status = os.fstat(descriptor)
        synced.append((status.st_ino, status.st_size, root.read_text(encoding="utf-8")))

    write_atomically(root, "old")
    monkeypatch.setattr(os, "fsync", watched)
    write_atomically(root, "newer")
    assert synced == [(root.stat().st_ino, len("newer"), "old")]
    assert (root.read_text(encoding="utf-8"), neighbours(root)) == ("newer", ["x"])


def test_a_file_that_cannot_be_written_leaves_the_old_one_alone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    write_atomically(root, "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(root, "new")
    assert (root.read_text(encoding="utf-8"), neighbours(root)) == ("old", ["x"])
