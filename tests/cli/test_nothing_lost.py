"""Nothing of the user's is ever lost: clones, projects as environments, unreadable states, hand-made things."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.tool import tool

if TYPE_CHECKING:
    from tests.support.index import Index

MADE = ("--template", "tiny", "--verify", "none", "-q")


def home() -> Path:
    return Path(os.environ["IMAGEAI_ENV_HOME"])


def tree(root: Path) -> dict[str, str]:
    """Return what is below a directory: path to content."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = str(path.readlink())
        elif path.is_file():
            found[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path.relative_to(root))] = "directory"
    return found


def kept(root: Path) -> Path:
    (place,) = root.parent.glob(f"{root.name}-kept-*")
    return place


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cloned repository that says to be an unfinished environment of ours, with everything else that we leave."""
    root = tmp_path / "clone"
    for path, text in (
        (".imageai-env/owner.json", json.dumps({"schema": 2, "owner": "imageai-env", "id": "0" * 32})),
        (".imageai-env/building", ""),
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("train.py", "print('mine')\n"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    for sibling in (".clone.imageai-env-old", ".clone.imageai-env-rest-00000000", ".clone.imageai-env-new-00000000"):
        shutil.copytree(root, root.with_name(sibling))
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize("marker", ["with an id", "of the version before"])
def test_looking_at_a_clone_changes_nothing(clone: Path, marker: str) -> None:
    if marker == "of the version before":
        (clone / ".imageai-env" / "owner.json").write_text('{"schema": 1, "owner": "imageai-env"}', encoding="utf-8")
    before = tree(clone.parent)
    for words in (
        ("show", "."), ("check", "."), ("doctor", "."), ("list",), ("explain", "--env", ".", "boom"),
        ("run", ".", "--", "python"), ("activate", ".", "--shell", "bash"),
    ):  # fmt: skip
        tool(*words)
    after = {path: text for path, text in tree(clone.parent).items() if not path.startswith("store")}
    assert after == {path: text for path, text in before.items() if not path.startswith("store")}


def test_a_clone_is_not_changed_by_commands_that_change(clone: Path, template: Path) -> None:
    before = tree(clone)
    os.chdir(template.parents[2])
    for words in (
        ("create", "--path", clone, *MADE), ("create", "--path", clone, "--force", *MADE), ("recreate", clone),
        ("remove", clone, "--yes"), ("repair", clone), ("upgrade", clone), ("sync", clone), ("adopt", clone, "--yes"),
    ):  # fmt: skip
        answer = tool(*words)
        assert (answer.code, answer.err.count("error: ")) == (3, 1), (words, answer)
    assert tree(clone) == before


@pytest.fixture
def proj(index: Index, template: Path) -> Path:
    """An environment that became the user's project: train.py and a git repository in it, imageai edited."""
    made = tool("create", "pr", "--path", "proj", *MADE)
    assert made.code == 0, made.err
    root = Path("proj").absolute()
    (root / "train.py").write_text("print('mine')\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q", root], check=True)
    imageai = next(root.glob("lib/python3*/site-packages/imageai/__init__.py"))
    text = imageai.read_text(encoding="utf-8")
    imageai.unlink()
    imageai.write_text(f"{text}# mine\n", encoding="utf-8")
    return root


@pytest.mark.parametrize("words", [("recreate", "pr"), ("remove", "pr", "--yes"), ("create", "--force")])
def test_what_the_user_put_into_it_is_moved_and_said(proj: Path, words: tuple[str, ...]) -> None:
    git = tree(proj / ".git")
    if words[0] == "create":
        words = ("create", "pr", "--path", "proj", "--force", *MADE)
    answer = tool(*words, "--json")
    assert answer.code == 0, answer.err
    place = kept(proj)
    assert (place / "train.py").read_text(encoding="utf-8") == "print('mine')\n"
    assert tree(place / ".git") == git
    edited = next(place.glob("lib/python3*/site-packages/imageai/__init__.py"))
    assert edited.read_text(encoding="utf-8").endswith("# mine\n")
    (said,) = answer.json()["data"]["kept"]
    assert said["place"] == str(place)
    assert {"train.py", ".git"} < set(said["items"])
    assert f"in {place}: .git, train.py" in answer.err
    assert sorted(path.name for path in Path().iterdir() if path.name != ".imageai-env") == sorted(
        [place.name, *(["proj"] if words[0] != "remove" else [])]
    )


