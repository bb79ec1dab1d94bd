"""Secrets of addresses appear nowhere: every command, variable and file is given marked ones, and all is searched."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch
from urllib.parse import quote

import click
import pytest

from imageai_envs.base.known_secrets import known_secrets
from imageai_envs.cli.app import COMMANDS, run
from imageai_envs.cli.commands import templates as templates_command
from tests.support.tool import Answer, tool

if TYPE_CHECKING:
    from tests.support.index import Index

# Each in pieces as a strict parser takes it apart: a piece that appears is a secret that appears.
PASSWORD = ("slAsh1mark", "seC0ndmark")
PATH, QUERY = "pAthmark7Tok3nXyZq", "qu3rymark"
PROXY, NETRC, NAMED = "pr0xymark", "n3trcmark", "nam3dmark"
FRAGMENT, ALONE = "fr4gmark", "al0nemark"
MARKS = (*PASSWORD, PATH, QUERY, PROXY, NETRC, NAMED, FRAGMENT, ALONE)
MALFORMED = "/".join(PASSWORD)
LIBGL = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"
ADDRESS = f"https://robot:{MALFORMED}@pypi.example.org/{PATH}/simple/?key={QUERY}#token={FRAGMENT}"


@dataclass
class Watch:
    """Runs commands and looks for marks in what they say and write.

    Attributes:
        directory: the test's; all that is written below it is searched.
        variables: given to every command.
        given: files that hold marks because the test wrote them.
        used: the commands that were run.
    """

    directory: Path
    variables: dict[str, str]
    given: set[Path] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def ask(self, *words: str | Path, code: int | None = None, **variables: str) -> Answer:
        """Run a command; its answer holds no mark."""
        answer = tool(*words, **{**self.variables, **variables})
        self.used.add(str(words[0]))
        assert found(answer.out + answer.err) == [], (words, answer)
        assert code is None or answer.code == code, (words, answer)
        return answer

    def both(self, *words: str | Path, code: int | None = None) -> None:
        """Run a quick command for people and for scripts, in this process: there are many."""
        self.used.add(str(words[0]))
        for more in ((), ("--json",)):
            known_secrets.cache_clear()
            out, err = io.StringIO(), io.StringIO()
            with patch.dict(os.environ, self.variables), redirect_stdout(out), redirect_stderr(err):
                end = words.index("--") if "--" in words else len(words)
                got = run([*map(str, words[:end]), *more, *map(str, words[end:])])
            assert found(out.getvalue() + err.getvalue()) == [], (words, out.getvalue(), err.getvalue())
            assert code in (None, got), (words, got, out.getvalue(), err.getvalue())
            assert not more or json.loads(out.getvalue())["exit_code"] == got

    def give(self, path: Path, text: str) -> Path:
        """Write a file with marks in it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.given.add(path.resolve())
        return path

    def written(self) -> list[Path]:
        """Return every file that commands have written; none has a mark in its name or text."""
        files = [path for path in self.directory.rglob("*") if path.is_file() and path.resolve() not in self.given]
        wrong = {path: marks for path in files if (marks := found(str(path) + path.read_text("latin-1")))}
        assert wrong == {}
        return files


def found(text: str) -> list[str]:
    return [mark for mark in MARKS if mark.lower() in text.lower()]


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # Of the caches only ours is searched; uv's and pip's keep what they like.
    return Watch(tmp_path, {"IMAGEAI_ENV_CACHE": str(tmp_path / "cache"), "TMPDIR": str(temporary)})


def test_marks_are_found() -> None:
    assert found(ADDRESS) == [*PASSWORD, PATH, QUERY, FRAGMENT]


# Settings -------------------------------------------------------------------------------------------------------------


def settings(index: Index) -> dict[str, str]:
    """Let the index want a password and a token, and return what gives them to both engines, and more secrets."""
    index.password, index.token = MALFORMED, PATH
    good = f"http://robot:{quote(MALFORMED, safe='')}@127.0.0.1:{index.port}/{PATH}/simple/"
    proxy = f"http://robot:{PROXY}@127.0.0.1:9"
    return {
        "PIP_INDEX_URL": good,
        "UV_DEFAULT_INDEX": f"{good}?key={QUERY}",
        "UV_INDEX_CORP_USERNAME": "robot",
        "UV_INDEX_CORP_PASSWORD": NAMED,
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy),
    }


