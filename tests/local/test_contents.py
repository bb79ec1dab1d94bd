"""What of an environment is the user's: found in environments that real creators made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from imageai_envs.engines.uv import find_uv
from imageai_envs.environments.contents import Contents, record_creation, users_contents
from imageai_envs.environments.environment import METADATA, begin_building, write_atomically
from imageai_envs.environments.ownership import mark
from tests.support.installed import install, make_venv, site_of
from tests.unit.test_ownership import STATE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["listed", "of the version before"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A finished environment with three distributions."""
    place = tmp_path / "x"
    mark(place, "0" * 32)
    make_venv(place)
    if request.param == "listed":
        record_creation(place)
    for name in ("six", "numpy", "keras"):
        install(site_of(place), name, "1.0", files={f"{name}/__init__.py": f"# {name}\n", f"{name}/more.py": ""})
    write_atomically(place / METADATA / "state.json", STATE)
    return place


def test_a_new_environment_has_nothing_of_the_users(root: Path) -> None:
    assert users_contents(root) == Contents()
    assert not users_contents(root)


def test_bytecode_that_the_creator_wrote_is_nobodys(tmp_path: Path) -> None:
    """ensurepip compiles what it installs; whoever replaces that later compiles it again."""
    place = tmp_path / "x"
    mark(place, "0" * 32)
    make_venv(place)
    compiled = site_of(place) / "hack" / "__pycache__" / "__init__.cpython-38.pyc"
    compiled.parent.mkdir(parents=True)
    compiled.write_bytes(b"old")
    record_creation(place)
    write_atomically(place / METADATA / "state.json", STATE)
    compiled.write_bytes(b"new")
    assert users_contents(place) == Contents()


def test_bytecode_is_nobodys(root: Path) -> None:
    subprocess.run([root / "bin" / "python", "-c", "import six, numpy, keras"], check=True, env={})
    assert list(site_of(root).glob("*/__pycache__/*.pyc"))
    assert users_contents(root) == Contents()


@pytest.mark.parametrize("creator", ["uv", "virtualenv", "venv"])
def test_whatever_a_creator_writes_is_its_own(tmp_path: Path, creator: str) -> None:
    place = tmp_path / "x"
    uv = find_uv()
    assert uv
    words: dict[str, list[str | Path]] = {
        "uv": [uv, "venv", "-q", "--python", sys.executable, place],
        "virtualenv": [sys.executable, "-m", "virtualenv", "-q", "--no-periodic-update", place],
        "venv": [sys.executable, "-m", "venv", place],
    }
    subprocess.run(words[creator], check=True)
    mark(place, "0" * 32)
    write_atomically(place / METADATA / "state.json", STATE)
    assert users_contents(place) == Contents()  # known by name
    record_creation(place)
    assert users_contents(place) == Contents()  # and by the list


def test_what_a_person_adds(root: Path) -> None:
    site = site_of(root)
    added = [
        "train.py", ".git/HEAD", ".git/refs/heads/x", "data/deep/er/picture.jpg", "bin/mine.sh", "ümläut name",
        "line\nbreak", f"{METADATA}/notes.txt", f"{site.relative_to(root)}/six/mine.py", "lib/mine.txt",
        f"{site.relative_to(root)}/mine.pth", f"{site.relative_to(root)}/six-1.0.dist-info/mine",
        "data/__pycache__/notes.txt", "model.pyc", f"{METADATA}/.state.json.1.txt",
    ]  # fmt: skip
    for path in added:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("mine", encoding="utf-8")
    (root / "link").symlink_to("/nowhere")
    (root / "empty").mkdir()
    whole = {path.split("/")[0] if path.startswith((".git/", "data/")) else path for path in added}
    assert users_contents(root) == Contents(tuple(sorted({*whole, "link"})))


def test_a_closed_directory_is_a_persons(root: Path) -> None:
    (root / "secret").mkdir()
    (root / "secret" / "file").touch()
    assert users_contents(root).added == ("secret",)


def test_a_directory_that_nobody_may_look_into_is_a_persons(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "secret").mkdir()
    real = os.scandir

    def refusing(path: Path) -> Any:
        if path.name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert users_contents(root).added == ("secret",)


def test_what_a_person_edits(root: Path) -> None:
    site = site_of(root).relative_to(root)
    with (root / site / "numpy" / "__init__.py").open("a", encoding="utf-8") as stream:
        stream.write("# mine\n")
    assert users_contents(root) == Contents(edited=(f"{site}/numpy/__init__.py",))
    if (root / METADATA / "venv.json").exists():
        with (root / "bin" / "activate").open("a", encoding="utf-8") as stream:
            stream.write("export MINE=1\n")
        assert users_contents(root).edited == ("bin/activate", f"{site}/numpy/__init__.py")


def test_a_gitignore_of_uv_is_uvs_and_any_other_a_persons(root: Path) -> None:
    (root / ".gitignore").write_text("*", encoding="utf-8")
    assert users_contents(root) == Contents()
    (root / ".gitignore").write_text("*\n!mine\n", encoding="utf-8")
    assert users_contents(root).added == (".gitignore",)


def test_a_distribution_without_record_accounts_for_nothing(root: Path) -> None:
    site = site_of(root).relative_to(root)
    (root / site / "six-1.0.dist-info" / "RECORD").unlink()
    assert f"{site}/six" in users_contents(root).added


def test_a_record_that_leads_out_accounts_for_nothing(root: Path) -> None:
    record = site_of(root) / "six-1.0.dist-info" / "RECORD"
    (root.parent / "mine").touch()
    (root / "own").touch()
    with record.open("a", encoding="utf-8") as stream:
        stream.write("../../../../mine,,\n/etc/passwd,,\n../../../own,,\n")
    assert users_contents(root) == Contents()  # "own" is claimed by a script's path, as scripts are


@pytest.mark.parametrize("root", ["listed"], indirect=True)
def test_what_is_outside_is_nobodys_edit(root: Path) -> None:
    (root.parent / "mine").write_text("mine", encoding="utf-8")
    with (site_of(root) / "six-1.0.dist-info" / "RECORD").open("a", encoding="utf-8") as stream:
        stream.write("../../../../mine,sha256=AAAA,4\n")
    assert users_contents(root) == Contents()
    created = json.loads((root / METADATA / "venv.json").read_text(encoding="utf-8"))
    write_atomically(root / METADATA / "venv.json", json.dumps({**created, "../mine": "sha256=AAAA"}))
    assert users_contents(root) == Contents()


def test_an_installed_file_that_cannot_be_read_counts_as_edited(root: Path) -> None:
    path = site_of(root) / "six" / "__init__.py"
    path.unlink()
    os.mkfifo(path)
    assert users_contents(root) == Contents(edited=(path.relative_to(root).as_posix(),))


@pytest.mark.parametrize("root", ["listed"], indirect=True)
def test_a_link_that_cannot_be_read_counts_as_edited(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(_: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.readlink", refusing)
    assert "bin/python" in users_contents(root).edited


def test_of_an_unfinished_one_only_the_top_can_be_told(root: Path) -> None:
    (root / METADATA / "state.json").unlink()
    begin_building(root)
    (root / "train.py").touch()
    (root / "lib" / "half").touch()
    (root / METADATA / "keep").mkdir()
    (root / METADATA / "keep" / "me.txt").touch()
    (root / METADATA / ".state.json.77").touch()  # ours, half written
    assert users_contents(root) == Contents((f"{METADATA}/keep", "train.py"))
