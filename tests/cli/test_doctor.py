"""`doctor`: what is meant by a word, the verdict, the exit code, JSON, and --fix."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.errors import RequestError
from imageai_envs.base.paths import home
from imageai_envs.doctor.targets import resolve, users_python
from tests.support.installed import REAL, install, make_venv, site_of
from tests.support.tool import tool

if TYPE_CHECKING:
    from tests.support.index import Index

SHARED = ("scipy==1.15.3", "pillow==12.3.0", "matplotlib==3.5.3", "h5py==3.16.0", "keras-resnet==0.2.0",
          "opencv-python==4.11.0.86")  # fmt: skip
FINDING = {"id", "severity", "subject", "evidence", "cause", "fix", "distribution", "link"}


def fill(root: Path, *pins: str) -> Path:
    for pin in pins:
        name, _, version = pin.partition("==")
        install(site_of(root), name, version)
    return root


def found(answer_json: dict[str, object]) -> list[tuple[str, str]]:
    data = answer_json["data"]
    assert isinstance(data, dict)
    return [(finding["severity"], finding["id"]) for finding in data["findings"]]


@pytest.fixture
def recipe() -> Path:
    """What `pip install tensorflow==2.10.0 imageai` leaves, in the project's .venv."""
    return fill(make_venv(Path.cwd() / ".venv"), "tensorflow==2.10.0", "imageai==3.0.3", "keras==2.10.0",
                "numpy==2.2.6", "protobuf==3.19.6")  # fmt: skip


@pytest.fixture
def good() -> Path:
    return fill(make_venv(Path.cwd() / "good"), "tensorflow==2.10.1", "imageai==2.1.6", "keras==2.10.0",
                "numpy==1.23.5", "protobuf==3.19.6", *SHARED)  # fmt: skip


# Answers -------------------------------------------------------------------------------------------------------------


def test_the_copied_recipe(recipe: Path) -> None:
    answer = tool("doctor", ".venv")
    assert answer.code == 1
    assert answer.err == ""
    lines = answer.out.splitlines()
    assert lines[0].startswith("Something will fail: imageai 3.0.3 is installed beside tensorflow 2.10.0. pip takes")
    table = [line.split() for line in lines[lines.index("") + 1 :]]
    assert table[0] == ["#", "SEVERITY", "WHAT", "ABOUT"]
    assert table[1][:4] == ["1", "error", "imageai-3-tensorflow", "imageai"]
    assert table[2][:4] == ["2", "error", "numpy-2", "numpy"]
    for label in ("seen:", "why:", "fix:", "see:"):
        assert f"   {label}" in answer.out
    assert "   fix:  imageai-env create myproj --tf 2.10\n" in answer.out
    assert lines[-1] == "All at once, in a clean environment: imageai-env doctor .venv --fix"
    assert max(len(line) for line in lines if re.match("   (?:seen:|why:| {6})", line)) <= 100


def test_the_same_as_json(recipe: Path) -> None:
    answer = tool("doctor", ".venv", "--json")
    envelope = answer.json()
    assert (answer.code, envelope["status"], envelope["exit_code"], envelope["errors"]) == (1, "partial", 1, [])
    data = envelope["data"]
    assert set(data) == {"subject", "verdict", "findings"}
    assert data["subject"] == {
        "label": ".venv",
        "executable": str(recipe / "bin" / "python"),
        "root": str(recipe),
        "kind": "venv",
        "environment": None,
        "python": ".".join(map(str, sys.version_info[:3])),
        "tensorflow": "2.10.0",
        "imageai": "3.0.3",
        "keras": "2.10.0",
        "torch": None,
        "numpy": "2.2.6",
        "distributions": 5,
    }
    assert found(envelope)[:2] == [("error", "imageai-3-tensorflow"), ("error", "numpy-2")]
    assert all(set(finding) == FINDING for finding in data["findings"])