def test_check_names_what_is_not_part_of_it(index: Index, template: Path) -> None:
    assert tool("create", "pr", "--path", "proj", *MADE).code == 0
    Path("proj/train.py").touch()
    answer = tool("check", "pr", "--json")
    (finding,) = answer.json()["data"]["environments"][0]["findings"]
    assert (answer.code, finding["id"], finding["severity"]) == (0, "users-files", "note")
    assert "train.py" in finding["evidence"]
    assert "as locked" in tool("check", "pr").out


def test_a_repair_keeps_what_was_edited(proj: Path) -> None:
    answer = tool("repair", "pr")
    assert answer.code == 0, answer.err
    edited = next(kept(proj).glob("lib/python3*/site-packages/imageai/__init__.py"))
    assert edited.read_text(encoding="utf-8").endswith("# mine\n")
    assert str(kept(proj)) in answer.err
    assert (proj / "train.py").exists()


def test_places_that_are_refused(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "d" / "e"
    empty.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", tmp_path / "repository"], check=True)
    monkeypatch.chdir(empty)
    for place in (".", "..", "../..", str(empty), os.environ["HOME"], "~", "/", "/proc", tmp_path / "repository"):
        answer = tool("create", "pr", "--path", place, "--template", template, "--verify", "none")
        assert answer.code == 3, (place, answer.err)
        assert "error: " in answer.err
    assert list(empty.iterdir()) == []
    assert Path.cwd() == empty


def test_a_directory_that_was_there_is_there_after_a_failure(index: Index, template: Path) -> None:
    Path("d").mkdir()
    assert tool("create", "pr", "--path", "d", "--template", "tiny", "--with", "no-such-thing").code == 5
    assert Path("d").is_dir()


def test_the_ground_is_not_pulled_away(index: Index, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tool("create", "x", *MADE).code == 0
    inside = home() / "envs" / "x" / "lib"
    monkeypatch.chdir(inside)
    for words in (("remove", "x", "--yes"), ("recreate", "x")):
        answer = tool(*words)
        assert (answer.code, "You are in" in answer.err) == (3, True)
    assert inside.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "cannot be read"), ('{"schema": 99}', "newer version"), (None, "missing")],
    ids=["damaged", "of a newer version", "deleted"],
)
def test_unreadable_is_not_unfinished(index: Index, template: Path, text: str | None, says: str) -> None:
    assert tool("create", "x", *MADE).code == 0
    root = home() / "envs" / "x"
    state = root / ".imageai-env" / "state.json"
    state.unlink()
    if text is not None:
        state.write_text(text, encoding="utf-8")
    before = tree(root)
    for words in (("list",), ("show", "x"), ("create", "x", *MADE), ("create", "x", *MADE, "--dry-run")):
        tool(*words)
        assert tree(root) == before
    answer = tool("create", "x", *MADE)
    assert (answer.code, says in answer.err) == (3, True), answer.err
    assert "--force" in answer.err
    changed = tool("recreate", "x", "--verify", "none")
    assert changed.code == (3 if text and "99" in text else 0)
    assert tool("create", "x", "--force", *MADE).code == 0
    assert tool("check", "x").code == 0


def test_what_was_installed_by_hand_is_named_and_can_be_kept(index: Index, template: Path) -> None:
    assert tool("create", "x", *MADE).code == 0
    python = home() / "envs" / "x" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "pytz"], check=True)
    kept_ = tool("recreate", "x", "--verify", "none", "--keep-extra")
    assert kept_.code == 0, kept_.err
    assert tool("check", "x").code == 0
    assert "pytz" in tool("show", "x", "--json").json()["data"]["packages"]
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "wheel"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "pandas<2"], check=True)
    plain = tool("recreate", "x", "--verify", "none")
    assert plain.code == 0, plain.err
    assert "installed by hand, so not in the new environment: pandas==" in plain.err
    assert "wheel" not in plain.err


