"""An environment without its lock: the command that is printed builds what was asked for, wherever it lies."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import tiny_template
from tests.support.tool import REPOSITORY, Answer, tool

if TYPE_CHECKING:
    from tests.support.index import Index


def in_a_shell(command: str) -> None:
    """Run a command as it was printed, in another directory than the one that it was printed in."""
    ours = f'imageai-env() {{ {shlex.quote(sys.executable)} -m imageai_envs "$@"; }}; {command}'
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        ["/bin/bash", "-c", ours], capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def fix_of(name: str) -> str:
    [environment] = tool("check", name, "--json").json()["data"]["environments"]
    [finding] = [finding for finding in environment["findings"] if finding["id"] == "lock-missing"]
    fix = finding["fix"]
    assert isinstance(fix, str)
    return fix


def shown(name: str) -> dict[str, object]:
    answer = tool("show", name, "--json").json()["data"]
    state = answer["state"]
    kept = ("name", "template", "tensorflow", "imageai", "variant", "target", "verified")
    asked = {key: state["request"][key] for key in ("extras", "variant")}
    return {**{key: state[key] for key in kept}, "asked": asked, "packages": answer["packages"], "root": answer["root"]}


@pytest.fixture
def spaced(tmp_path: Path) -> Path:
    """A template given by file, in a directory whose name a shell takes apart."""
    path = tmp_path / "a 'place' $HOME" / "own template.toml"
    path.parent.mkdir()
    path.write_text(tiny_template("own"), encoding="utf-8")
    return path


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_was_there_is_built_again(index: Index, spaced: Path, tmp_path: Path, elsewhere: bool) -> None:
    place = tmp_path / "with space & more" / "env"
    place.parent.mkdir()
    where = ("--path", place) if elsewhere else ()
    template = os.path.relpath(spaced)
    created = tool(
        "create", "x", *where, "--template", template, "--tf", "2.10.0", "--with", "six>=1.16,<2; python_version>'3'",
        "--with", "pytz", "--verify", "imports",
    )  # fmt: skip
    assert created.code == 0, created.err
    before = shown("x")
    lock = Path(str(before["root"])) / ".imageai-env" / "requirements.txt"
    lock.unlink()
    fix = fix_of("x")
    answers: list[Answer] = [tool(command, "x") for command in ("repair", "recreate", "sync", "upgrade")]
    assert {answer.code for answer in answers} == {3}
    assert all(f"hint: {fix}\n" in answer.err for answer in answers)
    assert f"Fix: {fix}\n" in tool("show", "x").out
    in_a_shell(f"cd / && {fix}")
    assert shown("x") == before
    assert tool("check", "x").code == 0


def test_what_is_not_known_is_not_invented(index: Index, template: Path) -> None:
    assert tool("create", "x", "--template", "tiny", "--verify", "none").code == 0
    metadata = Path(json.loads(tool("show", "x", "--json").out)["data"]["root"]) / ".imageai-env"
    (metadata / "requirements.txt").unlink()
    (metadata / "state.json").write_text("{", encoding="utf-8")
    fix = fix_of("x")
    assert fix.startswith("imageai-env create x --tf VERSION --force ")
    assert "not known any more" in fix
    assert fix in tool("show", "x").out
