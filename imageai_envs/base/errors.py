"""Every error that a user can meet, with its exit code.

An error says what happened (``message``), and how to go on (``hint``: a command or one sentence). ``code`` is a
stable identifier for scripts; ``exit_code`` depends on the class only, so that a script can branch on it.
``data`` is what a script may want beside the words, for example the package diff of a drifted lock.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class ImageAIEnvError(Exception):
    """Base of all errors that this tool raises on purpose."""

    exit_code = 1
    code = "error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        data: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data or {}
        if code is not None:
            self.code = code


class UsageProblem(ImageAIEnvError):  # noqa: N818 - click has UsageError
    """The command line itself is wrong (exit code 2)."""

    exit_code = 2
    code = "usage"


class RequestError(ImageAIEnvError):
    """What was asked for cannot be (exit code 3): a name, a version, a requirement."""

    exit_code = 3
    code = "bad-request"


class FileError(RequestError):
    """A file is wrong; ``path`` says which (exit code 3)."""

    def __init__(
        self, message: str, *, path: Path | None = None, hint: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.path = path


class TemplateError(FileError):
    """A template file is wrong; the message lists every problem with its place (exit code 3)."""

    code = "bad-template"


class LockFileError(FileError):
    """A lock file cannot be read, or was made for something else (exit code 3)."""

    code = "bad-lock"


class PythonNotFoundError(ImageAIEnvError):
    """No interpreter that fits was found, and none could be fetched (exit code 4)."""

    exit_code = 4
    code = "python-not-found"


class UnsolvableError(ImageAIEnvError):
    """No set of versions satisfies all requirements (exit code 5)."""

    exit_code = 5
    code = "unsolvable"


class InstallError(ImageAIEnvError):
    """Building failed: index, network, disk, or an installer (exit code 6)."""

    exit_code = 6
    code = "install-failed"


class VerifyError(ImageAIEnvError):
    """The environment was built and does not work (exit code 7)."""

    exit_code = 7
    code = "verify-failed"


class DriftError(ImageAIEnvError):
    """A lock no longer matches what it was compiled from (exit code 8)."""

    exit_code = 8
    code = "drift"


class BusyError(ImageAIEnvError):
    """Another process is changing this environment (exit code 9)."""

    exit_code = 9
    code = "busy"


def from_os_error(error: OSError) -> ImageAIEnvError:
    """Return our error for what the operating system refused: full disk, no permission, a file in the way."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InstallError(
            f"The disk is full{place}.", hint="Free some space (df -h), then run it again.", code="disk-full"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return InstallError(
            f"Cannot write{place}: {error.strerror}.",
            hint="Set IMAGEAI_ENV_HOME to a directory that you may write.",
            code="not-writable",
        )
    return InstallError(f"The system refused{place}: {error.strerror or error}.", code="system")