def test_an_environment_without_a_record_is_used_and_adopted(index: Index, template: Path) -> None:
    assert tool("create", "pr", "--path", ".venv", *MADE).code == 0
    (record,) = (home() / "records").iterdir()
    record.unlink()
    root = Path(".venv").absolute()
    before = tree(root)
    assert tool("list", "--json").json()["data"]["environments"] == []
    shown = tool("show", ".venv", "--json").json()["data"]
    assert (shown["root"], shown["ours"]) == (str(root), False)
    assert tool("run", ".venv", "--", "python", "-c", "print(1)").out == "1\n"
    assert tool("check", ".venv").code == 0
    refused = tool("remove", ".venv", "--yes")
    assert (refused.code, f"imageai-env adopt {root}" in refused.err) == (3, True)
    assert tool("clone", ".venv", "copy", "--verify", "none").code == 0
    asked = tool("adopt", ".venv")
    assert (asked.code, "needs a yes" in asked.err, str(root) in asked.err) == (2, True, True)
    assert {path: text for path, text in tree(root).items() if "__pycache__" not in path} == before
    adopted = tool("adopt", ".venv", "--yes")
    assert (adopted.code, "as project" in adopted.out) == (0, True), adopted.err
    assert tool("adopt", ".venv", "--yes").code == 3
    assert tool("remove", "project", "--yes").code == 0
    assert not root.exists()


def test_a_damaged_one_is_not_adopted(index: Index, template: Path) -> None:
    assert tool("create", "pr", "--path", ".venv", *MADE).code == 0
    next((home() / "records").iterdir()).unlink()
    next(Path(".venv").glob("lib/python3*/site-packages/imageai/__init__.py")).unlink()
    answer = tool("adopt", ".venv", "--yes")
    assert (answer.code, "cannot be adopted" in answer.err) == (3, True)
    assert tool("check", ".venv").code == 1


def test_a_home_that_was_moved_is_ours(index: Index, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tool("create", "x", *MADE).code == 0
    moved = home().with_name("moved")
    home().rename(moved)
    monkeypatch.setenv("IMAGEAI_ENV_HOME", str(moved))
    assert tool("recreate", "x", "--verify", "none").code == 0
    assert tool("check", "x").code == 0
    assert tool("remove", "x", "--yes").code == 0
    assert list((moved / "envs").iterdir()) == list((moved / "records").iterdir()) == []


_BEFORE = "0962e71"  # the last version without records


@pytest.fixture
def version_before(tmp_path: Path) -> Path:
    """The code of the version before, from this repository's history."""
    repository = Path(__file__).parents[2]
    packed = subprocess.run(
        ["git", "-C", repository, "archive", _BEFORE, "imageai_envs", "templates"], capture_output=True, check=False
    )
    if packed.returncode:
        pytest.skip("the history of this repository is not here")
    place = tmp_path / "before"
    place.mkdir()
    subprocess.run(["tar", "x", "-C", place], input=packed.stdout, check=True)
    return place


def test_environments_of_the_version_before_are_ours(index: Index, template: Path, version_before: Path) -> None:
    for words in (("create", "x", *MADE), ("create", "pr", "--path", ".venv", *MADE)):
        made = tool(*words, PYTHONPATH=str(version_before))
        assert made.code == 0, made.err
    assert not (home() / "records").exists()
    (home() / "envs" / "x" / "mine").touch()
    listed = tool("list", "--json").json()["data"]["environments"]
    assert [(one["name"], one["status"]) for one in listed] == [("pr", "ok"), ("x", "ok")]
    for name in ("x", "pr"):
        assert tool("check", name).code == 0
        assert tool("recreate", name, "--verify", "none").code == 0
        assert tool("check", name).code == 0
    assert (kept(home() / "envs" / "x") / "mine").exists()
    assert list((home() / "links").iterdir()) == []
    assert sorted(path.name.split(".")[0] for path in (home() / "records").iterdir()) == ["pr", "x"]
    assert tool("remove", "pr", "--yes").code == tool("remove", "x", "--yes").code == 0
