"""Activation in real shells, and real interactive shells on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.errors import PythonNotFoundError, RequestError, UsageProblem
from imageai_envs.running.shells import SHELLS, activation, detect_shell, open_shell

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="drives POSIX shells")

PACKAGE = Path(__file__).resolve().parents[2]
PROGRAMS = {"bash": "bash", "zsh": "zsh", "fish": "fish", "powershell": "pwsh"}
BARE = {
    "bash": ["bash", "--norc", "--noprofile", "-c"],
    "zsh": ["zsh", "-f", "-c"],
    "fish": ["fish", "--no-config", "-c"],
    "powershell": ["pwsh", "-NoProfile", "-NonInteractive", "-Command"],
}
EVALUATE = {
    "bash": 'eval "$(cat {})"',
    "zsh": 'eval "$(cat {})"',
    "fish": "cat {} | source",
    "powershell": "Get-Content -Raw {} | Invoke-Expression",
}
ODD_NAMES = [
    "plain",
    "two  words",
    "it's",
    'say "hi"',
    "$HOME `id` $(id)",
    "ünï-日本-\u2019",
    "back\\slash\\",
    "a;b&c|d*e?[f]!g#h~",
    "@{root}",
]


def needs(shell: str) -> pytest.MarkDecorator:
    program = PROGRAMS[shell]
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def shells(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in names])


every_shell = shells(*SHELLS)
unix_shells = shells("bash", "zsh", "fish")
posix_shells = shells("bash", "zsh")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "user"
    path.mkdir()
    # Where it is missing, fish reads all manual pages of the machine in the background at its first start.
    (path / ".local" / "share" / "fish" / "generated_completions").mkdir(parents=True)
    return path


@pytest.fixture
def variables(home: Path) -> dict[str, str]:
    """Those of a user who has nothing active, and a home that is only ours."""
    search = [entry for entry in ("/usr/local/bin", "/usr/bin", "/bin") if Path(entry).is_dir()]
    for program in PROGRAMS.values():
        found = shutil.which(program)
        if found and str(Path(found).parent) not in search:
            search.append(str(Path(found).parent))
    return {"HOME": str(home), "PATH": ":".join(search), "TERM": "xterm", "LC_ALL": "C.UTF-8"}


def make_environment(root: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("shells") / "it's my $env")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("shells") / "other")


class Bare:
    """A shell without the user's files that runs lines of text."""

    def __init__(self, shell: str, folder: Path, variables: dict[str, str]) -> None:
        self.shell = shell
        self.folder = folder
        self.variables = variables
        self._count = 0

    def activate(self, root: Path, prompt: str = "name") -> str:
        """Return the line that a user types."""
        self._count += 1
        path = self.folder / f"activation-{self._count}"
        path.write_text(activation(root, self.shell, prompt), encoding="utf-8")
        return EVALUATE[self.shell].format(shlex.quote(str(path)))

    def run(self, *lines: str, **variables: str) -> list[str]:
        done = subprocess.run(
            [*BARE[self.shell], "\n".join(lines)],
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout.splitlines()


@pytest.fixture
def bare(shell: str, tmp_path: Path, variables: dict[str, str]) -> Bare:
    return Bare(shell, tmp_path, variables)


PREFIX = "python -c 'import sys; print(sys.prefix)'"
# Everything that a program started from the shell sees, and what only the shell knows.
STATE = {
    "bash": 'env | grep -v ^_= | sort; echo "PS1=${PS1-unset}"; declare -F; set | grep ^_OLD || true',
    "zsh": 'env | grep -v ^_= | sort; echo "PS1=${PS1-unset}"; typeset +f; set | grep ^_OLD || true',
    "fish": (
        "env | sort; functions fish_prompt | string match -v '# Defined*'; "
        "functions -a | string match -r 'deact.*|_old.*'; set | string match '_OLD*'; true"
    ),
}


class TestActivation:
    @every_shell
    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_python_is_the_environments(self, bare: Bare, tmp_path: Path, name: str) -> None:
        root = make_environment(tmp_path / name)
        assert bare.run(bare.activate(root, name), PREFIX) == [str(root)]

    @every_shell
    def test_virtual_env_is_exported(self, bare: Bare, root: Path) -> None:
        code = "import os; print(os.environ['VIRTUAL_ENV'], os.environ['VIRTUAL_ENV_PROMPT'])"
        assert bare.run(bare.activate(root), f'python -c "{code}"') == [f"{root} name"]

    @unix_shells
    def test_deactivate_restores_everything(self, bare: Bare, root: Path) -> None:
        state = STATE[bare.shell]
        prompt = "" if bare.shell == "fish" else "PS1='%m \\w $ '"
        lines = bare.run(
            prompt, state, "echo -----", bare.activate(root), state, "echo -----", "deactivate", state,
            PYTHONHOME="",
        )  # fmt: skip
        first, second = lines.index("-----"), len(lines) - 1 - lines[::-1].index("-----")
        before, active, after = lines[:first], lines[first + 1 : second], lines[second + 1 :]
        assert before == after
        assert before != active
        assert "PYTHONHOME=" in before
        assert "PYTHONHOME=" not in active

    @unix_shells
    def test_evaluating_twice_activates_once(self, bare: Bare, root: Path) -> None:
        line = bare.activate(root)
        lines = bare.run('echo "$PATH"', line, line, 'echo "$PATH"', "deactivate", 'echo "$PATH"')
        assert lines == [lines[0], f"{root}/bin:{lines[0]}", lines[0]]

    @unix_shells
    def test_in_a_child_of_an_active_shell_nothing_is_stacked(self, bare: Bare, root: Path) -> None:
        path = f"{root}/bin:/usr/bin:/bin"
        lines = bare.run(bare.activate(root), 'echo "$PATH"', PREFIX, PATH=path, VIRTUAL_ENV=str(root))
        assert lines == [path, str(root)]

    @unix_shells
    def test_activating_another_leaves_the_first(self, bare: Bare, root: Path, other: Path) -> None:
        lines = bare.run(
            'echo "$PATH"', bare.activate(other), bare.activate(root), 'echo "$PATH"', PREFIX,
            "deactivate", 'echo "$PATH"',
        )  # fmt: skip
        assert lines == [lines[0], f"{root}/bin:{lines[0]}", str(root), lines[0]]

    @unix_shells
    @pytest.mark.parametrize("ours_first", [True, False])
    def test_with_activate_scripts_of_others(self, bare: Bare, root: Path, other: Path, ours_first: bool) -> None:
        theirs = f". {other}/bin/activate" + (".fish" if bare.shell == "fish" else "")
        ours = bare.activate(root)
        order = [ours, theirs] if ours_first else [theirs, ours]
        last = other if ours_first else root
        lines = bare.run('echo "$PATH"', *order, 'echo "$PATH"', PREFIX, "deactivate", 'echo "$PATH"')
        assert lines == [lines[0], f"{last}/bin:{lines[0]}", str(last), lines[0]]

    @posix_shells
    @pytest.mark.parametrize("home_variable", [True, False])
    def test_under_strict_options(self, bare: Bare, root: Path, home_variable: bool) -> None:
        options = "set -eu; set -o noclobber; set +h" if bare.shell == "bash" else "set -eu"
        extra = {"PYTHONHOME": "/nowhere"} if home_variable else {}
        line = bare.activate(root)
        lines = bare.run(options, "unset PS1", line, PREFIX, line, "deactivate", "echo end", **extra)
        assert lines == [str(root), "end"]

    @posix_shells
    def test_an_alias_named_deactivate_does_no_harm(self, bare: Bare, root: Path) -> None:
        lines = bare.run(
            "shopt -s expand_aliases" if bare.shell == "bash" else "setopt aliases",
            "alias deactivate='echo alias'",
            bare.activate(root),
            PREFIX,
        )
        assert lines == [str(root)]

    @unix_shells
    def test_the_prompt_can_be_left_alone(self, bare: Bare, root: Path) -> None:
        show = "fish_prompt" if bare.shell == "fish" else 'echo "$PS1"'
        define = "function fish_prompt; echo mine; end" if bare.shell == "fish" else "PS1=mine"
        lines = bare.run(define, bare.activate(root), show, "deactivate", show, VIRTUAL_ENV_DISABLE_PROMPT="1")
        assert lines == ["mine", "mine"]

    @unix_shells
    def test_a_prompt_is_shown_and_never_executed(self, bare: Bare, root: Path) -> None:
        show = {
            "bash": ("PS1='> '", 'echo "${PS1@P}"'),
            "zsh": ("setopt prompt_subst prompt_bang; PS1='> '", 'print -P "$PS1"'),
            "fish": ("function fish_prompt; echo '> '; end", "fish_prompt"),
        }[bare.shell]
        lines = bare.run(show[0], bare.activate(root, "é $(id)`id`\\w%m!'\n"), show[1])
        assert lines == ["(é _(id)_id__w_m_'_) > "]

    @pytest.mark.parametrize("shell", [pytest.param("fish", marks=needs("fish"))])
    def test_fish_prompt_still_sees_the_last_status(self, bare: Bare, root: Path) -> None:
        define = "function fish_prompt; echo $status $pipestatus; echo second; end"
        lines = bare.run(define, bare.activate(root), "false | true | false", "fish_prompt")
        assert lines == ["(name) 1 1 0 1", "second"]

    def test_powershell_quotes(self, tmp_path: Path) -> None:
        text = activation(tmp_path / "it's \u2019 $x", "pwsh", "na'me")
        assert f"$env:VIRTUAL_ENV = '{tmp_path}/it''s \u2019\u2019 $x'\n" in text
        assert "Write-Host -NoNewline '(na''me) '\n" in text
        assert '"' not in text

    @pytest.mark.parametrize("shell", ["sh", "nu", ""])
    def test_unknown_shell(self, tmp_path: Path, shell: str) -> None:
        with pytest.raises(UsageProblem) as caught:
            activation(tmp_path, shell, "name")
        assert "--shell bash" in (caught.value.hint or "")

    def test_a_root_that_path_cannot_hold(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError):
            activation(tmp_path / "a:b", "bash", "name")


class TestDetection:
    CODE = (
        f"import sys; sys.path.insert(0, {str(PACKAGE)!r})\n"
        "from imageai_envs.base.errors import ImageAIEnvError\n"
        "from imageai_envs.running.shells import detect_shell\n"
        "try: print(detect_shell())\n"
        "except ImageAIEnvError as error: print(error.code)\n"
    )

    def detected_from(self, *shell: str, tmp_path: Path) -> str:
        (tmp_path / "detect.py").write_text(self.CODE)
        line = f"{shlex.quote(sys.executable)} {shlex.quote(str(tmp_path / 'detect.py'))}"
        # The second command keeps the shell from becoming the first.
        return subprocess.check_output([*shell, f"{line}; true"], text=True, timeout=60).strip()

    @unix_shells
    def test_the_shell_we_were_started_from(self, shell: str, tmp_path: Path) -> None:
        assert self.detected_from(*BARE[shell], tmp_path=tmp_path) == shell

    def test_a_shell_that_is_not_supported_is_not_taken_for_another(self, tmp_path: Path) -> None:
        assert self.detected_from("sh", "-c", tmp_path=tmp_path) == "unknown-shell"

    def test_login_shell_where_no_shell_is_around(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def nothing() -> None:
            raise OSError

        monkeypatch.setattr("shellingham.detect_shell", nothing)
        monkeypatch.setenv("SHELL", "/opt/bin/fish")
        assert detect_shell() == "fish"
        monkeypatch.delenv("SHELL")
        with pytest.raises(UsageProblem, match="could not be detected"):
            detect_shell()


DRIVER = f"""\
import fcntl, sys, termios
from pathlib import Path
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.path.insert(0, {str(PACKAGE)!r})
from imageai_envs.base.errors import ImageAIEnvError
from imageai_envs.running.shells import open_shell
try:
    code = open_shell(Path(sys.argv[1]), "name", sys.argv[2])
except ImageAIEnvError as error:
    code = error.code
Path(sys.argv[3]).write_text(str(code))
"""


class Terminal:
    """An interactive shell from ``open_shell``, with us at the keyboard."""

    def __init__(self, root: Path, shell: str, folder: Path, variables: dict[str, str]) -> None:
        self.out = folder / "out"
        self.temporary = folder / "temporary"
        for path in (self.out, self.temporary):
            path.mkdir()
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 250, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(root), shell, str(self.out / "code")],
            env={**variables, "OUT": str(self.out), "TMPDIR": str(self.temporary)},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def read(self, until: str | None, timeout: float = 30) -> None:
        """Read what the terminal shows until a text appears, or to its end."""
        start, end = len(self.seen), time.monotonic() + timeout
        while until is None or until not in self.seen[start:]:
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                pytest.fail(f"{until!r} did not appear; seen: {self.seen!r}")
            try:
                data = os.read(self.master, 65536)
            except OSError:  # how Linux says that the other side is closed
                data = b""
            if not data:
                break
            self.seen += data.decode(errors="replace")

    def enter(self, *lines: str) -> None:
        for line in lines:
            os.write(self.master, line.encode() + b"\n")

    def answer(self, command: str) -> str:
        """Run a command and return what it wrote, byte for byte: a screen has escape codes in between."""
        path = self.out / "answer"
        path.unlink(missing_ok=True)
        self.enter(f'{command} > "$OUT/answer.part"; mv "$OUT/answer.part" "$OUT/answer"')
        end = time.monotonic() + 30
        while not path.exists():
            if time.monotonic() > end:
                self.read("no answer", timeout=0)
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
        return path.read_text().rstrip("\n")

    def code(self) -> str:
        """Return what ``open_shell`` returned, or the code of its error."""
        self.read(None)
        self.process.wait(timeout=30)
        return (self.out / "code").read_text()

    def close(self) -> None:
        os.close(self.master)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def shims(tmp_path: Path) -> Path:
    """A directory such as pyenv's, which start files put in front of everything."""
    path = tmp_path / "shims"
    path.mkdir()
    (path / "python").write_text("#!/bin/sh\necho shim\n")
    (path / "python").chmod(0o755)
    return path


@pytest.fixture
def start_files(home: Path, shims: Path) -> Path:
    posix = f"export PATH={shims}:$PATH; PS1='ready> '; export MINE=rc\n"
    (home / ".bashrc").write_text(posix)
    (home / ".zshrc").write_text(posix)
    fish = home / ".config" / "fish"
    fish.mkdir(parents=True)
    (fish / "config.fish").write_text(
        f"set -gx PATH {shims} $PATH; set -gx MINE rc; set -g fish_greeting\n"
        "function fish_prompt; echo 'ready> '; end\n"
    )
    return home


@pytest.fixture
def terminal(
    shell: str, root: Path, tmp_path: Path, start_files: Path, variables: dict[str, str]
) -> Iterator[Terminal]:
    opened = Terminal(root, shell, tmp_path, variables)
    yield opened
    opened.close()


class TestOpenShell:
    @unix_shells
    def test_active_in_spite_of_start_files(
        self, terminal: Terminal, root: Path, shims: Path, variables: dict[str, str]
    ) -> None:
        terminal.read("(name) ready> ")
        assert terminal.answer(PREFIX) == str(root)
        outside = f"{shims}:{variables['PATH']}"
        assert terminal.answer('echo "$PATH"') == f"{root}/bin:{outside}"
        assert terminal.answer('echo "$MINE"') == "rc"
        terminal.enter("deactivate")
        assert terminal.answer("python") == "shim"
        assert terminal.answer('echo "$PATH"') == outside
        terminal.enter("exit 3")
        assert terminal.code() == "3"
        assert list(terminal.temporary.glob("imageai*")) == []

    @unix_shells
    def test_without_start_files(self, shell: str, root: Path, tmp_path: Path, variables: dict[str, str]) -> None:
        terminal = Terminal(root, shell, tmp_path, variables)
        try:
            terminal.read("(name) ")
            assert terminal.answer(PREFIX) == str(root)
            terminal.enter("exit")
            assert terminal.code() == "0"
        finally:
            terminal.close()

    @unix_shells
    def test_ctrl_c_ends_a_command_and_not_the_shell(self, terminal: Terminal, root: Path) -> None:
        terminal.read("ready> ")
        terminal.enter('echo started > "$OUT/started"; sleep 60')
        end = time.monotonic() + 20
        while not (terminal.out / "started").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.3)  # the shell hands the terminal to `sleep`
        os.write(terminal.master, b"\x03")
        terminal.read("ready> ")
        assert terminal.answer(PREFIX) == str(root)
        terminal.enter("exit 4")
        assert terminal.code() == "4"

    @unix_shells
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_nothing_is_left_when_we_are_ended(self, terminal: Terminal, number: signal.Signals) -> None:
        terminal.read("ready> ")
        time.sleep(0.5)  # until it reads: between two commands bash notes the signal and waits for a key
        terminal.process.send_signal(number)
        # bash and zsh die of the SIGHUP; fish ends itself because of it.
        assert terminal.code() in {"129", "0", "1"}
        assert list(terminal.temporary.glob("imageai*")) == []

    @unix_shells
    def test_again_inside_is_refused(self, shell: str, root: Path, tmp_path: Path, variables: dict[str, str]) -> None:
        inside = {**variables, "VIRTUAL_ENV": str(root), "PATH": f"{root}/bin:{variables['PATH']}"}
        terminal = Terminal(root, shell, tmp_path, inside)
        try:
            assert terminal.code() == "already-active"
        finally:
            terminal.close()

    @unix_shells
    @pytest.mark.usefixtures("start_files")
    def test_inside_another_environment(
        self, shell: str, root: Path, other: Path, tmp_path: Path, shims: Path, variables: dict[str, str]
    ) -> None:
        inside = {
            **variables,
            "VIRTUAL_ENV": str(other),
            "PATH": f"{other}/bin:{variables['PATH']}",
            "_OLD_VIRTUAL_PATH": "/nowhere",  # what the stdlib's script exports in fish
        }
        terminal = Terminal(root, shell, tmp_path, inside)
        try:
            terminal.read("(name) ready> ")
            assert terminal.answer(PREFIX) == str(root)
            terminal.enter("deactivate")
            assert terminal.answer('echo "$PATH"') == f"{shims}:{variables['PATH']}"
            assert terminal.answer('echo "<$VIRTUAL_ENV>"') == "<>"
            terminal.enter("exit")
            assert terminal.code() == "0"
        finally:
            terminal.close()

    def test_an_environment_without_python_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(PythonNotFoundError):
            open_shell(tmp_path, "name", "bash")

    def test_a_shell_that_is_not_installed(self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("SHELL", "/nowhere/fish")
        with pytest.raises(UsageProblem) as caught:
            open_shell(root, "name", "fish")
        assert caught.value.code == "no-shell"


@needs("zsh")
class TestZshFolders:
    """How ours stand in for the user's start files must not be seen from the user's shell."""

    ASK = 'echo "${ZDOTDIR-unset} ${(t)ZDOTDIR-none} ${HISTFILE-unset} $MINE"'

    def ask(self, root: Path, tmp_path: Path, variables: dict[str, str]) -> str:
        terminal = Terminal(root, "zsh", tmp_path, variables)
        try:
            terminal.read("(name) ")
            answer = terminal.answer(self.ASK)
            assert terminal.answer(PREFIX) == str(root)
            terminal.enter("exit")
            assert terminal.code() == "0"
            return answer
        finally:
            terminal.close()

    @pytest.mark.usefixtures("start_files")
    def test_none(self, root: Path, tmp_path: Path, variables: dict[str, str]) -> None:
        assert self.ask(root, tmp_path, variables) == "unset none unset rc"

    def test_exported(self, root: Path, tmp_path: Path, variables: dict[str, str]) -> None:
        folder = tmp_path / "my dot'files"
        folder.mkdir()
        (folder / ".zshenv").write_text("MINE=env\n")
        (folder / ".zshrc").write_text('MINE="$MINE rc"\n')
        answer = self.ask(root, tmp_path, {**variables, "ZDOTDIR": str(folder)})
        assert answer == f"{folder} scalar-export unset env rc"

    def test_set_by_zshenv(self, root: Path, tmp_path: Path, home: Path, variables: dict[str, str]) -> None:
        folder = home / "zsh"
        folder.mkdir()
        (home / ".zshenv").write_text("setopt no_unset; ZDOTDIR=$HOME/zsh; MINE=env\n")
        (folder / ".zshrc").write_text('MINE="$MINE rc"\n')
        assert self.ask(root, tmp_path, variables) == f"{folder} scalar unset env rc"
