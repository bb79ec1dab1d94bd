"""What a user asks for, before anything is looked up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imageai_envs.request.framework import FRAMEWORKS, TENSORFLOW, TORCH

if TYPE_CHECKING:
    from imageai_envs.request.framework import Release

ENGINES = ("auto", "uv", "pip")
"""Who resolves and installs; ``auto`` is uv where it is installed."""

LEVELS = ("inference", "imports", "none")
"""How an environment is proved: ImageAI classifies a picture, is imported, or neither."""


@dataclass(frozen=True)
class Request:
    """The versions and additions that were asked for; None means "you choose".

    Attributes:
        template: a template's name, or the path of a template file.
        tensorflow: ``2.10`` (newest patch) or ``2.10.0`` (exactly).
        imageai: an ImageAI version.
        variant: ``cpu`` or ``gpu``.
        python: a version, an executable or a directory.
        extras: further PEP 508 requirements, from ``--with`` and ``-r``, in order.
        torch: a PyTorch, as ``tensorflow``.
    """

    template: str | None = None
    tensorflow: str | None = None
    imageai: str | None = None
    variant: str = "cpu"
    python: str | None = None
    extras: tuple[str, ...] = ()
    torch: str | None = None

    def at(self, release: Release) -> Request:
        """Return the same request for exactly this release of a framework."""
        versions = dict.fromkeys(FRAMEWORKS) | {release.framework: release.version}
        return replace(self, tensorflow=versions[TENSORFLOW], torch=versions[TORCH])
