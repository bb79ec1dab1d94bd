"""``run_beside``: someone stays to explain, and neither the program nor our parent can tell."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imageai_envs.running.attend import attend, status_of
from imageai_envs.running.python_program import is_python_program
from imageai_envs.running.run import CommandNotExecutableError, can_be_explained, run_beside
from imageai_envs.running.traceback_file import TAIL, read_end

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups and pseudo-terminals are POSIX")

PACKAGE = Path(__file__).resolve().parents[2]

# The command line interface in short: stays, tells what was recorded, ends like the program.
DRIVER = f"""\
import os, sys
from pathlib import Path
sys.path.insert(0, {str(PACKAGE)!r})
from imageai_envs.running.attend import end_like
from imageai_envs.running.run import run_beside
ended = run_beside(Path(sys.argv[1]), sys.argv[2:])
with open("kept", "wb") as stream:
    stream.write(ended.traceback)
sys.exit(end_like(ended.returncode))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("attend") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True)
    return path


def driver(root: Path, *argv: str) -> list[str]:
    return [sys.executable, "-c", DRIVER, str(root), *argv]


def drive(root: Path, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(driver(root, *argv), input=stdin, capture_output=True, text=True, timeout=30)


def kept() -> bytes:
    return Path("kept").read_bytes()


def test_output_error_input_arguments_and_exit_code_pass(root: Path) -> None:
    code = "import sys; print(sys.argv[1:], sys.stdin.read()); print('wrong', file=sys.stderr); sys.exit(3)"
    done = drive(root, "python", "-c", code, "a b", "'", stdin="für mich\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "['a b', \"'\"] für mich\n\n", "wrong\n")


def test_python_is_the_environments(root: Path) -> None:
    done = drive(root, "python", "-c", "import sys; print(sys.prefix, sys.argv)")
    assert done.stdout == f"{root} ['-c']\n", done.stderr


def test_standard_streams_are_ours(root: Path, tmp_path: Path) -> None:
    code = "import os, sys; print([os.fstat(n)[1:3] for n in range(3)], file=open('streams', 'w'))"
    with (
        (tmp_path / "in").open("w+b") as stdin,
        (tmp_path / "out").open("wb") as out,
        (tmp_path / "err").open("wb") as e,
    ):
        subprocess.run(driver(root, "python", "-c", code), stdin=stdin, stdout=out, stderr=e, timeout=30, check=True)
        assert Path("streams").read_text() == f"{[os.fstat(stream.fileno())[1:3] for stream in (stdin, out, e)]}\n"


def test_standard_output_may_be_another(root: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE)!r})\n"
        "from pathlib import Path\nfrom imageai_envs.running.run import run_beside\nprint('before')\n"
        "print(run_beside(Path(sys.argv[1]), sys.argv[2:], record=False, stdout=2))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root), "sh", "-c", "echo out; echo err >&2; exit 3"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "out\nerr\n")
    assert done.stdout == "before\nEnded(returncode=3, traceback=b'')\n"


# Tracebacks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "recorded"),
    [
        ("raise ValueError('odd')", b"ValueError: odd\n"),
        ("def f(:", b"SyntaxError: invalid syntax\n"),
        ("import sys; print('mine', file=sys.stderr); sys.exit('over')", b""),
        ("import os\nif os.fork() == 0: raise ValueError\nos.wait(); os._exit(1)", b""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", b""),
    ],
    ids=["exception", "syntax", "exit", "fork", "abort"],
)
def test_only_the_traceback_that_ends_the_program_is_recorded(root: Path, code: str, recorded: bytes) -> None:
    done = drive(root, "python", "-c", code)
    assert done.returncode != 0
    assert kept().endswith(recorded)
    assert bool(kept()) == bool(recorded)
    assert kept() in done.stderr.encode()


def test_only_the_end_of_a_long_traceback_is_read(tmp_path: Path) -> None:
    everything = bytes(range(256)) * 4096
    (tmp_path / "long").write_bytes(everything)
    assert read_end(tmp_path / "long") == everything[-TAIL:]
    assert read_end(tmp_path / "none") == b""


def test_the_program_runs_where_nothing_can_be_recorded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("imageai_envs.running.run.scratch", full)
    ended = run_beside(root, ["python", "-c", "raise SystemExit(6)"])
    assert (ended.returncode, ended.status, ended.traceback) == (6, 6, b"")


