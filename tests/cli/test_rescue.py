"""`rescue` as a process: plans, environments made from them, and bad input; against the local index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.tool import Answer, tool

if TYPE_CHECKING:
    from tests.support.index import Index

SEED = "tensorflow==2.10.0\nimageai==2.1.6\nopencv-python==4.7.0\n"
CLASHING = "tensorflow==2.10.0\nimageai==2.1.6\nnumpy==1.24.4\nneeds-new-numpy==1.0\npandas==1.5.9\n"


def written(text: str, name: str = "requirements.txt") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def data(answer: Answer) -> dict[str, object]:
    assert answer.code == 0, answer.out + answer.err
    found = answer.json()["data"]
    assert isinstance(found, dict)
    return found


def packages(name: str) -> dict[str, str]:
    found = tool("show", name, "--json").json()["data"]["packages"]
    assert isinstance(found, dict)
    return found


def test_a_plan_changes_nothing_and_shows_the_way(index: Index, template: Path) -> None:
    file = written(SEED)
    answer = tool("rescue", file)
    assert answer.code == 0, answer.err
    assert "requirements.txt cannot work as it is: 2 problems." in answer.out
    assert "there is no release 4.7.0 of opencv-python. Nearest: opencv-python==4.7.0.72." in answer.out
    assert "The same: imageai-env create NAME --tf 2.10.0 --with opencv-python==4.7.0.72" in answer.out
    assert file.read_text(encoding="utf-8") == SEED
    assert not (Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs").exists()
    assert "resolving" in answer.err


def test_json(index: Index, template: Path) -> None:
    found = data(tool("rescue", written(SEED), "--json"))
    assert sorted(found) == [
        "changes", "checked", "create", "imageai", "problems", "python", "requirements", "source", "template",
        "tensorflow", "unchecked", "variant",
    ]  # fmt: skip
    assert found["source"] == {"path": "requirements.txt", "kind": "requirements", "notes": []}
    assert (found["template"], found["tensorflow"], found["variant"]) == ("tiny", "2.10.0", "cpu")
    assert found["requirements"] == ["opencv-python==4.7.0.72"]
    changes = found["changes"]
    assert isinstance(changes, list)
    assert changes[2] == {
        "line": "line 3",
        "name": "opencv-python",
        "action": "changed",
        "before": "opencv-python==4.7.0",
        "after": "opencv-python==4.7.0.72",
        "why": "there is no release 4.7.0 of opencv-python",
    }


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_a_clash_is_loosened_and_the_environment_works(index: Index, template: Path, engine: str) -> None:
    file = written(CLASHING)
    answer = tool(
        "rescue", file, "--name", "clean", "--template", "tiny", "--engine", engine, "--verify", "imports", "--json"
    )
    found = data(answer)
    assert found["requirements"] == ["pandas==1.5.3"]
    created = found["created"]
    assert isinstance(created, dict)
    environment = created["environment"]
    assert environment["name"] == "clean"
    assert environment["request"]["extras"] == ["pandas==1.5.3"]
    assert environment["verified"] == "imports"
    have = packages("clean")
    assert (have["tensorflow-cpu"], have["numpy"], have["pandas"]) == ("2.10.0", "1.23.5", "1.5.3")
    assert "needs-new-numpy" not in have
    ran = tool("run", "clean", "--", "python", "-c", "import tensorflow, imageai.Detection, pandas")
    assert ran.code == 0, ran.err
    assert file.read_text(encoding="utf-8") == CLASHING


def test_the_create_command_that_is_printed_makes_the_same(index: Index, template: Path) -> None:
    import shlex

    found = data(tool("rescue", written(CLASHING), "--json"))
    words = shlex.split(str(found["create"]).replace("NAME", "same"))[1:]
    assert tool(*words, "--verify", "none").code == 0
    assert packages("same")["pandas"] == "1.5.3"


def test_a_lock_that_create_and_check_take(index: Index, template: Path) -> None:
    answer = tool("rescue", written(SEED), "-o", "clean.lock.txt", "--template", "tiny")
    assert answer.code == 0, answer.err
    assert "imageai-env create NAME --lock clean.lock.txt" in answer.out
    assert tool("lock", "--check", "-o", "clean.lock.txt").code == 0
    index.requests.clear()
    assert tool("create", "x", "--lock", "clean.lock.txt", "--verify", "none").code == 0
    assert packages("x")["opencv-python"] == "4.7.0.72"


def test_neither_the_source_nor_another_file_is_overwritten(index: Index, template: Path) -> None:
    file = written(SEED)
    answer = tool("rescue", file, "-o", file)
    assert (answer.code, file.read_text(encoding="utf-8")) == (3, SEED)
    assert "not overwritten" in answer.err


def test_conda_environment_file(index: Index, template: Path) -> None:
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    written(
        f"name: x\ndependencies:\n  - python={minor}\n  - tensorflow=2.10\n  - libgcc-ng=9\n  - pandas=1.5\n  - pip:\n"
        "    - imageai\n    - torch==2.0\n    - six\n",
        "environment.yml",
    )
    found = data(tool("rescue", "environment.yml", "--json"))
    assert found["requirements"] == ["pandas==1.5.*", "six"]
    changes = found["changes"]
    assert isinstance(changes, list)
    rows = {change["before"]: (change["action"], change["after"]) for change in changes}
    assert rows[f"Python {minor}"] == ("kept", f"Python {minor}")
    assert rows["pandas=1.5"] == ("kept", "pandas==1.5.3")
    assert rows["imageai"] == ("kept", "imageai==2.1.6")
    assert rows["torch==2.0"] == rows["libgcc-ng=9"] == ("dropped", "")


def test_condas_pytorch_becomes_imageai_3_that_works(index: Index, torch_template: Path) -> None:
    written(
        "name: x\nchannels: [pytorch, nvidia]\ndependencies:\n  - pytorch=1.13\n  - torchvision=0.15\n"
        "  - pytorch-cuda=11.8\n  - numpy=2.0\n  - pandas=1.5\n  - pip:\n    - imageai==3.0.3\n",
        "environment.yml",
    )
    answer = tool("rescue", "environment.yml", "--name", "clean", "--verify", "imports", "--json")
    found = data(answer)
    assert (found["template"], found["torch"], found["imageai"]) == ("tiny3", "1.12.1", "3.0.3")
    changes = found["changes"]
    assert isinstance(changes, list)
    rows = {change["before"]: (change["action"], change["after"]) for change in changes}
    assert rows["pytorch=1.13"] == ("changed", "torch==1.12.1")
    assert rows["torchvision=0.15"] == ("changed", "torchvision==0.13.1")
    assert rows["numpy=2.0"] == ("changed", "numpy==1.24.4")
    assert rows["pytorch-cuda=11.8"] == ("dropped", "")
    have = packages("clean")
    assert (have["torch"], have["torchvision"], have["pandas"]) == ("1.12.1", "0.13.1", "1.5.3")
    assert "tensorflow-cpu" not in have
    ran = tool("run", "clean", "--", "python", "-c", "import torch, imageai.Detection, pandas")
    assert ran.code == 0, ran.err


def test_torch_can_be_asked_for(index: Index, torch_template: Path) -> None:
    answer = tool("rescue", written("tensorflow==2.10.0\nimageai==3.0.3\n"), "--torch", "1.12")
    assert answer.code == 0, answer.err
    assert "PyTorch 1.12.1 + ImageAI 3.0.3" in answer.out
    assert "note: PyTorch 1.12.1 is what ImageAI 3 runs on" in answer.out


def test_a_broken_environment_is_read_and_not_touched(index: Index, template: Path, tmp_path: Path) -> None:
    """A real one, made with pip; then its Python goes, as after an upgrade of the system's."""
    root = tmp_path / "old"
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", root], check=True)
    subprocess.run(
        [root / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps",
         "tensorflow-cpu==2.10.0", "imageai==3.0.3", "numpy==2.0.2", "pandas==1.5.3", "pytz", "python-dateutil"],
        check=True,
    )  # fmt: skip
    (root / "bin" / "python").unlink()
    (root / "bin" / "python").symlink_to("/nowhere/python3")
    before = {path: path.lstat().st_mtime_ns for path in root.rglob("*")}

    answer = tool("rescue", root, "--name", "clean", "--template", "tiny", "--verify", "imports", "--json")
    found = data(answer)
    assert found["requirements"] == ["pandas==1.5.3"]
    have = packages("clean")
    assert (have["tensorflow-cpu"], have["imageai"], have["numpy"]) == ("2.10.0", "2.1.6", "1.23.5")
    assert {path: path.lstat().st_mtime_ns for path in root.rglob("*")} == before


