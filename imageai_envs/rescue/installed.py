"""Read a broken environment, or a global installation, from its metadata directories. Nothing of it is run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imageai_envs.base.errors import RequestError
from imageai_envs.base.file_reading import parse_json, read_text
from imageai_envs.installed.distributions import Distribution, distributions_in
from imageai_envs.rescue.source import Line, Source, shown

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FILES = ("requirements.txt", "environment.yml", "environment.yaml", "pyproject.toml", ".venv", "venv", "env")


def read_environment(root: Path) -> Source:
    """Read the environment in a directory: made by venv, virtualenv, uv or conda, on any system.

    Raises:
        RequestError: there is none in it, or nothing is installed there.
    """
    sites = [*sorted(root.glob("lib*/python3*/site-packages")), root / "Lib" / "site-packages"]
    sites = [site for site in sites if site.is_dir() and not site.parent.parent.is_symlink()]
    if not sites:
        near = next((root / name for name in _FILES if (root / name).exists()), None)
        raise RequestError(
            f"{root} is not a Python environment: it has no site-packages.",
            hint=f"imageai-env rescue {near}" if near else "Give the environment's directory, or a requirements file.",
            code="bad-source",
        )
    found = tuple(item for site in sites for item in distributions_in(site))
    if not found:
        raise RequestError(f"Nothing is installed in {root}.", hint="imageai-env create myproj", code="bad-source")
    return read_distributions(found, str(root), _python_of(root, sites[0]))


def read_distributions(found: Iterable[Distribution], label: str, python: str = "") -> Source:
    """Return what is installed; of one name the first counts, as it does for an import.

    Args:
        found: distributions in the order of ``sys.path``.
        label: how to call where they are.
        python: its version, ``3.10`` or ``3.10.13``; empty when unknown.
    """
    winners: dict[str, Distribution] = {}
    for item in found:
        if re.fullmatch(r"[a-z0-9][a-z0-9-]*", item.name):  # not pip's `~ensorflow`, the rest of a failed upgrade
            winners.setdefault(item.name, item)
    required = {name for item in winners.values() for name in _required(item) if name != item.name}
    lines = tuple(_line(item) for item in winners.values())
    top = frozenset(winners.keys() - required)
    minor = ".".join(python.split(".")[:2])
    return Source(
        label,
        "environment",
        lines,
        complete=True,
        top=top,
        python=f"=={minor}.*" if minor else "",
        python_place="its Python",
    )


def _line(item: Distribution) -> Line:
    try:
        Version(item.version)
        text = f"{item.name}=={item.version}"
    except InvalidVersion:
        text = item.name
    origin = _origin(item)
    if origin:
        return Line("", text, why_not=f"it was installed from {origin}; install it afterwards from there")
    return Line("", text, Requirement(text))


def _origin(item: Distribution) -> str:
    """Return where a distribution came from that no index has (PEP 610), empty for all others."""
    if item.installer == "conda":  # it records its own build directory
        return ""
    try:
        data = parse_json(read_text(item.path / "direct_url.json"))
        address = str(data["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    if "archive_info" in data and address.startswith("http"):
        return ""  # a release's file, given by its address
    return shown(address)


def _required(item: Distribution) -> set[str]:
    """Return the names that a distribution requires, extras left out: nobody can tell whether they were asked for."""
    names: set[str] = set()
    for text in item.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        marker = requirement.marker
        if marker is None or "extra" not in str(marker):
            names.add(canonicalize_name(requirement.name))
    return names


def _python_of(root: Path, site: Path) -> str:
    """Return the environment's Python: what ``pyvenv.cfg`` says (PEP 405), else its directory's name."""
    try:
        text = read_text(root / "pyvenv.cfg", errors="replace")
    except OSError:
        text = ""
    said = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", text, re.MULTILINE)
    named = re.fullmatch(r"python(3\.\d+)t?", site.parent.name)
    return said[1] if said else named[1] if named else ""
