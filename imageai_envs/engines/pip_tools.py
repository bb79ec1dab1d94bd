"""The pip engine: pip-tools resolves in a helper environment of the target's Python, the environment's pip installs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from importlib.resources import files as package_files
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from imageai_envs.base.errors import InstallError, RequestError
from imageai_envs.base.process import Finished, clean_environment, run
from imageai_envs.engines.failures import install_failure, resolution_failure
from imageai_envs.engines.files import commands_in_order, follow, options_for, split_lock, write_lines
from imageai_envs.engines.helper import OLDEST_THAT_RESOLVES, helper_environment, helper_pins
from imageai_envs.engines.index_settings import for_pip
from imageai_envs.environments.hints import install_beside_us
from imageai_envs.locks.lockfile import Pin, parse_pins, render_pins

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.engines.base import Resolution
    from imageai_envs.installed.local_wheel import LocalWheel
    from imageai_envs.locks.lockfile import Lock
    from imageai_envs.request.interpreter import Interpreter


def _pip_environment() -> dict[str, str]:
    own = {"PIP_RETRIES": "3", "PIP_ROOT_USER_ACTION": "ignore"}
    # pip before 23.1 (the one that Pythons 3.7 and 3.8 bring) runs `setup.py install` for what --no-binary names, and
    # leaves an egg-info without RECORD. A variable, since newer pips have no such option any more.
    return clean_environment({**own, "PIP_USE_PEP517": "1", **for_pip()})


def _without_options(text: str) -> str:
    """Drop the format options that pip-compile repeats; the oldest version that we run has no option against it."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(("--only", "--no-binary")))


