"""The requirement files that engines read, written in one place."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.environments.environment import write_atomically
from imageai_envs.locks.lockfile import Lock, render_pins

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from imageai_envs.base.progress import Reporter
    from imageai_envs.installed.local_wheel import LocalWheel

# "Downloading tensorflow-cpu (204.6MiB)" (uv) and "Downloading x-1.0-py3-none-any.whl (17.1 MB)" (pip).
_DOWNLOADING = re.compile(r"^\s*Downloading (?P<what>\S+)(?: \((?P<size>[\d.]+ ?[kKMGT]?i?B)\))?\s*$")

_DOWNLOADED = re.compile(r"^\s*Downloaded (?P<what>\S+)\s*$")  # uv


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Write lines as a requirements file and return its path."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@dataclass(frozen=True)
class InstallFiles:
    """A lock in its parts.

    Attributes:
        pip: the pip that it pins, if it does; part of ``wheels`` too.
        wheels: what is not built.
        sources: what is built from source.
        built: names of these.
        isolated: the lock lacks setuptools or wheel, so that a build must fetch them.
    """

    pip: Path | None
    wheels: Path
    sources: Path | None
    built: tuple[str, ...]
    isolated: bool


def split_lock(lock: Lock, work: Path, only: frozenset[str] | None = None) -> InstallFiles:
    """Write the two parts of ``lock``, or of its distributions in ``only``, into ``work``."""
    pins = [pin for pin in lock.pins if only is None or pin.name in only]
    built = tuple(pin for pin in pins if pin.name in lock.header.built)
    wheels = [pin for pin in pins if pin not in built]
    pip = [pin for pin in wheels if pin.name == "pip"]
    return InstallFiles(
        pip=write_lines(work / "pip.txt", render_pins(pip, comments=False)) if pip else None,
        wheels=write_lines(work / "wheels.txt", render_pins(wheels, comments=False)),
        sources=write_lines(work / "sources.txt", render_pins(built, comments=False)) if built else None,
        built=tuple(pin.name for pin in built),
        isolated=lock.pin("setuptools") is None or lock.pin("wheel") is None,
    )


def commands_in_order(files: InstallFiles, common: Sequence[str | Path]) -> list[list[str | Path]]:
    """Return the installer's command lines, in order: its own pip, the wheels, then what is built with them.

    A lock that pins pip does so because the one that came with the environment does not know the tags of its wheels.
    Building with the environment's own, locked setuptools and wheel means that a build fetches nothing.
    """
    of_wheels = [file for file in (files.pip, files.wheels) if file]
    commands: list[list[str | Path]] = [[*common, "--only-binary", ":all:", "-r", file] for file in of_wheels]
    if files.sources:
        isolation = [] if files.isolated else ["--no-build-isolation"]
        commands.append([*common, *isolation, *no_binary(files.built), "-r", files.sources])
    return commands


def no_binary(names: Iterable[str]) -> list[str | Path]:
    """Return the installer's options that build these distributions from source."""
    return [word for name in names for word in ("--no-binary", name)]


def options_for(wheel: LocalWheel, work: Path) -> list[str | Path]:
    """Return the installer's options for a wheel file, found in its directory instead of named by its path.

    Named by path it would be recorded as a direct reference (PEP 610) to a file that is gone a second later.
    """
    return ["--no-index", "--find-links", wheel.path.parent, *_line_of(wheel, work)]


def options_beside(wheels: Sequence[LocalWheel], work: Path, pages: Path) -> list[str | Path]:
    """Return uv's options for wheel files that are installed together with those of an index.

    Args:
        wheels: the files.
        work: for what is needed during this installation only.
        pages: where pages that link to lasting wheels are kept, so that uv recognizes these the next time.
    """
    options: list[str | Path] = []
    for wheel in wheels:
        digest = hashlib.sha256(wheel.page.encode()).hexdigest()[:16]
        page = (work if wheel.path.is_relative_to(work) else pages) / f"{digest}.html"
        if not page.exists():
            write_atomically(page, wheel.page)
        options += ["--find-links", page, *_line_of(wheel, work)]
    return options


def _line_of(wheel: LocalWheel, work: Path) -> list[str | Path]:
    name = wheel.requirement.partition("==")[0]
    return ["-r", write_lines(work / f"own-{name}.txt", [wheel.requirement])]


def follow(line: str, reporter: Reporter) -> None:
    """Pass one output line of an engine on, downloads as such."""
    match = _DOWNLOADING.match(line)
    if match and not match["what"].endswith(".metadata"):
        reporter.downloading(_distribution(match["what"]), match["size"] or "")
    done = _DOWNLOADED.match(line)
    if done:
        reporter.downloaded(done["what"])
    reporter.output(line)


def _distribution(what: str) -> str:
    """Return the distribution's name of what is downloaded: pip says the file's name, uv the distribution's."""
    if what.endswith(".whl"):
        return what.split("-")[0].replace("_", "-")
    stem = re.sub(r"\.(?:tar\.gz|zip)$", "", what)
    return what if stem == what else stem.rpartition("-")[0]
