"""What the parts of one command share: directories, reporter, log."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imageai_envs.base.logs import nowhere, open_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imageai_envs.base.paths import Home
    from imageai_envs.base.process import Log
    from imageai_envs.base.progress import Reporter


@dataclass(frozen=True)
class Context:
    """Handed down from the command line to everything that starts a program or reports a step.

    Attributes:
        home: where things live.
        reporter: told about steps, downloads and what is worth knowing.
        log: record of the programs that are started; nowhere before :meth:`logged`.
        later: directories that are out of the way, and what deletes each; done when the answer has been given, since
            20,000 files take a while.
    """

    home: Home
    reporter: Reporter
    log: Log = field(default_factory=nowhere)
    later: dict[Path, Callable[[], None]] = field(default_factory=dict, repr=False)

    def finish(self) -> None:
        """Do now what was put off, each once."""
        while self.later:
            self.later.popitem()[1]()

    def logged(self, subject: str, command: str) -> Context:
        """Return the same with a new log (see :func:`~imageai_envs.base.logs.open_log`)."""
        return replace(self, log=open_log(self.home, subject, command))
