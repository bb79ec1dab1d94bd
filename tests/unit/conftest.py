"""What unit tests need not wait for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base import file_reading
from imageai_envs.base.paths import shipped_templates
from imageai_envs.templates import catalog
from imageai_envs.templates.template_file import load_template

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.templates.template import Template

_SHIPPED = shipped_templates()
_load_once = cache(load_template)


def _load(path: Path) -> Template:
    """Read a shipped template once in a run: the choice among them is tried two thousand times, and they stay."""
    return _load_once(path) if path.parent == _SHIPPED else load_template(path)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the writer of a pipe no longer than it takes a thread to open it; read shipped templates once."""
    monkeypatch.setattr(file_reading, "_WAIT_FOR_WRITER", 0.3)
    monkeypatch.setattr(catalog, "load_template", _load)
