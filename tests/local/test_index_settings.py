"""The settings of one engine for the other, as the real programs understand them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uv

from imageai_envs.base.process import clean_environment
from imageai_envs.engines.index_settings import for_pip, for_uv, pip_setting
from tests.unit.test_index_settings import MIRROR, conf

if TYPE_CHECKING:
    from tests.support.index import Index


@pytest.mark.parametrize(
    "text",
    [
        "[global]\nindex-url = https://weak.invalid/\n[install]\nindex-url = {}\n",
        "[install]\nindex-url = {}\n[global]\nindex-url = https://weak.invalid/\n",
        "[global]\nindex_url = {}\n",
        "[global]\n--index-url = {}\n",
        "[global]\nINDEX-URL = {}\n",
    ],
)
def test_as_pip_itself_reads_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_DIRS", "/nonexistent")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(conf(tmp_path / "pip.conf", text.format(MIRROR))))
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--retries", "0", "--timeout", "1", "nothing-like-it"],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=False,
    )
    assert f"Looking in indexes: {MIRROR}" in done.stdout
    assert pip_setting("index-url") == MIRROR


def test_real_uv_with_pips_settings(index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    Path("x.in").write_text("six\n", encoding="utf-8")
    done = subprocess.run(
        [uv.find_uv_bin(), "pip", "compile", "x.in", "--no-python-downloads", "--python", sys.executable],
        env=clean_environment(for_uv()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "/simple/six/" in index.requests


def test_real_pip_with_uvs_settings(index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(tmp_path / "files"), "six"],
        env=clean_environment(for_pip()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "/simple/six/" in index.requests
    assert [name.split("-")[0] for name in os.listdir(tmp_path / "files")] == ["six"]
