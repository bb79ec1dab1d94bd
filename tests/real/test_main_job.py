"""The main job with nothing faked: the real index, real TensorFlow, real ImageAI, each engine once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from real_model import detect

from imageai_envs.base.context import Context
from imageai_envs.base.paths import home
from imageai_envs.base.progress import Silent
from imageai_envs.locks.lockfile import read_lock
from tests.support.installed_files import differences, files_of
from tests.support.tool import REPOSITORY, tool

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]


def prove(name: str, tensorflow: str, *words: str, **variables: str) -> dict[str, object]:
    """Create an environment, look at what ImageAI answered in it, and use it as a user does."""
    created = tool("create", name, "--tf", tensorflow, *words, "--json", **variables)
    assert created.code == 0, created.out + created.err
    data = created.json()["data"]
    answer = data["verification"]["answer"]
    assert answer["stage"] == "done"
    assert answer["versions"]["tensorflow"].startswith(tensorflow)
    percentages = answer["result"]["probabilities"]
    assert percentages == sorted(percentages, reverse=True)
    assert len(set(answer["result"]["labels"])) == len(percentages) == 5

    imports = "import tensorflow, imageai.Detection, imageai.Classification.Custom"
    used = tool("run", name, "--", "python", "-c", imports, **variables)
    assert used.code == 0, used.err
    shown = tool("run", name, "--", "pip", "show", "tensorflow-cpu", **variables)
    assert f"Version: {tensorflow}" in shown.out

    root = Path(data["environment"]["root"])
    silent = subprocess.run(
        [root / "bin" / "python", "-W", "error", "-c", "pass"], capture_output=True, text=True, check=True
    )
    assert silent.stdout + silent.stderr == ""
    print(f"\n{name}: {data['environment']['seconds']}", file=sys.stderr)
    environment: dict[str, object] = data["environment"]
    return environment


def test_tensorflow_2_10_with_uv_and_a_trained_model_finds_what_is_in_photographs() -> None:
    environment = prove("myproj", "2.10")
    assert str(environment["engine"]).startswith("uv ")
    found = detect(Path(str(environment["root"])), Context(home(), Silent()), str(environment["imageai"]), repeats=1)
    assert found.failures == ()


def test_tensorflow_2_21_whatever_python_is_here_and_the_same_objects() -> None:
    """Everything that the runtime hook gives to ImageAI, on today's packages."""
    environment = prove("newest", "2.21")
    shown = tool("show", "newest", "--json").json()["data"]
    assert {"legacy-adam", "keras-2", "matplotlib-deprecated", "numpy-float"} <= shown["hook"]["shims"].keys()
    found = detect(Path(str(environment["root"])), Context(home(), Silent()), str(environment["imageai"]), repeats=1)
    assert found.failures == ()


def test_tensorflow_2_4_with_pip_where_there_is_no_uv_and_with_uv_the_same_files(tmp_path: Path) -> None:
    """The pip engine, on a Python that current virtualenv does not serve, from an installation without uv."""
    venv = tmp_path / "tool"
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", venv], check=True)
    python = venv / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", str(REPOSITORY)], check=True)
    done = subprocess.run(
        [venv / "bin" / "imageai-env", "create", "old", "--tf", "2.4", "--engine", "pip", "-q"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    if done.returncode == 4 and "No Python 3.7 to 3.8" in done.stderr:
        pytest.skip("no Python 3.7 or 3.8 on this machine, and without uv none can be fetched")
    assert done.returncode == 0, done.stderr
    assert "ImageAI classified a picture" in done.stdout
    environment = tool("show", "old", "--json").json()["data"]["state"]
    assert environment["engine"].startswith("pip-tools ")
    assert environment["creator"] == "venv"

    # The same verified lock by the other engine: the same files.
    other = tool("create", "other", "--tf", "2.4", "--engine", "uv", "--verify", "none", "--json")
    assert other.code == 0, other.err
    by_uv = other.json()["data"]["environment"]
    assert (by_uv["target"], by_uv["lock"]) == (environment["target"], environment["lock"])
    shown = [tool("show", name, "--json").json()["data"] for name in ("old", "other")]
    roots = [Path(data["root"]) for data in shown]
    assert len(files_of(roots[0])) > 10_000
    built = read_lock(Path(shown[0]["lock"])).header.built
    assert "termcolor" in built
    assert differences(*roots, built=built) == []


def test_both_engines_resolve_the_same_from_the_real_index() -> None:
    packages = {}
    for engine in ("uv", "pip"):
        answer = tool("lock", "--tf", "2.10", "--engine", engine, "-o", f"{engine}.txt", "--json")
        assert answer.code == 0, answer.out
        packages[engine] = answer.json()["data"]["packages"]
    assert packages["uv"] == packages["pip"]
    text = Path("uv.txt").read_text(encoding="utf-8")
    assert "://" not in text
