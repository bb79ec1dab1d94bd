"""The ground of hostile inputs: valid things that work, made once, and brought back before each input."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.conftest import tiny_template
from tests.hostile.hostile import SECONDS
from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.hostile.hostile import Hostile

_ADDRESSES = 6 << 30  # bytes; a backstop, so that what eats memory ends before the machine does
_DAC = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: without them the modes of files count for root too
_PR_CAPBSET_DROP = 24
# What commands may write beside what they are asked for; the last are locks that uv leaves.
_OWN = re.compile(r"store/(?:logs|cache|locks)|tmp/uv-[a-z0-9-]+\.lock")
_YAML = "name: lab\ndependencies:\n  - python=3.10\n  - pip\n  - pip:\n      - six\n"
_PYPROJECT = '[project]\nname = "lab"\nversion = "1"\ndependencies = ["six"]\n'


@dataclass(frozen=True)
class Ended:
    """A command that ended: its exit code (negative: a signal), what it wrote, what it took."""

    code: int
    out: str
    err: str
    seconds: float
    megabytes: float


@dataclass
class Ground:
    """A directory with a project, a store, a home and a canary in it, and what commands are told of the machine.

    Attributes:
        place: where it is, with its pristine copy beside.
        index: address of the local index.
    """

    place: Path
    index: str
    _controls: dict[object, tuple[str, ...]] = field(default_factory=dict)
    _valid: dict[str, str] = field(default_factory=dict)

    @property
    def world(self) -> Path:
        """Return the directory of everything that an input may change."""
        return self.place / "world"

    @property
    def _pristine(self) -> Path:
        return self.place / "pristine"

    @property
    def project(self) -> Path:
        """Return the working directory: a clone."""
        return self.world / "project"

    @property
    def ours(self) -> Path:
        """Return the environment ``x`` of the store."""
        return self.world / "store" / "envs" / "x"

    @property
    def theirs(self) -> Path:
        """Return the environment that came with the clone: a marker without a record."""
        return self.project / ".venv"

    def site(self, root: Path) -> Path:
        """Return the site-packages of an environment."""
        return next(root.glob("lib/python3*/site-packages"))

    def build(self) -> None:
        """Make the valid things; ends the session if one does not work."""
        for name in ("project/.imageai-env/templates", "store", "home", "canary", "tmp"):
            (self.world / name).mkdir(parents=True)
        (self.world / "canary" / "photo").write_bytes(b"\x89PNG irreplaceable")
        (self.world / "canary" / "thesis").mkdir()
        (self.world / "canary" / "thesis" / "chapter").write_text("of someone\n", encoding="utf-8")
        files = {
            ".imageai-env/templates/tiny.toml": tiny_template(),
            "given.toml": tiny_template("given"),
            "requirements.txt": "six\npytz\n",
            "environment.yml": _YAML,
            "pyproject.toml": _PYPROJECT,
        }
        for name, text in files.items():
            (self.project / name).write_text(text, encoding="utf-8")
        for words in (
            ("lock", "--template", "tiny", "-o", "lock.txt"),
            ("create", "x", "--lock", "lock.txt", "--verify", "imports"),
            ("create", "theirs", "--path", ".venv", "--lock", "lock.txt", "--verify", "none"),
        ):
            done = self.run(words)
            if done.code:
                sys.exit(f"{words}: {done.err}")
        shutil.copy2(self.project / "lock.txt", self.project / "same.txt")
        for record in (self.world / "store" / "records").glob("theirs.*"):
            record.unlink()  # so it came with the clone
        self.world.rename(self._pristine)  # its files are links to uv's cache; a copy's are its own
        subprocess.run(["cp", "-a", self._pristine, self.world], check=True)
        self._valid = self.fingerprint()

    def clear(self) -> None:
        """Delete the ground, of any depth and mode."""
        _take_away(self.world)

    def restore(self) -> None:
        """Bring back what is another one than when it was valid."""
        done: list[str] = []
        for path in self.changed(self._valid):
            if not any(path.startswith(f"{one}/") for one in done):
                done.append(path)
                _take_away(self.world / path)
                if os.path.lexists(self._pristine / path):
                    subprocess.run(["cp", "-a", self._pristine / path, self.world / path], check=True)
        if done:
            self._valid = self.fingerprint()

    def control(self, hostile: Hostile) -> tuple[str, ...]:
        """Show, once, that the command of an input works where nothing is hostile; return what is wrong."""
        words = hostile.good or hostile.words
        variables = hostile.good_variables if hostile.variables else {}
        key = (words, tuple(sorted(variables.items())))
        if key not in self._controls:
            self.restore()
            ended = self.run(words, variables)
            wrong = f"the valid one: exit {ended.code}: {(ended.out + ended.err)[:300]!r}"
            self._controls[key] = (wrong,) if ended.code else ()
        return self._controls[key]

    def run(self, words: tuple[str, ...], variables: Mapping[str, str | None] | None = None) -> Ended:
        """Run the command line in the project, within limits of time and memory."""
        environment = {**self.machine(), **{key: self.fill(text) for key, text in (variables or {}).items() if text}}
        for key in [key for key, text in (variables or {}).items() if text is None]:
            environment.pop(key, None)
        begun = time.monotonic()
        with (self.place / "out").open("w+b") as out, (self.place / "err").open("w+b") as err:
            child = subprocess.Popen(
                [sys.executable, "-m", "imageai_envs", *(self.fill(word) for word in words)],
                cwd=self.project,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=limits(),
            )
            code, used = _wait(child, begun + SECONDS)
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read(1 << 20).decode("utf-8", "backslashreplace"))
        return Ended(code, texts[0], texts[1], time.monotonic() - begun, used.ru_maxrss / 1000)

    def machine(self) -> dict[str, str]:
        """Return the environment variables of a healthy machine."""
        nobody = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.world / "home"),
            "TMPDIR": str(self.world / "tmp"),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "IMAGEAI_ENV_HOME": str(self.world / "store"),
            "UV_CACHE_DIR": str(self.place / "uv"),
            "PIP_CACHE_DIR": str(self.place / "pip"),
            "UV_DEFAULT_INDEX": self.index,
            "PIP_INDEX_URL": self.index,
            "RUSTUP_HOME": str(self.place / "rustup"),  # pip asks for the version of a rustc, which may be rustup's
            "PIP_CONFIG_FILE": os.devnull,
            "UV_NO_CONFIG": "1",
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",
            **nobody,
            "no_proxy": "127.0.0.1",
            "NO_PROXY": "127.0.0.1",
        }

    def fill(self, text: str) -> str:
        """Put the ground's directory into a word or a variable."""
        return (
            text.replace("{ground}", str(self.world))
            .replace("{repository}", str(REPOSITORY))
            .replace("{path}", os.environ["PATH"])
        )

    def fingerprint(self) -> dict[str, str]:
        """Return what is on the ground: paths to what changes when anybody touches them."""
        return dict(_tree(str(self.world)))

    def changed(self, before: Mapping[str, str], allowed: tuple[str, ...] = ()) -> list[str]:
        """Return the paths that are other ones than before, without those at or below ``allowed``."""
        after = self.fingerprint()
        paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
        return [path for path in paths if not any(path == one or path.startswith(f"{one}/") for one in allowed)]


