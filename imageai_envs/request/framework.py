"""The frameworks that an ImageAI runs on, and exact releases of them: TensorFlow up to ImageAI 2, PyTorch from 3 on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Framework:
    """A framework.

    Attributes:
        name: its distribution; also the key in templates, lock headers, the state and JSON.
        title: as people write it.
        option: what asks for a version of it on the command line.
        example: a version for hints.
    """

    name: str
    title: str
    option: str
    example: str


TENSORFLOW = Framework("tensorflow", "TensorFlow", "--tf", "2.10")
TORCH = Framework("torch", "PyTorch", "--torch", "1.12")
FRAMEWORKS = (TENSORFLOW, TORCH)


@dataclass(frozen=True)
class Release:
    """An exact release of a framework, such as TensorFlow 2.10.1."""

    framework: Framework
    version: str

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.framework.title} {self.version}"

    def to_json(self) -> dict[str, str]:
        """Return it as plain data: the framework's name and the version."""
        return {self.framework.name: self.version}


def release_in(values: Mapping[str, object]) -> Release | None:
    """Return the release that ``values`` name by a framework's name; None without exactly one."""
    said = [(framework, values.get(framework.name)) for framework in FRAMEWORKS]
    found = [Release(framework, version) for framework, version in said if version and isinstance(version, str)]
    return found[0] if len(found) == 1 else None
