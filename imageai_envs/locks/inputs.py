"""All that a lock depends on, and their digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imageai_envs.locks.lockfile import Header, digest_inputs

if TYPE_CHECKING:
    from imageai_envs.request.target import Target
    from imageai_envs.templates.catalog import Selection


@dataclass(frozen=True)
class LockInputs:
    """All that a lock depends on, for one target: the same inputs, the same digest.

    Attributes:
        selection: template, exact release, variant.
        extras: the user's requirements.
        target: CPython minor and platform.
    """

    selection: Selection
    extras: tuple[str, ...]
    target: Target

    @property
    def requirements(self) -> tuple[str, ...]:
        """What is resolved: the template's requirements and the user's, ImageAI only if its metadata counts."""
        own = self.selection.template.requirements(self.selection.variant, self.selection.version, self.target)
        imageai = () if self._replaced else (self._imageai,)
        return (*own, *imageai, *self.extras)

    @property
    def constraints(self) -> tuple[str, ...]:
        """The template's caps for this release and target."""
        return self.selection.template.constraints(self.selection.version, self.target)

    @property
    def _replaced(self) -> bool:
        return self.selection.template.imageai.replaces_dependencies

    @property
    def _imageai(self) -> str:
        return f"imageai=={self.selection.template.imageai.version}"

    @property
    def alone(self) -> tuple[str, ...]:
        """What is pinned without looking at its metadata: ImageAI, unless its metadata counts."""
        return (self._imageai,) if self._replaced else ()

    @property
    def built(self) -> tuple[str, ...]:
        """Distributions that may be built from source."""
        return self.selection.template.sources_built(self.selection.version, self.target)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Distributions that are left out of the result; never what the variant itself requires."""
        own = {canonicalize_name(Requirement(text).name) for text in self.requirements}
        return tuple(name for name in self.selection.template.left_out(self.selection.version) if name not in own)

    @property
    def digest(self) -> str:
        """Digest of everything above; a lock that carries another one has drifted."""
        return digest_inputs(
            {
                "requirements": self.requirements,
                "constraints": self.constraints,
                "imageai": self._imageai,
                "replaced": self._replaced,
                "built": sorted(self.built),
                "dropped": sorted(self.dropped),
                "target": str(self.target),
            }
        )

    def header(self, engine: str, pinned: frozenset[str]) -> Header:
        """Return the header of a lock with these inputs."""
        template = self.selection.template
        return Header(
            template=template.name,
            release=self.selection.release,
            imageai=template.imageai.version,
            variant=self.selection.variant,
            target=self.target,
            engine=engine,
            requires=self.extras,
            replaced=self._replaced,
            built=tuple(name for name in self.built if name in pinned),
            dropped=self.dropped,
            inputs=self.digest,
        )
