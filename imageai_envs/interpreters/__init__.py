"""Find, choose or fetch the Python that an environment is made from."""

from __future__ import annotations

from imageai_envs.interpreters.choice import choose, within_reach
from imageai_envs.interpreters.discovery import find_interpreters, interrogate
from imageai_envs.interpreters.fetch import uv_fetcher
from imageai_envs.request.interpreter import Interpreter

__all__ = ["Interpreter", "choose", "find_interpreters", "interrogate", "uv_fetcher", "within_reach"]
