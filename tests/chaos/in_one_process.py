"""Play sequences in this process, with faults at every file-system call.

What is real: the command line from its options to its exit code, plans, records, markers, transactions, everything that
moves, deletes, replaces, keeps, checks or adopts. What is not: what other programs do. An environment is a few files
(written by stand-ins for the creator and the engine, with right RECORDs), the interpreter is given, templates are read
once, locks between processes have nobody to wait for, and ``run`` starts nothing.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import importlib
import io
import os
import signal
import tempfile
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from filelock import FileLock

from imageai_envs.base.errors import InstallError
from imageai_envs.base.paths import CACHE_VARIABLE, HOME_VARIABLE, Home
from imageai_envs.cli import app
from imageai_envs.environments.environment import Condition, condition_of
from imageai_envs.interpreters import Interpreter
from imageai_envs.locks.lockfile import Header, Lock, Pin
from imageai_envs.request.framework import TENSORFLOW, Release
from imageai_envs.running import run
from imageai_envs.templates.catalog import select
from imageai_envs.verification.verify import Verification, verify
from imageai_envs.workflows import create, maintain, repair
from tests.chaos import faults
from tests.chaos.ground import Ground
from tests.chaos.playing import End, Player, wipe
from tests.chaos.sequences import Step
from tests.support.catalogue import modules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imageai_envs.base.context import Context
    from imageai_envs.installed.distributions import Distribution

PYTHON = Interpreter(Path("/usr/bin/env"), (3, 10, 13), "CPython", "linux", "x86_64", "PATH")
_SITE = "lib/python3.10/site-packages"
_PINS = {"imageai": "2.1.6", "numpy": "1.23.5", "tensorflow-cpu": "2.10.1"}
_LOCKS = {"a": _PINS, "b": {**_PINS, "numpy": "1.22.4", "six": "1.16.0"}}


def _pins(versions: dict[str, str]) -> tuple[Pin, ...]:
    return tuple(
        Pin(name, version, (f"sha256:{hashlib.sha256(f'{name} {version}'.encode()).hexdigest()}",))
        for name, version in sorted(versions.items())
    )


def lock(name: str) -> Lock:
    """Return one of the two locks."""
    header = Header(
        "tf2.10", Release(TENSORFLOW, "2.10.1"), "2.1.6", "cpu", PYTHON.target, "uv 0.13.9", (), True, (), (),
        f"sha256:{'0' * 64}",
    )  # fmt: skip
    return Lock(header, _pins(_LOCKS[name]))


@functools.cache
def _files(name: str, version: str) -> dict[str, bytes]:
    """Return the files of an installed distribution."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    files = {path: text.encode() for path, text in modules_of(name, version).items()}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n".encode()
    rows = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}")
    files[f"{info}/INSTALLER"] = b"uv\n"
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]).encode() + b"\n"
    return files


class _Engine:
    """Stands in for uv: installs by writing, resolves by knowing."""

    name = "uv"
    uv = None

    def apart(self, _cache: Path) -> _Engine:
        return self

    def describe(self, _interpreter: Interpreter) -> str:
        return "uv 0.13.9"

    def resolve(self, *_: object) -> tuple[Pin, ...]:
        return _pins(_LOCKS["b"])

    def install(
        self, python: Path, lock: Lock, *_: object, only: frozenset[str] | None = None, **_beside: object
    ) -> None:
        root = python.parents[1]
        try:
            with faults.installing():
                for pin in lock.pins:
                    if only is None or pin.name in only:
                        _write_all(root / _SITE, _files(pin.name, pin.version))
        except OSError as error:
            raise InstallError(f"The installer failed: {error}") from error

    def distrust(self, *_: object) -> bool:
        """Have no cache."""
        return True

    def uninstall(self, python: Path, names: frozenset[str], *_: object) -> None:
        from imageai_envs.installed.distributions import distributions_in

        with faults.installing():
            for item in distributions_in(python.parents[1] / _SITE):
                if item.name in names:
                    _uninstall(item)


def _uninstall(item: Distribution) -> None:
    for path in item.files:
        (item.site / path).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        item.path.rmdir()


