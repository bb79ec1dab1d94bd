"""What a lock is for: a CPython minor on a platform."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imageai_envs.base.errors import RequestError

_TARGET = re.compile(r"cp(?P<major>\d)(?P<minor>\d{1,2})-(?P<platform>linux|darwin|win32)-(?P<machine>[a-z0-9_]+)")
_SYSTEMS = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
# platform.machine() spells these three ways.
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}


@dataclass(frozen=True, order=True)
class Target:
    """A CPython minor and a platform, written ``cp310-linux-x86_64``.

    Attributes:
        python: major and minor, ``(3, 10)``.
        platform: ``sys.platform``: ``linux``, ``darwin`` or ``win32``.
        machine: processor family as PEP 508 markers see it on that platform, lower case.
    """

    python: tuple[int, int]
    platform: str
    machine: str

    def __str__(self) -> str:
        return f"cp{self.python[0]}{self.python[1]}-{self.platform}-{self.machine}"

    @property
    def python_version(self) -> str:
        """The minor as text, ``3.10``."""
        return f"{self.python[0]}.{self.python[1]}"

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``cp310-linux-x86_64``.

        Raises:
            RequestError: ``text`` is not a target.
        """
        match = _TARGET.fullmatch(text)
        if not match:
            raise RequestError(
                f"{text!r} is not a target.",
                hint="A target looks like cp310-linux-x86_64.",
                code="bad-target",
            )
        return cls((int(match["major"]), int(match["minor"])), match["platform"], match["machine"])

    @classmethod
    def of(cls, python: tuple[int, int], sys_platform: str, machine: str) -> Target:
        """Build a target from what an interpreter says of itself."""
        platform = "linux" if sys_platform.startswith("linux") else sys_platform
        lowered = machine.lower()
        return cls(python, platform, _MACHINES.get(lowered, lowered))

    def marker_environment(self) -> dict[str, str]:
        """Return the PEP 508 marker variables of this target."""
        machine = "AMD64" if (self.platform, self.machine) == ("win32", "x86_64") else self.machine
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python_version}.0",
            "os_name": "nt" if self.platform == "win32" else "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": _SYSTEMS.get(self.platform, self.platform),
            "platform_version": "",
            "python_full_version": f"{self.python_version}.0",
            "python_version": self.python_version,
            "sys_platform": self.platform,
        }
