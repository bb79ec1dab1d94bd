"""Where pip, uv and netrc keep index settings in files."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def pip_files() -> list[Path]:
    """Return pip's configuration files, weakest first."""
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home = Path.home()
    if os.name == "nt":  # unproven
        candidates = [
            Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "pip" / "pip.ini",
            home / "pip" / "pip.ini",
            Path(os.environ.get("APPDATA", home / "AppData" / "Roaming")) / "pip" / "pip.ini",
        ]
    else:
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        shared = [Path(part) / "pip" / "pip.conf" for part in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
        mac = [home / "Library" / "Application Support" / "pip" / "pip.conf"]
        candidates = [
            *shared,
            Path("/etc/pip.conf"),
            home / ".pip" / "pip.conf",
            config / "pip" / "pip.conf",
            *mac,
        ]
    return [*candidates, Path(named)] if named else candidates


def uv_files() -> list[Path]:
    """Return uv's configuration files (https://docs.astral.sh/uv/concepts/configuration-files/), weakest first."""
    named = os.environ.get("UV_CONFIG_FILE")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    if os.name == "nt":  # unproven
        config = Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming"))
    shared = [Path(part) / "uv" / "uv.toml" for part in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    return [*shared, Path("/etc/uv/uv.toml"), config / "uv" / "uv.toml", *([Path(named)] if named else [])]


def netrc_files() -> list[Path]:
    """Return the files with logins that pip, uv and most other clients read."""
    named = os.environ.get("NETRC")
    names = (".netrc", "_netrc") if sys.platform == "win32" else (".netrc",)
    return [Path(named)] if named else [Path.home() / name for name in names]
