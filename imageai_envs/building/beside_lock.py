"""Put into an environment what it gets beside its lock: links to CUDA libraries, and the runtime hook."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imageai_envs.base.paths import environment_python
from imageai_envs.base.scratch import scratch
from imageai_envs.building import hook
from imageai_envs.building.cuda_links import make_links, wanted_links
from imageai_envs.environments import additions
from imageai_envs.environments.additions import Additions
from imageai_envs.installed.misrecorded import misrecorded_in
from imageai_envs.installed.venv_files import site_packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.base.progress import Reporter
    from imageai_envs.engines.base import Engine
    from imageai_envs.installed.local_wheel import LocalWheel
    from imageai_envs.request.target import Target
    from imageai_envs.templates.template import Variant


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
    added = Additions(links, hook.VERSION if variant.hook else None, {**(misrecorded or {}), **misrecorded_in(site)})
    additions.write(root, added)
    if links:
        make_links(site, links)


def renew(root: Path, added: Additions, engine: Engine, context: Context, *, hook_too: bool) -> None:
    """Make everything that the record names; links that are right stay. The hook only with ``hook_too``."""
    if added.links:
        make_links(site_packages(root), added.links)
    if added.hook and hook_too:
        with scratch(context.home, "hook") as work:
            engine.install_wheel(environment_python(root), hook.write_wheel(work), work, context)
        additions.write(root, replace(added, hook=hook.VERSION))
