"""Real children: what they get, what is kept of what they say, and that none outlives us."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

import pytest

from imageai_envs.base import process
from imageai_envs.base.errors import InstallError
from imageai_envs.base.process import Log, clean_environment, die_with, run
from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_KILL_AFTER", 0.3)


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def gone(pipe: Path, children: int = 1) -> bool:
    """Wait for the end of everybody who holds the named pipe open for writing; what they wrote tells how many."""
    with pipe.open(encoding="utf-8") as stream:
        return stream.read().count("alive") == children


def ends(stream: IO[bytes], pid: int) -> bool:
    """Tell whether everybody who holds the other end of a named pipe ends; ``pid`` does not stay behind in any case."""
    ended = bool(select.select([stream], [], [], 10)[0]) and stream.read() == b""
    if not ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return ended


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


# What comes back --------------------------------------------------------------------------------------------------


def test_streams_and_status() -> None:
    done = run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (done.returncode, done.ok, done.stdout, done.stderr) == (3, False, "out\n", "err\n")
    assert done.argv[0] == sys.executable


def test_a_signal_is_a_negative_status() -> None:
    assert run(python("import os; os.kill(os.getpid(), 9)")).returncode == -signal.SIGKILL


def test_arguments_arrive_as_they_are() -> None:
    words = ["a b", "$HOME", "'", "", "ü", "*"]
    assert run(python("import sys; print(sys.argv[1:])", *words)).stdout.strip() == repr(words)


def test_standard_input() -> None:
    echo = python("import sys; print(repr(sys.stdin.read()))")
    assert run(echo).stdout == "''\n"
    assert run(echo, stdin="für mich\n").stdout == "'für mich\\n'\n"
    assert run(python("pass"), stdin="x" * 1_000_000).ok  # nobody reads it


def test_directory_and_environment(tmp_path: Path) -> None:
    code = "import os; print(os.getcwd(), os.environ.get('WORD'))"
    done = run(python(code), cwd=tmp_path, environment={**clean_environment(), "WORD": "x"})
    assert done.stdout.split() == [str(tmp_path), "x"]


def test_output_that_is_not_utf8() -> None:
    assert run(python(r"import os; os.write(1, b'a\xffb\n')")).stdout == "a\ufffdb\n"


def test_much_output_on_both_streams_does_not_block() -> None:
    done = run(python("import sys\nfor _ in range(20000): print('o' * 50); print('e' * 50, file=sys.stderr)"))
    assert (done.stdout.count("\n"), done.stderr.count("\n")) == (20000, 20000)


def test_lines_arrive_while_the_child_runs(pipe: Path) -> None:
    answered: list[str] = []
    # The child waits for an answer to its first line: this ends only if lines are passed on at once.
    code = "import sys\nprint('question', flush=True)\nprint(open(sys.argv[1]).read())"

    def on_line(line: str) -> None:
        answered.append(line)
        if line == "question":
            pipe.write_text("answer", encoding="utf-8")

    run(python(code, str(pipe)), on_line=on_line, timeout=60)
    assert answered == ["question", "answer"]


def test_work_to_do_meanwhile_is_done_while_the_child_runs(pipe: Path) -> None:
    # The child waits for it: this ends only if it is done before the child's end.
    done = run(python("import sys; print(open(sys.argv[1]).read())", str(pipe)), meanwhile=lambda: pipe.write_text("x"))
    assert done.stdout == "x\n"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="Cannot start") as caught:
        run([tmp_path / "missing"])
    assert caught.value.code == "program-missing"
    with pytest.raises(InstallError, match="Cannot start"):
        run([tmp_path])


# Ends -------------------------------------------------------------------------------------------------------------

_PARENT = """\
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]])
print("started", flush=True)
child.wait()
"""
# Holds the named pipe, ignores polite requests if told to, and never ends by itself.
_GRANDCHILD = """\
import os, signal, sys
stream = open(sys.argv[1], "w")
stream.write(f"alive {os.getpid()}\\n")
stream.flush()
signal.pause()
"""
_STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + _GRANDCHILD


@pytest.mark.parametrize("code", [_GRANDCHILD, _STUBBORN], ids=["polite", "stubborn"])
def test_a_timeout_ends_the_children_too(pipe: Path, code: str) -> None:
    witness: list[bool] = []
    watcher = threading.Thread(target=lambda: witness.append(gone(pipe)))
    watcher.start()
    with pytest.raises(InstallError, match=r"did not finish within 1\.5 s") as caught:
        run(python(_PARENT, code, str(pipe)), timeout=1.5)
    assert caught.value.code == "timeout"
    watcher.join(timeout=60)
    assert witness == [True]


def test_a_stubborn_child_is_killed(pipe: Path) -> None:
    witness: list[bool] = []
    watcher = threading.Thread(target=lambda: witness.append(gone(pipe)))
    watcher.start()
    with pytest.raises(InstallError, match="did not finish"):
        run(python(_STUBBORN, str(pipe)), timeout=1.5)
    watcher.join(timeout=60)
    assert witness == [True]


def test_a_grandchild_that_holds_the_pipe_is_ended(pipe: Path) -> None:
    # The child ends well, its own child keeps standard output open for ever.
    leave = _PARENT.replace("child.wait()", "sys.exit(0)")
    witness: list[bool] = []
    watcher = threading.Thread(target=lambda: witness.append(gone(pipe)))
    watcher.start()
    done = run(python(leave, _GRANDCHILD, str(pipe)))
    assert (done.returncode, done.stdout) == (0, "started\n")
    watcher.join(timeout=60)
    assert witness == [True]


_OURSELVES = """\
import sys
from imageai_envs.base import process
from imageai_envs.base.process import run
process._KILL_AFTER = 0.3
try:
    run([sys.executable, *sys.argv[1:]], on_line=lambda line: print(line, flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def ourselves(*arguments: str) -> subprocess.Popen[str]:
    """Run ``run`` in a process that can be hurt."""
    return subprocess.Popen(
        python(_OURSELVES, *arguments),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
        # A test run in the background of a script ignores SIGINT, and so would the child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("code", [_GRANDCHILD, _STUBBORN], ids=["polite", "stubborn"])
def test_ctrl_c_ends_the_whole_group(pipe: Path, code: str) -> None:
    child = ourselves("-c", _PARENT, code, str(pipe))
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    with pipe.open("rb", buffering=0) as stream:
        pid = int(stream.readline().split()[1])
        child.send_signal(signal.SIGINT)  # to us alone: the group of the child is another one
        assert ends(stream, pid)
    out, _ = child.communicate(timeout=60)
    assert out == "interrupted\n"


def test_ctrl_c_while_a_child_is_started_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen
    children: list[subprocess.Popen[str]] = []

    def interrupted(*words: Any, **more: Any) -> subprocess.Popen[str]:
        children.append(real(*words, **more))
        signal.raise_signal(signal.SIGINT)
        return children[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(python("import time; time.sleep(30)"))
    assert children[0].returncode == -signal.SIGTERM


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is of Linux")
def test_a_child_does_not_outlive_our_kill(pipe: Path) -> None:
    parent = ourselves("-c", _STUBBORN, str(pipe))
    with pipe.open("rb", buffering=0) as stream:
        pid = int(stream.readline().split()[1])
        parent.kill()
        assert ends(stream, pid)
    parent.communicate(timeout=60)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is of Linux")
def test_a_child_whose_parent_is_gone_already_does_not_begin() -> None:
    # Its parent is we, not ours: so a child sees it whose parent ended between fork and prctl.
    done = subprocess.run(python("print('began')"), preexec_fn=die_with(os.getppid()), stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_a_child_is_ended_when_the_work_meanwhile_fails(pipe: Path) -> None:
    with contextlib.ExitStack() as stack:
        streams: list[IO[bytes]] = []

        def fail() -> None:
            streams.append(stack.enter_context(pipe.open("rb", buffering=0)))
            raise ValueError(streams[0].readline().decode())  # when the child runs

        with pytest.raises(ValueError, match="alive") as caught:
            run(python(_STUBBORN, str(pipe)), meanwhile=fail)
        assert ends(streams[0], int(str(caught.value).split()[1]))


# Logs -------------------------------------------------------------------------------------------------------------


def test_the_log_has_everything_but_secrets(tmp_path: Path) -> None:
    log = Log(tmp_path / "logs" / "x.log")
    secret = "https://robot:hunter2@127.0.0.1/simple"
    code = "import sys; print('from', sys.argv[1]); print('warning', sys.argv[1], file=sys.stderr); sys.exit(1)"
    done = run(python(code, secret), log=log)
    assert "hunter2" in done.stdout  # the program's own words are the caller's
    run(python("print('second')"), log=log)
    text = log.path.read_text(encoding="utf-8")
    assert "hunter2" not in text
    for words in (
        f"$ {sys.executable} -c ",
        "from https://****@127.0.0.1/simple\n",
        "warning https://****@",
        "second\n",
    ):
        assert words in text
    assert [line for line in text.splitlines() if line.startswith("[exit")] == ["[exit 1]", "[exit 0]"]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = Log(tmp_path / "file" / "x.log")
    assert run(python("print('x')"), log=log).stdout == "x\n"


# The environment of children --------------------------------------------------------------------------------------

_MISLEADING = {
    "PYTHONPATH": "/elsewhere",
    "PYTHONHOME": "/elsewhere",
    "PYTHONWARNINGS": "error",
    "VIRTUAL_ENV": "/elsewhere",
    "CONDA_PREFIX": "/elsewhere",
    "PIP_TARGET": "/elsewhere",
    "PIP_USER": "1",
    "PIP_CONSTRAINT": "/elsewhere/constraints.txt",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "UV_PYTHON": "3.7",
    "UV_SYSTEM_PYTHON": "1",
    "UV_CONSTRAINT": "/elsewhere/constraints.txt",
    "VIRTUALENV_PYTHON": "3.7",
}
_KEPT = {
    "PIP_INDEX_URL": "https://mirror.invalid/simple",
    "PIP_CERT": "/etc/ca.pem",
    "UV_DEFAULT_INDEX": "https://mirror.invalid/simple",
    "UV_CACHE_DIR": "/var/cache/uv",
    "HTTPS_PROXY": "http://proxy.invalid:3128",
    "SSL_CERT_FILE": "/etc/ca.pem",
    "LD_LIBRARY_PATH": "/opt/cuda/lib64",
}


def test_what_misleads_goes_and_where_files_come_from_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**_MISLEADING, **_KEPT}.items():
        monkeypatch.setenv(name, value)
    environment = clean_environment({"EXTRA": "1"})
    assert not set(_MISLEADING) & set(environment)
    assert {name: environment.get(name) for name in _KEPT} == _KEPT
    assert environment["EXTRA"] == "1"
    assert environment["PIP_NO_INPUT"] == "1"
    assert os.environ["PYTHONPATH"] == "/elsewhere"  # ours stays as it is


def test_a_child_is_not_led_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "json.py"))
    done = run(python("import json, sys; print(json.__file__, sys.warnoptions, sys.flags.no_user_site)"))
    assert str(tmp_path) not in done.stdout
    assert done.stdout.split()[1:] == ["[]", "1"]


def test_an_explicit_extra_wins() -> None:
    assert clean_environment({"PIP_NO_INPUT": "0", "PYTHONPATH": "/x"})["PYTHONPATH"] == "/x"
