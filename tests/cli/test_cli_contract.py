"""What scripts rely on: names, options, exit codes, the JSON envelope, and a quick ``--help``."""

from __future__ import annotations

import ast
import errno
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import imageai_envs
from imageai_envs.base import errors
from imageai_envs.base.errors import ImageAIEnvError, from_os_error
from imageai_envs.base.paths import home
from imageai_envs.base.result import Result
from imageai_envs.cli.app import COMMANDS, cli
from tests.support.tool import REPOSITORY, tool

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVELOPE = {"schema", "command", "status", "exit_code", "data", "errors"}
# As documented: 0 ok, 1 findings or unexpected, 130 interrupted, and one for each class.
EXIT_CODES = {
    "ImageAIEnvError": 1,
    "UsageProblem": 2,
    "RequestError": 3,
    "FileError": 3,
    "TemplateError": 3,
    "LockFileError": 3,
    "PythonNotFoundError": 4,
    "UnsolvableError": 5,
    "InstallError": 6,
    "VerifyError": 7,
    "DriftError": 8,
    "BusyError": 9,
}
LAZY = ("rich", "packaging", "virtualenv", "filelock", "platformdirs", "python_discovery", "pip", "uv")


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*words, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


def leaves() -> list[tuple[tuple[str, ...], click.Command]]:
    return [(words, command) for words, command in commands(cli) if not isinstance(command, click.Group)]


# Commands and options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_help_is_the_commands_own(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert COMMANDS[name][1] == command.get_short_help_str(limit=200)
    assert f"\n  {name} " in tool("--help").out


def test_the_design_names_these_commands() -> None:
    found = [" ".join(words) for words, _ in leaves()]
    assert set(COMMANDS) == {words.split()[0] for words in found}
    assert {"templates list", "templates show", "templates validate", "python list"} <= set(found)


@pytest.mark.parametrize("words", [words for words, _ in leaves()], ids=" ".join)
def test_every_leaf_has_json_quiet_and_help_for_all_it_takes(words: tuple[str, ...]) -> None:
    command = dict(leaves())[words]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    names = {name for option in options for name in option.opts}
    assert {"--json", "--quiet", "-q", "--verbose", "-v"} <= names
    assert all(option.help for option in options)
    assert all(option.help.endswith(".") for option in options if option.help)
    assert command.help
    shown = tool(*words, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert "--json" in shown.out


def test_short_and_long_help_and_version() -> None:
    assert tool("-h").out == tool("--help").out
    assert tool("--version").out == f"imageai-env {imageai_envs.__version__}\n"
    # The project's own pyproject says the same.
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{imageai_envs.__version__}"\n' in text


def test_without_a_command_help_is_shown() -> None:
    answer = tool()
    assert answer.code == 2
    assert "Usage: imageai-env" in answer.out + answer.err


# Imports ----------------------------------------------------------------------------------------------------------


_IMPORTED = """\
import sys
before = set(sys.modules)
from imageai_envs.cli.app import run
code = run(sys.argv[1:])
print(*sorted(set(sys.modules) - before), file=sys.stderr)
sys.exit(code)
"""


def imported_by(*arguments: str) -> set[str]:
    """Return what a command imports, as the interpreter tells it and as it is loaded in the end.

    ``-X importtime`` alone misses what ``importlib.import_module`` was asked for.
    """
    found: set[str] = set()
    for options in (("-X", "importtime", "-m", "imageai_envs"), ("-c", _IMPORTED)):
        done = subprocess.run(
            [sys.executable, *options, *arguments],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=True,
        )
        for line in done.stderr.splitlines():
            found |= {line.rpartition("|")[2].strip()} if line.startswith("import time:") else set(line.split())
    return found


def test_help_imports_little() -> None:
    modules = imported_by("--help")
    assert {"click", "imageai_envs.cli.app"} <= modules
    assert {name.split(".")[0] for name in modules} & set(LAZY) == set()
    assert {name for name in modules if name.startswith("imageai_envs.cli.commands.")} == set()


def test_a_commands_help_imports_only_that_command() -> None:
    modules = imported_by("create", "--help")
    ours = {name for name in modules if name.startswith("imageai_envs.cli.commands.")}
    assert ours == {"imageai_envs.cli.commands.create"}
    assert {name.split(".")[0] for name in modules} & set(LAZY) == set()


def modules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(imageai_envs.__path__, "imageai_envs.")]
    assert len(found) > 40
    return found


