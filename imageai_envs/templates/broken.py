"""Invalid template files: which template each was meant to be, so that none is silently ignored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_text
from imageai_envs.request.framework import FRAMEWORKS, Framework

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.base.errors import TemplateError

# The file may not even be TOML: any line that says so counts.
_SAID = r"""^[^#\n]*?\b{key}["']?[ \t]*=[ \t]*["']([^"'\n]+)["']"""
_NAME = re.compile(_SAID.format(key="name"), re.MULTILINE)
_MINOR = re.compile(_SAID.format(key="minor"), re.MULTILINE)


@dataclass(frozen=True)
class Broken:
    """A file that is no valid template.

    Attributes:
        error: what is wrong with it.
        origin: ``project``, ``user`` or ``shipped``.
        names: what it may be called: its file's name without ``.toml``, and what it says itself.
        minors: minors of a framework that it may be for; none when it does not say.
        frameworks: those that it may be for.
    """

    error: TemplateError
    origin: str
    names: frozenset[str]
    minors: frozenset[str]
    frameworks: frozenset[Framework]

    def may_be(self, name: str | None, framework: Framework | None = None, minor: str | None = None) -> bool:
        """Tell whether it may be the template of that name, or one of that minor."""
        return name in self.names or (minor in self.minors and framework in self.frameworks)


def judge(error: TemplateError, path: Path, origin: str) -> Broken:
    """Return what the file at ``path``, which is no template because of ``error``, may have been meant to be."""
    try:
        text = read_text(path, errors="replace")
    except OSError:
        text = ""
    called = re.fullmatch(r"(?:tf|torch)([0-9]+\.[0-9]+)", path.stem)
    said = frozenset(one for one in FRAMEWORKS if re.search(rf"^\s*\[?\s*{one.name}\b", text, re.MULTILINE))
    return Broken(
        error=error,
        origin=origin,
        names=frozenset({path.stem, *_NAME.findall(text)}),
        minors=frozenset({*_MINOR.findall(text), *([called[1]] if called else [])}),
        frameworks=said or frozenset(FRAMEWORKS),
    )