def test_every_command(index: Index, template: Path, watch: Watch, session_cache: Path) -> None:
    watch.variables |= settings(index)
    for path in (Path.home() / ".netrc", Path.home() / "pip.conf"):
        watch.give(path, f"machine 127.0.0.1 login robot password {NETRC}\n")
    watch.variables |= {"NETRC": str(Path.home() / ".netrc")}
    made = ("--template", "tiny", "--verify", "none", "-v")
    watch.ask("create", "x", *made, code=0)
    watch.ask("create", "y", *made, "--path", ".venv", "--with", "pytz", "--json", code=0)
    shared = {"IMAGEAI_ENV_CACHE": str(session_cache / "imageai-env")}  # where pip-tools is
    watch.ask("create", "p", *made, "--engine", "pip", "--with", "pytz", code=0, **shared)
    watch.both("create", "x", *made, "--force", "--dry-run", code=0)
    watch.ask("lock", "--template", "tiny", "-o", "l.txt", "--upgrade", "-v", code=0)
    watch.ask("lock", "--template", "tiny", "-o", "l.txt", "--check", "--json")
    for words in (("list",), ("show", "x"), ("check", "--all"), ("doctor", "x"), ("activate", "x", "--shell", "bash")):
        watch.both(*words)
    watch.both("templates", "list", code=0)
    watch.both("templates", "show", "tiny", code=0)
    watch.both("python", "list", code=0)
    watch.ask("completion", "bash", code=0)
    watch.ask("run", "x", "--", "python", "-c", f"import sys; sys.tracebacklimit = 0; raise ImportError('{LIBGL}')")
    watch.ask("shell", "x", SHELL="/bin/sh")
    watch.ask("repair", "x", "-v", code=0)
    watch.ask("recreate", "x", "-v", code=0)
    watch.ask("sync", "x", "l.txt", "--json")
    watch.ask("upgrade", "x", "-v", "--json", code=0)
    watch.ask("clone", "x", "z", "-v", code=0)
    watch.ask("rename", "z", "w", "--json", code=0)
    watch.both("diff", "x", "y", code=1)
    watch.ask("adopt", ".venv", "--yes", code=3)  # it is ours already
    watch.ask("rescue", Path("l.txt"), "--json")
    watch.both("explain", f"Could not fetch {ADDRESS}\nERROR: Could not find a version for url {ADDRESS}")
    logs = [path.read_text(encoding="utf-8") for path in watch.written() if path.suffix == ".log"]
    assert len(logs) >= 5
    assert any("****" in text for text in logs)  # they were on their way there
    # Everybody on this machine sees the arguments of programs.
    assert [line for text in logs for line in text.splitlines() if line.startswith("$ ") and "****" in line] == []
    watch.both("gc", "--dry-run", code=0)
    watch.ask("gc", code=0)
    watch.ask("remove", "w", "-y", "-v", code=0)
    assert watch.used == set(COMMANDS)
    watch.written()


@pytest.mark.parametrize("engine", ["uv", "pip"])
@pytest.mark.parametrize(
    "variables",
    [
        {"PIP_INDEX_URL": ADDRESS, "UV_DEFAULT_INDEX": ADDRESS},
        {"PIP_EXTRA_INDEX_URL": ADDRESS, "UV_INDEX": f"corp={ADDRESS}"},
        {"PIP_FIND_LINKS": ADDRESS, "UV_FIND_LINKS": ADDRESS},
        {"PIP_INDEX_URL": f"https://{ALONE}/x@127.0.0.1:9/simple", "UV_DEFAULT_INDEX": f"https://{ALONE}@127.0.0.1:9"},
        {"HTTPS_PROXY": f"robot:{PROXY}@127.0.0.1:9", "https_proxy": f"robot:{PROXY}@127.0.0.1:9", "NO_PROXY": "x",
         "no_proxy": "x", "UV_DEFAULT_INDEX": "https://pypi.invalid/simple", "PIP_INDEX_URL": "https://pypi.invalid/x"},
    ],
    ids=["index", "extra", "links", "alone", "proxy"],
)  # fmt: skip
def test_settings_that_fail(
    index: Index, template: Path, watch: Watch, session_cache: Path, engine: str, variables: dict[str, str]
) -> None:
    """What pip and uv say of addresses that they cannot use is repeated, without the secrets."""
    if engine == "pip":
        watch.variables["IMAGEAI_ENV_CACHE"] = str(session_cache / "imageai-env")
        if not list(session_cache.glob("imageai-env/helpers/*/imageai-env-helper")):
            watch.ask("lock", "--template", "tiny", "-o", "helper.txt", "--engine", "pip", code=0)
    watch.variables |= {
        "PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "1", "UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "1", **variables
    }  # fmt: skip
    watch.ask("create", "x", "--template", "tiny", "--engine", engine, "--with", "pytz", "--upgrade")
    if engine == "uv":
        watch.ask("lock", "--template", "tiny", "--engine", engine, "--with", "wheel", "-o", "m.txt", "--json")
    assert [path for path in watch.written() if path.suffix == ".log"]


