"""What files of others say reaches a terminal and JSON without anything that a terminal obeys."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageai_envs.base.errors import ImageAIEnvError
from imageai_envs.base.printable import is_visible, one_line, visible, visible_json
from imageai_envs.base.result import Result, Span, Table, Verbatim
from imageai_envs.cli.render import show_error, show_lines, show_result
from imageai_envs.cli.reporters import Plain

HOSTILE = {
    "colour": ("\x1b[31mred", "\\x1b[31mred"),
    "hidden": ("\x1b[8mgone\x1b[0m", "\\x1b[8mgone\\x1b[0m"),
    "title": ("\x1b]0;mine\x07", "\\x1b]0;mine\\x07"),
    "8-bit": ("\x9b2J", "\\x9b2J"),
    "overwritten": ("bad\rgood", "bad\\rgood"),
    "erased": ("bad\x08\x08\x08\x7f", "bad\\x08\\x08\\x08\\x7f"),
    "turned round": ("\u202etxt.exe\u2066", "\\u202etxt.exe\\u2066"),
    "line separator": ("a\u2028b", "a\\u2028b"),
    "half a pair": ("caf\udce9", "caf\\udce9"),
    "null": ("a\0b", "a\\x00b"),
}
EACH = pytest.mark.parametrize(("raw", "shown"), list(HOSTILE.values()), ids=list(HOSTILE))


@EACH
def test_control_characters_are_escapes(raw: str, shown: str) -> None:
    assert visible(raw) == one_line(raw) == shown
    assert not is_visible(raw)
    assert is_visible(shown)


def test_what_people_write_stays() -> None:
    text = "é 日本 \U0001f600 a\tb\nc"
    assert visible(text) == text
    assert visible("a\r\nb") == "a\nb"
    assert one_line("a\tb\nc") == "a\\tb\\nc"


@given(st.text())
def test_nothing_else_gets_through(text: str) -> None:
    assert {unicodedata.category(letter) for letter in one_line(text)} & {"Cc", "Cs", "Zl", "Zp"} == set()
    assert {unicodedata.category(letter) for letter in visible(text).replace("\n", "").replace("\t", "")} & {
        "Cc",
        "Cs",
    } == set()
    assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text


@EACH
def test_results_lines_tables_and_errors(
    raw: str, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR")
    show_result(Result("x", {}, [raw, (raw, Span(raw, "red")), Table((raw,), ((raw,),))]), as_json=False)
    show_lines([raw])
    show_error(ImageAIEnvError(raw, hint=raw), "x", as_json=False)
    out, err = capsys.readouterr()
    assert out.splitlines() == [shown, shown * 2, shown, shown]
    assert err.splitlines() == [shown, f"error: {shown}", f"hint: {shown}"]


@EACH
def test_progress(raw: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Plain(verbose=True)
    reporter.step(raw)
    reporter.note(raw)
    reporter.warn(raw)
    reporter.output(raw)
    reporter.downloading(raw, "")
    assert capsys.readouterr().err.splitlines() == [
        shown, f"note: {shown}", f"warning: {shown}", f"  | {shown}", f"  downloading {shown}",
    ]  # fmt: skip


@EACH
def test_json(raw: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_result(Result("x", {"name": raw, "path": Path("/x")}), as_json=True)
    show_error(ImageAIEnvError(raw), "x", as_json=True)
    out = capsys.readouterr().out
    assert is_visible(out)
    first, _, second = out.partition("}\n{")
    assert json.loads(first + "}")["data"]["name"] == raw
    assert json.loads("{" + second)["errors"][0]["message"] == raw


def test_our_own_colours_are_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(click, "echo", lambda text, **_: print(text))
    show_lines([("1. ", Span("error: x\x1b[0m", "red"))])
    assert capsys.readouterr().out == "1. \x1b[31m\x1b[1merror: x\\x1b[0m\x1b[0m\n"


def test_scripts_are_not_touched(capsys: pytest.CaptureFixture[str]) -> None:
    show_result(Result("activate", {}, [Verbatim("export X='\x1b \u202e'\r\n")]), as_json=False)
    assert capsys.readouterr().out.encode() == "export X='\x1b \u202e'\r\n\n".encode()
