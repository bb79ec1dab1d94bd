"""Hostile environment variables: of a CI job, a container, a shell's start file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.hostile import Hostile, nothing
from tests.hostile.mutations import both, closed, written

if TYPE_CHECKING:
    from tests.hostile.mutations import Mutation

_CREATE = ("create", "y", "--lock", "lock.txt", "--verify", "none")
_MADE = ("store/envs", "store/records")
_SITE = "import sys\nopen('{ground}/canary/pwned', 'w').close()\n"


def _home(name: str, value: str, code: int, says: str, id_: str = "", mutate: Mutation = nothing, words: tuple[str, ...] = _CREATE) -> Hostile:
    good = {"IMAGEAI_ENV_HOME": "{ground}/tmp/other"}
    return Hostile("variable", f"IMAGEAI_ENV_HOME: {name}", words, code, says, id_, mutate, {"IMAGEAI_ENV_HOME": value}, good_variables=good)


def _works(name: str, value: str | None, words: tuple[str, ...] = _CREATE, says: str = "", mutate: Mutation = nothing, changes: tuple[str, ...] = _MADE, **more: str | None) -> Hostile:
    variable = name.partition(":")[0]
    return Hostile("variable", name, words, 0, says, "", mutate, {variable: value, **more}, changes=changes)


VARIABLES = (
    _home("a file", "{ground}/canary/photo", 6, "IMAGEAI_ENV_HOME", "disk"),
)  # fmt: skip
