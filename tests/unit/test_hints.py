"""Commands in hints can be pasted, and install what exists."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path

import pytest

from imageai_envs.base.errors import RequestError
from imageai_envs.engines import get_engine
from imageai_envs.environments.hints import install_beside_us


def test_the_python_that_runs_us_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/a place/with 'quotes'/python")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    assert shlex.split(install_beside_us("uv")) == [sys.executable, "-m", "pip", "install", "uv"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    before, _, after = install_beside_us("uv").partition(" && ")
    assert shlex.split(before) == [sys.executable, "-m", "ensurepip"]
    assert shlex.split(after) == [sys.executable, "-m", "pip", "install", "uv"]


def test_a_missing_uv_is_installed_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imageai_envs.engines.find_uv", lambda: None)
    with pytest.raises(RequestError) as caught:
        get_engine("uv")
    hint = str(caught.value.hint)
    assert hint.startswith(install_beside_us("uv"))
    assert "imageai-env" not in hint.replace(str(Path(sys.executable)), "")
