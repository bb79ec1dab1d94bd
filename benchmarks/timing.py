"""Pairs of runs and the ratio of their medians: what every benchmark here prints."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[[], object]


def call(*argv: str | Path, **variables: str) -> None:
    """Run a command and insist that it works."""
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **variables}, check=False)
    if done.returncode:
        sys.exit(f"{argv}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def compare(title: str, ours: Run, theirs: Run, rounds: int, before: Run = lambda: None) -> None:
    """Time two things in turn and print the ratio of their medians and the range of the paired ratios.

    Args:
        title: what is compared.
        ours: our command.
        theirs: what it is held against.
        rounds: of both.
        before: untimed; clears what the last run left.
    """
    # A tool that was installed has its bytecode; measured from a checkout, this lets Python keep it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for run in (ours, theirs):  # warm caches for both
        before()
        run()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for run, seconds in zip((ours, theirs), times, strict=True):
            before()
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
    medians = [statistics.median(seconds) for seconds in times]
    paired = [a / b for a, b in zip(*times, strict=True)]
    print(
        f"{title}: {medians[0] / medians[1]:.2f}x  (paired {min(paired):.2f}-{max(paired):.2f}; "
        f"medians {medians[0]:.2f} s / {medians[1]:.2f} s, {rounds} rounds)",
        flush=True,
    )
