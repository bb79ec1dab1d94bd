"""`list`, `show`, `activate`, `shell`, `run --json`, `remove`, `templates`, `python`, `completion`."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.paths import home
from imageai_envs.templates.catalog import load_catalog
from tests.conftest import tiny_template
from tests.support.tool import REPOSITORY, tool

if TYPE_CHECKING:
    from tests.support.index import Index

TINY = ("--template", "tiny", "--verify", "none")


@pytest.fixture
def root(index: Index, template: Path) -> Path:
    """An environment called ``x``."""
    created = tool("create", "x", *TINY, "--with", "six")
    assert created.code == 0, created.err
    return Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs" / "x"


def bash(script: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def piped(text: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the tool with ``text`` as its standard input, which is no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "imageai_envs", *words],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def at_a_terminal(answer: str, *words: str) -> tuple[int, str]:
    """Run the tool with a terminal for all three streams, and type ``answer``."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "imageai_envs", *words],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm", "CI": ""},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    os.write(master, answer.encode())
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
    return child.wait(timeout=60), shown.decode().replace("\r\n", "\n")


# list and show ----------------------------------------------------------------------------------------------------


def test_list_of_nothing() -> None:
    assert tool("list", "--json").json()["data"] == {"environments": [], "bytes": 0}
    assert "imageai-env create" in tool("list").out


def test_list(root: Path) -> None:
    data = tool("list", "--json").json()["data"]
    (one,) = data["environments"]
    assert set(one) == {"name", "root", "status", "bytes", "bytes_unshared", "state"}
    assert (one["name"], one["root"], one["status"]) == ("x", str(root), "ok")
    assert one["state"]["template"] == "tiny"
    assert one["state"]["verified"] == "none"
    assert data["bytes"] == one["bytes"] >= one["bytes_unshared"] > 0
    lines = tool("list").out.splitlines()
    assert lines[0].split() == [
        "NAME",
        "FRAMEWORK",
        "IMAGEAI",
        "PYTHON",
        "PROVED",
        "STATE",
        "SIZE",
        "FREED",
        "DIRECTORY",
    ]
    assert lines[1].endswith(str(root))


def test_list_tells_what_is_wrong(root: Path) -> None:
    (root / "bin" / "python").unlink()
    assert [one["status"] for one in tool("list", "--json").json()["data"]["environments"]] == ["python-missing"]
    (root / ".imageai-env" / "state.json").write_text("{", encoding="utf-8")
    listed = tool("list", "--json")
    assert (listed.code, listed.json()["data"]["environments"][0]["status"]) == (0, "state-missing")


def test_show(root: Path) -> None:
    answer = tool("show", "x", "--json")
    data = answer.json()["data"]
    assert answer.code == 0
    assert data["state"]["request"]["extras"] == ["six"]
    assert data["packages"]["imageai"] == "2.1.6"
    assert Path(data["python"]) == root / "bin" / "python"
    assert Path(data["lock"]).is_file()
    shown = tool("show", "x").out
    for words in ("TensorFlow 2.10.1 (cpu), ImageAI 2.1.6", "added      six", str(root)):
        assert words in shown


@pytest.mark.parametrize("file", ["state.json", "requirements.txt"])
def test_show_of_a_damaged_one_is_a_finding(root: Path, file: str) -> None:
    (root / ".imageai-env" / file).write_text("{", encoding="utf-8")
    answer = tool("show", "x", "--json")
    assert (answer.code, answer.json()["status"], answer.json()["data"]["packages"]) == (1, "partial", {})


# activate and shell -----------------------------------------------------------------------------------------------


def test_activate_in_bash(root: Path) -> None:
    script = """
    set -eu
    before=$PATH
    eval "$("$1" -m imageai_envs activate x --shell bash)"
    python -c 'import sys, six; print(sys.prefix)'
    echo "$VIRTUAL_ENV"
    deactivate
    [ "$PATH" = "$before" ] && echo same
    [ -z "${VIRTUAL_ENV+x}" ] && echo unset
    """
    done = bash(script, sys.executable)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(root), str(root), "same", "unset"]


