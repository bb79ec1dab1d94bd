"""One set of index settings for both engines.

uv does not read pip's configuration, nor pip uv's. People behind a mirror have configured one of them; both engines
must then ask that mirror, or "the same lock from either engine" is not true. Addresses travel in environment
variables, never in arguments, since they may hold credentials.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re

from imageai_envs.base.file_reading import read_text
from imageai_envs.base.index_files import pip_files, uv_files

# pip's option, the variable that says the same to uv, and what separates several values for uv.
# https://docs.astral.sh/uv/reference/environment/ and https://pip.pypa.io/en/stable/topics/configuration/
_PIP_TO_UV = (
    ("index-url", ("UV_DEFAULT_INDEX", "UV_INDEX_URL"), " "),
    ("extra-index-url", ("UV_INDEX", "UV_EXTRA_INDEX_URL"), " "),
    ("find-links", ("UV_FIND_LINKS",), ","),
    ("trusted-host", ("UV_INSECURE_HOST",), " "),
    ("cert", ("SSL_CERT_FILE",), " "),
)
_TRUE = ("1", "true", "yes", "on", "t", "y")
_UV_SETS_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")


class _PipFile(configparser.RawConfigParser):
    """One of pip's files, with option names spelt as pip takes them: ``index_url`` and ``--index-url`` too."""

    def optionxform(self, optionstr: str) -> str:
        """Return the one spelling of an option."""
        return optionstr.lower().replace("_", "-").removeprefix("--")


def pip_setting(option: str) -> str:
    """Return the value of a pip option: its environment variable, else its configuration files, else ``""``."""
    variable = os.environ.get("PIP_" + option.upper().replace("-", "_"))
    if variable is not None:
        return variable
    value = ""
    for path in pip_files():  # later files override earlier ones
        parser = _PipFile(strict=False)
        try:
            parser.read_string(read_text(path), str(path))
        except (configparser.Error, OSError):
            continue  # pip itself will complain about it, in words people know
        for section in ("global", "install"):
            value = parser.get(section, option, fallback=value)
    return value


def _uv_has_an_index() -> bool:
    return any(os.environ.get(name) for name in _UV_SETS_INDEX)


def options_for_uv() -> list[str]:
    """Return options of pip's configuration that uv has no variable for."""
    return ["--no-index"] if not _uv_has_an_index() and _is_on(pip_setting("no-index")) else []


def _is_on(value: str) -> bool:
    return value.strip().lower() in _TRUE


def what_keeps_uv_offline() -> tuple[str, str] | None:
    """Return the setting that keeps uv from every index, as people wrote it, and how to undo it."""
    value = os.environ.get("UV_OFFLINE", "")
    if _is_on(value):
        return f"UV_OFFLINE={value}", "unset UV_OFFLINE"
    for path in uv_files():
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if path.is_file() and re.search(r"^offline\s*=\s*true", path.read_text(encoding="utf-8"), re.MULTILINE):
                return f"offline = true in {path}", f"remove that line from {path}"
    return what_keeps_pip_offline() if options_for_uv() else None


def what_keeps_pip_offline() -> tuple[str, str] | None:
    """Return the setting that keeps pip from every index, as people wrote it, and how to undo it."""
    value = pip_setting("no-index")
    if not _is_on(value):
        return None
    if "PIP_NO_INDEX" in os.environ:
        return f"PIP_NO_INDEX={value}", "unset PIP_NO_INDEX"
    return "no-index in pip's configuration", "pip config unset global.no-index"


def for_uv() -> dict[str, str]:
    """Return variables that give uv pip's index settings, as far as uv has none of its own."""
    own_index = _uv_has_an_index()
    extra: dict[str, str] = {}
    for option, names, separator in _PIP_TO_UV:
        if any(os.environ.get(name) for name in names) or (own_index and "index" in option):
            continue
        value = pip_setting(option)
        if value:
            extra[names[0]] = separator.join(value.split())
    if "UV_INDEX" in extra:
        # pip takes the best version of all indexes; uv by default the first index that has the name.
        extra.setdefault("UV_INDEX_STRATEGY", os.environ.get("UV_INDEX_STRATEGY", "unsafe-best-match"))
    return extra


def for_pip() -> dict[str, str]:
    """Return variables that give pip uv's index, as far as pip has none of its own."""
    extra: dict[str, str] = {}
    default = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    if default and not pip_setting("index-url"):
        extra["PIP_INDEX_URL"] = default.split("=", 1)[-1] if "=" in default.split("://")[0] else default
    further = os.environ.get("UV_INDEX") or os.environ.get("UV_EXTRA_INDEX_URL")
    if further and not pip_setting("extra-index-url"):
        words = [word.split("=", 1)[-1] if "=" in word.split("://")[0] else word for word in further.split()]
        extra["PIP_EXTRA_INDEX_URL"] = " ".join(words)
    return extra
