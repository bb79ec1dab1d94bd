"""Which releases of a distribution the index has for a Python, and the nearest to one that it has not.

pip is asked, which knows every kind of index, credential and proxy; both engines' index settings count.
"""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from imageai_envs.base.errors import InstallError
from imageai_envs.base.paths import home
from imageai_envs.base.process import clean_environment, run
from imageai_envs.base.scratch import scratch
from imageai_envs.engines.index_settings import for_pip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from imageai_envs.base.process import Log

TIMEOUT = 60.0
_AT_ONCE = 4
_FILE = re.compile(r"/[A-Za-z0-9_.-]+?-(\d[^-/#\s]*?)(?:-[^/#\s]*\.whl|\.tar\.gz|\.zip)")
_FAILED = re.compile(r"Retrying|Could not fetch URL (?!.*: 404 )")


@dataclass(frozen=True)
class Releases:
    """What the index has of one distribution.

    Attributes:
        usable: with a wheel for the Python that was asked about, oldest first; pre-releases too.
        others: without: sdists only, or wheels for other Pythons and systems.
    """

    usable: tuple[Version, ...]
    others: frozenset[Version]


def releases(names: Iterable[str], python: str, log: Log) -> Mapping[str, Releases | None]:
    """Return, for each name, what the index has for ``python`` (``3.10``); None: it did not answer, or not for it."""
    wanted = sorted(set(names))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(lambda name: _ask(name, python, log), wanted), strict=True))


def _ask(name: str, python: str, log: Log) -> Releases | None:
    # `pip index versions` lists sdists too, whatever it is told. A version that cannot exist makes pip name those that
    # it could take, and with -vv every file that it could not.
    with scratch(home(), "ask") as work:
        argv: list[str | Path] = [
            sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--python-version", python,
            "--retries", "1", "-vv", "--dest", work, f"{name}===0+none",
        ]  # fmt: skip
        try:
            done = run(argv, environment=clean_environment(for_pip()), timeout=TIMEOUT)
        except InstallError:
            return None
    text = f"{done.stdout}\n{done.stderr}"
    listed = re.search(r"satisfies the requirement .*?\(from versions: (.*?)\)", text)
    log.write(f"$ {name} for Python {python}: {listed[0] if listed else text[-1000:]}\n")
    if listed is None or (listed[1] == "none" and _FAILED.search(text)):
        return None
    usable = tuple(sorted(filter(None, map(_version, listed[1].split(", ")))))
    named = (_version(match[1]) for match in _FILE.finditer(text))
    return Releases(usable, frozenset(one for one in named if one is not None) - frozenset(usable))


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def nearest(version: str, known: Iterable[Version], allowed: SpecifierSet | None = None) -> str:
    """Return the release nearest to a version that is not there, or ``""``.

    The newest that continues it (4.7.0.72 for 4.7.0), or its minor; else the newest older one; else the oldest newer.
    """
    wanted = Version(version)
    bounds = allowed or SpecifierSet()
    fitting = sorted(one for one in known if bounds.contains(one, prereleases=wanted.is_prerelease))
    for length in range(len(wanted.release), 1, -1):
        same = [one for one in fitting if one.release[:length] == wanted.release[:length]]
        if same:
            return str(same[-1])
    older = [one for one in fitting if one < wanted]
    if older:
        return str(older[-1])
    return str(fitting[0]) if fitting else ""