# The end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "HUP", "SEGV", "ILL"])
def test_a_signal_that_ends_the_program_is_what_our_parent_sees(root: Path, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    reset = f"signal.signal({number}, signal.SIG_DFL);" if name != "KILL" else ""
    done = drive(root, "python", "-c", f"import os, signal; {reset} os.kill(os.getpid(), {number})")
    assert done.returncode == -number


# Signals to us ----------------------------------------------------------------------------------------------------

# Says each signal; one ends it.
COUNTER = """\
import os, signal, sys, time
def note(number, frame):
    os.write(1, signal.Signals(number).name.encode() + b"\\n")
    if number == signal.SIGUSR2:
        sys.exit(7)
for name in ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
    signal.signal(getattr(signal, name), note)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_signal_to_us_is_the_programs(root: Path, name: str) -> None:
    # In a session of its own: no Ctrl-C can be typed to it.
    with subprocess.Popen(
        driver(root, "python", "-c", COUNTER), stdout=subprocess.PIPE, bufsize=0, start_new_session=True
    ) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == b"ready\n"
            for _ in range(3):
                os.kill(child.pid, getattr(signal, name))
                assert select.select([child.stdout], [], [], 20)[0], "it was not passed on"
                assert child.stdout.readline() == f"{name}\n".encode()
            os.kill(child.pid, signal.SIGUSR2)
            output, _ = child.communicate(timeout=20)
            assert (output, child.returncode) == (b"SIGUSR2\n", 7)
        finally:
            child.kill()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_who_kills_us_kills_the_program(root: Path) -> None:
    code = "import time; print('ready', flush=True); time.sleep(600)"
    with subprocess.Popen(driver(root, "python", "-c", code), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.kill()
        assert child.communicate(timeout=20)[0] == ""  # the end comes when nobody holds it any more


def test_what_is_ignored_around_us_is_ignored_by_the_program(root: Path) -> None:
    code = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    done = subprocess.run(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *driver(root, "python", "-c", code)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout == "True\n", done.stderr


def test_descriptors_that_were_handed_on_are_the_programs(root: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"token")
    done = subprocess.run(
        driver(root, "python", "-c", f"import os; print(os.read({reading}, 5))"),
        pass_fds=(reading,),
        capture_output=True,
        text=True,
        timeout=30,
    )
    os.close(reading)
    os.close(writing)
    assert done.stdout == "b'token'\n", done.stderr


def test_nobody_waits_for_a_daemon(root: Path) -> None:
    code = "import os, time\nif os.fork(): os._exit(5)\nos.close(1)\nos.read(0, 1); os.write(2, b'daemon')"
    with subprocess.Popen(
        driver(root, "python", "-c", code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.wait(timeout=20) == 5
        assert child.communicate(b"\n", timeout=20) == (b"", b"daemon")


# Terminals --------------------------------------------------------------------------------------------------------


class Terminal:
    """A terminal with our driver in it, as a shell would start it."""

    def __init__(self, root: Path, *argv: str) -> None:
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, driver(root, *argv))
        self.seen = b""

    def until(self, mark: bytes, times: int = 1) -> bytes:
        end = time.monotonic() + 20
        while self.seen.count(mark) < times:
            assert time.monotonic() < end, self.seen
            if select.select([self.screen], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.screen, 65536)
                except OSError:
                    assert self.seen.count(mark) >= times, self.seen
        return self.seen

    def type(self, keys: bytes) -> None:
        os.write(self.screen, keys)

    def end(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self.screen)
        return os.waitstatus_to_exitcode(status)


def test_a_terminal_stays_untouched_and_the_traceback_is_recorded(root: Path) -> None:
    code = (
        "import os, sys\nprint(os.ttyname(0) == os.ttyname(1) == os.ttyname(2), os.environ.get('PYTHONPATH'),"
        " [name for name in os.environ if 'IMAGEAI' in name and 'TRACE' in name], len(sys.path))\n"
        "for n in range(100): os.write(1 + n % 2, b'%d ' % n)\n"
        "try:\n    import nothing_of_that_name\nexcept ImportError as error:\n    raise ValueError('odd') from error"
    )
    terminal = Terminal(root, "python", "-c", code)
    seen = terminal.until(b"ValueError: odd")
    assert terminal.end() == 1
    count = subprocess.run(
        [root / "bin" / "python", "-c", "import sys; print(len(sys.path))"], capture_output=True, text=True
    ).stdout.strip()
    assert f"True None [] {count}\r\n".encode() in seen
    assert b" ".join(b"%d" % n for n in range(100)) in seen
    assert b"No module named 'nothing_of_that_name'" in kept()
    assert kept().endswith(b"ValueError: odd\n")


def test_what_the_user_has_on_pythonpath_stays(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 'mine'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = (
        "import os, subprocess, sys\n"
        "print(mine, os.environ['PYTHONPATH'] == sys.path[1], sys.modules['sitecustomize'])\n"
        "subprocess.run([sys.executable, '-c', 'print(mine); raise KeyError'])\nsys.exit('over')"
    )
    terminal = Terminal(root, "python", "-c", code)
    seen = terminal.until(b"over")
    assert terminal.end() == 1
    assert f"mine True <module 'sitecustomize' from '{tmp_path}".encode() in seen
    assert b"mine\r\nTraceback" in seen
    assert kept() == b""  # neither a message of exit nor another Python's error


def test_keys_come_once(root: Path) -> None:
    terminal = Terminal(root, "python", "-c", COUNTER)
    terminal.until(b"ready")
    # Often: a key that were passed on too would now and then come while the first is not handled, and they are one.
    for number in range(1, 21):
        for key, name in ((b"\x03", b"SIGINT"), (b"\x1c", b"SIGQUIT")):
            terminal.type(key)
            terminal.until(name, number)
    os.kill(terminal.pid, signal.SIGUSR2)
    seen = terminal.until(b"SIGUSR2")
    assert terminal.end() == 7
    assert [seen.count(name) for name in (b"SIGINT", b"SIGQUIT")] == [20, 20]


@pytest.mark.parametrize(("how", "told"), [("here", b"True"), ("away", b"False")])
def test_whose_the_keyboard_is(root: Path, how: str, told: bytes) -> None:
    code = (
        f"import os, sys; sys.path.insert(0, {str(PACKAGE)!r})\n"
        "from imageai_envs.running.attend import _keyboard_is_ours\n"
        f"if {how!r} == 'away': os.setpgid(0, 0)\nos.write(1, b'It is %a.' % _keyboard_is_ours())"
    )
    terminal = Terminal(root, "python", "-c", code)
    assert b"It is " + told in terminal.until(b".")
    terminal.end()


def test_ctrl_c_is_the_programs(root: Path) -> None:
    code = (
        "import time\ntry:\n    print('ready', flush=True); time.sleep(30)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.5); print('cleaned up', flush=True); raise SystemExit(42)"
    )
    terminal = Terminal(root, "python", "-c", code)
    terminal.until(b"ready")
    terminal.type(b"\x03")
    terminal.until(b"cleaned up")
    assert terminal.end() == 42


def test_an_uncaught_ctrl_c_ends_us_as_it_ends_the_program(root: Path) -> None:
    terminal = Terminal(root, "python", "-c", "import time; print('ready', flush=True); time.sleep(30)")
    terminal.until(b"ready")
    terminal.type(b"\x03")
    terminal.until(b"KeyboardInterrupt")
    assert terminal.end() == -signal.SIGINT


def test_ctrl_z_stops_both_and_fg_goes_on(root: Path) -> None:
    # A shell: it starts a job, sees it stop, and brings it to the foreground again.
    script = (
        "set -m\n"
        f'{subprocess.list2cmdline([sys.executable])} -c "$DRIVER" "$ROOT" python -c "$CODE"\n'
        "echo stopped=$?\nfg >/dev/null\necho ended=$?\n"
    )
    code = "import os, time; print('ready', flush=True); line = input(); print('got', line); raise SystemExit(4)"
    pid, screen = pty.fork()
    if pid == 0:
        variables = {**os.environ, "DRIVER": DRIVER, "ROOT": str(root), "CODE": code}
        os.execve("/bin/bash", ["bash", "--norc", "-c", script], variables)
    seen = b""
    steps = [(b"ready", b"\x1a"), (b"stopped=", b"hello\n"), (b"ended=4", b"")]
    end = time.monotonic() + 30
    while steps:
        assert time.monotonic() < end, seen
        if select.select([screen], [], [], 0.2)[0]:
            try:
                seen += os.read(screen, 65536)
            except OSError:
                break
        if steps[0][0] in seen:
            os.write(screen, steps.pop(0)[1])
    os.waitpid(pid, 0)
    os.close(screen)
    assert not steps, seen
    assert b"got hello" in seen


# Which commands ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["python", "train.py"], True),
        (["python", "-u", "train.py", "-i"], True),
        (["python3.10", "-W", "error", "-X", "utf8", "train.py"], True),
        (["python", "-Wd", "-c", "x"], True),
        (["python", "-Bc", "x"], True),
        (["python", "-m", "pip", "install", "x"], True),
        (["python", "-mpip"], True),
        (["/env/bin/python", "train.py"], True),
        (["python", "-i", "train.py"], False),
        (["python", "-ic", "x"], False),
        (["python", "-m", "IPython"], False),
        (["python", "-m", "IPython.terminal"], False),
        (["python", "-m", "pdb", "train.py"], False),
        (["python", "-m", "jupyterlab"], False),
        (["ipython"], False),
        (["jupyter-lab"], False),
        (["bash"], False),
        (["sh", "-c", "python x.py"], False),
    ],
)
def test_python_programs(argv: list[str], expected: bool) -> None:
    assert is_python_program("/bin/sh", argv) is expected


def test_python_without_a_program_is_one_only_when_nobody_types() -> None:
    reading, writing = pty.openpty()
    probe = (
        f"import sys; sys.path.insert(0, {str(PACKAGE)!r})\n"
        "from imageai_envs.running.python_program import is_python_program as w\n"
        "print(w('/bin/sh', ['python']), w('/bin/sh', ['python', '-']), w('/bin/sh', ['python', '-q']))"
    )
    for stdin, expected in ((writing, "False False False\n"), (subprocess.DEVNULL, "True True True\n")):
        done = subprocess.run([sys.executable, "-c", probe], stdin=stdin, capture_output=True, text=True, timeout=30)
        assert done.stdout == expected, done.stderr
    os.close(reading)
    os.close(writing)


def test_scripts_are_python_programs_when_python_runs_them(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = {
        "a": "#!/env/bin/python3.10\n",
        "b": "#!/usr/bin/env python\n",
        "c": "#!/bin/sh\n'''exec' '/a very long path/bin/python' \"$0\" \"$@\"\n' '''\n",
        "d": "#!/bin/sh\necho hello\n",
    }
    for name, text in heads.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    answers = {name: can_be_explained(root, [str(tmp_path / name)]) for name in heads}
    assert answers == {"a": True, "b": True, "c": True, "d": False}
    monkeypatch.setenv("PYTHONINSPECT", "1")
    assert not can_be_explained(root, ["python", "x.py"])


def test_script_that_the_system_refuses(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/python\n")
    script.chmod(0o755)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(CommandNotExecutableError, match="first line"):
        run_beside(root, [str(script)])
    assert signal.getsignal(signal.SIGINT) == before


# Shells -----------------------------------------------------------------------------------------------------------


def test_statuses_are_as_shells_count() -> None:
    assert [status_of(code) for code in (0, 3, -9)] == [0, 3, 137]


def test_handlers_are_put_back_and_not_inherited() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    assert attend(["sh", "-c", "kill -INT $$; exit 0"], os.environ) == -signal.SIGINT
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.parametrize(("sent", "expected"), [(signal.SIGINT, b"7"), (signal.SIGTERM, b"-1"), (signal.SIGHUP, b"-1")])
def test_signals_to_us_beside_a_shell(sent: signal.Signals, expected: bytes) -> None:
    # Ctrl-C is left to the shell (here: it is not even sent one); the others hang it up, and we come back.
    code = (
        f"import os, sys; sys.path.insert(0, {str(PACKAGE)!r})\n"
        "from imageai_envs.running.attend import attend\n"
        "program = ['sh', '-c', 'trap \"\" TERM; echo ready; read line; exit 7']\n"
        "print(attend(program, os.environ, is_shell=True), flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(sent)
        time.sleep(0.2)
        output, _ = child.communicate(b"\n", timeout=20)
        assert output.strip() == expected
