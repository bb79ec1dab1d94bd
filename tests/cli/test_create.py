"""`create` and what follows it, against the local index, with both engines for real."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.tool import REPOSITORY, Answer, tool
from tests.support.wheels import Project, write_repacked, write_wheel

if TYPE_CHECKING:
    from tests.support.index import Index

TINY = ("--template", "tiny", "--verify", "imports")


def store() -> Path:
    return Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs"


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_main_job(index: Index, template: Path, engine: str) -> None:
    created = tool("create", "myproj", *TINY, "--engine", engine, "--json")
    assert created.code == 0, created.out + created.err
    environment = created.json()["data"]["environment"]
    assert environment["tensorflow"] == "2.10.1"
    assert environment["engine"].startswith("uv " if engine == "uv" else "pip-tools ")
    assert environment["verified"] == "imports"
    root = Path(environment["root"])

    ran = tool("run", "myproj", "--", "python", "-c", "import tensorflow, imageai.Detection, sys; print(sys.prefix)")
    assert (ran.code, ran.out.strip()) == (0, str(root))
    shown = tool("run", "myproj", "--", "pip", "show", "tensorflow-cpu")
    assert "Version: 2.10.1" in shown.out

    packages = tool("show", "myproj", "--json").json()["data"]["packages"]
    assert packages["numpy"] == "1.23.5"
    assert packages["imageai"] == "2.1.6"
    assert packages["keras"] == "2.10.0"

    silent = subprocess.run(
        [root / "bin" / "python", "-W", "error", "-c", "pass"], capture_output=True, text=True, check=True
    )
    assert (silent.stdout, silent.stderr) == ("", "")


def test_what_is_in_the_cache_of_uv_needs_no_index(
    index: Index, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what it has built from source, and the pip that every environment holds."""
    cache = tmp_path / "uv"
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    assert tool("lock", "--template", "tiny", "-o", "lock.txt").code == 0

    def create(name: str) -> Answer:
        return tool("create", name, "--lock", "lock.txt", "--verify", "imports", "--engine", "uv")

    without = create("none")
    assert (without.code, without.err.count("error:")) == (0, 0)

    index.faults[".*"] = "500"
    index.requests.clear()
    assert create("one").code == 0
    assert index.requests == []
    ran = tool("run", "one", "--", "python", "-c", "import imageai.Detection, keras_resnet, pip")
    assert ran.code == 0, ran.err

    shutil.rmtree(cache)
    failed = create("two")
    assert failed.code == 6
    assert "The index answered with an error" in failed.err
    index.faults.clear()
    assert create("two").code == 0


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_what_is_built_from_source_is_built_with_the_locked_setuptools(
    index: Index, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """Not with the newest: what setuptools puts into a wheel changes between its releases."""
    for tool_ in ("uv", "pip"):
        monkeypatch.setenv(f"{tool_.upper()}_CACHE_DIR", str(tmp_path / tool_))
    (newest,) = [file for file in index.files_of("setuptools") if file.suffix == ".whl"]
    write_repacked(newest, "80.7.7", tmp_path / "own")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "own"))
    created = tool("create", "x", *TINY, "--with", "setuptools<81", "--engine", engine, "--json")
    assert created.code == 0, created.out + created.err
    site = next(Path(created.json()["data"]["environment"]["root"]).glob("lib/python3*/site-packages"))
    wheel = next(site.glob("keras_resnet-*.dist-info/WHEEL")).read_text(encoding="utf-8")
    assert "Generator: setuptools (80.7.7)" in wheel.splitlines()


def test_the_pip_that_a_lock_pins_installs_the_rest(index: Index, template: Path) -> None:
    created = tool("create", "x", *TINY, "--with", "pip==26.3", "--engine", "pip", "--json")
    assert created.code == 0, created.out + created.err
    log = Path(created.json()["data"]["log"]).read_text(encoding="utf-8")
    assert 0 < log.index("/pip.txt") < log.index("/wheels.txt") < log.index("/sources.txt")