def _write_all(directory: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _create_venv(interpreter: Interpreter, root: Path, *_: object) -> tuple[()]:
    """Stand in for the creator of a virtual environment."""
    with faults.installing():
        files = {
            "pyvenv.cfg": b"home = /usr/bin\nversion = 3.10.13\n",
            "bin/activate": b"# activate\n",
            ".gitignore": b"*",
            "CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55\n",
            f"{_SITE}/_virtualenv.py": b"",
            **{f"{_SITE}/{path}": content for path, content in _files("pip", "26.3").items()},
        }
        _write_all(root, files)
        (root / "bin" / "python").symlink_to(interpreter.executable)
        (root / "lib64").symlink_to("lib")
    return ()


def _verify(root: Path, lock: Lock, _level: str, context: Context) -> Verification:
    """Compare with the lock; run nothing."""
    return verify(root, lock, "none", context)


@contextmanager
def stand_ins() -> Iterator[None]:
    """Put what is not real into its place."""
    with contextlib.ExitStack() as stack:
        engine: Any = _Engine()
        chosen = functools.cache(lambda request, _data: select(request, _NOWHERE))

        def selecting(request: object, *_: object) -> object:
            return chosen(request, None)

        for module in (create, maintain):
            stack.enter_context(patch.object(module, "find_python", lambda *_, **__: PYTHON))
        for module in (create, maintain, repair):
            stack.enter_context(patch.object(module, "get_engine", lambda *_: engine))
        stack.enter_context(patch.object(create, "create_venv", _create_venv))
        stack.enter_context(patch.object(create, "select", selecting))
        stack.enter_context(patch("imageai_envs.templates.catalog.select", selecting))
        stack.enter_context(patch.object(create, "verified_lock", lambda _: lock("a")))
        stack.enter_context(patch.object(create, "verify", _verify))
        stack.enter_context(patch.object(run, "run_in", lambda *_: 0))
        stack.enter_context(patch.object(run, "can_be_explained", lambda *_: False))
        stack.enter_context(patch.object(os, "cpu_count", lambda: 1))  # one thread: calls come in one order
        yield


_NOWHERE: Any = Home(Path("/nowhere"), Path("/nowhere"), Path("/nowhere"))


@dataclass
class InOneProcess:
    """Gives commands in this process.

    Attributes:
        hits: which faults really happened: kind of call, its number, what, and the command.
        struck: how many did.
    """

    hits: set[tuple[str, int, str, str]] = field(default_factory=set)
    struck: int = 0

    @contextmanager
    def on(self, place: Path) -> Iterator[None]:
        """Move directories, variables, random numbers and temporary files below ``place``."""
        numbers = iter(range(1 << 60))

        def urandom(size: int) -> bytes:
            return hashlib.sha256(f"{place.name} {next(numbers)}".encode()).digest()[:size]

        here = Path.cwd()
        (place / "project").mkdir(parents=True)
        for name in ("a", "b"):
            (place / f"{name}.txt").write_text(lock(name).render(), encoding="utf-8")
        os.chdir(place / "project")
        variables = {
            HOME_VARIABLE: str(place / "store"),
            CACHE_VARIABLE: str(place / "store" / "cache"),
            "NO_COLOR": "1",
        }
        try:
            with (
                patch.dict(os.environ, variables),
                patch.object(tempfile, "tempdir", str(place / "tmp")),
                patch.object(os, "urandom", urandom),
            ):
                yield
        finally:
            os.chdir(here)

    def give(self, ground: Ground, words: tuple[str, ...], step: Step) -> End:
        """Give one command with the step's fault."""
        output, wrong, killed = io.StringIO(), "", False
        before = signal.getsignal(signal.SIGTERM)
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            faults.disk(ground.place, step.fault, output) as disk,
        ):
            try:
                app.run(words)
            except faults.Killed:
                killed = True
            except BaseException as error:  # noqa: BLE001 - whatever leaves a command is a traceback
                wrong = f"traceback: {''.join(traceback.format_exception(error))}"
        signal.signal(signal.SIGTERM, before)
        _die()
        if disk.hit and step.fault:
            self.struck += 1
            self.hits.add((step.fault.kind, step.fault.at, step.fault.what, words[0]))
        text = output.getvalue()[: disk.spoken if killed else None]
        if "Something unexpected happened" in text:
            wrong = f"traceback: {text}"
        # Installers are at work while a new one is built, never while the old one is brought back.
        undone = disk.hit and step.fault is not None and step.fault.kind == "install" and not disk.lasts
        return End(text, killed, wrong, undone and words[0] in ("create", "recreate", "sync", "upgrade", "clone"))


def _die() -> None:
    """Let go of what would have gone with the process."""
    for held in list(FileLock._instances.values()):
        held.release(force=True)


@contextmanager
def player(place: Path) -> Iterator[tuple[Player, InOneProcess]]:
    """Yield who plays sequences below ``place`` in this process."""
    for name, _ in app.COMMANDS.values():  # imported before calls are counted
        importlib.import_module(f"imageai_envs.cli.commands.{name}")
    commands = InOneProcess()
    with stand_ins():
        elsewhere, made = place / "another", place / "made"
        with commands.on(elsewhere):
            ground = Ground(elsewhere, made)
            words = ("create", "x", "--lock", str(elsewhere / "a.txt"), "--verify", "none")
            end = commands.give(ground, words, Step((), words, None, None))
            assert condition_of(ground.root("x")) is Condition.FINISHED, end
            ground.root("x").rename(made)
        wipe(elsewhere)
        yield Player(place, made, commands), commands
