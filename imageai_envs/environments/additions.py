"""What an environment has beside its lock, as it is recorded: links to CUDA libraries, and the runtime hook.

The record is with the environment (``.imageai-env/additions.json``): ``check`` compares with it without needing
the template, which may have changed since, and ``repair`` remakes what it names.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import parse_json, read_text
from imageai_envs.base.paths import is_inside
from imageai_envs.environments.environment import METADATA, write_atomically
from imageai_envs.request.stack import HOOK

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "additions.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Additions:
    """The record.

    Attributes:
        links: names in ``site-packages/tensorflow/`` to their relative targets.
        hook: version of the runtime hook; None without one.
        misrecorded: files that RECORD is wrong about since they were installed, and what it should say.
    """

    links: dict[str, str] = field(default_factory=dict)
    hook: str | None = None
    misrecorded: dict[str, str] = field(default_factory=dict)

    @property
    def distributions(self) -> frozenset[str]:
        """Return the distributions that are installed beside the lock."""
        return frozenset({HOOK} if self.hook else ())


def read(root: Path) -> Additions:
    """Return the record of the environment at ``root``; an empty one when there is none, or it is damaged."""
    try:
        data = parse_json(read_text(root / METADATA / _FILE))
        links = {name: target for name, target in data["links"].items() if _is_link(name, target)}
        misrecorded = {str(path): str(said) for path, said in data.get("misrecorded", {}).items()}
        return Additions(links, data["hook"] if isinstance(data["hook"], str) else None, misrecorded)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Additions()


def _is_link(name: str, target: object) -> bool:
    """Tell whether a link is one that we make: beside TensorFlow's modules, to a file of another wheel."""
    path = target.removeprefix("../") if isinstance(target, str) else ""
    return is_inside(name) and "/" not in name and is_inside(path)


def write(root: Path, additions: Additions) -> None:
    """Record what the environment at ``root`` has beside its lock.

    Raises:
        OSError: the record cannot be written.
    """
    write_atomically(root / METADATA / _FILE, json.dumps({"schema": _SCHEMA, **asdict(additions)}, indent=2) + "\n")