def test_nothing_wrong_is_exit_0(good: Path) -> None:
    answer = tool("doctor", "./good", "--json")
    assert answer.code == 0
    assert not [severity for severity, _ in found(answer.json()) if severity == "error"]
    assert tool("doctor", "./good").out.startswith("TensorFlow 2.10.1 with ImageAI 2.1.6 on Python 3.")


def test_nothing_of_it_is_changed(recipe: Path) -> None:
    def state() -> list[tuple[str, int]]:
        return sorted((str(path), path.lstat().st_mtime_ns) for path in recipe.rglob("*"))

    before = state()
    assert tool("doctor", ".venv").code == 1
    assert state() == before


# What is meant -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        (".",),
        (".venv",),
        (".venv/bin/python",),
        ("--python", ".venv/bin/python"),
        ("--python", ".venv"),
        ("--python", "python"),
    ],
    ids=" ".join,
)
def test_ways_to_name_an_environment(recipe: Path, words: tuple[str, ...]) -> None:
    path = f"{recipe / 'bin'}:{os.environ['PATH']}"
    answer = tool("doctor", *words, "--json", PATH=path)
    assert answer.json()["data"]["subject"]["root"] == str(recipe)
    assert f"imageai-env doctor {' '.join(words)} --fix" in tool("doctor", *words, PATH=path).out


def test_an_environment_of_ours_by_name(index: Index, template: Path) -> None:
    assert tool("create", "x", "--template", "tiny", "--verify", "none").code == 0
    answer = tool("doctor", "x", "--json")
    data = answer.json()["data"]
    assert (data["subject"]["label"], data["subject"]["environment"]) == ("x", "x")
    assert answer.code == 0, data["findings"]
    root = Path(data["subject"]["root"])
    next(root.glob("lib/python*/site-packages/numpy-*.dist-info")).rename(root / "elsewhere")
    again = tool("doctor", "x", "--json")
    assert again.code == 1
    first = again.json()["data"]["findings"][0]
    assert (first["id"], first["subject"], first["fix"]) == ("missing", "numpy", "imageai-env repair x")


def test_the_python_of_the_terminal(recipe: Path, good: Path, tmp_path: Path) -> None:
    def root(**variables: str) -> str | None:
        value = tool("doctor", "--json", **variables).json()["data"]["subject"]["root"]
        return None if value is None else str(value)

    path = f"{recipe / 'bin'}:{os.environ['PATH']}"
    assert root(PATH=path) == str(recipe)
    assert root(PATH=path, VIRTUAL_ENV=str(good)) == str(good)
    assert root(PATH=path, CONDA_PREFIX=str(good)) == str(good)
    assert root(PATH=path, VIRTUAL_ENV=str(tmp_path / "gone")) == str(recipe)