def test_activate_finds_the_shell_it_is_in(root: Path) -> None:
    done = bash('eval "$("$1" -m imageai_envs activate x)"; declare -F deactivate; echo "$VIRTUAL_ENV"', sys.executable)
    assert done.stdout.splitlines() == ["deactivate", str(root)], done.stderr


def test_activate_of_nothing_activates_nothing() -> None:
    done = bash('eval "$("$1" -m imageai_envs activate nope --shell bash)"; declare -F deactivate', sys.executable)
    assert done.stdout == ""
    assert "error: There is no environment 'nope'" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_activate_json(root: Path, shell: str) -> None:
    data = tool("activate", "x", "--shell", shell, "--json").json()["data"]
    assert (data["name"], data["root"], data["shell"]) == ("x", str(root), shell)
    assert str(root) in data["script"]
    assert tool("activate", "x", "--shell", shell).out.strip() == data["script"].strip()


def test_unknown_shells(root: Path) -> None:
    for verb in ("activate", "shell"):
        answer = tool(verb, "x", "--shell", "tcsh")
        assert answer.code in (2, 3)
        assert "tcsh" in answer.err


def test_shell_json_opens_nothing(root: Path) -> None:
    answer = tool("shell", "x", "--shell", "bash", "--json")
    assert answer.code == 0
    assert answer.json()["data"] == {"name": "x", "root": str(root), "shell": "bash"}


def test_shell(root: Path) -> None:
    done = piped('echo "in $VIRTUAL_ENV"; exit 7\n', "shell", "x", "--shell", "bash")
    assert (done.returncode, done.stdout) == (7, f"in {root}\n")


# run --json -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 5])
def test_run_json(root: Path, code: int) -> None:
    program = f"import sys; print('out of', sys.prefix); sys.exit({code})"
    answer = tool("run", "--json", "x", "--", "python", "-c", program)
    assert answer.code == code
    envelope = answer.json()
    assert envelope["data"] == {
        "name": "x", "argv": ["python", "-c", program], "returncode": code, "explanations": [],
    }  # fmt: skip
    assert envelope["exit_code"] == code
    assert f"out of {root}" in answer.err


def test_json_before_the_name_and_options_of_the_command(root: Path) -> None:
    answer = tool("run", "--json", "x", "python", "-c", "import sys; print(sys.argv[1:])", "--json", "-v", "--", "y")
    assert answer.code == 0
    assert answer.json()["data"]["argv"][3:] == ["--json", "-v", "--", "y"]
    assert "['--json', '-v', '--', 'y']" in answer.err


def test_options_after_the_name_too(root: Path) -> None:
    answer = tool(
        "run", "x", "--json", "--no-explain", "--", "python", "-c", "import sys; print(sys.argv[1:])", "--", "-v"
    )
    assert answer.code == 0, answer.err
    assert answer.json()["data"]["argv"][3:] == ["--", "-v"]
    misspelt = tool("run", "x", "--jsno", "--", "python")
    assert (misspelt.code, "--json" in misspelt.err) == (2, True)


@pytest.mark.parametrize(("words", "code"), [(("no-such-command",), 127), (("/dev/null",), 126), ((), 2)])
def test_run_what_cannot_be_run(root: Path, words: tuple[str, ...], code: int) -> None:
    assert tool("run", "x", "--", *words).code == code
    answer = tool("run", "--json", "x", "--", *words)
    assert (answer.code, answer.json()["status"], answer.json()["exit_code"]) == (code, "error", code)


def test_run_and_shell_hand_the_terminal_on_as_it_is(root: Path) -> None:
    code, shown = at_a_terminal("", "run", "x", "--", "python", "-c", "import sys; print(sys.stdout.isatty())")
    assert (code, shown) == (0, "True\n")
    code, shown = at_a_terminal("exit 4\n", "shell", "x", "--shell", "bash")
    assert code == 4
    assert "\x1b[?25l" not in shown  # the cursor stays


