"""What an environment has beside its lock: links to CUDA libraries, and the runtime hook. Made, recorded, looked at.

The record lies with the environment (``.imageai-env/additions.json``): ``check`` compares with it without needing
the template, which may have changed since, and ``repair`` remakes what it names.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from imageai_envs import hook
from imageai_envs.cuda_links import make_links, wanted_links
from imageai_envs.environment import METADATA, write_atomically
from imageai_envs.file_reading import parse_json, read_text
from imageai_envs.misrecorded import misrecorded_in
from imageai_envs.paths import environment_python, is_inside
from imageai_envs.scratch import scratch
from imageai_envs.venv_files import site_packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imageai_envs.engines.base import Engine
    from imageai_envs.local_wheel import LocalWheel
    from imageai_envs.process import Log
    from imageai_envs.progress import Reporter
    from imageai_envs.target import Target
    from imageai_envs.template import Variant

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
        return frozenset({hook.DISTRIBUTION} if self.hook else ())


def wheels(variant: Variant, directory: Path) -> tuple[LocalWheel, ...]:
    """Write the wheels that ``variant`` wants installed beside the lock into ``directory``.

    Raises:
        OSError: one cannot be written.
    """
    return (hook.write_wheel(directory),) if variant.hook else ()


def add(
    root: Path, variant: Variant, target: Target, reporter: Reporter, misrecorded: Mapping[str, str] | None = None
) -> None:
    """Link what ``variant`` wants on ``target`` in the environment at ``root``; record that, and :func:`wheels`.

    ``misrecorded`` are files other than METADATA that RECORD is wrong about.

    Raises:
        OSError: a link or the record cannot be written.
    """
    site = site_packages(root)
    links: dict[str, str] = {}
    # NVIDIA's wheels, and TensorFlow's search for them, exist on Linux x86_64 only.
    if variant.cuda_links is not None and (target.platform, target.machine) == ("linux", "x86_64"):
        links = wanted_links(site, variant.cuda_links)
        reporter.step(f"linking {len(links)} CUDA libraries to where TensorFlow looks for them")
    additions = Additions(
        links, hook.VERSION if variant.hook else None, {**(misrecorded or {}), **misrecorded_in(site)}
    )
    _write(root, additions)
    if links:
        make_links(site, links)


def renew(root: Path, additions: Additions, engine: Engine, log: Log, reporter: Reporter, *, hook_too: bool) -> None:
    """Make everything that the record names; links that are right stay. The hook only with ``hook_too``."""
    if additions.links:
        make_links(site_packages(root), additions.links)
    if additions.hook and hook_too:
        with scratch(engine.home, "hook") as work:
            engine.install_wheel(environment_python(root), hook.write_wheel(work), work, log, reporter)


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


def _write(root: Path, additions: Additions) -> None:
    write_atomically(root / METADATA / _FILE, json.dumps({"schema": _SCHEMA, **asdict(additions)}, indent=2) + "\n")
