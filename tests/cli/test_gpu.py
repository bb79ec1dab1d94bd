"""GPU environments on the local index: links, record, check, repair. The libraries are files of the right names.

Real libraries are opened, and a real GPU is used where there is one, by ``nox -s gpu``.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_maintaining import envs, findings, site
from tests.support.tool import tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index

MADE = ("--template", "tiny", "--gpu", "-q")


@pytest.fixture
def root(index: Index, template: Path) -> Path:
    """A GPU environment called ``x``."""
    made = tool("create", "x", *MADE, "--verify", "none")
    assert made.code == 0, made.err
    return envs() / "x"


def links(root: Path) -> dict[str, str]:
    package = site(root) / "tensorflow"
    return {path.name: str(path.readlink()) for path in package.iterdir() if path.is_symlink()}


def test_libraries_are_linked_recorded_and_as_locked(root: Path) -> None:
    assert links(root) == {
        "libcudart.so.11.0": "../nvidia/cuda_runtime/lib/libcudart.so.11.0",
        "libcublas.so.11": "../nvidia/cublas/lib/libcublas.so.11",
        "libcublasLt.so.11": "../nvidia/cublas/lib/libcublasLt.so.11",
        "libnvrtc.so.11.2": "../nvidia/cuda_nvrtc/lib/libnvrtc.so.11.2",
        "libnvrtc.so": "../nvidia/cuda_nvrtc/lib/libnvrtc.so.11.2",
    }
    assert json.loads((root / ".imageai-env" / "additions.json").read_text())["links"] == links(root)
    assert findings() == {}
    assert tool("sync", "x").code == 0
    assert tool("sync", "x", "--json").json()["data"]["changes"] == []


def test_libraries_that_cannot_be_opened_fail_and_what_was_there_stays(root: Path) -> None:
    before = (root / ".imageai-env" / "state.json").read_text()
    failed = tool("create", "x", *MADE, "--verify", "imports", "--force", "--json")
    assert failed.code == 7
    error = failed.json()["errors"][0]
    assert error["code"] == "cuda-library"
    assert "libcublas.so.11 (nvidia-cublas-cu11)" in error["message"]
    assert (root / ".imageai-env" / "state.json").read_text() == before
    assert findings() == {}


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_removed_and_wrong_links_are_found_and_mended(root: Path, engine: str) -> None:
    right = links(root)
    package = site(root) / "tensorflow"
    (package / "libcublas.so.11").unlink()
    (package / "libnvrtc.so").unlink()
    (package / "libnvrtc.so").symlink_to("/usr/lib/libnvrtc.so")
    assert list(findings()) == ["cuda-links"]
    assert [item["name"] for item in tool("list", "--json").json()["data"]["environments"]] == ["x"]
    fixed = tool("repair", "x", "--engine", engine, "--json")
    assert fixed.code == 0, fixed.err
    assert fixed.json()["data"]["recreated"] is False
    assert links(root) == right
    assert findings() == {}


def test_tensorflow_takes_its_links_along_and_repair_brings_both_back(root: Path) -> None:
    right = links(root)
    python = root / "bin" / "python"
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "tensorflow"], check=True)
    assert not (site(root) / "tensorflow").exists()  # nothing is left that `import tensorflow` would find
    assert {"missing", "cuda-links"} <= set(findings())
    assert tool("repair", "x").code == 0
    assert links(root) == right
    assert findings() == {}


def test_the_hook_is_missed_and_mended(root: Path) -> None:
    python = root / "bin" / "python"
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "imageai-envs-hook"], check=True)
    assert list(findings()) == ["hook-missing"]
    assert tool("repair", "x").code == 0
    assert findings() == {}
    hook = site(root) / "_imageai_envs_hook" / "__init__.py"
    text = hook.read_text()
    hook.unlink()
    hook.write_text(text + "# mine\n")
    assert list(findings()) == ["file-altered"]
    fixed = tool("repair", "x", "--json").json()["data"]
    assert (fixed["recreated"], fixed["mended"]) == (False, ["imageai-envs-hook"])
    assert findings() == {}


def test_recreate_and_clone_bring_links_and_hook(root: Path) -> None:
    right = links(root)
    assert tool("recreate", "x").code == 0
    assert tool("clone", "x", "y").code == 0
    assert links(root) == links(envs() / "y") == right
    assert findings("x") == findings("y") == {}
    assert (site(envs() / "y") / "imageai_envs_hook.pth").exists()
