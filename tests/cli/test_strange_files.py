"""Files of strangers on the command line: a clear error at once, and nothing that a terminal obeys is printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imageai_envs.base.paths import shipped_templates
from imageai_envs.base.printable import is_visible
from tests.conftest import tiny_template
from tests.support.tool import REPOSITORY, Answer

LOCK = (shipped_templates() / "locks" / "tf2.10" / "cpu-cp310-linux-x86_64.txt").read_text(encoding="utf-8")
TEMPLATES = Path(".imageai-env") / "templates"


def bounded(*words: str, script: str = '"$@"') -> Answer:
    """Run the tool with 3 GB of address space, within a minute: what reads without end fails, and not the machine."""
    done = subprocess.run(
        ["bash", "-c", f"ulimit -v 3000000; {script}", "bash", sys.executable, "-m", "imageai_envs", *words],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        timeout=60,
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert is_visible(out), out
    assert is_visible(err), err
    assert "Something unexpected" not in err
    return Answer(done.returncode, out, err)


def refused(*words: str, code: int = 3) -> str:
    answer = bounded(*words)
    assert answer.code == code, answer
    assert answer.err.count("error: ") == 1
    return answer.err


def strange(name: str, kind: str) -> str:
    """Make a file that is none, and return how to call it."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    if kind == "device":
        Path(name).symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(name)
    else:
        with Path(name).open("wb") as stream:
            stream.truncate(1 << 33)
    return name


WORDS = {"device": "it is a device, not a file", "pipe": "nothing came out of this pipe", "long": "it is longer than"}


@pytest.mark.parametrize("kind", list(WORDS))
@pytest.mark.parametrize(
    "words",
    [
        ("create", "x", "--no-download", "--lock"),
        ("create", "x", "--no-download", "-r"),
        ("create", "x", "--no-download", "--template"),
        ("templates", "validate"),
        ("rescue",),
    ],
    ids=" ".join,
)
def test_what_is_no_file(words: tuple[str, ...], kind: str) -> None:
    assert WORDS[kind] in refused(*words, strange("./odd.toml", kind))


@pytest.mark.parametrize("kind", list(WORDS))
def test_a_template_in_a_clone_that_is_no_file(kind: str) -> None:
    strange(str(TEMPLATES / "tf2.10.toml"), kind)
    for words in (("create", "x"), ("create", "x", "--tf", "2.10"), ("templates", "show", "tf2.10")):
        assert WORDS[kind] in refused(*words)
    listed = bounded("templates", "list")
    assert (listed.code, "warning: " in listed.err) == (0, True)


def test_explain_reads_no_device() -> None:
    assert "it is a device" in refused("explain", "--file", "/dev/zero")
    assert bounded("explain", "--file", strange("odd", "pipe")).code == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# variant", "# requires: --index-url http://evil.invalid\n# variant"),
        ("# variant", "# built-from-source: :all:\n# variant"),
        ("# variant", "# built-from-source: --index-url=http://evil.invalid\n# variant"),
        ("template: tf2.10", "template: ../../../etc/passwd"),
        ("engine: uv", "engine: \x1b]0;x\x07\x1b[2J\u202euv"),
        ("its own requirements are replaced", "nothing of it is replaced"),
    ],
)
def test_headers_of_locks(old: str, new: str) -> None:
    Path("lock.txt").write_text(LOCK.replace(old, new, 1), encoding="utf-8")
    for words in (("create", "x", "--lock"), ("lock", "--check", "-o")):
        assert "lock.txt: Line " in refused(*words, "lock.txt")


def test_pipes_with_something_in_them() -> None:
    script = '"$@" --with six -r <(echo pandas) -r /dev/stdin --template <(cat tiny.toml) < <(echo tqdm)'
    Path("tiny.toml").write_text(tiny_template(), encoding="utf-8")
    answer = bounded("create", "x", "--no-download", "--dry-run", script=script)
    assert answer.code == 0, answer
    for word in ("six", "pandas", "tqdm", "template     tiny"):
        assert word in answer.out


def test_what_is_shown_of_templates() -> None:
    TEMPLATES.mkdir(parents=True)
    text = tiny_template()
    hidden = text.replace('summary = "', 'summary = "\\u001b[8m\\u009b2J')
    (TEMPLATES / "hidden.toml").write_text(hidden, encoding="utf-8")
    (TEMPLATES / "raw.toml").write_text('a = "\x9b2J\u202e\x7f"\nb\x1b[2J = 1\n', encoding="utf-8")
    (TEMPLATES / "\x1b[31mx.toml").write_text("schema = 1\n", encoding="utf-8")
    for words in (("templates", "list"), ("templates", "list", "--json")):
        answer = bounded(*words)
        assert (answer.code, answer.err.count("warning: ")) == (0, 3)
    for name in ("hidden", "raw", "\x1b[31mx"):
        refused("templates", "validate", str(TEMPLATES / f"{name}.toml"))
    assert "\\x1b[31mx" in refused("create", "x", "--with", "\x1b[31mx")


def test_a_template_is_not_found_in_the_name_of_another() -> None:
    TEMPLATES.mkdir(parents=True)
    (TEMPLATES / "tf2.9.toml").write_text("schema = ", encoding="utf-8")
    assert "no template 'f2.9'" in refused("create", "x", "--template", "f2.9")
    assert "tf2.9.toml is not valid TOML" in refused("create", "x", "--tf", "2.9")