def test_every_module_imports_alone_and_silently() -> None:
    # One process, each module with nothing of ours imported before it: cycles show, warnings are errors.
    code = """
import importlib, sys
for name in sys.argv[1:]:
    for known in [known for known in sys.modules if known.split(".")[0] == "imageai_envs"]:
        del sys.modules[known]
    try:
        importlib.import_module(name)
    except BaseException as error:
        sys.exit(f"{name}: {error!r}")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *modules()],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["imageai_envs", *modules()])
def test_modules_say_why_they_exist_and_do_not_print(name: str) -> None:
    path = REPOSITORY / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    if "probes" in name or name.endswith(("_driver", "interpreter_facts")):
        return
    calls = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert not {"print", "exit", "quit"} & set(calls)


# Exit codes -------------------------------------------------------------------------------------------------------


def test_exit_codes_by_class() -> None:
    classes = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, ImageAIEnvError)
    }
    assert classes == EXIT_CODES
    # A class of its own code has it alone; its subclasses share it.
    direct = [value.exit_code for value in ImageAIEnvError.__subclasses__() if value.__module__ == errors.__name__]
    assert sorted(direct) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert all(issubclass(kind, errors.RequestError) for kind in (errors.TemplateError, errors.LockFileError))


def test_the_docstring_of_each_class_says_its_code() -> None:
    for name, code in EXIT_CODES.items():
        if name != "ImageAIEnvError":
            assert f"exit code {code}" in (getattr(errors, name).__doc__ or ""), name


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EACCES, "not-writable"),
        (errno.EROFS, "not-writable"),
        (errno.EIO, "system"),
    ],
)
def test_what_the_system_refuses(number: int, code: str) -> None:
    error = from_os_error(OSError(number, os.strerror(number), "/srv/x"))
    assert (error.code, error.exit_code) == (code, 6)
    assert "/srv/x" in error.message


# The envelope -----------------------------------------------------------------------------------------------------


def test_the_envelope_of_a_result() -> None:
    assert Result("list", {"a": 1}).envelope() == {
        "schema": 1,
        "command": "list",
        "status": "success",
        "exit_code": 0,
        "data": {"a": 1},
        "errors": [],
    }
    findings = Result("show", {}, exit_code=1).envelope()
    assert (findings["status"], findings["exit_code"]) == ("partial", 1)


@pytest.mark.parametrize(
    ("words", "code", "command"),
    [
        (("list",), 0, "list"),
        (("templates", "list"), 0, "templates list"),
        (("templates", "show", "tf2.10"), 0, "templates show"),
        (("templates", "show", "nope"), 3, "templates show"),
        (("show", "nope"), 3, "show"),
        (("create", "x", "--tf", "9.9"), 3, "create"),
        (("lock", "--check"), 3, "lock"),
        (("remove",), 2, "remove"),
        (("completion", "tcsh"), 2, "completion"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_every_answer_is_one_envelope(words: tuple[str, ...], code: int, command: str) -> None:
    answer = tool(*words, "--json")
    assert answer.code == code
    envelope = answer.json()
    assert set(envelope) == ENVELOPE
    assert (envelope["schema"], envelope["exit_code"], envelope["command"]) == (1, code, command)
    assert envelope["status"] == ("error" if code else "success")
    assert isinstance(envelope["data"], dict)
    assert [set(error) for error in envelope["errors"]] == ([{"code", "message", "hint"}] if code else [])
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", error["code"]) for error in envelope["errors"])


def test_an_argument_of_run_is_not_our_json() -> None:
    answer = tool("run", "nope", "--", "program", "--json")
    assert (answer.code, answer.out) == (3, "")
    assert "error: " in answer.err


def test_an_unexpected_error_is_a_sentence_and_one_of_ten_files(tmp_path: Path) -> None:
    code = (
        "import sys, imageai_envs.environments.store as store\n"
        "def all(self):\n    raise ZeroDivisionError('https://robot:hunter2@x/ broke')\n"
        "store.Store.all = all\n"
        "from imageai_envs.cli.app import run\n"
        "sys.exit(run(['list', '--json']))\n"
    )
    crashes = home().logs / "_crashes"
    crashes.mkdir(parents=True)
    for number in range(20):
        (crashes / f"2026{number:04}T000000-crash-1.log").touch()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert len(list(crashes.iterdir())) == 10
    assert list(tmp_path.glob("imageai-env-*")) == []
    error = json.loads(done.stdout)["errors"][0]
    assert error["code"] == "unexpected"
    place = re.search(r"Details: (\S+)", error["message"])
    assert place
    assert Path(place[1]).parent == crashes
    text = Path(place[1]).read_text(encoding="utf-8")
    assert "ZeroDivisionError" in text
    assert "hunter2" not in text + done.stdout


def test_an_unexpected_error_of_the_place_of_logs_itself() -> None:
    code = (
        "import sys, imageai_envs.base.paths as paths\n"
        "def home():\n    raise ZeroDivisionError('broke')\n"
        "paths.home = home\n"
        "from imageai_envs.cli.app import run\n"
        "sys.exit(run(['list', '--json']))\n"
    )
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["errors"][0]["hint"] == "Please report it."


def test_a_reader_that_leaves_is_no_error() -> None:
    program = f"{sys.executable} -m imageai_envs templates show tf2.10 | true"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program}; echo ${{PIPESTATUS[0]}}"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.stdout.strip() in {"0", "1"}
