"""Environments as installers leave them: tiny wheels unpacked where they are looked for."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.catalogue import modules_of
from tests.support.wheels import Project, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REAL = Path(sys.executable).resolve()


def make_venv(root: Path, *options: str, base: Path = REAL) -> Path:
    """Make a virtual environment without pip."""
    subprocess.run([base, "-m", "venv", "--without-pip", *options, root], check=True)
    return root


def site_of(root: Path) -> Path:
    """Return the site-packages of an environment."""
    return next((root / "lib").glob("python*/site-packages"))


def install(
    site: Path,
    name: str,
    version: str,
    requires: Iterable[str] = (),
    *,
    files: Mapping[str, str] | None = None,
    installer: str = "pip",
    tag: str = "py3-none-any",
) -> Path:
    """Put a distribution into ``site`` and return its dist-info."""
    modules = dict(modules_of(name, version) if files is None else files)
    project = Project(name, version, tuple(requires), None, modules)
    wheel = write_wheel(site, project)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    wheel.unlink()
    info = site / f"{project.stem}.dist-info"
    (info / "INSTALLER").write_text(f"{installer}\n", encoding="utf-8")
    text = (info / "WHEEL").read_text(encoding="utf-8")
    (info / "WHEEL").write_text(text.replace("Tag: py3-none-any", f"Tag: {tag}"), encoding="utf-8")
    return info