def test_both_engines_make_the_same_pins(index: Index, template: Path) -> None:
    packages = {}
    for engine in ("uv", "pip"):
        answer = tool("lock", "--template", "tiny", "--engine", engine, "-o", f"{engine}.txt", "--json")
        assert answer.code == 0, answer.out
        packages[engine] = answer.json()["data"]["packages"]
    assert packages["uv"] == packages["pip"]
    assert len(packages["uv"]) > 50


def test_resolving_downloads_no_tensorflow(index: Index, template: Path) -> None:
    for engine in ("uv", "pip"):
        index.requests.clear()
        assert tool("lock", "--template", "tiny", "--engine", engine, "-o", f"{engine}.txt").code == 0
        bodies = [path for path in index.requests if "tensorflow_cpu" in path and path.endswith(".whl")]
        assert any("tensorflow-cpu" in path for path in index.requests)
        assert bodies == []


def test_a_lock_serves_bare_pip(index: Index, template: Path, tmp_path: Path) -> None:
    assert tool("lock", "--template", "tiny", "-o", "lock.txt").code == 0
    venv = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", venv], check=True)
    python = venv / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", "lock.txt"], check=True
    )
    subprocess.run([python, "-c", "import imageai.Detection, keras_resnet"], check=True)


def test_create_from_a_lock_resolves_nothing(index: Index, template: Path) -> None:
    assert tool("lock", "--template", "tiny", "--with", "pandas<2", "-o", "lock.txt").code == 0
    index.requests.clear()
    created = tool("create", "x", "--lock", "lock.txt", "--verify", "imports", "--json")
    assert created.code == 0, created.out
    assert created.json()["data"]["environment"]["request"]["extras"] == ["pandas<2"]
    assert tool("show", "x", "--json").json()["data"]["packages"]["pandas"] == "1.5.3"
    refused = tool("create", "y", "--lock", "lock.txt", "--with", "six")
    assert refused.code == 3


def test_exact_and_newest_patch(index: Index, template: Path) -> None:
    for asked, given in (("2.10", "2.10.1"), ("2.10.0", "2.10.0"), ("2.10.1", "2.10.1")):
        plan = tool("create", "x", "--template", "tiny", "--tf", asked, "--dry-run", "--json").json()["data"]["plan"]
        assert plan["tensorflow"] == given
    assert not store().exists()


def test_path_in_a_project(index: Index, template: Path) -> None:
    created = tool("create", "--path", ".venv", *TINY)
    assert created.code == 0, created.err
    assert Path(".venv/bin/python").exists()
    listed = tool("list", "--json").json()["data"]["environments"]
    assert [item["name"] for item in listed] == ["project"]
    assert tool("run", ".venv", "--", "python", "-c", "import imageai.Detection").code == 0
    assert tool("run", "project", "--", "python", "-c", "import imageai.Detection").code == 0
    assert tool("remove", "project", "--yes").code == 0
    assert not Path(".venv").exists()
    assert tool("list", "--json").json()["data"]["environments"] == []


def test_requirements_of_files_and_options(index: Index, template: Path) -> None:
    Path("more.txt").write_text("# ours\npandas<2 \\\n  ; python_version > '3'\n-r deeper.txt\n", encoding="utf-8")
    Path("deeper.txt").write_text("pytz==2025.2 --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    answer = tool("lock", "--template", "tiny", "-r", "more.txt", "--with", "six", "-o", "lock.txt", "--json")
    assert answer.code == 0, answer.out
    assert answer.json()["data"]["packages"]["pytz"] == "2025.2"
    text = Path("lock.txt").read_text(encoding="utf-8")
    assert "# requires: pytz==2025.2\n" in text


def test_force_replaces_and_a_failure_keeps_the_old(index: Index, template: Path) -> None:
    assert tool("create", "x", *TINY).code == 0
    again = tool("create", "x", *TINY)
    assert again.code == 3
    assert "--force" in again.err

    note = store() / "x" / "note.txt"
    note.write_text("mine", encoding="utf-8")
    index.faults["absl_py.*whl$"] = "404"
    failed = tool("create", "x", *TINY, "--tf", "2.10.0", "--force", UV_CACHE_DIR=str(store().parent / "cold"))
    assert failed.code == 6, failed.err
    assert note.read_text(encoding="utf-8") == "mine"
    assert tool("run", "x", "--", "python", "-c", "import imageai.Detection").code == 0

    index.faults.clear()
    assert tool("create", "x", *TINY, "--tf", "2.10.0", "--force").code == 0
    assert not note.exists()
    (kept,) = store().glob("x-kept-*")
    assert (kept / "note.txt").read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in store().iterdir()) == ["x", kept.name]


