"""One Python interpreter, as it described itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.request.target import Target

if TYPE_CHECKING:
    from pathlib import Path


OPTIONAL_MODULES = ("tkinter",)
"""Modules of the standard library that some Pythons come without, and that some ImageAI imports."""


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter that answered.

    Never one inside a virtual environment: those are resolved to the interpreter that they were made from,
    because an environment built upon another one dies with it.

    Attributes:
        executable: absolute path; a stable alias where there is one, not necessarily free of links.
        version: major, minor and patch.
        implementation: ``CPython``, ``PyPy`` and so on, as :func:`platform.python_implementation` spells it.
        sys_platform: its ``sys.platform``.
        machine: its ``platform.machine()``, not normalized.
        source: who keeps it: ``PATH``, ``pyenv``, ``uv``, ``conda``, ``asdf``, ``mise``, ``system``,
            ``registry``, ``running`` (the interpreter of this tool, when nothing else led to it) or ``asked``
            (named by the user).
        unusable: why it cannot run TensorFlow or PyTorch, whatever the version; None when it can.
        lacking: those of :data:`OPTIONAL_MODULES` that it cannot import.
    """

    executable: Path
    version: tuple[int, int, int]
    implementation: str
    sys_platform: str
    machine: str
    source: str
    unusable: str | None = None
    lacking: tuple[str, ...] = ()

    @property
    def minor(self) -> tuple[int, int]:
        """Return major and minor, ``(3, 10)``."""
        return self.version[:2]

    @property
    def version_text(self) -> str:
        """Return the version as text, ``3.10.13``."""
        return ".".join(str(part) for part in self.version)

    @property
    def target(self) -> Target:
        """Return what a lock for this interpreter is for."""
        return Target.of(self.minor, self.sys_platform, self.machine)