def test_python3_is_taken_where_there_is_no_python(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(REAL)
    assert users_python({"PATH": str(tmp_path)}) == tmp_path / "python3"
    assert users_python({"PATH": "/nonexistent"}) is None
    with pytest.raises(RequestError, match="no environment is active"):
        resolve(home(), None, None, {"PATH": "/nonexistent"})


def test_a_relative_path_on_path_is_answered(recipe: Path) -> None:
    assert users_python({"PATH": ".venv/bin"}) == recipe / "bin" / "python"


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("nosuch",), "no-such-environment", "imageai-env doctor"),
        (("./nosuch",), "no-such-environment", "imageai-env doctor"),
        (("empty",), "no-such-environment", "imageai-env create --path"),
        (("notes.txt",), "no-such-python", "imageai-env rescue notes.txt"),
        (("",), "no-such-environment", "imageai-env doctor"),
        (("x" * 5000,), "no-such-environment", "imageai-env doctor"),
        (("--python", "nosuch"), "no-such-python", "imageai-env python list"),
        (("--python", ""), "no-such-python", "imageai-env python list"),
        (("--python", "empty"), "no-such-python", "imageai-env doctor"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_there_is_not(words: tuple[str, ...], code: str, hint: str) -> None:
    Path("empty").mkdir()
    Path("notes.txt").write_text("tensorflow==2.10.0\n", encoding="utf-8")
    answer = tool("doctor", *words, "--json")
    assert (answer.code, answer.err) == (3, "")
    (error,) = answer.json()["errors"]
    assert error["code"] == code
    assert error["hint"].startswith(hint)
    assert len(error["message"]) < 400


def test_a_misspelt_name_is_corrected(index: Index, template: Path) -> None:
    assert tool("create", "myproj", "--template", "tiny", "--verify", "none").code == 0
    assert "imageai-env doctor myproj" in tool("doctor", "myporj").err


@pytest.mark.parametrize("words", [("x", "--python", "y"), ("--name", "x")], ids=" ".join)
def test_options_that_contradict(words: tuple[str, ...]) -> None:
    assert tool("doctor", *words).code == 2


# Broken ones ---------------------------------------------------------------------------------------------------------


def test_a_dead_link(recipe: Path) -> None:
    (recipe / "bin" / "python").unlink()
    (recipe / "bin" / "python").symlink_to("/nonexistent/python3.10")
    answer = tool("doctor", ".venv", "--json")
    assert answer.code == 1
    assert found(answer.json())[0] == ("error", "python-missing")
    assert answer.json()["data"]["subject"]["python"] is None
    assert tool("doctor", ".venv/bin/python").out.startswith(
        "Something will fail:"
    )  # a long path stands on the next line


def test_a_moved_environment(recipe: Path) -> None:
    script = recipe / "bin" / "pip"
    script.write_text(f"#!{recipe}/bin/python\n", encoding="utf-8")
    script.chmod(0o755)
    shutil.move(recipe, Path.cwd() / "moved")
    assert ("error", "moved") in found(tool("doctor", "./moved", "--json").json())


def test_two_kinds_of_shadowing_at_once(good: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    install(other, "numpy", "2.2.6")
    answer = tool("doctor", "good", "--json", PYTHONPATH=f"{Path(__file__).parents[2]}{os.pathsep}{other}")
    ids = found(answer.json())
    assert ids[:2] == [("error", "pythonpath-shadows"), ("error", "numpy-2")]


def test_secrets_stay_secret(recipe: Path) -> None:
    install(site_of(recipe), "private", "1", ["lost @ https://robot:hunter2@example.org/lost-1.whl"])
    for words in ((), ("--json",)):
        answer = tool("doctor", ".venv", *words, PIP_INDEX_URL="https://robot:hunter2@example.org/simple")
        assert "lost" in answer.out
        assert "hunter2" not in answer.out + answer.err


# --fix ---------------------------------------------------------------------------------------------------------------


def test_fix_makes_a_clean_environment(index: Index, template: Path, recipe: Path) -> None:
    before = sorted(path.name for path in site_of(recipe).iterdir())
    words = ("--fix", "--template", "tiny", "--verify", "none")
    answer = tool("doctor", ".venv", *words, "--json")
    assert answer.code == 0, answer.out
    data = answer.json()["data"]
    assert set(data) == {"subject", "verdict", "findings", "rescue", "created"}
    assert data["created"]["environment"]["name"] == "project-clean"  # the tests' directory is called project
    assert data["rescue"]["imageai"] == "2.1.6"
    assert sorted(path.name for path in site_of(recipe).iterdir()) == before
    healed = tool("doctor", "project-clean", "--json")
    assert healed.code == 0, healed.out
    assert healed.json()["data"]["subject"]["imageai"] == "2.1.6"
    assert "project-clean-2" in tool("doctor", ".venv", *words).out
    taken = tool("doctor", ".venv", *words, "--name", "project-clean", "--json")
    assert (taken.code, taken.json()["errors"][0]["code"]) == (3, "exists")


def test_fix_of_what_is_whole_does_nothing(good: Path) -> None:
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", "--clear", good], check=True)
    fill(good, "six==1.17.0")
    answer = tool("doctor", "good", "--fix")
    assert answer.code == 0
    assert answer.out.rstrip().endswith("There is nothing to fix.")
    assert not (home().environments).exists()
