"""Cages: directories in which environments are built, looked at, run and removed, apart from the machine's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REPOSITORY = Path(__file__).parents[2]
# `-E`: variables such as PYTHONHOME are set for the animal, and are not to hit the tool that looks at it.
TOOL = (
    sys.executable,
    "-E",
    "-c",
    f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from imageai_envs.__main__ import main; main()",
)
SYSTEM_PATH = "/usr/bin:/bin"
_FOREIGN = ("PYTHON", "VIRTUAL_ENV", "CONDA", "PYENV", "UV_", "PIP_TARGET", "PIP_USER", "JUPYTER", "IMAGEAI_ENV")
_LIMIT = 600
_ERROR = re.compile(r"[A-Za-z_.]*(?:[Ee]rror|Exception): |.*: command not found$")


class NotHere(Exception):  # noqa: N818 - no error: this machine has no such Python
    """The machine lacks what an animal is made of."""


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it wrote, both streams as they came."""

    status: int
    output: str

    @property
    def last(self) -> str:
        """Return the error: the last line that begins with an exception's name, else the last that says something."""
        lines = [line.strip() for line in reversed(self.output.splitlines()) if line.strip()]
        return next((line for line in lines if _ERROR.match(line)), lines[0] if lines else "")


@dataclass(frozen=True)
class Scene:
    """What there is to look at when an animal is built.

    Attributes:
        words: what ``imageai-env doctor`` is asked.
        command: what its user would run; empty where nothing is to be run.
        variables: what is set in the user's terminal.
    """

    words: tuple[str | Path, ...]
    command: tuple[str | Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@cache
def uv() -> str:
    """Return uv, which must be installed beside us or on PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise SystemExit("the zoo needs uv: pip install uv")
    return found


@cache
def _wheels() -> str:
    """Return uv's cache of this machine: the only thing that cages share, so that TensorFlow is fetched once."""
    return subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()


@cache
def pyenv_root() -> Path:
    """Return where pyenv keeps its Pythons, there or not."""
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


@cache
def python(*minors: str) -> Path:
    """Return a real Python of this machine, of pyenv or on PATH: of the first minor that is here.

    Raises:
        NotHere: there is none.
    """
    for minor in minors:
        found = sorted(pyenv_root().glob(f"versions/{minor}.*/bin/python"))
        on_path = shutil.which(f"python{minor}")
        if found or on_path:
            return found[-1] if found else Path(str(on_path))
    raise NotHere(f"there is no Python {' or '.join(minors)} on this machine")


@dataclass(frozen=True)
class Cage:
    """One animal's place. Everything that is built goes below ``root``."""

    root: Path

    @property
    def home(self) -> Path:
        """Return the home directory of its user."""
        path = self.root / "home"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def terminal(self, **variables: str) -> dict[str, str]:
        """Return the variables of its user's terminal: bare ones and those given."""
        bare = {"PATH": SYSTEM_PATH, "HOME": str(self.home), "LANG": "C.UTF-8", "TMPDIR": str(self.root)}
        return {**bare, "IMAGEAI_ENV_HOME": str(self.root / "store"), **variables}

    def builders(self) -> dict[str, str]:
        """Return the variables for what builds it: network settings of the machine stay, its Python's go."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        own = {"UV_CACHE_DIR": _wheels(), "UV_LINK_MODE": "hardlink", "UV_PYTHON_DOWNLOADS": "never"}
        return {**kept, **self.terminal(), **own}

    def build(self, *words: str | Path) -> str:
        """Run what builds; it has to succeed."""
        done = self.run(words, self.builders())
        if done.status:
            raise RuntimeError(f"{' '.join(map(str, words))}\n{done.output[-2000:]}")
        return done.output

    def run(self, words: Sequence[str | Path], variables: Mapping[str, str]) -> Done:
        """Run a program in the cage to its end."""
        ended = subprocess.run(
            list(map(str, words)),
            env=dict(variables),
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT,
            check=False,
        )
        return Done(ended.returncode, ended.stdout.decode("utf-8", "replace"))

    def venv(self, minor: str, name: str = "env", *options: str, base: Path | None = None) -> Path:
        """Make a virtual environment with the venv of that Python, and pip in it unless told otherwise."""
        self.build(base or python(minor), "-m", "venv", "--without-pip", *options, self.root / name)
        if "--without-pip" not in options:
            self.install(self.root / name, "pip")  # as ensurepip does, from uv's cache
        return self.root / name

    def install(self, where: Path, *requirements: str) -> None:
        """Install from the index into an environment or installation, as pip would resolve it."""
        self.build(
            uv(), "pip", "install", "-q", "--break-system-packages", "--python", where / "bin/python", *requirements
        )

    def put(self, where: Path, *requirements: str) -> None:
        """Install exactly these over what is there, as ``pip install --no-deps`` does."""
        self.install(where, "--no-deps", *requirements)

    def installation(self, minor: str, name: str = "python") -> Path:
        """Copy a Python with its standard library: an installation that may be spoiled. Its pip is its own."""
        source = python(minor).parent.parent
        here = self.root / name

        def left_out(_: str, names: list[str]) -> set[str]:
            return {item for item in names if item in ("site-packages", "test", "__pycache__", "share")}

        shutil.copytree(source, here, symlinks=True, copy_function=_link, ignore=left_out)
        self.site(here).mkdir(exist_ok=True)
        for script in (here / "bin").iterdir():
            if not script.name.startswith("python"):
                script.unlink()
        self.build(here / "bin/python", "-m", "ensurepip")
        return here

    @staticmethod
    def site(where: Path) -> Path:
        """Return site-packages."""
        return next((where / "lib").glob("python?.*")) / "site-packages"

    def write(self, path: str, text: str, *, mode: int = 0o644) -> Path:
        """Write a file of the cage."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)
        return file

    def doctor(self, scene: Scene) -> dict[str, Any]:
        """Ask ``imageai-env doctor``, as a process of its own with the user's variables."""
        words = [*TOOL, "doctor", *scene.words, "--json"]
        answer = subprocess.run(
            list(map(str, words)),
            env=self.terminal(**scene.variables),
            cwd=self.root,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT,
            check=False,
        )
        try:
            data = json.loads(answer.stdout)["data"]
        except (ValueError, KeyError) as error:
            raise RuntimeError(f"doctor: exit {answer.returncode}: {answer.stdout}{answer.stderr}") from error
        assert isinstance(data, dict)
        return data

    def remove(self) -> None:
        """Remove everything. What uv linked from its cache stays there."""
        shutil.rmtree(self.root, ignore_errors=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or someone else's file
        shutil.copy2(source, target)


def cut(file: Path, part: float) -> None:
    """Leave the beginning of a file. uv's cache has the same file by another name, so it is not written into."""
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data[: int(len(data) * part)])


def metadata(site: Path, name: str, version: str, *requires: str) -> None:
    """Record a distribution without its files: where the wheel takes gigabytes."""
    directory = site / f"{name.replace('-', '_')}-{version}.dist-info"
    directory.mkdir(parents=True)
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    (directory / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (directory / "INSTALLER").write_text("pip\n", encoding="utf-8")