def limits() -> Callable[[], None]:
    """Return what a child does before it becomes the command: as anybody's, without root's right to read all."""
    libc = ctypes.CDLL(None)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, _ADDRESSES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for capability in _DAC:
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)

    return limit


def _wait(child: subprocess.Popen[bytes], until: float) -> tuple[int, resource.struct_rusage]:
    """Wait for a child, and kill it with all its children when the time is over."""
    killed = False
    while True:
        number, status, used = os.wait4(child.pid, os.WNOHANG)
        if number:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, used
        if time.monotonic() > until and not killed:
            os.killpg(child.pid, signal.SIGKILL)
            killed = True
        time.sleep(0.01)


def _tree(top: str) -> Iterator[tuple[str, str]]:
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(f"{top}/{directory}") as entries:
                listing = sorted(entries, key=lambda one: one.name)
        except PermissionError:
            continue  # closed by an input, and we are not root
        for entry in listing:
            path = f"{directory}/{entry.name}" if directory else entry.name
            if _OWN.fullmatch(path):
                continue
            yield path, _mark(entry)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)


def _mark(entry: os.DirEntry[str]) -> str:
    """Return what tells whether anybody touched it. Directories change with what is in them, which is looked at."""
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        return f"{status.st_mode:o} {status.st_ino}"
    return f"{status.st_mode:o} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _take_away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        subprocess.run(["chmod", "-R", "u+rwX", path], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(["rm", "-rf", path], check=True)  # of any depth
