"""Read files that others wrote: never a device, never without end, never waiting for a writer that is not there.

What is in a clone, an archive or a shared directory may be a link to ``/dev/zero`` or a pipe that nobody writes to.
Only regular files are read, up to a limit; pipes too where the user named the file, so that ``-r <(command)`` and
``/dev/stdin`` work.
"""

from __future__ import annotations

import errno
import json
import os
import select
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

SMALL = 1 << 20
"""Bytes; for what we or an installer write beside an environment. The longest that were met have some 10 kB."""
RECORDS = 1 << 26
"""Bytes; for lists of installed files. TensorFlow's RECORD has 1 MB."""

_MOST_ROWS = 200_000  # of a RECORD; TensorFlow's has 9,000. Each is looked for on disk
_WAIT_FOR_WRITER = 1.0  # seconds; `mkfifo p; command > p &` may open its end a moment after us


class UnreadableError(OSError):
    """A file cannot be read. ``strerror`` is the reason in words, ``filename`` the path.

    An OSError, because for those who ask it is one more way in which a file cannot be read.
    """


def read_text(
    path: Path, *, limit: int = SMALL, encoding: str = "utf-8", errors: str = "strict", pipe: bool = False
) -> str:
    r"""Return the text of a file, every line end as ``\n``.

    Args:
        path: a regular file.
        limit: bytes; a longer file is refused, not cut.
        encoding: what it is written in.
        errors: as :meth:`bytes.decode` takes it.
        pipe: a pipe is read to its end too.

    Raises:
        UnreadableError: missing, not permitted, no file, too long, or not in that encoding.
    """
    try:
        text = read_bytes(path, limit=limit, pipe=pipe).decode(encoding, errors)
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding.startswith("utf-8") else encoding
        raise UnreadableError(errno.EILSEQ, f"it is not {name} text (byte {error.start})", str(path)) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_json(text: str | bytes) -> Any:
    """Return the data of JSON that others wrote.

    Raises:
        ValueError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def read_record_file(path: Path, *, errors: str = "strict") -> str:
    """Return the text of a RECORD (PEP 376): a row for each installed file.

    Raises:
        UnreadableError: as :func:`read_text`, or it has more rows than any distribution has files.
    """
    text = read_text(path, limit=RECORDS, errors=errors)
    if text.count("\n") > _MOST_ROWS:
        raise UnreadableError(errno.EFBIG, f"it has more than {_MOST_ROWS:,} lines", str(path))
    return text


def read_bytes(path: Path, *, limit: int = SMALL, pipe: bool = False) -> bytes:
    """Return the whole content of a file (see :func:`read_text`).

    Raises:
        UnreadableError: missing, not permitted, no file, or longer than ``limit``.
    """
    try:
        with open_file(path, pipe=pipe) as stream:
            data = stream.read(limit + 1)
            piped = stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except UnreadableError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(data) > limit:
        raise UnreadableError(errno.EFBIG, f"it is longer than {limit / 1e6:.0f} MB, which is all that is read", path)
    if piped and not data:
        raise UnreadableError(errno.EPIPE, "nothing came out of this pipe", str(path))
    return data


def read_head(path: Path, size: int) -> bytes:
    """Return the first ``size`` bytes of a regular file.

    Raises:
        UnreadableError: missing, not permitted, or no file.
    """
    try:
        with open_file(path) as stream:
            return stream.read(size)
    except UnreadableError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error


def open_file(path: Path, *, pipe: bool = False) -> BinaryIO:
    """Open a regular file, or a pipe where ``pipe`` allows one, for reading.

    A pipe without a writer is at its end after a second.

    Raises:
        UnreadableError: missing, not permitted, or neither.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        _check_kind(path, os.stat(path).st_mode, pipe=pipe)  # noqa: PTH116 - before: opening a device may do something
        handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except UnreadableError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise _unreadable(path, error) from error
    try:
        mode = os.fstat(handle).st_mode
        _check_kind(path, mode, pipe=pipe)  # it may be another file by now
        if stat.S_ISFIFO(mode):
            _await_writer(handle)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _await_writer(handle: int) -> None:
    """Wait until a pipe has something or is at its end; then, or without a writer, reads do not block for ever."""
    if os.name == "posix":
        select.select([handle], [], [], _WAIT_FOR_WRITER)
        os.set_blocking(handle, True)


def _check_kind(path: Path, mode: int, *, pipe: bool) -> None:
    if stat.S_ISREG(mode) or (pipe and stat.S_ISFIFO(mode)):
        return
    if stat.S_ISDIR(mode):
        raise UnreadableError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    raise UnreadableError(
        errno.EINVAL, f"it is {kinds.get(stat.S_IFMT(mode), 'something else')}, not a file", str(path)
    )


def _unreadable(path: Path, error: OSError | ValueError) -> UnreadableError:
    if isinstance(error, OSError):
        return UnreadableError(error.errno, error.strerror or str(error), str(path))
    return UnreadableError(errno.EINVAL, str(error), str(path))
