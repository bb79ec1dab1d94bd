"""What an environment says of itself is data of others where they can write to it: it leads nowhere else.

Found by ``nox -s hostile``; here each mechanism alone.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.file_reading import parse_json, read_record_file
from imageai_envs.base.paths import Home, is_inside
from imageai_envs.environments.additions import Additions
from imageai_envs.environments.additions import read as read_additions
from imageai_envs.environments.contents import Contents, users_contents
from imageai_envs.environments.environment import METADATA, write_atomically
from imageai_envs.environments.ownership import mark, named, owns, records, register
from imageai_envs.environments.users_files import carry_out, plan_keeping
from imageai_envs.installed.disk_use import measure
from imageai_envs.installed.distributions import distributions_in
from imageai_envs.installed.record_files import read_record
from imageai_envs.rescue.installed import read_environment
from tests.support.installed import install, make_venv, site_of
from tests.unit.test_ownership import STATE

if TYPE_CHECKING:
    from pathlib import Path

DEEP = "[" * 100_000


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A finished environment with one distribution; beside it something precious."""
    (tmp_path / "precious").write_text("mine", encoding="utf-8")
    place = tmp_path / "envs" / "x"
    mark(place, "0" * 32)
    make_venv(place)
    install(site_of(place), "six", "1.0", files={"six/__init__.py": "# six\n"})
    write_atomically(place / METADATA / "state.json", STATE)
    return place


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        *((path, True) for path in ("a", "a/b.c", "a/..b")),
        *((path, False) for path in ("", "/a", "a//b", "a/", "..", ".", "a/../b", "../a", "a\0b")),
    ],
)
def test_paths_inside(path: str, inside: bool) -> None:
    assert is_inside(path) is inside


@pytest.mark.parametrize(
    "plan",
    [
        {"to": "x-kept", "move": ["../../precious"], "copy": []},
        {"to": "x-kept", "move": [], "copy": ["../../precious"]},
        {"to": "x-kept", "move": ["/etc/hostname"], "copy": []},
        {"to": "../x-kept", "move": ["pyvenv.cfg"], "copy": []},
        {"to": "..", "move": ["pyvenv.cfg"], "copy": []},
        {"to": 5, "move": [], "copy": []},
        {"to": "x-kept", "move": [7], "copy": []},
        DEEP,
    ],
)
def test_a_plan_to_keep_leads_nowhere_else(root: Path, tmp_path: Path, plan: object) -> None:
    text = plan if isinstance(plan, str) else json.dumps(plan)
    (root / METADATA / "keep.json").write_text(text, encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OSError, match="cannot be read"):
        carry_out(root)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", ["file", "pipe", "link", "directory"])
def test_a_plan_that_is_there_already_is_not_carried_out(root: Path, home: Home, kind: str) -> None:
    path = root / METADATA / "keep.json"
    if kind == "file":
        path.write_text(json.dumps({"to": "k", "move": ["pyvenv.cfg"], "copy": []}), encoding="utf-8")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(root.parents[1] / "precious")
    else:
        path.mkdir()
    plan_keeping(root, root, home)
    assert not os.path.lexists(path)
    assert (root.parents[1] / "precious").read_text(encoding="utf-8") == "mine"


def test_the_list_of_what_was_created_names_nothing_outside(root: Path) -> None:
    listed = {"../../precious": "sha256=A", "/etc/hostname": "x", "pyvenv.cfg": "another", "": "x", "a\0b": "x"}
    (root / METADATA / "venv.json").write_text(json.dumps(listed), encoding="utf-8")
    assert users_contents(root).edited == ("pyvenv.cfg",)


@pytest.mark.parametrize("kind", ["pipe", "directory"])
def test_what_stands_in_the_place_of_an_installed_file_is_moved(root: Path, home: Home, kind: str) -> None:
    """It cannot be copied: the environment could not be removed."""
    path = site_of(root) / "six" / "__init__.py"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
        (path / "mine").write_text("mine", encoding="utf-8")
    plan_keeping(root, root, home)
    kept = carry_out(root)
    assert kept is not None
    moved = kept.place / path.relative_to(root)
    assert moved.is_fifo() if kind == "pipe" else (moved / "mine").read_text(encoding="utf-8") == "mine"
    assert not os.path.lexists(path)


def test_directories_of_any_depth(root: Path) -> None:
    handle = os.open(root, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    try:
        assert users_contents(root) == Contents(added=("d",))
        assert measure(root).size > 0
    finally:
        os.system(f"rm -rf {root / 'd'}")


def test_additions_name_links_that_we_make_and_no_others(root: Path) -> None:
    good = {"libcudart.so.11.0": "../nvidia/cuda_runtime/lib/libcudart.so.11.0"}
    bad = {"..": "../x", ".": "../x", "a/b": "../x", "c": "../../../../etc", "d": "/etc/passwd", "e": 5, "": "../x"}
    path = root / METADATA / "additions.json"
    path.write_text(json.dumps({"links": {**bad, **good}, "hook": None}), encoding="utf-8")
    assert read_additions(root) == Additions(links=good)
    path.write_text(DEEP, encoding="utf-8")
    assert read_additions(root) == Additions()


def test_a_record_of_more_rows_than_any_has(root: Path) -> None:
    info = site_of(root) / "six-1.0.dist-info"
    assert len(read_record(info)) > 1
    with (info / "RECORD").open("a", encoding="utf-8") as stream:
        stream.write("a,,\n" * 200_001)
    with pytest.raises(OSError, match="more than 200,000 lines"):
        read_record_file(info / "RECORD")
    with pytest.raises(OSError, match="more than"):
        read_record(info)
    (item,) = [item for item in distributions_in(site_of(root)) if item.name == "six"]
    assert item.files == ()


def test_json_that_is_nested_too_deep_is_no_json(root: Path) -> None:
    assert parse_json(b'{"a": [1]}') == {"a": [1]}
    with pytest.raises(ValueError, match="too deep"):
        parse_json(DEEP)
    (site_of(root) / "six-1.0.dist-info" / "direct_url.json").write_text(DEEP, encoding="utf-8")
    assert [line.text for line in read_environment(root).lines] == ["six==1.0"]


@pytest.mark.parametrize("path", ["/", "..", "a\0b", "../../x"])
def test_a_record_that_leads_to_no_environment(root: Path, home: Home, path: str) -> None:
    id_ = register("x", root, home)
    mark(root, id_)
    assert owns(root, home)
    file = home.records / f"x.{id_}.json"
    file.write_text(json.dumps({"schema": 1, "path": path}), encoding="utf-8")
    assert not owns(root, home)
    assert named("x", home) is None
    assert all(record.root != root for record in records(home))
