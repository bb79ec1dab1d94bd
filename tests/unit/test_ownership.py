"""What decides that a directory is ours: the record in the store and the marker inside, both."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.paths import Home
from imageai_envs.environments.environment import METADATA, begin_building
from imageai_envs.environments.ownership import (
    aside,
    forget,
    forget_gone,
    has_marker,
    links,
    mark,
    marker_of,
    name_of,
    named,
    owns,
    records,
    register,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config")


def make(root: Path, home: Home, name: str = "x") -> Path:
    mark(root, register(name, root, home))
    return root


def legacy(root: Path, *, state: str = "") -> Path:
    """Lay out what versions before the records wrote."""
    (root / METADATA).mkdir(parents=True)
    (root / METADATA / "owner.json").write_text('{"schema": 1, "owner": "imageai-env"}\n', encoding="utf-8")
    if state:
        (root / METADATA / "state.json").write_text(state, encoding="utf-8")
    return root


STATE = json.dumps(
    {
        "schema": 1, "name": "x", "created": "now", "request": {"extras": []}, "template": "t", "tensorflow": "2.10.1",
        "imageai": "2.1.6", "variant": "cpu", "target": "t", "python": "p", "python_version": "3", "engine": "uv 1",
        "creator": "uv", "lock": "sha256:0", "verified": "none", "seconds": {}, "tool": "0.1.0",
    }
)  # fmt: skip


def test_both_must_agree(home: Home, tmp_path: Path) -> None:
    root = make(home.environments / "x", home)
    assert owns(root, home)
    assert name_of(root, home) == "x"
    forget(marker_of(root), root, home)
    assert has_marker(root)
    assert not owns(root, home)
    assert name_of(root, home) is None


def test_another_store_knows_nothing_of_it(home: Home, tmp_path: Path) -> None:
    root = make(tmp_path / "project" / ".venv", home)
    assert owns(root, home)
    assert not owns(root, Home(tmp_path / "other", tmp_path / "cache", tmp_path / "config"))


@pytest.mark.parametrize(
    "marker", ['{"id": "' + "0" * 32 + '"}', "{}", "", "[]", '{"id": 1}', '{"id": "*"}', "\0" * 9999]
)
def test_a_forged_marker_is_a_claim(home: Home, tmp_path: Path, marker: str) -> None:
    make(tmp_path / "project" / ".venv", home)
    root = tmp_path / "clone"
    (root / METADATA).mkdir(parents=True)
    (root / METADATA / "owner.json").write_text(marker, encoding="utf-8")
    begin_building(root)
    assert has_marker(root)
    assert not owns(root, home)


def test_a_pattern_in_a_marker_is_no_id(home: Home, tmp_path: Path) -> None:
    root = make(tmp_path / "project" / ".venv", home)
    (root / METADATA / "owner.json").write_text('{"id": "*"}', encoding="utf-8")
    assert has_marker(root)
    assert not owns(root, home)


def test_a_copy_of_ours_is_not_ours(home: Home, tmp_path: Path) -> None:
    root = make(tmp_path / "project" / ".venv", home)
    for copy in (tmp_path / "copy", aside(tmp_path / "copy"), home.environments / "x"):
        shutil.copytree(root, copy)
        assert has_marker(copy)
        assert not owns(copy, home)


def test_one_that_was_renamed_in_the_store_is_ours(home: Home, tmp_path: Path) -> None:
    root = make(home.environments / "x", home)
    renamed = root.rename(home.environments / "y")
    assert owns(renamed, home)
    assert name_of(renamed, home) == "y"
    for other in (root, aside(root)):
        shutil.copytree(renamed, other)
        assert owns(other, home)
        assert not owns(renamed, home)  # the copy of another now
        shutil.rmtree(other)
    elsewhere = renamed.rename(tmp_path / "z")
    assert not owns(elsewhere, home)


def test_what_waits_for_ours_is_ours(home: Home, tmp_path: Path) -> None:
    root = make(tmp_path / "project" / ".venv", home)
    for name in (aside(root).name, "..venv.imageai-env-rest-0123abcd"):
        moved = root.rename(root.with_name(name))
        assert owns(moved, home)
        moved.rename(root)
    assert named("x", home) == root
    root.rename(aside(root))
    assert named("x", home) == root


def test_whatever_a_link_leads_to_is_not_ours(home: Home, tmp_path: Path) -> None:
    root = make(home.environments / "x", home)
    real = root.rename(tmp_path / "real")
    root.symlink_to(real)
    assert not owns(root, home)
    root.unlink()
    root.mkdir()
    (root / METADATA).symlink_to(real / METADATA)
    assert not owns(root, home)
    (root / METADATA).unlink()
    (root / METADATA).mkdir()
    (root / METADATA / "owner.json").symlink_to(real / METADATA / "owner.json")
    assert not owns(root, home)
    assert not has_marker(root)


def test_a_moved_home_stays_ours(home: Home, tmp_path: Path) -> None:
    make(home.environments / "x", home)
    moved = Home(tmp_path / "elsewhere" / "data", home.cache, home.config)
    moved.data.parent.mkdir()
    home.data.rename(moved.data)
    assert owns(moved.environments / "x", moved)
    assert name_of(moved.environments / "x", moved) == "x"
    assert json.loads(next(moved.records.iterdir()).read_text(encoding="utf-8"))["path"] == "envs/x"


def test_a_store_behind_a_link_is_one_store(home: Home, tmp_path: Path) -> None:
    make(home.environments / "x", home)
    (tmp_path / "link").symlink_to(home.data)
    linked = Home(tmp_path / "link", home.cache, home.config)
    assert owns(linked.environments / "x", linked)
    make(linked.environments / "y", linked, "y")
    assert owns(home.environments / "y", home)


def test_records_of_what_is_gone_are_dropped_where_its_disk_is_there(home: Home, tmp_path: Path) -> None:
    root = make(tmp_path / "disk" / ".venv", home)
    shutil.rmtree(root.parent)
    forget_gone(root, home)
    assert [record.root for record in records(home)] == [root]  # perhaps it is not mounted
    root.parent.mkdir()
    forget_gone(root, home)
    assert records(home) == []


def test_a_marker_without_an_id_is_ours_in_the_store(home: Home, tmp_path: Path) -> None:
    root = legacy(home.environments / "x")
    assert owns(root, home)
    assert name_of(root, home) == "x"
    assert owns(root.rename(aside(root)), home)
    assert not owns(legacy(tmp_path / "clone", state=STATE), home)


def test_a_marker_without_an_id_is_ours_where_a_link_of_then_names_a_finished_one(home: Home, tmp_path: Path) -> None:
    root = legacy(tmp_path / "project" / ".venv", state=STATE)
    assert not owns(root, home)
    home.links.mkdir(parents=True)
    (home.links / "project.json").write_text(json.dumps({"path": str(root)}), encoding="utf-8")
    assert owns(root, home)
    assert (name_of(root, home), named("project", home)) == ("project", root)
    (root / METADATA / "state.json").unlink()
    begin_building(root)
    assert not owns(root, home)  # a clone may have come to where it was
    forget("", root, home)  # of a rest that was deleted
    assert links(home) == {"project": root}
    shutil.rmtree(root)
    forget_gone(root, home)
    assert links(home) == {}
