"""GPU environments on the local index: links, record, check, repair. The libraries are files of the right names.

Real libraries are opened, and a real GPU is used where there is one, by ``nox -s gpu``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from imageai_envs.building import hook
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
    shown = tool("show", "x", "--json").json()["data"]["hook"]
    assert (shown["version"], list(shown["shims"])) == (hook.VERSION, ["libdevice"])
    assert f"hook       {hook.VERSION} (libdevice)" in tool("show", "x").out
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


def _digest(text: str) -> str:
    """Return hash and size of a text as RECORD has them."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"sha256={digest},{len(text.encode())}"


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_a_hook_of_an_older_version_is_renewed(root: Path, engine: str) -> None:
    """It does what this environment needs, so that it is only noted."""
    current = next(site(root).glob("imageai_envs_hook-*.dist-info"))
    version = current.name.removeprefix("imageai_envs_hook-").removesuffix(".dist-info")
    old = current.with_name("imageai_envs_hook-1.0.dist-info")
    current.rename(old)
    before = (old / "METADATA").read_text()
    after = before.replace(f"Version: {version}", "Version: 1.0")
    (old / "METADATA").unlink()
    (old / "METADATA").write_text(after)
    text = (old / "RECORD").read_text().replace(current.name, old.name)
    (old / "RECORD").write_text(text.replace(_digest(before), _digest(after)))
    checked = tool("check", "x", "--json")
    (found,) = checked.json()["data"]["environments"][0]["findings"]
    assert (checked.code, found["id"], found["severity"]) == (0, "hook-outdated", "note")
    assert found["fix"] == "imageai-env repair x"
    assert tool("repair", "x", "--engine", engine).code == 0
    assert findings() == {}
    assert [path.name for path in site(root).glob("imageai_envs_hook-*")] == [current.name]
    assert tool("show", "x", "--json").json()["data"]["hook"]["version"] == version


def test_recreate_and_clone_bring_links_and_hook(root: Path) -> None:
    right = links(root)
    assert tool("recreate", "x").code == 0
    assert tool("clone", "x", "y").code == 0
    assert links(root) == links(envs() / "y") == right
    assert findings("x") == findings("y") == {}
    assert (site(envs() / "y") / "imageai_envs_hook.pth").exists()
