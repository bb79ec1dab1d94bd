"""Ask an executable which Python it is, and remember the answer.

Why not ``python_discovery.PythonInfo.from_exe``: (1.9.5, read in its source) it asks one candidate after the
other, asks a failing one twice, so that a hanging one costs 2 x 15 s, ends only the child and not what the
child started, writes what a candidate prints around the answer to our standard output, and logs a warning for
every Python 2. A script of ten lines in :func:`imageai_envs.base.process.run` has none of that.
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
from typing import Any

from imageai_envs.base import process
from imageai_envs.base.errors import InstallError
from imageai_envs.base.file_reading import RECORDS, parse_json, read_text
from imageai_envs.interpreters import places

TIMEOUT = 10.0
"""Seconds that an interpreter may take to say who it is."""

_FORGET_HANGING = 3600.0  # one that hung (a network mount, a locked file) is asked again after this many seconds
_SCHEMA = 2
_RELEASE = re.compile(r"(\d+)\.(\d+)")

# Runs under Python 2.7 and 3.x. `-I` would be shorter, and Python 2 does not know it: hence the removal of ''
# from sys.path, before a json.py in the working directory is imported. `-S` keeps sitecustomize and .pth out.
_FLAGS = ("-E", "-s", "-S", "-c")
_SCRIPT = """\
import sys
sys.path[:] = [p for p in sys.path if p]
import json, platform, sysconfig
v = sysconfig.get_config_var
lacking = []
try:
    import _tkinter
except ImportError:
    lacking.append("tkinter")
print(json.dumps({
    "executable": sys.executable, "version": list(sys.version_info[:3]), "level": sys.version_info[3],
    "implementation": platform.python_implementation(), "sys_platform": sys.platform,
    "machine": platform.machine(), "wide": sys.maxsize > 2 ** 32, "threaded": bool(v("Py_GIL_DISABLED")),
    "musl": "musl" in "%s %s" % (v("HOST_GNU_TYPE"), v("SOABI")), "lacking": lacking,
}))
"""


@dataclass(frozen=True)
class Facts:
    """What an interpreter says of itself; ``executable`` is what really ran, behind any launcher."""

    executable: str
    version: tuple[int, int, int]
    level: str
    implementation: str
    sys_platform: str
    machine: str
    wide: bool
    threaded: bool
    musl: bool
    lacking: tuple[str, ...]

    @classmethod
    def read(cls, value: Any) -> Facts:
        """Build from decoded JSON.

        Raises:
            ValueError: something is missing or of another type.
        """
        try:
            major, minor, patch = (int(part) for part in value["version"])
            words = [value[key] for key in ("executable", "level", "implementation", "sys_platform", "machine")]
            wide, threaded, musl = (bool(value[key]) for key in ("wide", "threaded", "musl"))
            lacking = tuple(str(name) for name in value["lacking"])
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError("not the answer of an interpreter") from error
        if not words[0] or not all(isinstance(word, str) for word in words):
            raise ValueError("not the answer of an interpreter")
        executable, level, implementation, sys_platform, machine = words
        version = (major, minor, patch)
        return cls(executable, version, level, implementation, sys_platform, machine, wide, threaded, musl, lacking)

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
    try:
        finished = process.run([executable, *_FLAGS, _SCRIPT], timeout=TIMEOUT)
    except InstallError as error:
        raise Unanswered(error.message.rstrip("."), hung=error.code == "timeout") from error
    lines = finished.stdout.strip().splitlines()
    if not finished.ok or not lines:
        last = (finished.stderr.strip().splitlines() or ["no output"])[-1]
        raise Unanswered(f"exit status {finished.returncode}: {last}")
    try:
        return Facts.read(parse_json(lines[-1]))  # a launcher may write lines of its own first
    except ValueError as error:
        raise Unanswered("it did not answer as a Python does") from error


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
