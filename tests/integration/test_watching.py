"""``run_watched``: someone reads along, and neither the program nor our parent can tell."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from imageai_envs.running.run import CommandNotExecutableError, can_be_watched, run_watched
from imageai_envs.running.watching import TAIL, Ended, is_worth_watching

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups and pseudo-terminals are POSIX")

PACKAGE = Path(__file__).resolve().parents[2]

# The command line interface in short: watches, tells what it kept, ends like the program.
DRIVER = f"""\
import os, sys
from pathlib import Path
sys.path.insert(0, {str(PACKAGE)!r})
from imageai_envs.running.run import run_watched
from imageai_envs.running.watching import end_like
how = sys.argv[1]
ended = run_watched(Path(sys.argv[2]), sys.argv[3:], together=how == "together", relay=how == "relay")
with open("kept", "wb") as stream:
    stream.write(ended.tail)
sys.exit(end_like(ended))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watching") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True)
    return path


def driver(root: Path, *argv: str, how: str = "apart") -> list[str]:
    return [sys.executable, "-c", DRIVER, how, str(root), *argv]


def drive(root: Path, *argv: str, stdin: str = "", how: str = "apart") -> subprocess.CompletedProcess[str]:
    return subprocess.run(driver(root, *argv, how=how), input=stdin, capture_output=True, text=True, timeout=30)


def kept() -> bytes:
    return Path("kept").read_bytes()