# remove -----------------------------------------------------------------------------------------------------------


def test_remove_json(root: Path) -> None:
    refused = tool("remove", "x", "--json")
    assert (refused.code, refused.json()["errors"][0]["code"]) == (2, "needs-yes")
    assert root.exists()
    data = tool("remove", "x", "--yes", "--json").json()["data"]
    assert (data["name"], data["root"]) == ("x", str(root))
    assert data["bytes_freed"] > 0
    assert list(root.parent.iterdir()) == []


def test_remove_without_a_terminal_asks_nobody(root: Path) -> None:
    done = piped("y\n", "remove", "x")
    assert done.returncode == 2
    assert "imageai-env remove x --yes" in done.stderr
    assert root.exists()


@pytest.mark.parametrize("word", ["n\n", "\n"])
def test_remove_asks_and_takes_no_for_an_answer(root: Path, word: str) -> None:
    code, shown = at_a_terminal(word, "remove", "x")
    assert code == 1
    assert f"Remove x ({root})? [y/N]" in shown
    assert "Nothing was removed." in shown
    assert root.exists()


def test_remove_asks_and_takes_yes_for_an_answer(root: Path) -> None:
    code, shown = at_a_terminal("y\n", "remove", "x")
    assert code == 0
    assert "Removed x;" in shown
    assert not root.exists()


def test_a_broken_one_goes_without_being_run(root: Path) -> None:
    shutil.rmtree(root / "bin")
    (root / ".imageai-env" / "state.json").write_text("{", encoding="utf-8")
    assert tool("remove", "x", "-y").code == 0
    assert not root.exists()


# templates --------------------------------------------------------------------------------------------------------


def test_templates_list() -> None:
    data = tool("templates", "list", "--json").json()["data"]
    names = [one["name"] for one in data["templates"]]
    assert names == [entry.template.name for entry in load_catalog(home()).entries]
    assert data["broken"] == []
    assert {one["origin"] for one in data["templates"]} == {"shipped"}
    assert all(cap["reason"] and cap["source"] for one in data["templates"] for cap in one["caps"])
    shown = tool("templates", "list")
    assert shown.out.split()[:4] == ["NAME", "FRAMEWORK", "IMAGEAI", "PYTHON"]
    assert all(f"\n{name} " in shown.out for name in names)


def test_templates_of_a_project_come_first_and_broken_ones_are_told(template: Path) -> None:
    (template.parent / "tf2.10.toml").write_text(tiny_template("tf2.10"), encoding="utf-8")
    (template.parent / "bad.toml").write_text("schema = 1\n", encoding="utf-8")
    answer = tool("templates", "list", "--json")
    data = answer.json()["data"]
    origins = {one["name"]: one["origin"] for one in data["templates"]}
    assert (origins["tiny"], origins["tf2.10"], origins["tf2.4"]) == ("project", "project", "shipped")
    hidden = next(one["hides"] for one in data["templates"] if one["name"] == "tf2.10")
    assert [Path(path).name for path in hidden] == ["tf2.10.toml"]
    assert len(data["broken"]) == 1
    assert "bad.toml" in data["broken"][0]
    assert "warning: " in answer.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
def test_templates_list_names_what_it_did_not_look_into(template: Path) -> None:
    os.chown(template.parent, 65534, -1)
    answer = tool("templates", "list")
    assert f"warning: {template.parent} was not looked into: it belongs to another user." in answer.err
    assert "\ntiny " not in answer.out


