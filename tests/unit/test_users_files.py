"""What is brought to safety: whole, over nothing that is there, and by no plan that leads elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.paths import METADATA, Home
from imageai_envs.environments.environment import begin_building
from imageai_envs.environments.users_files import carry_out, keep, kept_beside, plan_keeping

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "x-kept-2026-11-27"
LONG_AGO = 1_600_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An environment that was interrupted, and a file beside it."""
    root = tmp_path / "envs" / "x"
    (root / METADATA).mkdir(parents=True)
    begin_building(root)
    (root.parent / "precious").write_text("mine", encoding="utf-8")
    return root


def plan(root: Path, **changes: object) -> Path:
    """Write a plan into ``root`` and return where it keeps things."""
    text = json.dumps({"to": PLACE, "move": [], "copy": [], **changes})
    (root / METADATA / "keep.json").write_text(text, encoding="utf-8")
    return root.with_name(PLACE)


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "../x"},
        {"to": "sub/x"},
        {"to": "/x"},
        {"to": 1},
        {"move": ["../precious"]},
        {"copy": ["../precious"]},
        {"copy": ["a/../../precious"]},
        {"move": 1},
        {"move": [1]},
    ],
)
def test_a_plan_that_leads_elsewhere_is_not_carried_out(root: Path, changes: dict[str, object]) -> None:
    plan(root, **changes)
    with pytest.raises(OSError, match="what was to be kept cannot be read"):
        carry_out(root)
    assert sorted(path.name for path in root.parent.iterdir()) == ["precious", "x"]


def test_a_plan_that_came_along_is_not_carried_out(root: Path, tmp_path: Path) -> None:
    plan(root, move=["lib"])
    (root / "lib").mkdir()
    plan_keeping(root, root, Home(*(tmp_path / "home",) * 3))
    assert carry_out(root) is None
    assert (root / "lib").exists()


def test_a_directory_in_the_place_of_the_plan_is_the_users(root: Path, tmp_path: Path) -> None:
    (root / METADATA / "keep.json").mkdir()
    (root / METADATA / "keep.json" / "file").touch()
    plan_keeping(root, root, Home(*(tmp_path / "home",) * 3))
    kept = carry_out(root)
    assert kept is not None
    assert (kept.place / METADATA / "keep.json-2" / "file").exists()


def test_another_file_of_the_same_size_and_time_is_no_copy(root: Path) -> None:
    place = plan(root, copy=["edited.py"])
    place.mkdir()
    for path, text in ((root / "edited.py", "mine"), (place / "edited.py", "hers")):
        path.write_text(text, encoding="utf-8")
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert carry_out(root)
    assert (place / "edited.py").read_text(encoding="utf-8") == "hers"
    assert (place / "edited.py-2").read_text(encoding="utf-8") == "mine"


def test_a_copy_has_its_name_when_it_is_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = plan(root, copy=["edited.py"])
    (root / "edited.py").write_text("the whole of it", encoding="utf-8")

    def killed(_source: Path, target: Path, **_more: object) -> None:
        target.write_text("the wh", encoding="utf-8")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", killed)
        with pytest.raises(KeyboardInterrupt):
            carry_out(root)
    assert not (place / "edited.py").exists()
    for _ in range(2):
        assert carry_out(root)
        assert (place / "edited.py").read_text(encoding="utf-8") == "the whole of it"
        assert not (place / "edited.py-2").exists()


def test_a_link_in_the_place_of_what_is_kept_is_not_followed(root: Path, tmp_path: Path) -> None:
    place = plan(root, move=["train.py"])
    (root / "train.py").touch()
    place.symlink_to(tmp_path)
    kept = carry_out(root)
    assert kept is not None
    assert kept.place == place.with_name(f"{PLACE}-2")
    assert (kept.place / "train.py").exists()
    assert not (tmp_path / "train.py").exists()


def test_links_and_pipes_are_kept_as_what_they_are(root: Path) -> None:
    (root / "link").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    kept = keep(root, copy=["link", "pipe"])
    assert kept is not None
    assert str((kept.place / "link").readlink()) == "nowhere"
    assert stat.S_ISFIFO((kept.place / "pipe").lstat().st_mode)


def test_what_is_kept_mixes_with_nothing(root: Path) -> None:
    first = kept_beside(root)
    first.symlink_to("nowhere")
    second = kept_beside(root)
    second.mkdir()
    assert len({first, second, kept_beside(root)}) == 3
