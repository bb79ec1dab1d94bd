"""Files that several environments share by hard links with uv's cache: what is proved has the files of its wheels."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.tool import tool

if TYPE_CHECKING:
    from tests.support.index import Index

MADE = ("--template", "tiny", "--verify", "imports", "-q")
EDIT = "# edited in place\n"


@pytest.fixture
def shared(index: Index, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """A cache of uv on the file system of the environments, empty, and hard links from it."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_LINK_MODE", "hardlink")
    return index


def create(name: str, *words: str) -> Path:
    made = tool("create", name, *MADE, *words)
    assert made.code == 0, made.err
    return site(name)


def site(name: str) -> Path:
    envs = Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs"
    return next((envs / name / "lib").glob("python3*/site-packages"))


def edit(path: Path) -> None:
    """Append to a file in place; whoever links to it has the edit too."""
    assert path.stat().st_nlink > 1
    with path.open("a", encoding="utf-8") as stream:
        stream.write(EDIT)


def is_clean(name: str) -> bool:
    answer = tool("check", name, "--json")
    found = answer.json()["data"]["environments"][0]["findings"]
    assert answer.code == (1 if found else 0)
    return not found


def test_an_edit_in_place_does_not_reach_the_next_environment(shared: Index) -> None:
    edited = create("one") / "scipy" / "__init__.py"
    edit(edited)
    made = tool("create", "two", "--template", "tiny", "--verify", "imports")
    assert made.code == 0, made.err
    assert re.search(r"not as its wheel brought it: scipy \(scipy/__init__\.py\)", made.err)
    assert EDIT not in (site("two") / "scipy" / "__init__.py").read_text(encoding="utf-8")
    assert is_clean("two")
    assert EDIT in edited.read_text(encoding="utf-8")  # what was edited stays edited
    third = tool("create", "three", "--template", "tiny", "--verify", "imports")
    assert "not as its wheel" not in third.err  # the cache was cleaned
    assert is_clean("three")
    assert (site("three") / "scipy" / "__init__.py").stat().st_nlink > 1


@pytest.mark.parametrize("command", ["recreate", "repair"])
def test_an_environment_that_was_edited_in_place_is_made_right(shared: Index, command: str) -> None:
    edit(create("one") / "numpy" / "__init__.py")
    assert not is_clean("one")
    answer = tool(command, "one")
    assert answer.code == 0, answer.err
    assert is_clean("one")


def test_repair_takes_a_good_file_from_the_cache_without_a_network(shared: Index) -> None:
    victim = create("one") / "numpy" / "__init__.py"
    victim.unlink()
    victim.write_text("broken(", encoding="utf-8")
    shared.requests.clear()
    assert tool("repair", "one").code == 0
    assert is_clean("one")
    assert shared.requests == []


def test_without_a_network_nothing_is_lost(shared: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    edited = create("one") / "scipy" / "__init__.py"
    create("two")
    edit(edited)
    before = sorted(path for path in Path(os.environ["UV_CACHE_DIR"]).rglob("*scipy*"))
    shared.faults[".*"] = "500"
    answer = tool("recreate", "two")
    assert answer.code == 6
    assert "scipy/__init__.py" in answer.err
    assert "cannot be downloaded" in answer.err
    assert (site("two") / "keras" / "__init__.py").exists()  # the old one is back
    assert tool("run", "two", "--", "python", "-c", "import scipy").code == 0
    assert sorted(path for path in Path(os.environ["UV_CACHE_DIR"]).rglob("*scipy*")) == before
    shared.faults.clear()
    assert tool("recreate", "two").code == 0
    assert is_clean("two")


def test_pip_of_the_environment_that_was_edited_in_place(shared: Index) -> None:
    """It is no distribution of the lock, and comes from a wheel that is at hand."""
    edit(create("one") / "pip" / "__init__.py")
    shared.faults[".*"] = "500"
    create("two")
    assert is_clean("two")


def test_the_engine_pip_shares_nothing(shared: Index) -> None:
    edit(create("one") / "scipy" / "__init__.py")
    scipy = create("two", "--engine", "pip") / "scipy" / "__init__.py"
    assert scipy.stat().st_nlink == 1
    assert is_clean("two")


def test_an_edit_of_imageai_stays_in_its_environment(shared: Index) -> None:
    mine, theirs = (create(name) / "imageai" / "__init__.py" for name in ("one", "two"))
    assert mine.stat().st_nlink == theirs.stat().st_nlink == 1
    with mine.open("a", encoding="utf-8") as stream:
        stream.write(EDIT)
    assert not is_clean("one")
    assert is_clean("two")
    create("three")
    assert is_clean("three")
    assert not list((site("three").parents[2] / ".imageai-env").glob("*.copy"))
