"""Where Python interpreters live: a generator of candidates for every manager.

``virtualenv -p 3.10`` and ``uv venv -p 3.10`` look at PATH, and pyenv's shims on PATH answer 127 for a
version that is installed and not activated. So the directories of the managers themselves are read here.

Proven on Linux. The directories of macOS (framework builds, Homebrew) and Windows (registry, pyenv-win)
follow their documentation and were not run: unproven.

Sources: https://github.com/pyenv/pyenv#environment-variables, https://docs.astral.sh/uv/reference/storage/,
https://asdf-vm.com/manage/configuration.html, https://mise.jdx.dev/directories.html,
https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/ and PEP 514.
"""

from __future__ import annotations

import glob
import os
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_text
from imageai_envs.base.paths import runs as runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUFFIX = ".exe" if os.name == "nt" else ""
# Names are tried, directories are not listed: a PATH under WSL holds Windows directories with thousands of
# files on a slow mount. The most specific name comes first: what `python3` is changes with an upgrade.
_NAMES = tuple(
    f"{name}{_SUFFIX}" for name in (*(f"python3.{n}" for n in range(20, 5, -1)), "python3", "python", "pypy3")
)

SYSTEM_DIRECTORIES = (
    "/usr/local/bin",
    "/usr/bin",
    "/opt/*/bin",
    "/opt/python/*/bin",  # the manylinux images
    "/opt/hostedtoolcache/Python/*/*/bin",  # GitHub's runners
    "/home/linuxbrew/.linuxbrew/opt/python@*/bin",
    # macOS. `opt` outlives an upgrade, the Cellar that it points to does not.
    "/opt/homebrew/opt/python@*/bin",
    "/usr/local/opt/python@*/bin",
    "/Library/Frameworks/Python.framework/Versions/*/bin",
)
CONDA_PREFIXES = ("/opt/conda", "/opt/miniconda3", "/opt/miniforge3", "/opt/anaconda3")
_CONDA_AT_HOME = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".conda")


@dataclass(frozen=True)
class Candidate:
    """A file that may be a Python, and the tool that manages it."""

    executable: Path
    source: str


def in_directory(directory: Path) -> Iterator[Path]:
    """Yield the executables of ``directory`` that are named like a Python, the most specific name first."""
    return (path for name in _NAMES if runs(path := directory / name))


def in_prefix(prefix: Path) -> Path | None:
    """Return the one interpreter of an installation or environment."""
    directories = (prefix, prefix / "Scripts") if os.name == "nt" else (prefix / "bin",)
    return next(chain.from_iterable(map(in_directory, directories)), None)


def candidates(cache: Path) -> Iterator[Candidate]:
    """Yield everything that may be a Python, managers first, so that their name becomes the ``source``.

    Args:
        cache: a directory for python-discovery's own cache (Windows only).
    """
    shimmed = [entry.parent for entry in _path_entries() if entry.name == "shims"]
    prefixes = chain(
        (("pyenv", prefix) for prefix in _pyenv(shimmed)),
        (("uv", prefix) for prefix in _uv()),
        (("asdf", prefix) for prefix in _installs("ASDF_DATA_DIR", Path.home() / ".asdf", ())),
        (("mise", prefix) for prefix in _installs("MISE_DATA_DIR", _data_home() / "mise", shimmed)),
        (("conda", prefix) for prefix in _conda()),
    )
    for source, prefix in prefixes:
        if executable := in_prefix(prefix):
            yield Candidate(executable, source)
    for directory in _path_entries():
        # What a shim starts depends on the working directory, so nothing learned from it could be kept. The
        # versions behind it were yielded above.
        if directory.name != "shims":
            yield from (Candidate(path, "PATH") for path in in_directory(directory))
    for pattern in SYSTEM_DIRECTORIES:
        for text in sorted(glob.glob(pattern)):  # noqa: PTH207 - Path.glob refuses absolute patterns
            yield from (Candidate(path, "system") for path in in_directory(Path(text)) if not _asks_to_install(path))
    yield from _registry(cache)
    yield Candidate(Path(sys.executable), "running")


