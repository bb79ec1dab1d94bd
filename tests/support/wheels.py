"""Write tiny valid wheels and sdists: a zip writer instead of a build, a hundred times faster."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_EPOCH = (2020, 1, 1, 0, 0, 0)


def write_repacked(wheel: Path, version: str, directory: Path) -> Path:
    """Write a real wheel as if it were another release: file name, metadata and what it says of itself."""
    name, own = wheel.name.split("-")[:2]
    target = directory / wheel.name.replace(f"-{own}-", f"-{version}-", 1)
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename in (f"{name}-{own}.dist-info/METADATA", f"{name}-{own}.dist-info/RECORD"):
                data = data.replace(f"Version: {own}".encode(), f"Version: {version}".encode())
                data = data.replace(f"{name}-{own}.dist-info".encode(), f"{name}-{version}.dist-info".encode())
            archive.writestr(entry.filename.replace(f"{name}-{own}.", f"{name}-{version}.", 1), data)
    return target


@dataclass(frozen=True)
class Project:
    """One release to be written.

    Attributes:
        name: as on the index.
        version: PEP 440.
        requires: ``Requires-Dist`` values.
        requires_python: ``Requires-Python`` or None.
        modules: files of the distribution, path to text.
        repacked: METADATA was changed after RECORD, as in PyTorch's wheels.
    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    requires_python: str | None = None
    modules: dict[str, str] = field(default_factory=dict)
    repacked: bool = False

    @property
    def stem(self) -> str:
        """File name's beginning (PEP 427, PEP 625)."""
        return f"{self.name.replace('-', '_')}-{self.version}"

    def metadata(self) -> str:
        """Return the core metadata."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        if self.requires_python:
            lines.append(f"Requires-Python: {self.requires_python}")
        extras = sorted({part.split("'")[1] for r in self.requires for part in _extras(r)})
        lines += [f"Provides-Extra: {extra}" for extra in extras]
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        return "\n".join(lines) + "\n\n"


def _extras(requirement: str) -> list[str]:
    text = requirement.replace('"', "'")
    return [part for part in text.split("extra ==")[1:] if "'" in part]


def write_wheel(directory: Path, project: Project) -> Path:
    """Write a ``py3-none-any`` wheel with a right RECORD, unless the project says otherwise."""
    info = f"{project.stem}.dist-info"
    files = dict(project.modules)
    files[f"{info}/METADATA"] = project.metadata()
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(text.encode())}")
    rows.append(f"{info}/RECORD,,")
    if project.repacked:
        files[f"{info}/METADATA"] += "repacked\n"
    files[f"{info}/RECORD"] = "\n".join(rows) + "\n"
    path = directory / f"{project.stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text)
    return path


_SETUP = """\
from setuptools import setup
setup(name={name!r}, version={version!r}, install_requires={requires!r}, packages={packages!r})
"""


def write_sdist(directory: Path, project: Project) -> Path:
    """Write an sdist with a setup.py, as keras-resnet has it."""
    packages = sorted({name.rsplit("/", 1)[0].replace("/", ".") for name in project.modules})
    files = dict(project.modules)
    files["setup.py"] = _SETUP.format(
        name=project.name, version=project.version, requires=list(project.requires), packages=packages
    )
    files["PKG-INFO"] = project.metadata()
    path = directory / f"{project.name}-{project.version}.tar.gz"
    with (
        path.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, text in files.items():
            member = tarfile.TarInfo(f"{project.name}-{project.version}/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path
