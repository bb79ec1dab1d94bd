"""`explain`, and the explanation after a failing `run`."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tool import REPOSITORY, tool

if TYPE_CHECKING:
    from tests.support.index import Index

LIBGL = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"
NUMPY = "Unable to convert function return value to a Python type! The signature was"
ERRORS = REPOSITORY / "tests" / "data" / "errors"


def piped(data: bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "imageai_envs", "explain", *words],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        input=data,
        capture_output=True,
        timeout=120,
        check=False,
    )


def broken_environment(place: Path, **versions: str) -> Path:
    """Make a directory that looks like an environment; its Python would tell on whoever runs it."""
    site = place / "lib" / "python3.10" / "site-packages"
    for name, version in versions.items():
        (site / f"{name}-{version}.dist-info").mkdir(parents=True)
    python = place / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\ntouch {place}/it-was-run\n")
    python.chmod(0o755)
    return place


# explain ----------------------------------------------------------------------------------------------------------


def test_text() -> None:
    answer = tool("explain", LIBGL)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0] == "opencv-libgl (opencv)"
    assert "libGL, which this machine does not have" in lines[1]
    assert f"  line 1: {LIBGL}" in lines
    assert "  fix: apt install libgl1 libglib2.0-0   (or what your distribution calls them)" in lines
    assert "  see: https://github.com/opencv/opencv-python/issues/370" in lines


def test_words_are_lines() -> None:
    answer = tool(
        "explain", "from .cv2 import *", "ImportError: DLL load failed: The specified module could not be found."
    )
    assert answer.out.startswith("opencv-windows-dll ")


@pytest.mark.parametrize("words", [(), ("-",)])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_standard_input(words: tuple[str, ...], encoding: str) -> None:
    done = piped(f"first\r\n{LIBGL}\r\n".encode(encoding), *words)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"  line 2: ImportError: libGL.so.1" in done.stdout


def test_a_file() -> None:
    answer = tool("explain", "--json", "--file", ERRORS / "numpy-2--import-tensorflow.txt")
    data = answer.json()
    assert (data["status"], data["data"]["environment"]) == ("success", None)
    assert data["data"]["file"].endswith("numpy-2--import-tensorflow.txt")
    first = data["data"]["explanations"][0]
    assert (first["rule"], first["topic"], first["confirmed"], first["warning"]) == ("numpy-2", "numpy", None, False)
    assert first["evidence"][0]["text"].startswith("TypeError: Unable to convert")
    assert first["fix"][0].startswith("imageai-env create")


def test_unknown_is_said_and_leads_on() -> None:
    answer = tool("explain", "ValueError: my own")
    assert answer.code == 1
    assert answer.out.startswith("Unknown: none of the errors known here")
    assert "imageai-env doctor" in answer.out
    data = tool("explain", "--json", "ValueError: my own").json()
    assert (data["status"], data["exit_code"], data["data"]["explanations"]) == ("partial", 1, [])


@pytest.mark.parametrize(
    ("version", "words"), [("2.0.2", "confirmed: numpy 2.0.2 is"), ("1.23.5", "not the cause there: ")]
)
def test_an_environment_confirms_and_is_not_run(tmp_path: Path, version: str, words: str) -> None:
    place = broken_environment(tmp_path / "project" / ".venv", numpy=version)
    for path in (place, place.parent, place / "bin" / "python", ".venv"):
        answer = tool("explain", NUMPY, "--env", path)
        assert answer.code == 0, answer.err
        assert words in answer.out
    assert not (place / "it-was-run").exists()
    unknown = tool("explain", "nothing", "--env", place)
    assert f"imageai-env doctor {place}" in unknown.out


def test_no_such_environment(tmp_path: Path) -> None:
    for name in ("nosuch", str(tmp_path / "nosuch")):
        answer = tool("explain", "--json", NUMPY, "--env", name)
        assert (answer.code, answer.json()["errors"][0]["code"]) == (3, "no-such-environment")


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_a_file_that_cannot_be_read(name: str) -> None:
    answer = tool("explain", "--json", "--file", name)
    assert (answer.code, answer.json()["errors"][0]["code"]) == (3, "unreadable")


def test_two_sources() -> None:
    assert tool("explain", "x", "--file", "y").code == 2


def test_nothing_at_a_terminal() -> None:
    master, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "imageai_envs", "explain"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=slave,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(slave)
    os.close(master)
    assert done.returncode == 2
    assert "nothing is piped in" in done.stderr


def test_list() -> None:
    answer = tool("explain", "--list")
    assert answer.out.splitlines()[0].split() == ["TOPIC", "RULE", "CAUSE"]
    rules = tool("explain", "--list", "--json").json()["data"]["rules"]
    assert len(rules) == len(answer.out.splitlines()) - 1 >= 60
    assert all(rule["links"] and rule["example"] for rule in rules)


def test_help_loads_none_of_it() -> None:
    code = (
        "import sys\nfrom imageai_envs.cli.app import run\nrun(['--help'])\n"
        "print([name for name in sys.modules if 'explain' in name or 'doctor' in name or 'running' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


# run --------------------------------------------------------------------------------------------------------------


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `imageai-env run`, whose standard error may well hold a traceback: the program's."""
    return subprocess.run(
        [sys.executable, "-m", "imageai_envs", "run", *words],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def root(index: Index, template: Path) -> Path:
    """An environment called ``x`` whose TensorFlow fails as the real one does beside numpy 2."""
    created = tool("create", "x", "--template", "tiny", "--verify", "none")
    assert created.code == 0, created.err
    path = Path(os.environ["IMAGEAI_ENV_HOME"]) / "envs" / "x"
    (site,) = path.glob("**/lib/python3*/site-packages")
    (numpy,) = site.glob("numpy-*.dist-info")
    numpy.rename(numpy.with_name("numpy-2.0.2.dist-info"))
    module = site / "tensorflow" / "__init__.py"
    module.parent.mkdir(exist_ok=True)
    module.unlink(missing_ok=True)  # it is linked to uv's cache, which other tests share
    module.write_text(f"raise TypeError('{NUMPY}\\n\\t() -> handle')\n", encoding="utf-8")
    return path


def test_a_failing_run_is_explained_after_its_traceback(root: Path) -> None:
    answer = run("x", "--", "python", "-c", "print('out'); import tensorflow")
    assert (answer.returncode, answer.stdout) == (1, "out\n")
    traceback, _, explained = answer.stderr.partition("explained: ")
    assert traceback.endswith(f"TypeError: {NUMPY}\n\t() -> handle\n")
    assert "[numpy-2]\n  numpy 2.0.2 is installed\n  fix: imageai-env repair x\n" in explained


def test_what_the_environment_refutes_is_not_told(root: Path) -> None:
    (numpy,) = root.glob("**/numpy-2.0.2.dist-info")
    numpy.rename(numpy.with_name("numpy-1.23.5.dist-info"))
    assert "explained" not in run("x", "--", "python", "-c", "import tensorflow").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--no-explain", "x", "--", "python", "-c", "import tensorflow"),
        ("x", "--", "sh", "-c", 'python -c "import tensorflow"'),
    ],
)
def test_what_nobody_stays_beside_is_not_explained(root: Path, words: tuple[str, ...]) -> None:
    answer = run(*words)
    assert answer.returncode == 1
    assert NUMPY in answer.stderr
    assert "explained" not in answer.stderr


