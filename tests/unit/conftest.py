"""What unit tests need not wait for."""

from __future__ import annotations

import pytest

from imageai_envs.base import file_reading


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the writer of a pipe no longer than it takes a thread to open it."""
    monkeypatch.setattr(file_reading, "_WAIT_FOR_WRITER", 0.3)
