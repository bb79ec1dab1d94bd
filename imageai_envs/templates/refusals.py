"""The errors of a request that no template answers: with the reason, where one is known, and what is nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from imageai_envs.base.errors import RequestError
from imageai_envs.base.paths import shipped_templates
from imageai_envs.request.framework import TENSORFLOW
from imageai_envs.templates.unsupported import REASONS, explain, load_unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imageai_envs.request.framework import Framework
    from imageai_envs.templates.catalog import Catalog, Entry
    from imageai_envs.templates.template import Template


def no_imageai(wanted: str, catalog: Catalog) -> RequestError:
    """Say that no template has this ImageAI, and why, where it is known."""
    known = explain(load_unsupported(shipped_templates() / REASONS).imageai, wanted)
    own = ", ".join(dict.fromkeys(entry.template.imageai.version for entry in catalog.entries))
    return RequestError(
        f"ImageAI {wanted} is not offered: {known.reason if known else f'templates have {own}.'}",
        hint=known.instead if known else "imageai-env templates list",
        code="imageai-version",
    )


def other_imageai(template: Template, wanted: str) -> RequestError:
    """Say that a template has another ImageAI, and why that one does not run on its TensorFlow, where it is known."""
    known = None
    if template.framework is TENSORFLOW and Version(template.minor) >= Version("2"):
        known = explain(load_unsupported(shipped_templates() / REASONS).imageai_on_tensorflow, wanted)
    why = f" With TensorFlow: {known.reason}" if known else ""
    return RequestError(
        f"Template {template.name} has ImageAI {template.imageai.version}; you asked for {wanted}.{why}",
        hint=f"--imageai {template.imageai.version}, or ask for nothing but --imageai {wanted}",
        code="imageai-version",
    )


def no_release(framework: Framework, wanted: str, entries: list[Entry]) -> RequestError:
    """Say that no template has this release, and why, where it is known; ``entries``: those of its framework."""
    if framework is TENSORFLOW:
        known = explain(load_unsupported(shipped_templates() / REASONS).tensorflow, wanted)
        if known:
            return RequestError(
                f"TensorFlow {wanted} is not offered: {known.reason} (source: {known.source})",
                hint=known.instead,
                code="no-such-release",
            )
    # Entries are in the order of their versions: the newest that is not newer, else the oldest.
    older = [entry for entry in entries if Version(entry.template.minor) <= Version(wanted)]
    near = older[-1] if older else next(iter(entries), None)
    return RequestError(
        f"No template has {framework.title} {wanted}. Known: {listed(entries)}.",
        hint=f"{framework.option} {near.template.minor}" if near else "imageai-env templates list",
        code="no-such-release",
    )


def listed(entries: Iterable[Entry]) -> str:
    """Return the names of templates in one line."""
    return ", ".join(entry.template.name for entry in entries) or "none"
