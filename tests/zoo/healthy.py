"""The healthy ones: every shipped template, created as users create it. doctor must find no error."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.templates.defaults import DEFAULTS
from imageai_envs.templates.template_file import load_template
from imageai_envs.templates.unsupported import REASONS
from tests.zoo.cage import REPOSITORY, TOOL, Cage, Scene, python

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.templates.template import Template


@dataclass(frozen=True)
class Health:
    """What doctor said of one healthy environment."""

    name: str
    errors: tuple[str, ...]
    others: tuple[str, ...]
    seconds: float


def visit(root: Path) -> list[Health]:
    """Create the environment of each template on the Python that it prefers among those here, look at it, remove it."""
    files = [path for path in (REPOSITORY / "templates").glob("*.toml") if path.name not in (REASONS, DEFAULTS)]
    templates = sorted(map(load_template, files), key=lambda one: [int(part) for part in one.minor.split(".")])
    return [_one(root, template) for template in templates]


def _one(root: Path, template: Template) -> Health:
    name = template.name
    cage = Cage(root / name)
    cage.root.mkdir()
    try:
        words = ("create", name.replace(".", "-"), "--template", name, "--engine", "uv", "--verify", "none", "-q")
        # The Python is named: the home of the cage's user has no pyenv.
        cage.build(*TOOL, *words, "--python", python(*template.python_preferred))
        start = time.monotonic()
        findings = cage.doctor(Scene((name.replace(".", "-"),)))["findings"]
        seconds = time.monotonic() - start
    finally:
        cage.remove()
    errors = tuple(item["id"] for item in findings if item["severity"] == "error")
    others = tuple(item["id"] for item in findings if item["severity"] != "error")
    print(f"{seconds:5.1f} s  {name}: errors: {', '.join(errors) or 'none'}; {', '.join(others)}", flush=True)
    return Health(name, errors, others, seconds)
