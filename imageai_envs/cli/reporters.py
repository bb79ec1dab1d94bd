"""Progress on standard error: live with rich in a terminal, plain lines everywhere else."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imageai_envs.base.printable import visible
from imageai_envs.base.redaction import redact
from imageai_envs.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from imageai_envs.base.progress import Reporter

_UNITS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}

_WORTH_SAYING = 1_000_000  # bytes; fifty lines about small files hide the one that takes minutes


class Plain:
    """One line per event. For logs, CI and pipes."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose

    def _say(self, text: str) -> None:
        say(visible(redact(text)))

    def step(self, text: str) -> None:
        """Print the step."""
        if not self._quiet:
            self._say(text)

    def downloading(self, name: str, size: str) -> None:
        """Print name and size of what takes a while."""
        if not self._quiet and not 0 < parse_size(size) < _WORTH_SAYING:
            self._say(f"  downloading {name}{f' ({size})' if size else ''}")

    def downloaded(self, name: str) -> None:
        """Say nothing: the line at its start was enough."""

    def note(self, text: str) -> None:
        """Print the note."""
        if not self._quiet:
            self._say(f"note: {text}")

    def warn(self, text: str) -> None:
        """Print the warning, also when quiet."""
        self._say(f"warning: {text}")

    def output(self, line: str) -> None:
        """Print the line if output was asked for."""
        if self._verbose:
            self._say(f"  | {line}")

    def stop(self) -> None:
        """Do nothing: lines that are printed are done with."""


class Live(Plain):
    """A line that moves: the step, the megabytes announced and arrived, the time.

    Nothing is drawn before the first step: a command without any (``run``, ``shell``, a question) hands the terminal on
    as it is, cursor and all.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        super().__init__(verbose=verbose)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._text = ""
        self._waiting: dict[str, int] = {}

    def stop(self) -> None:
        """Remove the line."""
        self._finish()
        if self._progress:
            self._progress.stop()

    def _say(self, text: str) -> None:
        if self._progress:
            self._progress.console.print(visible(redact(text)), markup=False, highlight=False, soft_wrap=True)
        else:
            super()._say(text)

    def _finish(self) -> None:
        if self._text:
            self._say(f"✓ {self._text}")
        self._text = ""

    def step(self, text: str) -> None:
        """Tick the step before, show this one."""
        self._finish()
        self._text = visible(redact(text))
        self._waiting.clear()
        if self._progress is None:
            self._progress = _drawing()
        elif self._task is not None:
            self._progress.remove_task(self._task)  # a reset would keep the megabytes of the step before
        self._task = self._progress.add_task(self._text, total=None)

    def downloading(self, name: str, size: str) -> None:
        """Add the file to what is awaited; pip fetches one at a time, so an earlier one has then arrived."""
        if self._progress is None or self._task is None:
            super().downloading(name, size)
            return
        self._waiting[name] = parse_size(size)
        total = (self._progress.tasks[0].total or 0) + self._waiting[name]
        self._progress.update(self._task, total=total, description=f"{self._text} · {visible(name)} {size}")

    def downloaded(self, name: str) -> None:
        """Advance by the file's size."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, advance=self._waiting.pop(name, 0))

    def fail(self) -> None:
        """Forget the running step: it did not end well, an error follows."""
        self._text = ""


def _drawing() -> Progress:
    """Begin drawing."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )
    progress.start()
    return progress


def parse_size(text: str) -> int:
    """Return the bytes of ``204.6MiB`` or ``17.1 MB``; 0 when there is none."""
    match = re.fullmatch(r"([\d.]+) ?([kKMG]?i?)B", text)
    if not match:
        return 0
    unit = match[2].replace("K", "k") if match[2] == "K" else match[2]
    return int(float(match[1]) * _UNITS.get(unit, 1))


@contextmanager
def reporting(*, quiet: bool, verbose: bool) -> Iterator[Reporter]:
    """Yield the reporter that fits the terminal."""
    live = sys.stderr.isatty() and not quiet and not verbose and not os.environ.get("CI")
    if not live or os.environ.get("TERM") == "dumb":
        yield Plain(quiet=quiet, verbose=verbose)
        return
    reporter = Live()
    try:
        yield reporter
    except BaseException:
        reporter.fail()
        raise
    finally:
        reporter.stop()
