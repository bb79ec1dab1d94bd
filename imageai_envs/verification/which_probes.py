"""Which probes prove which ImageAI: what people call in it changed with 2.1.6 and with 3."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import Version


@dataclass(frozen=True)
class Probes:
    """The scripts in ``probes/`` for one generation of ImageAI.

    Attributes:
        quick: imports, and one picture that is classified; what ``create`` proves with.
        full: every feature; what the matrix is made with.
    """

    quick: str
    full: str


# The first release of each generation, the newest first.
_GENERATIONS = (
    ("3", Probes("imageai3_probe.py", "imageai3_full_probe.py")),
    ("2.1.6", Probes("imageai_probe.py", "imageai_full_probe.py")),
    ("0", Probes("imageai215_probe.py", "imageai215_full_probe.py")),
)


def probes_of(imageai: str) -> Probes:
    """Return the probes for an exact release of ImageAI."""
    version = Version(imageai)
    return next(probes for first, probes in _GENERATIONS if version >= Version(first))
