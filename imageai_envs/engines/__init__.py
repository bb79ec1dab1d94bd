"""The two ways to resolve and install: ``uv`` when it is there, ``pip`` (with pip-tools) always."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.errors import RequestError
from imageai_envs.engines.uv import UvEngine, find_uv
from imageai_envs.environments.hints import install_beside_us

if TYPE_CHECKING:
    from imageai_envs.engines.base import Engine


def get_engine(name: str) -> Engine:
    """Return the engine called ``name``; ``auto`` is uv when it is installed, else pip.

    Raises:
        RequestError: uv was named and is not installed.
    """
    if name != "pip":
        executable = find_uv()
        if executable:
            return UvEngine(executable)
        if name == "uv":
            raise RequestError(
                "The engine uv was asked for and is not installed.",
                hint=f"{install_beside_us('uv')}   (or use --engine pip)",
                code="no-uv",
            )
    from imageai_envs.engines.pip_tools import PipEngine  # takes a while, and most have uv

    return PipEngine()
