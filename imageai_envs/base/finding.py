"""One thing that is wrong, and how to fix it."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    """A result of an inspection (``check``, ``doctor``).

    Attributes:
        id: stable identifier, such as ``file-altered``.
        severity: ``error`` (something will fail) or ``warning``.
        subject: what it is about: a distribution, a path.
        evidence: what was seen.
        cause: the usual cause, in plain words.
        fix: the command that fixes it.
        distribution: the locked distribution to reinstall, if that fixes it.
        link: a thread, release or page where the fact is from; empty where it needs none.
    """

    id: str
    severity: str
    subject: str
    evidence: str
    cause: str
    fix: str
    distribution: str = ""
    link: str = ""

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        return dict(asdict(self))
