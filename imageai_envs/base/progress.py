"""Progress of long operations. The command line decides how it is shown."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Receives what happens. Implementations must be cheap and must not raise."""

    def step(self, text: str) -> None:
        """Start a named step, such as ``installing 54 distributions``."""

    def downloading(self, name: str, size: str) -> None:
        """Say that a file is being downloaded; ``size`` is human text such as ``204.6MiB``, may be empty."""

    def downloaded(self, name: str) -> None:
        """Say that the file of ``name`` is here."""

    def note(self, text: str) -> None:
        """Tell something worth knowing that is not a step, for example which template was taken."""

    def warn(self, text: str) -> None:
        """Tell something that may hurt later."""

    def output(self, line: str) -> None:
        """Pass one line of a subprocess, for people who asked to see it."""

    def stop(self) -> None:
        """Leave the terminal to someone else."""


class Silent:
    """A reporter that shows nothing."""

    def step(self, text: str) -> None:
        """Ignore."""

    def downloading(self, name: str, size: str) -> None:
        """Ignore."""

    def downloaded(self, name: str) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""

    def warn(self, text: str) -> None:
        """Ignore."""

    def output(self, line: str) -> None:
        """Ignore."""

    def stop(self) -> None:
        """Ignore."""