def test_configuration_files(index: Index, template: Path, watch: Watch) -> None:
    index.password, index.token = MALFORMED, PATH
    good = f"http://robot:{quote(MALFORMED, safe='')}@127.0.0.1:{index.port}/{PATH}/simple/"
    pip = watch.give(Path.home() / "pip.conf", f"[global]\nindex-url = {good}\nproxy = robot:{PROXY}@127.0.0.1:9\n")
    uv = watch.give(Path.home() / "uv.toml", f'[[index]]\nname = "corp"\nurl = "{good}?key={QUERY}"\ndefault = true\n')
    watch.variables |= {
        "PIP_CONFIG_FILE": str(pip), "UV_CONFIG_FILE": str(uv), "UV_NO_CONFIG": "0", "UV_DEFAULT_INDEX": ""
    }  # fmt: skip
    del os.environ["PIP_INDEX_URL"]
    watch.ask("create", "x", "--template", "tiny", "--engine", "uv", "--verify", "none", "-v", code=0)
    index.password = "another"
    watch.ask("create", "z", "--template", "tiny", "--engine", "uv", "--with", "pytz", "-v", code=6)
    watch.written()


# Files and arguments --------------------------------------------------------------------------------------------------


def test_requirements(index: Index, template: Path, watch: Watch) -> None:
    lines = [
        f"--index-url {ADDRESS}", f"--extra-index-url={ADDRESS}", f"-f {ADDRESS}", f"--proxy robot:{PROXY}@proxy:3128",
        f"pytz @ {ADDRESS}", f"git+https://{ALONE}@github.com/me/x.git@v1", f"-e git+{ADDRESS}", ADDRESS,
        f"-r {ADDRESS}", f"-c{ADDRESS}", f"pytz ~= {ADDRESS}",
        f"pytz @ https://robot:{MALFORMED}@example.org/pytz-1.0-py3-none-any.whl",
    ]  # fmt: skip
    for number, line in enumerate(lines):
        file = watch.give(Path(f"r{number}.txt"), f"six\n{line}\n")
        watch.both("create", "x", "--template", "tiny", "-r", file, code=3)
    everything = watch.give(Path("all.txt"), "six\n" + "\n".join(line for line in lines if "-r" not in line[:2]))
    watch.both("rescue", everything, "--template", "tiny", "-o", "rescued.txt", code=0)
    watch.ask("rescue", everything, "--template", "tiny", "--name", "x", "--verify", "none", code=0)
    conda = watch.give(
        Path("environment.yml"),
        f"channels:\n  - https://conda.example.org/t/{PATH}/main\n  - {ADDRESS}\n"
        f"dependencies:\n  - six\n  - pip:\n    - --extra-index-url {ADDRESS}\n    - pytz @ {ADDRESS}\n",
    )
    watch.ask("rescue", conda, "--template", "tiny", code=0)
    project = watch.give(Path("pyproject.toml"), f'[project]\nname = "x"\ndependencies = ["six", "pytz @ {ADDRESS}"]\n')
    watch.ask("rescue", project, "--template", "tiny", "--json", code=0)
    watch.written()


