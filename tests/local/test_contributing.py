"""CONTRIBUTING.md leads where it says: its blocks are applied to a copy, and its commands run there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.tool import REPOSITORY

PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = {
    title: text for title, _, text in (part.partition("\n") for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:])
}
PIECE = re.compile(r"^`(?P<path>[^`\n]+)`$|^```(?P<kind>\w+)\n(?P<block>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy what the examples touch; the verified locks are not, and are large."""
    root = tmp_path / "copy"
    for name in ("imageai_envs", "docs"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "templates", root / "templates", ignore=shutil.ignore_patterns("locks"))
    return root


def change(text: str, diff: str) -> str:
    """Return ``text`` with the ``+`` lines of a diff, whose other lines stand there just once."""
    lines = diff.splitlines()
    assert {line[0] for line in lines} == {" ", "+"}, diff
    before = "\n".join(line[1:] for line in lines if line[0] == " ")
    assert text.count(before) == 1, f"stands there {text.count(before)} times:\n{before}"
    return text.replace(before, "\n".join(line[1:] for line in lines))


def run(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["sh", "-c", command],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def follow(root: Path, title: str) -> dict[str, str]:
    """Do what a section says; return the output of each command."""
    path, out = Path(), {}
    for piece in PIECE.finditer(SECTIONS[title]):
        block = piece["block"]
        if piece["path"]:
            path = root / piece["path"]
        elif piece["kind"] == "console":
            for command in re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE):
                done = run(root, command)
                expected = (0, 1) if " doctor " in command else (0,)  # this Python may have what is wrong
                assert done.returncode in expected, f"{command}\n{done.stdout}{done.stderr}"
                out[command] = done.stdout
        elif piece["kind"] == "diff":
            path.write_text(change(path.read_text(encoding="utf-8"), block), encoding="utf-8")
        else:
            assert not path.exists()
            path.write_text(block, encoding="utf-8")
    return out


def answer(root: Path, *words: str) -> dict[str, Any]:
    done = run(root, f"python -m imageai_envs {' '.join(words)} --json")
    data: dict[str, Any] = json.loads(done.stdout)["data"]
    return data


def test_the_sections() -> None:
    assert [title for title in SECTIONS if title.startswith("Add ")] == [
        "Add a template",
        "Add an explain rule",
        "Add an inspection",
        "Add a command",
    ]


def test_add_a_template(copy: Path) -> None:
    out = follow(copy, "Add a template")
    assert "opencv-contrib-python" in list(out.values())[-1]
    choose = (
        "from imageai_envs.base.paths import home; from imageai_envs.request.request import Request\n"
        "from imageai_envs.templates.catalog import select\n"
        "for words in ({'template': 'tf2.10-contrib'}, {'tensorflow': '2.10'}, {}):\n"
        "    found = select(Request(**words), home()); print(found.entry.origin, found.template.name)\n"
    )
    done = run(copy, f'python -c "{choose}"')
    assert done.stdout.splitlines() == ["shipped tf2.10-contrib", "shipped tf2.10", "shipped tf2.10"], done.stderr


def test_add_an_explain_rule(copy: Path) -> None:
    out = follow(copy, "Add an explain rule")
    assert "pillow-antialias (pillow)" in next(iter(out.values()))
    (rule,) = (one for one in answer(copy, "explain", "--list")["rules"] if one["rule"] == "pillow-antialias")
    (copy / "log").write_text(rule["example"], encoding="utf-8")
    assert [one["rule"] for one in answer(copy, "explain", "--file", "log")["explanations"]] == ["pillow-antialias"]
    assert "`pillow-antialias`" in (copy / "docs" / "explain.md").read_text(encoding="utf-8")


def test_add_an_inspection(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    (told,) = follow(copy, "Add an inspection").values()
    assert "TF_CPP_MIN_LOG_LEVEL is 3" in told
    ids = [finding["id"] for finding in answer(copy, "doctor", "--python", "python")["findings"]]
    assert "messages-hidden" not in ids


def test_add_a_command(copy: Path) -> None:
    _, listed, ran = follow(copy, "Add a command").values()
    assert re.search(r"^  places +Print where", listed, re.MULTILINE)
    assert set(json.loads(ran)["data"]) == {"data", "cache", "config"}
    assert "\n## imageai-env places\n" in (copy / "docs" / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "a\na\n"])
def test_a_diff_that_does_not_fit_is_noticed(text: str) -> None:
    with pytest.raises(AssertionError, match="stands there"):
        change(text, " a\n+b\n")
