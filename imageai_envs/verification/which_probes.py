"""Which probe proves which ImageAI: what people call in it changed with 2.1.6 and with 3."""

from __future__ import annotations

from packaging.version import Version

# The first release of each generation, the newest first.
_GENERATIONS = (("3", "imageai3_probe.py"), ("2.1.6", "imageai_probe.py"), ("0", "imageai215_probe.py"))


def probe_of(imageai: str) -> str:
    """Return the script in ``probes/`` for an exact release of ImageAI."""
    version = Version(imageai)
    return next(script for first, script in _GENERATIONS if version >= Version(first))