def test_arguments(watch: Watch) -> None:
    for words in (
        ("create", "x", "--with", f"pytz @ {ADDRESS}"), ("create", "x", "--template", ADDRESS), ("create", ADDRESS),
        ("create", "x", "--python", ADDRESS), ("create", "x", "--tf", ADDRESS), ("create", "x", "--lock", ADDRESS),
        ("create", "x", "-r", ADDRESS), ("create", "x", f"--index-url={ADDRESS}"), ("show", ADDRESS), (ADDRESS,),
        ("run", ADDRESS, "--", "true"), ("rescue", ADDRESS), ("doctor", ADDRESS), ("doctor", "--python", ADDRESS),
        ("explain", "--file", ADDRESS), ("templates", "validate", ADDRESS), ("diff", ADDRESS, "x"),
    ):  # fmt: skip
        watch.both(*words)
    watch.written()


def test_locks_templates_states_and_logs(index: Index, template: Path, watch: Watch) -> None:
    made = ("--template", "tiny", "--verify", "none")
    assert tool("create", "x", *made).code == 0
    assert tool("lock", "--template", "tiny", "-o", "l.txt").code == 0
    lock = Path("l.txt").read_text(encoding="utf-8")
    for number, (before, after) in enumerate(
        [
            ("# inputs:", f"# requires: pytz @ {ADDRESS}\n# inputs:"),
            ("# template: tiny", f"# template: {ADDRESS}"),
            ("# engine: ", f"# engine: {ADDRESS} "),
            ("# inputs: ", f"# inputs: {ADDRESS} "),
            ("# variant: cpu", f"# variant: {ADDRESS}"),
            ("# target: ", f"# target: {ADDRESS}"),
            ("\n    # via ", f"\n    # via {ADDRESS}, "),
            ("\nsix==", f"\n--index-url {ADDRESS}\nsix=="),
            ("\nsix==", f"\nsix=={ADDRESS} "),
        ]
    ):
        file = watch.give(Path(f"l{number}.txt"), lock.replace(before, after, 1))
        watch.both("create", "y", "--lock", file, *made, "--force")
        watch.both("diff", file, "x")
    broken = template.read_text(encoding="utf-8").replace('summary = "', f'summary = "see {ADDRESS} ', 1)
    file = watch.give(Path("own.toml"), broken.replace("schema = 1", f'schema = 1\n"{ADDRESS}" = "{ADDRESS}"', 1))
    watch.both("templates", "validate", file, code=3)
    file = watch.give(Path("own.toml"), broken)
    watch.both("templates", "show", file)
    log = watch.give(
        Path("train.log"),
        f"Looking in indexes: {ADDRESS}\n"
        f"ERROR: Could not find a version that satisfies the requirement tensorflow==1.15 (from {ADDRESS})\n"
        f"ERROR: No matching distribution found for tensorflow==1.15 ({ADDRESS})\n",
    )
    watch.both("explain", "--file", log, code=0)
    run_it = (
        "x",
        "--",
        "python",
        "-c",
        "import os, sys; sys.tracebacklimit = 0; raise ImportError(os.environ['LINE'])",
    )
    answer = watch.ask("run", "--json", *run_it, LINE=LIBGL)
    assert answer.json()["data"]["explanations"]
    state = Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs" / "x" / ".imageai-env" / "state.json"
    data = json.loads(state.read_text(encoding="utf-8"))
    request = {**data["request"], "template": ADDRESS, "extras": [f"pytz @ {ADDRESS}"]}
    watch.give(state, json.dumps({**data, "request": request, "engine": ADDRESS, "python": ADDRESS}))
    for words in (("show", "x"), ("list",), ("check", "x"), ("doctor", "x"), ("upgrade", "x"), ("recreate", "x")):
        watch.both(*words)
    watch.written()


def test_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """An error that nobody foresaw may hold whatever it was about; its report goes into a file."""

    @click.command()
    def broken() -> None:
        raise LookupError(f"no answer from {ADDRESS}")

    monkeypatch.setattr(templates_command, "command", broken)
    assert run(["templates"]) == 1
    events = capfd.readouterr()
    [report] = Path(os.environ["IMAGEAI_ENV_HOME"]).glob("logs/_crashes/*.log")
    assert "no answer from https://****@pypi.example.org/" in report.read_text(encoding="utf-8")
    assert found(report.read_text(encoding="utf-8") + events.out + events.err) == []