def test_failing_verification_leaves_nothing(index: Index, template: Path, tmp_path: Path) -> None:
    # A "tensorflow" that breaks on import: the environment installs, and does not work.

    broken = tmp_path / "broken"
    broken.mkdir()
    module = {"six_probe/__init__.py": "", "numpy.pth": "import sys; sys.modules['numpy'] = None\n"}
    write_wheel(broken, Project("breaker", "1.0", modules=module))
    answer = tool("create", "x", *TINY, "--with", "breaker", "--json", UV_FIND_LINKS=str(broken))
    assert answer.code == 7, answer.out
    error = answer.json()["errors"][0]
    assert "import numpy" in error["message"]
    assert not (store() / "x").exists()
    kept = tool(
        "create",
        "x",
        "--template",
        "tiny",
        "--with",
        "breaker",
        "--verify",
        "none",
        UV_FIND_LINKS=str(broken),
    )
    assert kept.code == 0


def installing(index: Index, cache: Path, *words: str) -> subprocess.Popen[str]:
    """Start a `create` and return it while it waits for a download: there is time to end it, on any machine."""
    index.faults[r"^/files/scipy.*whl$"] = "slow"
    child = subprocess.Popen(
        [sys.executable, "-m", "imageai_envs", "create", "x", *TINY, *words],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "UV_CACHE_DIR": str(cache)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("installing"):
            return child
    raise AssertionError(f"it ended with {child.wait()}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_nothing(index: Index, template: Path, tmp_path: Path, number: signal.Signals) -> None:
    child = installing(index, tmp_path / "cold")
    child.send_signal(number)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert "Interrupted" in errors
    assert not list(store().iterdir())


def test_after_a_kill_the_next_command_mends(index: Index, template: Path, tmp_path: Path) -> None:
    assert tool("create", "x", *TINY).code == 0
    child = installing(index, tmp_path / "cold", "--force")
    child.kill()
    child.communicate(timeout=60)
    assert tool("run", "x", "--", "python", "-c", "import imageai.Detection").code == 0
    assert sorted(path.name for path in store().iterdir()) == ["x"]


def test_list_counts_shared_files_once(index: Index, template: Path) -> None:
    assert tool("create", "a", *TINY).code == 0
    assert tool("create", "b", *TINY).code == 0
    shared = os.urandom(3_000_000)
    (store() / "a" / "big").write_bytes(shared)
    (store() / "b" / "big").hardlink_to(store() / "a" / "big")
    data = tool("list", "--json").json()["data"]
    sizes = {item["name"]: item for item in data["environments"]}
    assert data["bytes"] <= sizes["a"]["bytes"] + sizes["b"]["bytes"] - 3_000_000
    assert sizes["a"]["bytes"] - sizes["a"]["bytes_unshared"] >= 3_000_000
    assert "a " in tool("list").out


@pytest.mark.parametrize("words", [("--tf", "2.10"), ("--torch", "1.12"), ("--template", "tf2.10")])
def test_newest_chooses_the_template_and_nothing_else_may(words: tuple[str, str]) -> None:
    done = tool("create", "x", "--newest", *words, "--json")
    assert (done.code, done.json()["errors"][0]["code"]) == (3, "newest-and-version")
