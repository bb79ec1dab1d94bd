"""The runtime hook: a tiny distribution that ``create`` puts into the environments that need it.

It is not on the index and not in the lock: it is part of this tool. Its wheel is written here, byte for byte the
same every time, and installed by the engine like any other, so that RECORD, ``pip list`` and ``pip uninstall`` know it.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib.resources import files as package_files
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from imageai_envs.building.hook._imageai_envs_hook import __version__, shims
from imageai_envs.installed.local_wheel import LocalWheel, local_wheel
from imageai_envs.request.stack import HOOK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imageai_envs.building.hook._imageai_envs_hook.shims import Shim


VERSION: str = __version__
_PACKAGE = "_imageai_envs_hook"
_FILES = (*(f"{_PACKAGE}/{name}.py" for name in ("__init__", "shims", "views")), "imageai_envs_hook.pth")
_INFO = f"imageai_envs_hook-{VERSION}.dist-info"
_METADATA = f"""\
Metadata-Version: 2.1
Name: {HOOK}
Version: {VERSION}
Summary: Runtime hook of imageai-env: ImageAI 2.1.6 with newer packages. IMAGEAI_ENV_HOOK=0 turns it off.
License: MIT
Requires-Python: >=3.6
"""
_WHEEL = "Wheel-Version: 1.0\nGenerator: imageai-env\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_FIRST = frozenset({"libdevice", "legacy-adam"})  # what the hook did before it was a table: 1.x
_EPOCH = (2020, 1, 1, 0, 0, 0)  # the same bytes, and so the same hash, every time


def shims_for(versions: Mapping[str, str]) -> tuple[Shim, ...]:
    """Return the rows of the hook's table that act where these distributions are installed beside ImageAI 2.1.6.

    Args:
        versions: version by normalized name; what is no PEP 440 version is passed over.
    """
    found: dict[str, tuple[int, int]] = {}
    for name, text in versions.items():
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        found[name.replace("-", "_")] = (version.major, version.minor)
    needed: tuple[Shim, ...] = shims.needed(found)  # type: ignore[no-untyped-call]  # syntax of Python 3.6
    return needed


def row(name: str) -> Shim:
    """Return the row of a name."""
    return next(shim for shim in shims.SHIMS if shim.name == name)


def rows_of(installed: str, versions: Mapping[str, str]) -> frozenset[str]:
    """Return the names of the rows that a hook of version ``installed`` applies beside ``versions``; "": no hook."""
    if not installed:
        return frozenset()
    acting = {shim.name for shim in shims_for(versions)}
    return frozenset(acting & _FIRST if is_outdated(installed, "2") else acting)


def is_outdated(installed: str, than: str = VERSION) -> bool:
    """Tell whether a hook is older than ours; one whose version nobody can read is."""
    try:
        return Version(installed) < Version(than)
    except InvalidVersion:
        return True


def write_wheel(directory: Path) -> LocalWheel:
    """Write the hook's wheel (PEP 427) into ``directory``.

    Raises:
        OSError: it cannot be written.
    """
    contents = {name: (package_files(__name__) / name).read_text(encoding="utf-8") for name in _FILES}
    contents |= {f"{_INFO}/METADATA": _METADATA, f"{_INFO}/WHEEL": _WHEEL}
    rows = [f"{name},sha256={_digest(text)},{len(text.encode())}" for name, text in contents.items()]
    contents[f"{_INFO}/RECORD"] = "".join(f"{row}\n" for row in (*rows, f"{_INFO}/RECORD,,"))
    path = directory / f"imageai_envs_hook-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, text in contents.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, text)
    return local_wheel(path, HOOK, VERSION)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
