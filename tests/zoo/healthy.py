"""The healthy ones: every shipped template, created as users create it. doctor must find no error."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.zoo.cage import REPOSITORY, TOOL, Cage, Scene

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Health:
    """What doctor said of one healthy environment."""

    name: str
    errors: tuple[str, ...]
    others: tuple[str, ...]
    seconds: float


def visit(root: Path) -> list[Health]:
    """Create the environment of each template, look at it, remove it."""
    templates = sorted(REPOSITORY.glob("templates/tf*.toml"), key=lambda path: int(path.stem.partition(".")[2]))
    return [_one(root, path.stem) for path in templates]


def _one(root: Path, name: str) -> Health:
    cage = Cage(root / name)
    cage.root.mkdir()
    try:
        words = ("create", name.replace(".", "-"), "--template", name, "--engine", "uv", "--verify", "none", "-q")
        cage.build(*TOOL, *words)
        start = time.monotonic()
        findings = cage.doctor(Scene((name.replace(".", "-"),)))["findings"]
        seconds = time.monotonic() - start
    finally:
        cage.remove()
    errors = tuple(item["id"] for item in findings if item["severity"] == "error")
    others = tuple(item["id"] for item in findings if item["severity"] != "error")
    print(f"{seconds:5.1f} s  {name}: errors: {', '.join(errors) or 'none'}; {', '.join(others)}", flush=True)
    return Health(name, errors, others, seconds)
