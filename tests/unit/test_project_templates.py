"""Which directory has the project's templates: the nearest one upwards that may be trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imageai_envs.base.errors import RequestError
from imageai_envs.base.paths import Home
from imageai_envs.request.request import Request
from imageai_envs.templates.catalog import load_catalog, select
from imageai_envs.templates.project import ProjectTemplates, project_templates
from tests.conftest import tiny_template

ANOTHER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")


def templates_in(directory: Path, name: str = "ours") -> Path:
    templates = directory / ".imageai-env" / "templates"
    templates.mkdir(parents=True)
    (templates / f"{name}.toml").write_text(tiny_template(name), encoding="utf-8")
    return templates


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory above two more; one works in the lowest. What lies above this test is out of reach."""
    (tmp_path / ".git").mkdir()
    lowest = tmp_path / "top" / "middle" / "lowest"
    lowest.mkdir(parents=True)
    monkeypatch.chdir(lowest)
    return tmp_path / "top"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config")


def test_none(top: Path) -> None:
    assert project_templates() == ProjectTemplates(None)


def test_from_a_subdirectory(top: Path, home: Home) -> None:
    path = templates_in(top) / "ours.toml"
    entry = select(Request(tensorflow="2.10"), home).entry
    assert (entry.origin, entry.template.path) == ("project", path)


def test_the_nearest_alone_answers(top: Path, home: Home) -> None:
    templates_in(top, "far")
    templates_in(top / "middle", "near")
    assert [entry.template.name for entry in load_catalog(home).entries if entry.origin == "project"] == ["near"]
    own = templates_in(Path.cwd(), "own")
    assert project_templates().directory == own


def test_a_pyproject_on_the_way_ends_nothing(top: Path) -> None:
    (top / "middle" / "pyproject.toml").touch()
    above = templates_in(top)
    assert project_templates().directory == above


@pytest.mark.parametrize("kind", ["directory", "file of a worktree"])
def test_the_root_of_a_repository_is_the_last(top: Path, kind: str) -> None:
    git = top / "middle" / ".git"
    git.mkdir() if kind == "directory" else git.touch()
    templates_in(top)
    assert project_templates() == ProjectTemplates(None)
    own = templates_in(top / "middle")
    assert project_templates().directory == own


def test_the_home_directory_is_no_project_of_what_lies_below(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(top / "middle"))
    templates_in(top)
    own = templates_in(top / "middle")
    assert project_templates().directory is None
    monkeypatch.chdir(top / "middle")
    assert project_templates().directory == own


def test_a_home_by_another_name_is_known(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "link").symlink_to(top / "middle")
    monkeypatch.setenv("HOME", str(top / "link"))
    templates_in(top)
    assert project_templates().directory is None


def test_an_environment_is_no_project(top: Path) -> None:
    inside = templates_in(top / "middle").parent
    (inside / "owner.json").write_text("{}", encoding="utf-8")
    assert project_templates().directory is None
    above = templates_in(top)
    assert project_templates().directory == above


def test_what_is_no_directory(top: Path) -> None:
    (top / "middle" / ".imageai-env").mkdir()
    (top / "middle" / ".imageai-env" / "templates").write_text("", encoding="utf-8")
    above = templates_in(top)
    assert project_templates().directory == above


@needs_root
@pytest.mark.parametrize("which", ["metadata", "templates"])
def test_those_of_another_user_above_are_passed_over(top: Path, home: Home, which: str) -> None:
    theirs = templates_in(top / "middle", "theirs")
    os.chown(theirs if which == "templates" else theirs.parent, ANOTHER, -1)
    ours = templates_in(top)
    assert project_templates() == ProjectTemplates(ours, (theirs,))
    with pytest.raises(RequestError, match="no template 'theirs'") as caught:
        select(Request(template="theirs"), home)
    assert f"{theirs} was not looked into: it belongs to another user." in caught.value.message


@needs_root
def test_a_link_of_another_user_to_what_is_ours(top: Path) -> None:
    elsewhere = templates_in(top / "elsewhere").parent
    link = top / ".imageai-env"
    link.symlink_to(elsewhere)
    assert project_templates().directory == link / "templates"
    os.chown(link, ANOTHER, -1, follow_symlinks=False)
    assert project_templates() == ProjectTemplates(None, (link / "templates",))


@needs_root
def test_who_stands_in_a_directory_of_somebody_has_its_templates(top: Path) -> None:
    """A mounted checkout in a container, and sudo."""
    theirs = templates_in(top)
    for path in (Path.cwd(), theirs, theirs.parent):
        os.chown(path, ANOTHER, -1)
    assert project_templates().directory == theirs
