"""Words for people, one JSON object for scripts, credentials for nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imageai_envs.base.errors import DriftError, ImageAIEnvError
from imageai_envs.base.result import Result, Table
from imageai_envs.cli.render import human_size, show_error, show_result


def test_lines_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(("NAME", "DIRECTORY"), (("a", "/short"), ("longer", "/a/rather/long/path")))
    show_result(Result("list", {}, ["first", table, "last"]), as_json=False)
    out, err = capsys.readouterr()
    assert out == "first\nNAME    DIRECTORY\na       /short\nlonger  /a/rather/long/path\nlast\n"
    assert err == ""


def test_a_table_of_headings_only(capsys: pytest.CaptureFixture[str]) -> None:
    show_result(Result("list", {}, [Table(("A", "B"), ())]), as_json=False)
    assert capsys.readouterr().out == "A  B\n"


def test_long_cells_are_not_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    show_result(Result("list", {}, [Table(("A", "B"), (("x", "y" * 300),))]), as_json=False)
    assert "y" * 300 in capsys.readouterr().out


def test_json_is_all_that_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    data: dict[str, object] = {"name": "ü", "path": Path("/x"), "list": [1]}
    show_result(Result("show", data, ["never shown"], exit_code=1), as_json=True)
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "schema": 1,
        "command": "show",
        "status": "partial",
        "exit_code": 1,
        "data": {"name": "ü", "path": "/x", "list": [1]},
        "errors": [],
    }
    assert "ü" in out
    assert out.endswith("}\n")


def test_errors_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(ImageAIEnvError("What.\n  More.", hint="do this"), "create", as_json=False)
    assert capsys.readouterr() == ("", "error: What.\n  More.\nhint: do this\n")
    show_error(ImageAIEnvError("What."), "create", as_json=False)
    assert capsys.readouterr() == ("", "error: What.\n")


def test_errors_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    error = DriftError("It drifted.", hint="imageai-env lock", data={"in_sync": False})
    show_error(error, "lock", as_json=True)
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "schema": 1,
        "command": "lock",
        "status": "error",
        "exit_code": 8,
        "data": {"in_sync": False},
        "errors": [{"code": "drift", "message": "It drifted.", "hint": "imageai-env lock"}],
    }
    show_error(ImageAIEnvError("x", code="own"), "lock", as_json=True)
    entry = json.loads(capsys.readouterr().out)["errors"][0]
    assert entry == {"code": "own", "message": "x", "hint": None}


@pytest.mark.parametrize("as_json", [False, True])
def test_no_secrets(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    url = "https://robot:hunter2@mirror.invalid/"
    data: dict[str, object] = {"probe": {"lines": [f"from {url}"], url: 1}}
    show_error(ImageAIEnvError(f"from {url}", hint=f"try {url}", data=data), "create", as_json=as_json)
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err
    assert "https://****@mirror.invalid/" in out + err


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1_390_000, "1 MB"),
        (999_400_000, "999 MB"),
        (1_391_000_000, "1.39 GB"),
        (25_000_000_000, "25.00 GB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert human_size(size) == text
