"""Whatever is done, in whatever order, and whatever fails meanwhile: every byte of the user's is somewhere, and named.

A sample of what ``nox -s chaos`` plays two thousand of, and the sequences that lost something once.
"""

from __future__ import annotations

import contextlib
import errno
import io
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.paths import Home
from imageai_envs.environments.contents import Contents, users_contents
from imageai_envs.environments.ownership import aside, forget_gone, mark, owns, register
from tests.chaos.faults import Fault, disk
from tests.chaos.in_one_process import player
from tests.chaos.sequences import Edit, Sequence, Step, draw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.chaos.playing import Player

CREATE = ("create", "x", "--lock", "{a}", "--verify", "none")
FORCED = (*CREATE, "--force")


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    with player(tmp_path_factory.mktemp("grounds")) as (who, _):
        yield who


def step(*words: str, edits: tuple[Edit, ...] = (), fault: Fault | None = None) -> Step:
    return Step(edits, words, fault, None)


@pytest.mark.parametrize("number", range(40))
def test_a_sample(plays: Player, number: int) -> None:
    sequence = draw(random.Random(f"sample {number}"))
    assert plays.play(sequence) == [], sequence


def test_a_players_judgement(plays: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees what is lost: here everything that a person put into an environment."""
    monkeypatch.setattr("imageai_envs.environments.transaction.plan_keeping", lambda *_: None)
    lost = plays.play(Sequence((), (step(*CREATE), step("remove", "x", "-y", edits=(Edit("added", "x", "train.py"),)))))
    assert "user bytes lost" in lost[0]


LOST_ONCE = {
    "a .gitignore of the user's in an environment that was not finished": Sequence(
        (),
        (
            step(*CREATE, fault=Fault("install", 10, "kill")),
            step("list", edits=(Edit("added", "x", ".gitignore"),)),
        ),
    ),
    "a hidden file with a number in our directory": Sequence(
        (), (step(*CREATE), step("recreate", "x", edits=(Edit("added", "x", ".imageai-env/.notes.2"),)))
    ),
    "repaired without a RECORD: whose the files are is not known then": Sequence(
        (),
        (
            step(*CREATE),
            step("repair", "x", edits=(Edit("replaced", "x", "{site}/numpy/__init__.py"), Edit("record gone", "x"))),
        ),
    ),
    "one of the version before, half deleted: its marker has no id, and its state is gone": Sequence(
        (("v", "version before"),), (step("recreate", "./.venv", fault=Fault("rmdir", 9, "ENOSPC")),)
    ),
}


@pytest.mark.parametrize("what", LOST_ONCE)
def test_lost_once(plays: Player, what: str) -> None:
    assert plays.play(LOST_ONCE[what]) == []


@pytest.mark.parametrize("in_the_way", ["kept name", "kept name in the way"])
@pytest.mark.parametrize("edit", [Edit("added", "x", "train.py"), Edit("appended", "x", "bin/activate")])
def test_a_file_of_the_users_where_one_was_to_be_kept(plays: Player, edit: Edit, in_the_way: str) -> None:
    """Someone put it there after the command was killed that had planned to keep something there."""
    for fault in (*(Fault("mkdir", number, "kill") for number in range(2, 6)), Fault("rename", 2, "kill")):
        removal = step("remove", "x", "-y", edits=(edit,), fault=fault)
        after = step("list", edits=(Edit(in_the_way, "x"),))
        assert plays.play(Sequence((), (step(*CREATE), removal, after))) == [], fault


def test_killed_between_the_last_move_and_the_word_about_it(plays: Player) -> None:
    """The first call after it is one of the deletion; which number it has, nobody needs to know."""
    edits = (Edit("added", "x", "train.py"),)
    for number in range(6):
        for kind in ("rename", "remove", "rmdir"):
            removal = step("remove", "x", "-y", edits=edits, fault=Fault(kind, number, "kill before"))
            assert plays.play(Sequence((), (step(*CREATE), removal))) == [], (kind, number)


def test_an_edited_file_that_cannot_be_read_counts_as_edited(plays: Player, tmp_path: Path) -> None:
    root = tmp_path / "x"
    shutil.copytree(plays.made, root, symlinks=True)
    edited = ("bin/activate", "lib/python3.10/site-packages/numpy/__init__.py")
    for path in edited:
        (root / path).write_text("mine", encoding="utf-8")
    told = set()
    for number in range(200):
        with disk(root, Fault("read", number, "EACCES"), io.StringIO()) as faulty:
            try:
                contents = users_contents(root)
            except OSError as error:
                told.add(error.errno)
                continue
        named = {*contents.edited, *(path for path in edited if _is_below(path, contents))}
        assert named.issuperset(edited), number
        if not faulty.hit:
            break
    else:
        pytest.fail("more reads than files")
    assert told == {errno.EACCES}  # the list of what the creator wrote


@pytest.mark.parametrize("kind", ["read", "list"])
@pytest.mark.parametrize("what", ["EIO", "EACCES"])
def test_one_read_that_fails_makes_nothing_anybody_elses(tmp_path: Path, kind: str, what: str) -> None:
    home, root = Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config"), tmp_path / "envs" / "x"
    mark(aside(root), register("x", root, home))
    mark(root, register("x", root, home))
    for number in range(20):
        with disk(tmp_path, Fault(kind, number, what), io.StringIO()) as faulty, contextlib.suppress(OSError):
            forget_gone(root, home)
        assert owns(root, home), number
        assert owns(aside(root), home), number
        if not faulty.hit:
            break
    else:
        pytest.fail("more calls than there are files")


def _is_below(path: str, contents: Contents) -> bool:
    return any(path == added or path.startswith(f"{added}/") for added in contents.added)
