"""``run_in``: what our parent sees is what it would see of the bare command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imageai_envs.base.errors import PythonNotFoundError, RequestError, UsageProblem
from imageai_envs.running.run import (
    CommandNotExecutableError,
    CommandNotFoundError,
    environment_variables,
    is_active,
    outside_variables,
    run_in,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and execve are POSIX")

PACKAGE = Path(__file__).resolve().parents[2]

# Stands in for the command line interface: turns the library's errors into exit codes, and nothing more.
DRIVER = f"""\
import sys
from pathlib import Path
sys.path.insert(0, {str(PACKAGE)!r})
from imageai_envs.base.errors import ImageAIEnvError
from imageai_envs.running.run import run_in
print("before")
try:
    sys.exit(run_in(Path(sys.argv[1]), sys.argv[2:]))
except ImageAIEnvError as error:
    print(error.code, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("running") / "it's $HOME of `my` env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True)
    return path


def driver(root: Path, *argv: str) -> list[str]:
    return [sys.executable, "-c", DRIVER, str(root), *argv]


def drive(root: Path, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(driver(root, *argv), input=stdin, capture_output=True, text=True, timeout=30)


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_python_is_the_environments(root: Path) -> None:
    done = drive(root, "python", "-c", "import sys; print(sys.prefix)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["before", str(root)]


def test_python_is_the_environments_under_another_active_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    done = subprocess.run(
        # -E: our own interpreter must survive the PYTHONHOME that it is to remove for the command.
        [sys.executable, "-E", *driver(root, "python", "-c", "import sys; print(sys.prefix)")[1:]],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.splitlines() == ["before", str(root)], done.stderr


def test_exit_code_passes(root: Path) -> None:
    assert drive(root, "python", "-c", "raise SystemExit(3)").returncode == 3


def test_stdin_and_arguments_pass_untouched(root: Path) -> None:
    code = "import sys; print(sys.argv[1:], sys.stdin.read())"
    done = drive(root, "python", "-c", code, "a b", "$HOME", "'", stdin="für mich\n")
    assert done.stdout.splitlines()[1] == "['a b', '$HOME', \"'\"] für mich"


@pytest.mark.parametrize("name", ["TERM", "KILL", "INT", "HUP", "PIPE", "SEGV"])
def test_a_signal_that_ends_the_command_is_what_our_parent_sees(root: Path, name: str) -> None:
    bare = ["sh", "-c", f"kill -{name} $$; exit 0"]
    expected = subprocess.run(bare, timeout=30).returncode
    assert expected == -getattr(signal, f"SIG{name}")
    assert drive(root, *bare).returncode == expected


def test_no_process_of_ours_stays_between(root: Path) -> None:
    with subprocess.Popen(driver(root, "sh", "-c", "echo $$"), stdout=subprocess.PIPE, text=True) as child:
        output, _ = child.communicate(timeout=30)
        assert output.splitlines()[1] == str(child.pid)


def test_ctrl_c_reaches_the_command_and_its_answer_counts(root: Path) -> None:
    code = (
        "import time\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(20)\n"
        "except KeyboardInterrupt:\n"
        "    print('cleaned up', flush=True)\n"
        "    raise SystemExit(42)\n"
    )
    with subprocess.Popen(
        driver(root, "python", "-c", code), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdout is not None
        assert [child.stdout.readline(), child.stdout.readline()] == ["before\n", "ready\n"]
        os.killpg(child.pid, signal.SIGINT)
        assert child.wait(timeout=20) == 42
        assert child.stdout.read() == "cleaned up\n"


def test_missing_command(root: Path) -> None:
    done = drive(root, "no-such-command")
    assert (done.returncode, done.stderr.strip()) == (127, "command-not-found")
    with pytest.raises(CommandNotFoundError) as caught:
        run_in(root, ["no-such-command"])
    assert "python -m no-such-command" in (caught.value.hint or "")


def test_command_line_in_one_word_is_recognised(root: Path) -> None:
    with pytest.raises(CommandNotFoundError) as caught:
        run_in(root, ["python train.py"])
    assert "-- python train.py" in (caught.value.hint or "")


def test_command_that_is_not_executable(root: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("echo hello\n")
    with pytest.raises(CommandNotExecutableError):
        run_in(root, [str(plain)])
    done = drive(root, str(plain))
    assert (done.returncode, done.stderr.strip()) == (126, "command-not-executable")


@pytest.mark.parametrize(("text", "told"), [("#!/no/such/python\n", "first line"), ("no first line\n", "#! line")])
def test_script_that_the_system_refuses(root: Path, tmp_path: Path, text: str, told: str) -> None:
    before = signal.getsignal(signal.SIGPIPE)
    with pytest.raises(CommandNotExecutableError, match=told):
        run_in(root, [str(script(tmp_path / "script", text))])
    assert signal.getsignal(signal.SIGPIPE) == before


def test_scripts_of_the_environment_come_first(root: Path, tmp_path: Path) -> None:
    ours = script(root / "bin" / "tool", "#!/bin/sh\necho ours\n")
    script(tmp_path / "tool", "#!/bin/sh\necho theirs\n")
    try:
        done = subprocess.run(
            driver(root, "tool"),
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.stdout.splitlines() == ["before", "ours"]
    finally:
        ours.unlink()


def test_environment_without_a_working_python_is_refused(tmp_path: Path) -> None:
    # Otherwise the next python on PATH would run, and act on another environment.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "gone")
    with pytest.raises(PythonNotFoundError) as caught:
        run_in(tmp_path, ["python"])
    assert caught.value.code == "environment-broken"


def test_no_command_is_a_usage_problem(root: Path) -> None:
    with pytest.raises(UsageProblem):
        run_in(root, [])


def test_variables(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = f"{root}/bin"
    monkeypatch.setenv("PATH", f"/a:{scripts}:/b:{scripts}")
    monkeypatch.setenv("PYTHONHOME", "/x")
    monkeypatch.setenv("__PYVENV_LAUNCHER__", "/x")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    variables = environment_variables(root)
    assert variables["PATH"] == f"{scripts}:/a:/b"
    assert variables["VIRTUAL_ENV"] == str(root)
    assert variables["PYTHONPATH"] == "/mine"
    assert not {"PYTHONHOME", "__PYVENV_LAUNCHER__"} & variables.keys()


@pytest.mark.parametrize("path", ["", None])
def test_an_empty_path_does_not_come_to_mean_the_current_directory(
    root: Path, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    monkeypatch.delenv("PATH")
    if path is not None:
        monkeypatch.setenv("PATH", path)
    assert environment_variables(root)["PATH"] == f"{root}/bin:{os.defpath}"


def test_a_root_that_path_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        environment_variables(tmp_path / "a:b")
    assert caught.value.code == "bad-path"


def test_variables_outside_of_the_active_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIRTUAL_ENV_PROMPT", "_OLD_VIRTUAL_PATH", "_OLD_FISH_PROMPT_OVERRIDE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("VIRTUAL_ENV", "/active")
    monkeypatch.setenv("PATH", "/active/bin:/usr/bin")
    variables = outside_variables()
    assert variables["PATH"] == "/usr/bin"
    assert not [name for name in variables if "VIRTUAL" in name or "FISH_PROMPT" in name]


def test_active_means_that_its_python_is_found_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    assert not is_active(root)
    monkeypatch.setenv("VIRTUAL_ENV", str(root))
    monkeypatch.setenv("PATH", f"{root}/bin:/usr/bin:/bin")
    assert is_active(root)
    assert not is_active(root.parent)
    shim = root.parent / "shims"
    shim.mkdir()
    script(shim / "python", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{shim}:{root}/bin:/usr/bin:/bin")
    assert not is_active(root)
