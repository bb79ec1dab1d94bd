"""Nothing may be fetched, and the cache does not have it: a missing network, not an impossible request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.tool import tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.index import Index


NO_INDEX_OF_UV = {"UV_DEFAULT_INDEX": ""}  # which would be asked whatever pip is told


def caches(directory: Path) -> dict[str, str]:
    return {"UV_CACHE_DIR": str(directory / "uv"), "PIP_CACHE_DIR": str(directory / "pip")}


@pytest.mark.parametrize(
    ("engine", "variable"), [("uv", "UV_OFFLINE"), ("uv", "PIP_NO_INDEX"), ("pip", "PIP_NO_INDEX")]
)
def test_resolving(index: Index, template: Path, tmp_path: Path, engine: str, variable: str) -> None:
    if engine == "pip":  # the helper environment is there
        assert tool("lock", "--template", "tiny", "--engine", "pip", "-o", "x.txt").code == 0
    index.requests.clear()
    answer = tool(
        "create",
        "x",
        "--template",
        "tiny",
        "--engine",
        engine,
        "--json",
        **caches(tmp_path),
        **NO_INDEX_OF_UV,
        **{variable: "1"},
    )
    [error] = answer.json()["errors"]
    assert (answer.code, error["code"]) == (6, "offline"), error
    assert f"{variable}=1" in error["message"]
    assert f"unset {variable}" in error["hint"]
    assert index.requests == []


def test_preparing_pip_tools(index: Index, template: Path, tmp_path: Path) -> None:
    own = {"IMAGEAI_ENV_CACHE": str(tmp_path / "cache"), "PIP_NO_INDEX": "1"}
    answer = tool("lock", "--template", "tiny", "--engine", "pip", "-o", "x.txt", "--json", **caches(tmp_path), **own)
    assert (answer.code, answer.json()["errors"][0]["code"]) == (6, "offline")


@pytest.mark.parametrize(
    ("engine", "variable"), [("uv", "UV_OFFLINE"), ("uv", "PIP_NO_INDEX"), ("pip", "PIP_NO_INDEX")]
)
def test_installing(index: Index, template: Path, tmp_path: Path, engine: str, variable: str) -> None:
    assert tool("lock", "--template", "tiny", "-o", "l.txt").code == 0
    words = ("create", "x", "--lock", "l.txt", "--template", "tiny", "--engine", engine, "--verify", "none", "--json")
    answer = tool(*words, **caches(tmp_path), **NO_INDEX_OF_UV, **{variable: "1"})
    assert (answer.code, answer.json()["errors"][0]["code"]) == (6, "offline")


def test_a_configuration_file_is_named(index: Index, template: Path, tmp_path: Path) -> None:
    uv = tmp_path / "uv.toml"
    uv.write_text("offline = true\n", encoding="utf-8")
    own = {"UV_CONFIG_FILE": str(uv), "UV_NO_CONFIG": "0"}
    answer = tool("create", "x", "--template", "tiny", "--engine", "uv", **caches(tmp_path), **own)
    assert answer.code == 6
    assert "offline = true" in answer.err


def test_a_real_clash_stays_one(index: Index, template: Path) -> None:
    assert tool("lock", "--template", "tiny", "-o", "l.txt").code == 0
    clash = ("lock", "--template", "tiny", "-o", "m.txt", "--with", "needs-new-numpy")
    assert tool(*clash, UV_OFFLINE="0").code == 5
    assert tool(*clash, UV_OFFLINE="1").code == 5


def test_what_concerns_uv_only_does_not_concern_pip(index: Index, template: Path) -> None:
    words = ("lock", "--template", "tiny", "-o", "x.txt", "--engine", "pip", "--with", "no-such-thing-at-all")
    assert tool(*words, UV_OFFLINE="1").code == 5