@dataclass(frozen=True)
class PipEngine:
    """Needs nothing that is not installed with us, save pip in the target's Python."""

    @property
    def name(self) -> str:
        """Name of the engine."""
        return "pip"

    @property
    def uv(self) -> None:
        """No uv here."""

    def describe(self, interpreter: Interpreter) -> str:
        """Return the versions of pip-tools and pip that resolve for this Python."""
        if interpreter.minor < OLDEST_THAT_RESOLVES:
            return "pip"  # verified and given locks only
        return helper_pins(interpreter.minor).words()

    def _run(self, argv: list[str | Path], work: Path, context: Context) -> Finished:
        return run(
            argv,
            environment=_pip_environment(),
            cwd=work,
            log=context.log,
            on_line=lambda line: follow(line, context.reporter),
        )

    def resolve(
        self, resolution: Resolution, interpreter: Interpreter, work: Path, context: Context
    ) -> tuple[Pin, ...]:
        """Return the pins that satisfy ``resolution`` (see :class:`~imageai_envs.engines.base.Engine`)."""
        if resolution.target != interpreter.target:
            raise RequestError(
                f"The engine pip resolves for the machine that it runs on, {interpreter.target}, and not for "
                f"{resolution.target}.",
                hint=f"{install_beside_us('uv')}   (then use --engine uv)",
                code="foreign-target",
            )
        if interpreter.minor < OLDEST_THAT_RESOLVES:
            raise RequestError(
                f"The engine pip cannot resolve for Python {interpreter.target.python_version}: pip-tools for it is "
                "too old. It installs verified locks, and locks that the engine uv made.",
                hint=f"{install_beside_us('uv')}   (then use --engine uv)",
                code="old-python",
            )
        python = helper_environment(interpreter, context, _pip_environment())
        output = write_lines(work / "resolved.txt", render_pins(resolution.preferences(), comments=False))
        # Constraints ride in the input file: the oldest pip-tools that we run has no option for them.
        write_lines(work / "constraints.txt", resolution.constraints)
        source = write_lines(work / "resolve.in", [*resolution.requirements, "-c constraints.txt"])
        binary = ["--only-binary=:all:", *(f"--no-binary={name}" for name in resolution.built)]
        # fast-deps reads a wheel's metadata by range requests where an index has no PEP 658 metadata.
        pip_args = " ".join([*binary, "--use-feature=fast-deps"])
        driver = package_files("imageai_envs.engines") / "pip_tools_driver.py"
        done = self._run(
            [
                python, "-I", str(driver), "compile", "-v", "--generate-hashes", "--resolver=backtracking",
                "--strip-extras", "--no-header", "--no-emit-index-url", "--no-emit-find-links",
                "--no-emit-trusted-host",
                "--allow-unsafe", "--cache-dir", context.home.cache / "pip-tools", f"--pip-args={pip_args}",
                "--output-file", output, source,
            ], work, context)  # fmt: skip
        if not done.ok:
            raise resolution_failure(self._ask_why(python, done, work, context), context.log.path)
        pins = [*parse_pins(_without_options(output.read_text(encoding="utf-8")))]
        pins += self._pin_alone(python, resolution, binary, work, context)
        return tuple(sorted(pins, key=lambda pin: pin.name))

    def _ask_why(self, python: Path, done: Finished, work: Path, context: Context) -> Finished:
        """Add what the index says when pip found no version at all: an answer such as 500 it keeps to itself."""
        name = re.search(
            r"satisfies the requirement ([A-Za-z0-9._-]+).*\(from versions: none\)", done.stdout + done.stderr
        )
        if not name:
            return done
        asked = self._run([python, "-I", "-m", "pip", "index", "versions", "-vv", name[1]], work, context)
        return replace(done, stderr=f"{done.stderr}\n{asked.stdout}\n{asked.stderr}")

    def _pin_alone(
        self, python: Path, resolution: Resolution, binary: list[str], work: Path, context: Context
    ) -> list[Pin]:
        """Pin requirements without their dependencies; pip-compile cannot, pip's report says file and hash."""
        if not resolution.alone:
            return []
        report = work / "report.json"
        done = self._run(
            [
                python, "-I", "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--report",
                report, *binary, *resolution.alone,
            ], work, context)  # fmt: skip
        if not done.ok:
            raise resolution_failure(done, context.log.path)
        # The report's format: https://pip.pypa.io/en/stable/reference/installation-report/
        pins = []
        for item in json.loads(report.read_text(encoding="utf-8"))["install"]:
            archive = item["download_info"].get("archive_info", {})
            value = archive.get("hashes", {}).get("sha256") or archive.get("hash", "").removeprefix("sha256=")
            if not value:
                raise InstallError(f"The index gives no sha256 for {item['metadata']['name']}.", code="no-hash")
            name = canonicalize_name(item["metadata"]["name"])
            pins.append(Pin(name, item["metadata"]["version"], (f"sha256:{value}",)))
        return pins

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
        common: list[str | Path] = [
            python, "-I", "-m", "pip", "install", "--no-deps", "--require-hashes", "--no-warn-script-location",
            # What is used gets compiled when it is first imported; compiling all of TensorFlow takes a minute.
            "--no-compile", "--progress-bar", "off",
        ]  # fmt: skip
        if only is not None:
            common.append("--force-reinstall")
        for command in commands_in_order(files, common):
            done = self._run(command, work, context)
            if not done.ok:
                raise install_failure(done, context.log.path)
        for wheel in beside:
            self.install_wheel(python, wheel, work, context)

    def install_wheel(self, python: Path, wheel: LocalWheel, work: Path, context: Context) -> None:
        """Install one wheel file (see :class:`~imageai_envs.engines.base.Engine`)."""
        command: list[str | Path] = [
            python, "-I", "-m", "pip", "install", "--no-deps", "--require-hashes", "--no-compile",
            "--force-reinstall", *options_for(wheel, work),
        ]  # fmt: skip
        done = self._run(command, work, context)
        if not done.ok:
            raise install_failure(done, context.log.path)

    def apart(self, cache: Path) -> PipEngine:  # noqa: ARG002 - see distrust
        """Return itself (see :class:`~imageai_envs.engines.base.Engine`)."""
        return self

    def distrust(self, names: frozenset[str], work: Path, context: Context) -> bool:  # noqa: ARG002
        """Forget nothing: pip copies files, and checks the hash of what comes from its cache."""
        return True

    def uninstall(self, python: Path, names: frozenset[str], work: Path, context: Context) -> None:
        """Remove distributions (see :class:`~imageai_envs.engines.base.Engine`)."""
        if names:
            argv: list[str | Path] = [python, "-I", "-m", "pip", "uninstall", "--yes", *sorted(names)]
            done = self._run(argv, work, context)
            if not done.ok:
                raise install_failure(done, context.log.path)
