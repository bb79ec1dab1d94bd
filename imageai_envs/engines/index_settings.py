"""One set of index settings for both engines.

uv does not read pip's configuration, nor pip uv's. People behind a mirror have configured one of them; both engines
must then ask that mirror, or "the same lock from either engine" is not true. Addresses travel in environment
variables, never in arguments, since they may hold credentials.
"""

from __future__ import annotations

import configparser
import os

from imageai_envs.index_files import pip_files

# pip's option, the variable that says the same to uv, and what separates several values for uv.
# https://docs.astral.sh/uv/reference/environment/ and https://pip.pypa.io/en/stable/topics/configuration/
_PIP_TO_UV = (
    ("index-url", ("UV_DEFAULT_INDEX", "UV_INDEX_URL"), " "),
    ("extra-index-url", ("UV_INDEX", "UV_EXTRA_INDEX_URL"), " "),
    ("find-links", ("UV_FIND_LINKS",), ","),
    ("trusted-host", ("UV_INSECURE_HOST",), " "),
    ("no-index", ("UV_NO_INDEX",), " "),
    ("cert", ("SSL_CERT_FILE",), " "),
)
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
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue  # pip itself will complain about it, in words people know
        for section in ("global", "install"):
            value = parser.get(section, option, fallback=value)
    return value


def for_uv() -> dict[str, str]:
    """Return variables that give uv pip's index settings, as far as uv has none of its own."""
    own_index = any(os.environ.get(name) for name in _UV_SETS_INDEX)
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
