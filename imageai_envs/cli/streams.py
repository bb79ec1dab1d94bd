"""Standard output and error as they may be: closed, on a full disk, or read by someone who has gone."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Callable


def stand_in_for_closed() -> None:
    """Open something in the place of standard streams that are closed (``>&-``); let none refuse a character.

    Otherwise the next file that is opened, a log or a lock, takes the number, and programs that we start write there.
    Standard output fails at the first write, as a closed one does; what goes to standard error is nobody's then.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        if _is_closed(number):
            os.set_inheritable(os.open(os.devnull, flags), True)  # the lowest free number: this one
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            stream: TextIO | None = open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not speaks_unicode(stream):
            stream.reconfigure(errors="backslashreplace")


def speaks_unicode(stream: TextIO) -> bool:
    """Tell whether every character can be written to ``stream``."""
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


def say(text: str) -> None:
    """Write a line to standard error. A failure to write it never stops the work.

    Raises:
        BrokenPipeError: whoever read it has gone.
    """
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        raise
    except OSError:
        _drop(sys.stderr)


def is_broken(stream: TextIO) -> bool:
    """Tell whether what was written to ``stream`` does not arrive."""
    try:
        stream.flush()
    except OSError:
        return True
    return False


def give_up(error: OSError, tell: Callable[[OSError], None]) -> None:
    """Deal with output that cannot be written: tell it, unless the reader has gone; Python has nothing to add at exit.

    Args:
        error: what the system said.
        tell: writes the error to standard error.
    """
    for stream in (sys.stdout, sys.stderr):
        if is_broken(stream):
            _drop(stream)
    if not isinstance(error, BrokenPipeError):
        tell(error)


def _drop(stream: TextIO) -> None:
    """Let what is still in the stream's buffer, and all that follows, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
