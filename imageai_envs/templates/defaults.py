"""Which template answers a request that names neither a template nor a version: said once, beside the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.toml_reader import read_toml
from imageai_envs.request.framework import FRAMEWORKS

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.request.framework import Framework

DEFAULTS = "defaults.toml"
_SCHEMA = 1


def load_defaults(path: Path) -> dict[Framework, str]:
    """Return the name of each framework's default template, in the order in which they answer.

    Raises:
        TemplateError: with every problem of the file.
    """
    root, problems = read_toml(path, "List")
    schema = root.integer("schema")
    if schema != _SCHEMA and not problems.found:
        problems.add("schema", f"this version reads schema {_SCHEMA}, the file says {schema}")
    names = {framework: root.text(framework.name) for framework in FRAMEWORKS}
    root.end()
    problems.raise_if_any("List")
    return names
