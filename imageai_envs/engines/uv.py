"""The uv engine: ``uv pip compile`` and ``uv pip install``."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.errors import RequestError
from imageai_envs.base.process import Finished, clean_environment, run
from imageai_envs.engines.failures import install_failure, resolution_failure
from imageai_envs.engines.files import follow, no_binary, options_beside, options_for, split_lock, write_lines
from imageai_envs.engines.index_settings import for_uv, options_for_uv
from imageai_envs.installed.distributions import distributions_in
from imageai_envs.locks.lockfile import parse_pins, render_pins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imageai_envs.base.context import Context
    from imageai_envs.engines.base import Resolution
    from imageai_envs.engines.files import InstallFiles
    from imageai_envs.installed.local_wheel import LocalWheel
    from imageai_envs.locks.lockfile import Lock, Pin
    from imageai_envs.request.interpreter import Interpreter
    from imageai_envs.request.target import Target


# Target's platform and machine to uv's name for it: https://docs.astral.sh/uv/reference/cli/#uv-pip-compile
_PLATFORMS = {
    ("linux", "x86_64"): "x86_64-manylinux_2_28",
    ("linux", "aarch64"): "aarch64-manylinux_2_28",
    ("win32", "x86_64"): "x86_64-pc-windows-msvc",
    ("darwin", "x86_64"): "x86_64-apple-darwin",
    ("darwin", "arm64"): "aarch64-apple-darwin",
}


_LOCK_TIMEOUT = "10"  # seconds


def _platform(target: Target) -> str:
    try:
        return _PLATFORMS[target.platform, target.machine]
    except KeyError:
        known = ", ".join(f"{platform}-{machine}" for platform, machine in _PLATFORMS)
        raise RequestError(
            f"No lock can be resolved for {target}: known platforms are {known}.",
            hint="imageai-env lock --target cp310-win32-x86_64",
            code="bad-target",
        ) from None


def find_uv() -> Path | None:
    """Return the uv that was installed with us (the ``uv`` extra), or the first on PATH."""
    try:
        from uv import find_uv_bin
    except ImportError:
        found = shutil.which("uv")
        return Path(found) if found else None
    try:
        return Path(find_uv_bin())
    except FileNotFoundError:
        return None


def _version_beside_us(executable: Path) -> str | None:
    """Return the version of the uv that was installed with us, without starting it.

    Read from its metadata directory's name, as an environment's are: importing importlib.metadata takes as long.
    """
    try:
        import uv

        if Path(uv.find_uv_bin()) != executable:
            return None
    except (ImportError, FileNotFoundError):
        return None
    site = Path(uv.__file__).parents[1]
    return next((item.version for item in distributions_in(site) if item.name == "uv"), None)


def _building(lock: Lock, files: InstallFiles, work: Path) -> list[str | Path]:
    """Return the options that build from source with nothing but the locked setuptools and wheel, hashes checked."""
    options = no_binary(files.built)
    builders = [pin for name in ("setuptools", "wheel") if (pin := lock.pin(name))]
    if builders:
        options += ["--build-constraint", write_lines(work / "builders.txt", render_pins(builders, comments=False))]
    return options


@dataclass(frozen=True)
class UvEngine:
    """Runs one uv executable.

    Attributes:
        executable: the program.
        cache: a cache to use in place of the user's.
    """

    executable: Path
    cache: Path | None = None

    @property
    def name(self) -> str:
        """Name of the engine."""
        return "uv"

    @property
    def uv(self) -> Path:
        """The uv executable."""
        return self.executable

    @cached_property
    def _version(self) -> str:
        beside_us = _version_beside_us(self.executable)
        if beside_us:
            return beside_us
        answer = run([self.executable, "--version"], timeout=60).stdout.split()
        return answer[1] if len(answer) > 1 else "unknown"

    def describe(self, interpreter: Interpreter) -> str:  # noqa: ARG002 - one uv serves every Python
        """Return ``uv`` and its version."""
        return f"uv {self._version}"

    def _run(
        self, arguments: list[str | Path], work: Path, context: Context, extra: dict[str, str] | None = None
    ) -> Finished:
        # `work` as directory: a pyproject.toml with [tool.uv] overrides where the user happens to stand must not
        # change what is resolved. Their uv.toml and their index variables still count.
        return run(
            [self.executable, *arguments, "--color", "never"],
            environment=clean_environment({**for_uv(), **self._own_cache(), **(extra or {})}),
            cwd=work,
            log=context.log,
            on_line=lambda line: follow(line, context.reporter),
        )

    def _own_cache(self) -> dict[str, str]:
        # Hard links, also where the user wants symbolic ones: the files stay when this cache goes.
        return {"UV_CACHE_DIR": str(self.cache), "UV_LINK_MODE": "hardlink"} if self.cache else {}

    def resolve(
        self, resolution: Resolution, interpreter: Interpreter, work: Path, context: Context
    ) -> tuple[Pin, ...]:
        """Return the pins that satisfy ``resolution`` (see :class:`~imageai_envs.engines.base.Engine`)."""
        common: list[str | Path] = [
            "--python", interpreter.executable, "--generate-hashes", "--no-header", "--no-emit-index-url",
            "--no-emit-find-links", "--only-binary", ":all:", "--no-python-downloads", "--no-sources",
            *no_binary(resolution.built),
        ]  # fmt: skip
        if resolution.target != interpreter.target:
            common += ["--python-platform", _platform(resolution.target)]
            common += ["--python-version", resolution.target.python_version]
        # uv keeps the versions of an existing output file, as pip-tools does.
        output = write_lines(work / "resolved.txt", render_pins(resolution.preferences(), comments=False))
        self._compile("resolve", resolution.requirements, resolution.constraints, common, output, context)
        pins = list(parse_pins(output.read_text(encoding="utf-8")))
        if resolution.alone:
            alone = work / "alone.txt"
            self._compile("alone", resolution.alone, (), [*common, "--no-deps"], alone, context)
            pins += parse_pins(alone.read_text(encoding="utf-8"))
        return tuple(sorted(pins, key=lambda pin: pin.name))

    def _compile(
        self,
        name: str,
        requirements: tuple[str, ...],
        constraints: tuple[str, ...],
        options: list[str | Path],
        output: Path,
        context: Context,
    ) -> None:
        work = output.parent
        arguments: list[str | Path] = [
            "pip",
            "compile",
            "--quiet",
            *options_for_uv(),
            write_lines(work / f"{name}.in", requirements),
        ]
        if constraints:
            arguments += ["--constraints", write_lines(work / f"{name}-constraints.txt", constraints)]
        done = self._run([*arguments, *options, "--output-file", output], work, context)
        if not done.ok:
            raise resolution_failure(done, context.log.path)

    def install(
        self,
        python: Path,
        lock: Lock,
        work: Path,
        context: Context,
        only: frozenset[str] | None = None,
        beside: Sequence[LocalWheel] = (),
    ) -> None:
        """Install exactly ``lock`` (see :class:`~imageai_envs.engines.base.Engine`)."""
        files = split_lock(lock, work, only)
        command: list[str | Path] = [
            "pip", "install", "--python", python, "--no-deps", "--require-hashes", "--no-python-downloads",
            "--only-binary", ":all:", *options_for_uv(), "-r", files.wheels,
        ]  # fmt: skip
        if files.sources:
            command += ["-r", files.sources, *_building(lock, files, work)]
        if only is not None:
            command.append("--reinstall")
        # From uv's cache alone, if it has everything. Pins are exact and hashed, so no index can change what is
        # installed; asking it whether its pages of 55 distributions are still the same takes longer than installing.
        # A cache that lacks something says so in hundredths of a second, before anything is installed. So does an old
        # uv (0.9) that reads no pages from files.
        done = self._run([*command, *self._beside(beside, work, context), "--offline"], work, context)
        if not done.ok:
            for wheel in beside:
                self.install_wheel(python, wheel, work, context)
            done = self._run(command, work, context)
        if not done.ok:
            raise install_failure(done, context.log.path)

    def _beside(self, wheels: Sequence[LocalWheel], work: Path, context: Context) -> list[str | Path]:
        if not wheels:
            return []
        pages = context.home.cache / "pages"
        try:
            pages.mkdir(parents=True, exist_ok=True)
        except OSError:
            pages = work  # it takes a little longer then
        return options_beside(wheels, work, pages)

    def install_wheel(self, python: Path, wheel: LocalWheel, work: Path, context: Context) -> None:
        """Install one wheel file (see :class:`~imageai_envs.engines.base.Engine`)."""
        command: list[str | Path] = [
            "pip", "install", "--python", python, "--no-deps", "--require-hashes", "--no-python-downloads",
            "--reinstall", *options_for(wheel, work),
        ]  # fmt: skip
        done = self._run(command, work, context)
        if not done.ok:
            raise install_failure(done, context.log.path)

    def apart(self, cache: Path) -> UvEngine:
        """Return the same with another cache (see :class:`~imageai_envs.engines.base.Engine`)."""
        return replace(self, cache=cache)

    def distrust(self, names: frozenset[str], work: Path, context: Context) -> bool:
        """Forget cached files (see :class:`~imageai_envs.engines.base.Engine`)."""
        # uv waits until no other uv uses its cache, and `uv run` does for hours.
        done = self._run(
            ["cache", "clean", *sorted(names)],
            work,
            context,
            {"UV_LOCK_TIMEOUT": _LOCK_TIMEOUT},
        )
        return done.ok

    def uninstall(self, python: Path, names: frozenset[str], work: Path, context: Context) -> None:
        """Remove distributions (see :class:`~imageai_envs.engines.base.Engine`)."""
        if names:
            done = self._run(["pip", "uninstall", "--python", python, *sorted(names)], work, context)
            if not done.ok:
                raise install_failure(done, context.log.path)
