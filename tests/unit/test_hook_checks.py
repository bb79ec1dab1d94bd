"""What is said of the runtime hook of an environment: missing, outdated, and what is lost without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imageai_envs.building import hook
from imageai_envs.checks import beside_lock, look_at
from imageai_envs.environments import additions
from imageai_envs.environments.additions import Additions
from imageai_envs.environments.environment import METADATA, Environment
from imageai_envs.request.stack import HOOK
from tests.support.installed import install, site_of

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.checks import Finding

NEW = {"tensorflow-cpu": "2.19.1", "tf-keras": "2.19.0", "numpy": "2.1.3", "matplotlib": "3.11.2"}
OLD = {"tensorflow-cpu": "2.12.1", "numpy": "1.23.5", "matplotlib": "3.5.3"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for directory in (METADATA, "lib/python3.12/site-packages"):
        (tmp_path / "x" / directory).mkdir(parents=True)
    return tmp_path / "x"


def found(root: Path, installed: dict[str, str], *, recorded: str | None = hook.VERSION) -> list[Finding]:
    additions.write(root, Additions(hook=recorded))
    for name, version in installed.items():
        install(site_of(root), name, version)
    return beside_lock.inspect(look_at(Environment("x", root, None)))


@pytest.mark.parametrize("packages", [OLD, NEW], ids=["old", "new"])
def test_the_hook_of_this_tool_is_right(root: Path, packages: dict[str, str]) -> None:
    assert found(root, {**packages, HOOK: hook.VERSION}) == []


def test_a_newer_hook_is_not_outdated(root: Path) -> None:
    assert found(root, {**NEW, HOOK: "99.0"}, recorded="99.0") == []


def test_an_environment_that_never_had_one_misses_none(root: Path) -> None:
    assert found(root, OLD, recorded=None) == []


def test_a_hook_that_is_gone_is_missed_with_what_is_lost(root: Path) -> None:
    (missing,) = found(root, NEW)
    assert (missing.id, missing.severity, missing.fix) == ("hook-missing", "error", "imageai-env repair x")
    for lost in (
        "ten times the learning rate",
        "With Keras 3",
        "cannot import name 'deprecated'",
        "no attribute 'float'",
    ):
        assert lost in missing.cause


def test_a_hook_without_rows_that_are_needed_is_an_error(root: Path) -> None:
    (outdated,) = found(root, {**NEW, HOOK: "1.0"}, recorded="1.0")
    assert (outdated.id, outdated.severity, outdated.fix) == ("hook-outdated", "error", "imageai-env repair x")
    assert "With Keras 3" in outdated.cause
    assert "learning rate" not in outdated.cause  # that it does


@pytest.mark.parametrize("version", ["1.0", "what"])
def test_an_older_hook_that_does_what_is_needed_is_noted(root: Path, version: str) -> None:
    (outdated,) = found(root, {**OLD, HOOK: version}, recorded="1.0")
    assert (outdated.id, outdated.severity) == ("hook-outdated", "note")
    assert version in outdated.evidence
    assert hook.VERSION in outdated.evidence
