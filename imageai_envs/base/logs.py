"""Where the record of a command goes, and how many are kept."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.process import Log

if TYPE_CHECKING:
    from imageai_envs.base.paths import Home

KEPT = 10
CRASHES = "_crashes"
"""The subject of errors that nobody expected; no environment can be called so."""
WITHOUT_ENVIRONMENT = frozenset({"lock", "rescue", CRASHES})
"""Subjects that are commands. An environment may be called like one, and then shares the directory."""


def nowhere() -> Log:
    """Return a log that keeps nothing."""
    return Log(Path(os.devnull))


def open_log(home: Home, subject: str, command: str) -> Log:
    """Return a new log for ``command`` on ``subject`` (an environment's name), and forget the oldest ones."""
    directory = home.logs / subject
    with contextlib.suppress(OSError):
        for old in sorted(directory.glob("*.log"))[: -KEPT + 1]:
            old.unlink()
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")
    return Log(directory / f"{stamp}-{command}-{os.getpid()}.log")