def test_output_error_input_arguments_and_exit_code_pass(root: Path) -> None:
    code = "import sys; print(sys.argv[1:], sys.stdin.read()); print('wrong', file=sys.stderr); sys.exit(3)"
    done = drive(root, "python", "-c", code, "a b", "'", stdin="für mich\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "['a b', \"'\"] für mich\n\n", "wrong\n")
    assert kept() == b"wrong\n"


def test_python_is_the_environments(root: Path) -> None:
    done = drive(root, "python", "-c", "import sys; print(sys.prefix, sys.argv)")
    assert done.stdout == f"{root} ['-c']\n", done.stderr


def test_bytes_are_not_changed_and_only_the_end_is_kept(root: Path) -> None:
    code = "import os; data = bytes(range(256)) * 4096\nfor _ in range(3): os.write(2, data)"
    done = subprocess.run(driver(root, "python", "-c", code), capture_output=True, timeout=30)
    everything = bytes(range(256)) * 4096 * 3
    assert done.stderr == everything
    assert kept() == everything[-TAIL:]


def test_together_both_come_in_order(root: Path) -> None:
    code = "import os\nfor n in range(200):\n    os.write(1 + n % 2, b'%d\\n' % n)"
    done = drive(root, "python", "-c", code, how="together")
    assert (done.stdout, done.stderr) == ("", "".join(f"{n}\n" for n in range(200)))


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "HUP", "SEGV", "ILL"])
def test_a_signal_that_ends_the_program_is_what_our_parent_sees(root: Path, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    reset = f"signal.signal({number}, signal.SIG_DFL);" if name != "KILL" else ""
    done = drive(root, "python", "-c", f"import os, signal; {reset} os.kill(os.getpid(), {number})")
    assert done.returncode == -number


# Signals to us ----------------------------------------------------------------------------------------------------

COUNTER = """\
import signal, sys, time
seen = []
def note(number, frame):
    seen.append(signal.Signals(number).name)
    if number == signal.SIGUSR2:
        print(*seen, flush=True)
        sys.exit(7)
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
    signal.signal(getattr(signal, name), note)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
@pytest.mark.parametrize("whole_group", [True, False])
def test_each_signal_comes_once(root: Path, name: str, whole_group: bool) -> None:
    # `kill PID` must reach the program, `kill -PGID` and Ctrl-C must not reach it twice.
    number = getattr(signal, name)
    with subprocess.Popen(
        driver(root, "python", "-c", COUNTER), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for _ in range(3):
            (os.killpg if whole_group else os.kill)(child.pid, number)
            time.sleep(0.2)
        os.kill(child.pid, signal.SIGUSR2)
        output, _ = child.communicate(timeout=20)
        assert (output.split(), child.returncode) == ([name] * 3 + ["SIGUSR2"], 7)


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


# What stays open ---------------------------------------------------------------------------------------------------

DAEMON = """\
import os, sys, time
if os.fork():
    os.write(2, b"parent\\n")
    os._exit(5)
os.close(0); os.close(1)
while not os.path.exists("go"):
    time.sleep(0.05)
os.write(2, b"daemon\\n")
"""


def test_a_daemon_keeps_standard_error_and_nobody_waits_for_it(root: Path) -> None:
    with subprocess.Popen(
        driver(root, "python", "-c", DAEMON), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.wait(timeout=20) == 5
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.read() == ""  # nothing of ours holds it open
        assert child.stderr.readline() == "parent\n"
        Path("go").touch()
        assert child.stderr.read() == "daemon\n"
    assert kept() == b"parent\n"


def test_a_program_that_closes_standard_error_is_waited_for(root: Path) -> None:
    code = "import os, time; os.close(2); time.sleep(0.5); print('done')"
    done = drive(root, "python", "-c", code)
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_when_nobody_reads_the_program_notices(root: Path) -> None:
    code = "import os\nwhile True: os.write(2, b'x' * 100000)"
    codes = []
    for argv in ([str(root / "bin" / "python"), "-c", code], driver(root, "python", "-c", code)):
        with subprocess.Popen(argv, stderr=subprocess.PIPE) as child:
            assert child.stderr is not None
            child.stderr.read(10)
            child.stderr.close()
            codes.append(child.wait(timeout=20))
    assert codes[0] == codes[1] != 0


# Terminals --------------------------------------------------------------------------------------------------------


class Terminal:
    """A terminal with our driver in it, as a shell would start it."""

    def __init__(self, root: Path, *argv: str, how: str = "apart") -> None:
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
            os.execv(sys.executable, driver(root, *argv, how=how))
        self.seen = b""

    def until(self, mark: bytes, seconds: float = 20) -> bytes:
        end = time.monotonic() + seconds
        while mark not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self.screen], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.screen, 65536)
                except OSError:
                    assert mark in self.seen, self.seen
        return self.seen

    def type(self, keys: bytes) -> None:
        os.write(self.screen, keys)

    def end(self) -> int:
        self.until(b"", 0.1)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.screen)
        return os.waitstatus_to_exitcode(status)


def test_one_terminal_stays_untouched_and_the_traceback_is_kept(root: Path) -> None:
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


def test_relayed_standard_error_is_a_terminal_of_the_same_size(root: Path) -> None:
    code = (
        "import os, sys\n"
        "print(os.isatty(0), os.isatty(1), os.isatty(2), os.get_terminal_size(2).columns, file=sys.stderr)\n"
        "os.write(2, b'\\x1b[31mred\\x1b[0m 10%\\r20%\\r\\nover\\n')"
    )
    terminal = Terminal(root, "python", "-c", code, how="relay")
    seen = terminal.until(b"over")
    assert terminal.end() == 0
    assert b"True True True 99\r\n\x1b[31mred\x1b[0m 10%\r20%\r" in seen
    assert kept() == b"True True True 99\n\x1b[31mred\x1b[0m 10%\r20%\r\nover\n"


def test_order_stays_where_both_go_into_one_file(root: Path, tmp_path: Path) -> None:
    code = "import os\nfor n in range(500): os.write(1 + n % 2, b'%d\\n' % n)"
    with (tmp_path / "log").open("wb") as log:
        subprocess.run(driver(root, "python", "-c", code), stdout=log, stderr=log, timeout=30, check=True)
    assert (tmp_path / "log").read_text().split() == [str(n) for n in range(500)]


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
        f'{subprocess.list2cmdline([sys.executable])} -c "$DRIVER" apart "$ROOT" python -c "$CODE"\n'
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
def test_what_is_watched(argv: list[str], expected: bool) -> None:
    assert is_worth_watching("/bin/sh", argv) is expected


def test_python_without_a_program_is_watched_only_when_nobody_types() -> None:
    reading, writing = pty.openpty()
    probe = (
        f"import sys; sys.path.insert(0, {str(PACKAGE)!r})\n"
        "from imageai_envs.running.watching import is_worth_watching as w\n"
        "print(w('/bin/sh', ['python']), w('/bin/sh', ['python', '-']), w('/bin/sh', ['python', '-q']))"
    )
    for stdin, expected in ((writing, "False False False\n"), (subprocess.DEVNULL, "True True True\n")):
        done = subprocess.run([sys.executable, "-c", probe], stdin=stdin, capture_output=True, text=True, timeout=30)
        assert done.stdout == expected, done.stderr
    os.close(reading)
    os.close(writing)


def test_scripts_are_watched_when_python_runs_them(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = {
        "a": "#!/env/bin/python3.10\n",
        "b": "#!/usr/bin/env python\n",
        "c": "#!/bin/sh\n'''exec' '/a very long path/bin/python' \"$0\" \"$@\"\n' '''\n",
        "d": "#!/bin/sh\necho hello\n",
    }
    for name, text in heads.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    watched = {name: can_be_watched(root, [str(tmp_path / name)]) for name in heads}
    assert watched == {"a": True, "b": True, "c": True, "d": False}
    monkeypatch.setenv("PYTHONINSPECT", "1")
    assert not can_be_watched(root, ["python", "x.py"])


def test_script_that_the_system_refuses(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/python\n")
    script.chmod(0o755)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(CommandNotExecutableError, match="first line"):
        run_watched(root, [str(script)])
    assert signal.getsignal(signal.SIGINT) == before


def test_statuses_are_as_shells_count() -> None:
    assert [Ended(code, b"").status for code in (0, 3, -9)] == [0, 3, 137]
