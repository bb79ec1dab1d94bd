"""Fetch a Python with uv, into uv's own store, where every other tool finds it too.

Source: https://docs.astral.sh/uv/reference/environment/.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base import process
from imageai_envs.base.errors import InstallError, PythonNotFoundError
from imageai_envs.base.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    from imageai_envs.base.context import Context
    from imageai_envs.base.process import Finished

# Variables, not options: a uv that does not know them ignores them. Nothing may appear outside of uv's store:
# a `python3.10` in ~/.local/bin would change what the user's shell finds.
_QUIET_INSTALL = {"UV_PYTHON_INSTALL_BIN": "0", "UV_PYTHON_INSTALL_REGISTRY": "0"}

# What uv writes, and what it means. The words were seen with uv 0.13.9.
_REASONS = (
    ("No download found for request", "uv knows no build of Python {version} for this platform"),
    ("python-downloads", "the configuration of uv forbids downloads of Python"),
    ("connectivity is disabled", "uv is told to stay offline (UV_OFFLINE)"),
    ("dns error", "the download failed, there is no network"),
    ("client error (Connect)", "the download failed, the server cannot be reached"),
    ("Hash mismatch", "the download is damaged, its hash is wrong"),
    ("Failed to download", "the download failed"),
)


def uv_fetcher(uv: Path, context: Context) -> Callable[[str], Path]:
    """Return a function that installs a Python such as ``3.10`` with ``uv`` and returns its executable.

    Args:
        uv: the uv executable.
        context: directories, reporter and log of the command.
            where the user happens to stand has no say. The user's and the system's configuration of uv,
            mirrors for example, stay in effect.

    Returns:
        The function. It raises PythonNotFoundError when uv cannot deliver.
    """

    def fetch(version: str) -> Path:
        directory = context.home.cache
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError:
            directory = Path.home()
        context.reporter.step(f"fetching Python {version} with uv")
        run = _Uv(uv, directory, context)
        installed = run("install", version)
        if not installed.ok:
            # A failed installation leaves a directory that `uv python find` reports as found (uv 0.13.9), so
            # the exit status decides.
            raise _failure(version, installed)
        # Without --system, uv would answer with an environment.
        found = run("find", "--managed-python", "--system", "--no-project", "--no-python-downloads", version)
        lines = found.stdout.strip().splitlines()
        if not found.ok or not lines:
            raise _failure(version, found)
        return Path(lines[-1])

    return fetch


class _Uv:
    """Runs ``uv python`` in one place with one environment."""

    def __init__(self, uv: Path, directory: Path, context: Context) -> None:
        self._uv, self._directory, self._log, self._reporter = uv, directory, context.log, context.reporter

    def __call__(self, *words: str) -> Finished:
        try:
            return process.run(
                [self._uv, "python", *words],
                environment=process.clean_environment(_QUIET_INSTALL),
                cwd=self._directory,
                log=self._log,
                on_line=lambda line: self._reporter.output(redact(line)),
            )
        except InstallError as error:
            raise PythonNotFoundError(
                f"uv cannot be run: {redact(error.message)}",
                hint="Install uv again, or name a Python that is here: --python PATH",
                code="uv-failed",
            ) from error


def _failure(version: str, finished: Finished) -> PythonNotFoundError:
    said = redact(finished.stderr.strip() or finished.stdout.strip())
    reason = next((words for mark, words in _REASONS if mark in said), "uv reported an error")
    listing = "\n".join(f"  {line.rstrip()}" for line in said.splitlines() if line.strip())
    return PythonNotFoundError(
        f"Python {version} could not be fetched: {reason.format(version=version)}.\nuv says:\n{listing}",
        hint="Install it in another way and name it: --python /path/to/python",
        code="python-fetch-failed",
    )
