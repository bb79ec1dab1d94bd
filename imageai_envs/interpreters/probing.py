"""Ask an executable which Python it is, and remember the answer.

Why not ``python_discovery.PythonInfo.from_exe``: (1.9.5, read in its source) it asks one candidate after the
other, asks a failing one twice, so that a hanging one costs 2 x 15 s, ends only the child and not what the
child started, writes what a candidate prints around the answer to our standard output, and logs a warning for
every Python 2. A small script in :func:`imageai_envs.base.process.run` has none of that.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from imageai_envs.base import process
from imageai_envs.base.errors import InstallError
from imageai_envs.base.file_reading import RECORDS, parse_json, read_text
from imageai_envs.interpreters import places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TIMEOUT = 10.0
"""Seconds that an interpreter may take to say who it is."""

_FORGET_HANGING = 3600.0  # one that hung (a network mount, a locked file) is asked again after this many seconds
_SCHEMA = 3
_RELEASE = re.compile(r"(\d+)\.(\d+)")

# As it would be without the user's settings. `-I` would be shorter, and Python 2 does not know it; `-S` keeps
# sitecustomize and .pth out.
_ALONE = ("-E", "-s", "-S")
_QUESTIONS = Path(__file__).with_name("interpreter_facts.py")
_MARK = "@@imageai-env@@"
NO_ANSWER = "it did not answer as a Python does"
_WORDS = ("executable", "level", "implementation", "sys_platform", "machine", "no_tkinter")


@dataclass(frozen=True)
class Facts:
    """What an interpreter says of itself.

    Attributes:
        executable: what really ran, behind any launcher.
        version: major, minor, patch.
        level: ``final``, or what kind of prerelease it is.
        implementation: such as ``CPython``.
        sys_platform: ``linux``, ``darwin``, ``win32``.
        machine: such as ``x86_64``.
        wide: it is a 64-bit build.
        threaded: it is a free-threaded build.
        musl: it is built for musl.
        no_tkinter: why it cannot import tkinter; empty when it can.
    """

    executable: str
    version: tuple[int, int, int]
    level: str
    implementation: str
    sys_platform: str
    machine: str
    wide: bool
    threaded: bool
    musl: bool
    no_tkinter: str

    @classmethod
    def read(cls, value: Any) -> Facts:
        """Build from decoded JSON.

        Raises:
            ValueError: something is missing or of another type.
        """
        try:
            major, minor, patch = (int(part) for part in value["version"])
            words = [value[key] for key in _WORDS]
            wide, threaded, musl = (bool(value[key]) for key in ("wide", "threaded", "musl"))
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(NO_ANSWER) from error
        if not words[0] or not all(isinstance(word, str) for word in words):
            raise ValueError(NO_ANSWER)
        executable, level, implementation, sys_platform, machine, no_tkinter = words
        version = (major, minor, patch)
        return cls(executable, version, level, implementation, sys_platform, machine, wide, threaded, musl, no_tkinter)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Return those of :data:`~imageai_envs.request.interpreter.OPTIONAL_MODULES` that it cannot import."""
        return ("tkinter",) if self.no_tkinter else ()

    @property
    def unusable(self) -> str | None:
        """Say why neither TensorFlow nor PyTorch can run here: no wheel was ever made for such a build."""
        if self.implementation != "CPython":
            return f"{self.implementation}, not CPython"
        if not self.wide:
            return "a 32-bit build"
        if self.level != "final":
            return "a prerelease"
        if self.threaded:
            return "a free-threaded build"
        return "built for musl, not for glibc" if self.musl else None


class Unanswered(Exception):  # noqa: N818 - not an error: most files that are asked may well stay silent
    """An executable did not answer as a Python; ``hung`` when it had to be ended."""

    def __init__(self, reason: str, *, hung: bool = False) -> None:
        super().__init__(reason)
        self.hung = hung


def ask(executable: Path) -> Facts:
    """Run ``executable`` and return what it says of itself.

    Raises:
        Unanswered: it cannot be started, failed, hung, or wrote something else.
    """
    return Facts.read(question(executable, *_ALONE))


