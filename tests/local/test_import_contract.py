"""The contract of imports in pyproject.toml is kept, and says so of what breaks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


def lint_imports(place: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
        env={**os.environ, "PYTHONPATH": str(place)}, cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_an_upward_import_breaks_the_contract(tmp_path: Path) -> None:
    shutil.copy2(REPOSITORY / "pyproject.toml", tmp_path)
    shutil.copytree(REPOSITORY / "imageai_envs", tmp_path / "imageai_envs", ignore=shutil.ignore_patterns("*.pyc"))
    code, said = lint_imports(tmp_path)
    assert (code, "1 kept, 0 broken" in said) == (0, True), said
    with (tmp_path / "imageai_envs" / "base" / "errors.py").open("a", encoding="utf-8") as stream:
        stream.write("\n\ndef _up() -> None:\n    from imageai_envs.cli.app import run  # noqa: F401\n")
    code, said = lint_imports(tmp_path)
    assert (code, "0 kept, 1 broken" in said) == (1, True), said
    assert "imageai_envs.base.errors -> imageai_envs.cli.app" in said
