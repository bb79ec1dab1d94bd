"""Progress: lines in logs, one moving line at a real terminal, and nobody's password in either."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from imageai_envs.base.progress import Reporter, Silent
from imageai_envs.cli.reporters import Plain, parse_size, reporting
from tests.support.tool import REPOSITORY


def tell_everything(reporter: Reporter) -> None:
    reporter.step("installing 2 distributions")
    reporter.downloading("tensorflow-cpu", "204.6MiB")
    reporter.downloading("six", "11.1 kB")
    reporter.downloading("unknown", "")
    reporter.downloaded("tensorflow-cpu")
    reporter.note("a note")
    reporter.warn("a warning")
    reporter.output("a line of https://robot:hunter2@mirror.invalid/")


@pytest.mark.parametrize(
    ("quiet", "verbose", "expected"),
    [
        (
            False,
            False,
            [
                "installing 2 distributions",
                "  downloading tensorflow-cpu (204.6MiB)",
                "  downloading unknown",
                "note: a note",
                "warning: a warning",
            ],
        ),
        (True, False, ["warning: a warning"]),
        (
            False,
            True,
            [
                "installing 2 distributions",
                "  downloading tensorflow-cpu (204.6MiB)",
                "  downloading unknown",
                "note: a note",
                "warning: a warning",
                "  | a line of https://****@mirror.invalid/",
            ],
        ),
    ],
)
def test_plain(capsys: pytest.CaptureFixture[str], quiet: bool, verbose: bool, expected: list[str]) -> None:
    tell_everything(Plain(quiet=quiet, verbose=verbose))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == expected


def test_silent(capsys: pytest.CaptureFixture[str]) -> None:
    tell_everything(Silent())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("204.6MiB", 214_538_649),
        ("17.1 MB", 17_100_000),
        ("11.1 kB", 11_100),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("1.5GiB", 1_610_612_736),
        ("959 bytes", 0),
        ("12B", 12),
        ("", 0),
        ("big", 0),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_without_a_terminal_it_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting(quiet=False, verbose=False) as reporter:
        assert type(reporter) is Plain
        reporter.step("working")
    assert capsys.readouterr().err == "working\n"


# At a terminal ----------------------------------------------------------------------------------------------------

_PROGRAM = """\
import sys
from imageai_envs.cli.reporters import reporting
with reporting(quiet="quiet" in sys.argv, verbose="verbose" in sys.argv) as reporter:
    sys.__stdout__.write(type(reporter).__name__)  # drawing takes sys.stdout over
    reporter.step("resolving [bold]x[/bold]")
    reporter.note("a note")
    reporter.step("installing from https://robot:hunter2@mirror.invalid/")
    reporter.downloading("tensorflow-cpu", "204.6MiB")
    reporter.downloaded("tensorflow-cpu")
    reporter.downloaded("never-announced")
    if "fail" in sys.argv:
        sys.exit("it failed")
    reporter.warn("a warning")
"""


def drawn(*words: str, program: str = _PROGRAM, **variables: str) -> tuple[str, str]:
    """Run a program with a terminal as standard error; return standard output, and all that the terminal got."""
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR")}
    child = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        env={**environment, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm-256color", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # how Linux tells that the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(master)
    out, _ = child.communicate(timeout=60)
    return out, shown.decode().replace("\r\n", "\n")


def at_a_terminal(*words: str, **variables: str) -> tuple[str, str]:
    """Return standard output, and what stays on the screen."""
    out, text = drawn(*words, **variables)
    # A line that is erased (ESC [2K) or drawn over (carriage return) does not stay.
    lines = [re.split(r"\x1b\[2K|\r", line)[-1] for line in text.split("\n")]
    return out, "\n".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in lines)


def test_live_leaves_one_ticked_line_per_step() -> None:
    out, screen = at_a_terminal()
    assert out == "Live"
    kept = [line.strip() for line in screen.splitlines() if line.strip()]
    for line in ("✓ resolving [bold]x[/bold]", "✓ installing from https://****@mirror.invalid/", "note: a note"):
        assert line in kept
    assert "warning: a warning" in kept
    assert kept.index("✓ resolving [bold]x[/bold]") < kept.index("✓ installing from https://****@mirror.invalid/")
    assert "hunter2" not in screen


def test_a_step_that_fails_gets_no_tick() -> None:
    _, screen = at_a_terminal("fail")
    assert "✓ resolving" in screen
    assert "✓ installing" not in screen
    assert "it failed" in screen


@pytest.mark.parametrize(
    ("words", "variables"),
    [(("quiet",), {}), (("verbose",), {}), ((), {"CI": "true"}), ((), {"TERM": "dumb"})],
)
def test_when_a_moving_line_is_not_wanted(words: tuple[str, ...], variables: dict[str, str]) -> None:
    out, screen = at_a_terminal(*words, **variables)
    assert out == "Plain"
    assert "✓" not in screen
    assert "warning: a warning" in screen
    assert "hunter2" not in screen


_COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])(?:;[0-9;]*)?m")


def test_no_color() -> None:
    _, text = drawn(NO_COLOR="1")
    assert "\x1b[2K" in text  # erasing and moving the cursor are no colours
    assert not _COLOUR.search(text)
    assert _COLOUR.search(drawn()[1])


def test_nothing_is_drawn_before_the_first_step() -> None:
    program = """\
from imageai_envs.cli.reporters import reporting
import sys
with reporting(quiet=False, verbose=False) as reporter:
    reporter.note("a note")
    reporter.downloading("tensorflow-cpu", "204.6MiB")
    reporter.downloaded("tensorflow-cpu")
    print("a question [y/N]", file=sys.stderr)
    print("rich" in sys.modules)
"""
    out, text = drawn(program=program)
    assert out == "False\n"
    assert text == "note: a note\n  downloading tensorflow-cpu (204.6MiB)\na question [y/N]\n"


def test_the_cursor_comes_back() -> None:
    for words in ((), ("fail",)):
        _, text = drawn(*words)
        assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0
