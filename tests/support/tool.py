"""The command line as users have it: a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Return standard output as the one JSON object that it must be."""
        data = json.loads(self.out)
        assert isinstance(data, dict)
        return data


def tool(*words: str | Path, **variables: str) -> Answer:
    """Run ``imageai-env`` with further environment variables, as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "imageai_envs", *map(str, words)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **variables},
        timeout=600,
        check=False,
    )
    answer = Answer(done.returncode, done.stdout, done.stderr)
    assert "Traceback (most recent call last)" not in answer.err, answer.err
    return answer
