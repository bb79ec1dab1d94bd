"""Standard streams that are full or closed: one sentence, no traceback, also none of Python's own at its end."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.tool import REPOSITORY, tool

if TYPE_CHECKING:
    from tests.support.index import Index

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


def shell(words: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """Run ``imageai-env`` from a shell that redirects it."""
    line = f"{shlex.quote(sys.executable)} -m imageai_envs {words} {redirection}"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        ["/bin/bash", "-c", line], capture_output=True, text=True, env=environment, check=False, timeout=120
    )


@pytest.mark.parametrize(
    ("redirection", "reason"),
    [pytest.param(">/dev/full", "No space left on device", marks=needs_full), (">&-", "Bad file descriptor")],
)
@pytest.mark.parametrize(
    "words",
    ["list", "list --json", "--help", "--version", "templates show tf2.10", "show nope --json", "explain --list"],
)
def test_output_that_cannot_be_written(words: str, redirection: str, reason: str) -> None:
    done = shell(words, redirection)
    assert done.returncode == 1
    [error, hint] = done.stderr.splitlines()
    assert error.startswith("error: The answer cannot be written to standard output")
    assert reason in error
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("redirection", [pytest.param("2>/dev/full", marks=needs_full), "2>&-", "<&-"])
def test_errors_that_cannot_be_written_stop_nothing(redirection: str) -> None:
    done = shell("list --json", redirection)
    assert (done.returncode, json.loads(done.stdout)["status"], done.stderr) == (0, "success", "")
    done = shell("show nope", redirection)
    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("redirection", [pytest.param(">/dev/full 2>&1", marks=needs_full), ">&- 2>&-", "<&- >&- 2>&-"])
def test_nothing_can_be_written(redirection: str) -> None:
    assert shell("list", redirection).returncode == 1
    assert shell("show nope", redirection).returncode == 3
    assert shell("completion bash", redirection).returncode == 1


def test_whoever_reads_may_go() -> None:
    for words in ("explain --list", "explain --list --json", "templates show tf2.10 2>&1"):
        done = shell(words, "| (exec 0<&-; sleep 0.1); echo ${PIPESTATUS[0]}")
        assert (done.stdout, done.stderr) == ("1\n", "")


def test_work_is_done_though_nobody_hears_of_it(index: Index, template: Path) -> None:
    done = shell("create x --template tiny --verify none", "2>&- >&-")
    assert done.returncode == 1
    assert tool("check", "x").code == 0
    # The numbers of the closed streams are not those of our files: a program's output ends in none of them.
    shell("run x -- python -c 'import os; os.write(2, b\"S3CRET\")'", ">&- 2>&- <&-")
    home = Path(os.environ["IMAGEAI_ENV_HOME"])
    assert not [path for path in home.rglob("*.log") if "S3CRET" in path.read_text(encoding="utf-8")]


@needs_full
def test_progress_that_cannot_be_written_stops_no_work(index: Index, template: Path) -> None:
    done = shell("create x --template tiny --verify none --json", "2>/dev/full")
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "success")