@pytest.mark.parametrize(
    ("code", "status"), [("raise ValueError('mine')", 1), ("raise SystemExit(3)", 3), ("import tensorflow_of_mine", 1)]
)
def test_errors_of_the_program_are_its_own(root: Path, code: str, status: int) -> None:
    answer = run("x", "--", "python", "-c", code)
    assert answer.returncode == status
    assert "explained" not in answer.stderr


def test_any_command_when_asked(root: Path) -> None:
    answer = run("--explain", "x", "--", "sh", "-c", "python -c 'import tensorflow'; exit 9")
    assert answer.returncode == 9
    assert "[numpy-2]" in answer.stderr


def test_only_tracebacks_are_explained(root: Path) -> None:
    answer = run("--explain", "x", "--", "sh", "-c", f"echo '{LIBGL}' >&2; exit 9")
    assert answer.returncode == 9
    assert answer.stderr.endswith(f"{LIBGL}\n")


@pytest.mark.parametrize(
    ("name", "told"), [("SIGILL", "[no-avx]"), ("SIGKILL", "[out-of-memory]"), ("SIGTERM", ""), ("SIGSEGV", "")]
)
def test_deaths(root: Path, name: str, told: str) -> None:
    number = int(getattr(signal, name))
    answer = run("x", "--", "python", "-c", f"import os; os.kill(os.getpid(), {number})")
    assert answer.returncode == -number
    assert told in answer.stderr
    assert ("explained" in answer.stderr) == bool(told)


def in_json(*words: str) -> dict[str, Any]:
    answer = run("--json", *words)
    data: dict[str, Any] = json.loads(answer.stdout)
    assert data["exit_code"] == answer.returncode
    return data["data"]  # type: ignore[no-any-return]


def test_json(root: Path) -> None:
    program = ("--", "python", "-c", "import tensorflow")
    data = in_json("x", *program)
    assert (data["returncode"], [item["rule"] for item in data["explanations"]]) == (1, ["numpy-2"])
    assert in_json("--no-explain", "x", *program)["explanations"] == []
    assert in_json("x", "--", "python", "-c", "1")["explanations"] == []


def test_at_a_terminal(root: Path) -> None:
    pid, screen = pty.fork()
    if pid == 0:
        words = ["-m", "imageai_envs", "run", "x", "--", "python", "-c", "import tensorflow"]
        os.execve(sys.executable, [sys.executable, *words], {**os.environ, "PYTHONPATH": str(REPOSITORY)})
    seen = b""
    while True:
        try:
            block = os.read(screen, 65536)
        except OSError:
            break
        if not block:
            break
        seen += block
    os.close(screen)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    before, _, after = seen.partition(b"explained:")
    assert b"() -> handle" in before
    assert b"[numpy-2]" in after