def question(
    executable: Path,
    *flags: str,
    imports: bool = False,
    environment: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    meanwhile: Callable[[], object] | None = None,
) -> dict[str, Any]:
    """Run ``executable`` with ``interpreter_facts.py`` and return its answer, of which :meth:`Facts.read` can be made.

    Args:
        executable: the Python.
        flags: its own options.
        imports: ask what it would import, too.
        environment: all variables; default: ours, without what would redirect it.
        timeout: seconds that it may take.
        meanwhile: is called while it runs.

    Raises:
        Unanswered: it cannot be started, failed, hung, or wrote something else.
    """
    script = _QUESTIONS.read_text(encoding="utf-8")
    argv: list[str | Path] = [executable, *flags, "-c", script, *(["imports"] if imports else [])]
    try:
        finished = process.run(argv, environment=environment, timeout=timeout, meanwhile=meanwhile)
    except InstallError as error:
        raise Unanswered(error.message.rstrip("."), hung=error.code == "timeout") from error
    for line in reversed(finished.stdout.splitlines()):  # a launcher or a .pth file may write lines of its own
        _, mark, text = line.partition(_MARK)
        if mark:
            with contextlib.suppress(ValueError):
                answer = parse_json(text)
                Facts.read(answer)
                return cast("dict[str, Any]", answer)
            raise Unanswered(NO_ANSWER)
    if finished.ok and finished.stdout.strip():
        raise Unanswered(NO_ANSWER)
    last = (finished.stderr.strip().splitlines() or ["no output"])[-1]
    raise Unanswered(f"exit status {finished.returncode}: {last}")


class Memory:
    """Answers kept on disk, valid while the file that gave them is the same.

    Neither a cache that cannot be read nor one that cannot be written is an error: it only costs time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        self._entries: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(OSError, ValueError):
            data = parse_json(read_text(path, limit=RECORDS))
            if isinstance(data, dict) and data.get("schema") == _SCHEMA and isinstance(data.get("entries"), dict):
                self._entries = {key: value for key, value in data["entries"].items() if isinstance(value, dict)}

    def recall(self, real: str) -> Facts | None:
        """Return what was learned of the file ``real``; None when nothing valid is known."""
        try:
            return Facts.read(self._entry(real).get("facts"))
        except ValueError:
            return None

    def hung(self, real: str) -> bool:
        """Tell whether the file ``real`` hung not long ago."""
        when = self._entry(real).get("hung")
        return isinstance(when, (int, float)) and 0 <= time.time() - when < _FORGET_HANGING

    def keep(self, real: str, facts: Facts) -> None:
        """Remember an answer, unless ``real`` only launched another file: what it starts may change."""
        if os.path.realpath(facts.executable) == real:
            self._entries[real] = {"stamp": _stamp(real), "facts": asdict(facts)}
            self._changed = True

    def _entry(self, real: str) -> dict[str, Any]:
        entry = self._entries.get(real, {})
        return entry if entry.get("stamp") == _stamp(real) else {}

    def keep_hung(self, real: str) -> None:
        """Remember that the file ``real`` hung, so that not every command waits for it."""
        self._entries[real] = {"stamp": _stamp(real), "hung": time.time()}
        self._changed = True

    def save(self) -> None:
        """Write the answers, in one step, so that a reader never sees half of them."""
        if not self._changed:
            return
        entries = {key: value for key, value in self._entries.items() if os.path.lexists(key)}
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".interpreters-", dir=self._path.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    json.dump({"schema": _SCHEMA, "entries": entries}, stream)
                Path(temporary).replace(self._path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise


def _stamp(real: str) -> list[int]:
    try:
        status = Path(real).stat()
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size]


def base_executable(executable: Path) -> Path | None:
    """Return the interpreter that a virtual environment was made from; ``executable`` itself outside of one.

    Read from ``pyvenv.cfg`` (PEP 405), because an environment whose base has moved cannot be asked.

    Returns:
        None when the base is gone.
    """
    for _ in range(5):  # an environment may be made from an environment
        real = Path(os.path.realpath(executable))
        # A link to an environment's Python stands outside of it: then the target decides.
        keys = _pyvenv(executable) or _pyvenv(real)
        if not keys:
            return executable
        base = _base_of(keys, real)
        if base is None or base == executable:
            return None
        executable = base
    return None


def _base_of(keys: dict[str, str], real: Path) -> Path | None:
    directory = Path(keys.get("home", ""))
    named = [Path(keys[key]) for key in ("base-executable", "executable") if key in keys]
    release = _RELEASE.match(keys.get("version", "") or keys.get("version_info", ""))
    if release and directory.is_absolute():
        # The directory that the environment was made from outlives patch releases, the file behind may not.
        names = (f"python{release[1]}.{release[2]}", "python.exe") if os.name == "nt" else (f"python{release[0]}",)
        named = [*(directory / name for name in names), *named]
    if not _pyvenv(real):
        named.append(real)
    return next((path for path in named if path.is_absolute() and places.runs(path)), None)


def _pyvenv(executable: Path) -> dict[str, str]:
    """Return the keys of the environment's configuration; empty when ``executable`` is in no environment."""
    for directory in (executable.parent, executable.parent.parent):
        with contextlib.suppress(OSError):
            text = read_text(directory / "pyvenv.cfg", errors="replace")
            pairs = (line.partition("=") for line in text.splitlines())
            return {key.strip().lower(): value.strip() for key, equals, value in pairs if equals}
    return {}