def _path_entries() -> list[Path]:
    # A relative entry would run whatever the working directory holds.
    entries = map(Path, filter(None, os.environ.get("PATH", os.defpath).split(os.pathsep)))
    return [entry for entry in entries if entry.is_absolute()]


def _children(directory: Path) -> list[Path]:
    """Return what ``directory`` holds, real entries before links such as ``3.10 -> 3.10.13``."""
    try:
        entries = [entry for entry in directory.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return []
    return sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))


def _directories(*names: str | None) -> list[Path]:
    return [Path(os.path.expanduser(name)) for name in names if name]  # noqa: PTH111 - of nobody: no error


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def _pyenv(shimmed: Iterable[Path]) -> Iterator[Path]:
    roots = _directories(os.environ.get("PYENV_ROOT"), os.environ.get("PYENV"))  # the second is pyenv-win's
    home = Path.home() / ".pyenv"
    for root in dict.fromkeys((*roots, *shimmed, home, home / "pyenv-win")):
        yield from _children(root / "versions")


def _uv() -> Iterator[Path]:
    own = os.environ.get("UV_PYTHON_INSTALL_DIR")
    if own:
        stores = _directories(own)
    elif os.name == "nt":
        roaming = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
        stores = [roaming / "uv" / "python", roaming / "uv" / "data" / "python"]
    else:
        stores = [_data_home() / "uv" / "python"]
    for store in stores:
        for entry in _children(store):
            # Some archives unpack into `install`; uv resolves it the same way.
            yield entry / "install" if (entry / "install").is_dir() else entry


def _installs(variable: str, default: Path, shimmed: Iterable[Path]) -> Iterator[Path]:
    """Yield the installations of a manager with the layout of asdf and mise."""
    for root in dict.fromkeys((*_directories(os.environ.get(variable)), default, *shimmed)):
        yield from _children(root / "installs" / "python")


def _conda() -> Iterator[Path]:
    roots = [Path(path).parent.parent for name in ("CONDA_EXE", "MAMBA_EXE") if (path := os.environ.get(name))]
    roots += _directories(os.environ.get("MAMBA_ROOT_PREFIX"))
    for prefix in _directories(os.environ.get("CONDA_PREFIX")):
        # Within an environment this names the environment, <root>/envs/<name>.
        roots += [prefix.parent.parent, prefix] if prefix.parent.name == "envs" else [prefix]
    roots += [Path.home() / name for name in _CONDA_AT_HOME]
    roots += map(Path, CONDA_PREFIXES)
    for root in dict.fromkeys(roots):
        if (root / "conda-meta").is_dir():
            yield root
        yield from _children(root / "envs")
    try:
        listed = read_text(Path.home() / ".conda" / "environments.txt", errors="replace")
    except OSError:
        return
    yield from (Path(line.strip()) for line in listed.splitlines() if line.strip())


def _asks_to_install(path: Path) -> bool:
    """Tell whether running ``path`` opens a dialog: Apple's stub without developer tools (unproven)."""
    tools = ("/Library/Developer/CommandLineTools", "/Applications/Xcode.app")
    return sys.platform == "darwin" and path.parent == Path("/usr/bin") and not any(map(os.path.exists, tools))


def _registry(cache: Path) -> Iterator[Candidate]:
    """Yield what PEP 514's registry keys name, which is also what the ``py`` launcher reads (unproven)."""
    if os.name == "nt":
        from python_discovery import DiskCache, iter_interpreters

        # An empty PATH leaves the registry, which python-discovery reads and we do not.
        environment = {**os.environ, "PATH": "", "PY_DISCOVERY_TIMEOUT": "5"}
        for info in iter_interpreters(cache=DiskCache(cache), env=environment):
            if executable := info.system_executable or info.executable:
                yield Candidate(Path(executable), "registry")