def test_credentials_are_nowhere(index: Index, template: Path) -> None:
    written(
        "--index-url https://robot:s3cret@pypi.example.com/T0KEN/simple\n"
        "git+https://t0k3n@github.com/me/private.git#egg=private\n"
        "private2 @ git+https://t0k3n@github.com/me/private2.git\ntensorflow==2.10.0\n"
    )
    outputs = [tool("rescue", "requirements.txt", "-v"), tool("rescue", "requirements.txt", "--json")]
    stored = "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in Path(os.environ["IMAGEAI_ENV_HOME"]).rglob("*")
        if path.is_file()
    )
    for secret in ("s3cret", "T0KEN", "t0k3n"):
        assert secret not in stored
        assert all(secret not in answer.out + answer.err for answer in outputs)


def test_without_the_index_the_plan_says_so_and_creating_fails_as_ever(index: Index, template: Path) -> None:
    index.faults["."] = "500"
    file = written(SEED)
    planned = tool("rescue", file)
    assert planned.code == 0
    assert "Not checked against the index: " in planned.out
    assert tool("rescue", file, "--name", "x").code == 6
    locked = tool("rescue", file, "-o", "x.txt", "--json")
    assert (locked.code, locked.json()["errors"][0]["code"]) == (6, "nothing-resolved")
    assert not Path("x.txt").exists()
    assert tool("list", "--json").json()["data"]["environments"] == []


def test_a_name_that_is_taken_is_refused_at_once(index: Index, template: Path) -> None:
    assert tool("create", "x", "--template", "tiny", "--verify", "none").code == 0
    index.requests.clear()
    answer = tool("rescue", written(SEED), "--name", "x", "--json")
    assert (answer.code, answer.json()["errors"][0]["code"]) == (3, "exists")
    assert tool("rescue", "requirements.txt", "--name", "../x").code == 3
    assert index.requests == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("binary.txt", bytes(range(256)) * 20),
        ("empty.txt", b""),
        ("large.txt", b"numpy\n" * 1_700_000),
        ("cyclic.txt", b"-r cyclic.txt\n"),
        ("missing.txt", b"-r gone.txt\n"),
        ("environment.yml", b"dependencies: [a: b: c"),
        ("pyproject.toml", b"[tool.poetry]\n"),
        ("gone.txt", None),
        ("directory", None),
    ],
)
def test_bad_input(name: str, content: bytes | None) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    elif name == "directory":
        Path(name).mkdir()
    answer = tool("rescue", name, "--json")
    error = json.loads(answer.out)["errors"][0]
    assert (answer.code, error["code"]) == (3, "bad-source")
    assert name in error["message"]