def test_templates_show(template: Path) -> None:
    data = tool("templates", "show", "tiny", "--json").json()["data"]
    assert (data["name"], data["origin"], data["path"]) == ("tiny", "project", str(template))
    assert data["tensorflow"] == ["2.10.0", "2.10.1"]
    assert set(data["variants"]) == {"cpu", "gpu"}
    shown = tool("templates", "show", str(template)).out
    for cap in data["caps"]:
        assert f"cap {cap['requirement']}: {cap['reason']} [{cap['source']}]" in shown
    assert "built from source: keras-resnet" in shown


def test_templates_validate(template: Path) -> None:
    data = tool("templates", "validate", str(template), "--json").json()["data"]
    assert data == {"valid": [{"path": str(template), "name": "tiny"}]}
    Path("bad.toml").write_text("schema = 1\nnme = 'x'\n", encoding="utf-8")
    answer = tool("templates", "validate", str(template), "bad.toml", "missing.toml", "--json")
    assert answer.code == 3
    message = answer.json()["errors"][0]["message"]
    assert "bad.toml" in message
    assert "missing.toml" in message
    assert "did you mean 'name'" in message


# python and completion --------------------------------------------------------------------------------------------


def test_python_list(template: Path) -> None:
    data = tool("python", "list", "--json").json()["data"]
    keys = {"version", "implementation", "machine", "source", "executable", "templates", "unusable", "lacking"}
    assert all(set(one) == keys for one in data["pythons"])
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}."
    ours = [one for one in data["pythons"] if one["version"].startswith(minor) and not one["unusable"]]
    assert ours
    assert all("tiny" in one["templates"] for one in ours)
    versions = [tuple(map(int, one["version"].split("."))) for one in data["pythons"]]
    assert versions == sorted(versions)
    shown = tool("python", "list").out
    assert all(one["executable"] in shown for one in data["pythons"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    data = tool("completion", shell, "--json").json()["data"]
    assert data["shell"] == shell
    assert tool("completion", shell).out.strip() == data["script"].strip()
    assert "_IMAGEAI_ENV_COMPLETE" in data["script"]
    program = shutil.which(shell)
    if program is None and shell != "bash":
        pytest.skip(f"{shell} is not installed")
    Path("script").write_text(data["script"], encoding="utf-8")
    done = subprocess.run([program or shell, "-n", "script"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_knows_commands_names_and_templates(root: Path) -> None:
    def complete(*words: str) -> list[str]:
        answer = tool(
            _IMAGEAI_ENV_COMPLETE="bash_complete",
            COMP_WORDS=" ".join(["imageai-env", *words]),
            COMP_CWORD=str(len(words)),
        )
        return [line.partition(",")[2] for line in answer.out.splitlines()]

    assert complete("tem") == ["templates"]
    assert complete("show", "") == ["x"]
    assert {"tiny", "tf2.10"} <= set(complete("create", "--template", "t"))
    assert "--engine" in complete("create", "--e")


def test_bash_completes_for_real(root: Path) -> None:
    # The script calls the program by its name, so there must be one.
    binaries = Path("bin").absolute()
    binaries.mkdir()
    program = binaries / "imageai-env"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imageai_envs "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    script = """
    PATH=$2:$PATH
    eval "$("$1" -m imageai_envs completion bash)"
    COMP_WORDS=(imageai-env remove "") COMP_CWORD=2
    function=$(complete -p imageai-env | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
    "$function" imageai-env
    echo "${COMPREPLY[@]}"
    """
    done = bash(script, sys.executable, binaries)
    assert done.stdout.split() == ["x"], done.stderr


def test_json_of_paths_that_json_has_to_escape(index: Index, template: Path) -> None:
    place = Path('it\'s "quoted" ü').absolute()
    place.mkdir()
    created = tool("create", "q", "--path", place / ".venv", *TINY, "--json")
    assert created.code == 0, created.out + created.err
    assert created.json()["data"]["environment"]["root"] == str(place / ".venv")
    assert re.search(r'\\"quoted\\" ü', created.out)
    assert json.loads(tool("show", "q", "--json").out)["data"]["root"] == str(place / ".venv")
