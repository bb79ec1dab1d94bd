"""Interpreters: real directories, links and processes; nothing of this machine but the running Python."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from imageai_envs.base import process
from imageai_envs.base.context import Context
from imageai_envs.base.errors import PythonNotFoundError, RequestError
from imageai_envs.base.paths import Home
from imageai_envs.base.progress import Silent
from imageai_envs.interpreters import choose, find_interpreters, interrogate, places, probing
from imageai_envs.templates.template_file import load_template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imageai_envs.base.process import Finished
    from imageai_envs.interpreters import Interpreter
    from imageai_envs.templates.template import Template

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stand-ins are shell scripts")

THIS = sys.version_info[:3]
MINOR = f"{THIS[0]}.{THIS[1]}"
BASE = probing.base_executable(Path(sys.executable)) or Path(sys.executable)
SLEEP = shutil.which("sleep")

TEMPLATE = """\
schema = 1
name = "tf2.10"
summary = "for tests"
[tensorflow]
minor = "2.10"
patches = ["2.10.1"]
[python]
requires = "{requires}"
preferred = {preferred}
reason = "TensorFlow 2.10 has wheels for CPython 3.7 to 3.10."
[imageai]
version = "2.1.6"
[variants.cpu]
requirements = ["tensorflow-cpu=={{tensorflow}}"]
"""


class Listener(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.notes: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)


class Machine:
    """A user's machine in a temporary directory: a home, a PATH, and a record of what was started."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.user = root / "user"
        self.bin = root / "bin"
        self.home = Home(data=root / "data", cache=root / "cache", config=root / "config")
        self.asked: list[str] = []
        self.listener = Listener()
        for directory in (self.user, self.bin):
            directory.mkdir()

    def path(self, *entries: Path | str) -> None:
        self._monkeypatch.setenv("PATH", os.pathsep.join(map(str, entries)))

    def script(self, path: Path, body: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def python(self, path: Path, version: str, **facts: Any) -> Path:
        """Put something at ``path`` that answers as that Python does."""
        answer = {
            "executable": str(path),
            "version": [int(part) for part in version.split(".")],
            "level": "final",
            "implementation": "CPython",
            "sys_platform": "linux",
            "machine": "x86_64",
            "wide": True,
            "threaded": False,
            "musl": False,
            "no_tkinter": "",
        }
        return self.script(path, f"echo '@@imageai-env@@{json.dumps({**answer, **facts})}'")

    def pyenv(self, version: str, **facts: Any) -> Path:
        minor = version.rpartition(".")[0]
        return self.python(self.user / ".pyenv" / "versions" / version / "bin" / f"python{minor}", version, **facts)

    def find(self) -> tuple[Interpreter, ...]:
        return find_interpreters(Context(self.home, self.listener))

    def choose(
        self,
        template: Template,
        wanted: str | None = None,
        fetch: Callable[[str], Path] | None = None,
        **more: str,
    ) -> Interpreter:
        return choose(template, wanted, Context(self.home, self.listener), fetch=fetch, **more)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path, monkeypatch)
    for name in list(os.environ):
        if name.startswith(("PYENV", "UV_", "CONDA", "MAMBA", "ASDF", "MISE", "XDG_", "VIRTUAL_ENV")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(made.user))
    made.path(made.bin)
    monkeypatch.setattr(places, "SYSTEM_DIRECTORIES", ())
    monkeypatch.setattr(places, "CONDA_PREFIXES", ())
    # The interpreter of the tests is a candidate too; most tests are about machines without it.
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere" / "python"))
    run = process.run

    def counting(argv: Sequence[str | Path], **more: Any) -> Finished:
        made.asked.append(str(argv[0]))
        return run(argv, **more)

    monkeypatch.setattr(process, "run", counting)
    return made


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return write_template(tmp_path, ">=3.7,<3.11", ["3.9", "3.10", "3.8"])


def write_template(directory: Path, requires: str, preferred: list[str]) -> Template:
    path = directory / "template.toml"
    path.write_text(TEMPLATE.format(requires=requires, preferred=json.dumps(preferred)), encoding="utf-8")
    return load_template(path)


# --- finding --------------------------------------------------------------------------------------


def test_a_pyenv_version_that_is_not_activated_is_found(machine: Machine) -> None:
    prefix = machine.user / ".pyenv"
    (prefix / "versions" / "own" / "bin").mkdir(parents=True)
    (prefix / "versions" / "own" / "bin" / f"python{MINOR}").symlink_to(BASE)
    shims = prefix / "shims"
    shim = machine.script(shims / f"python{MINOR}", "echo 'pyenv: command not found' >&2; exit 127")
    machine.path(shims, machine.bin)

    (found,) = machine.find()

    assert found.executable == prefix / "versions" / "own" / "bin" / f"python{MINOR}"
    assert (found.version, found.source, found.implementation) == (THIS, "pyenv", "CPython")
    assert found.unusable is None
    assert found.target.python == THIS[:2]
    assert str(shim) not in machine.asked


def test_what_a_shim_starts_is_found_though_the_variable_of_its_manager_is_not_set(
    machine: Machine, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "opt-pyenv"
    python = machine.python(elsewhere / "versions" / "3.9.18" / "bin" / "python3.9", "3.9.18")
    (elsewhere / "shims").mkdir()
    machine.path(elsewhere / "shims")

    assert [one.executable for one in machine.find()] == [python]


@pytest.mark.parametrize(
    ("variable", "place", "source"),
    [
        (None, "user/.local/share/uv/python/cpython-3.10.13-linux-x86_64-gnu", "uv"),
        ("UV_PYTHON_INSTALL_DIR=store", "store/cpython-3.10.13-linux-x86_64-gnu", "uv"),
        ("UV_PYTHON_INSTALL_DIR=store", "store/cpython-3.10.13-linux-x86_64-gnu/install", "uv"),
        (None, "user/.asdf/installs/python/3.10.13", "asdf"),
        ("ASDF_DATA_DIR=data/asdf", "data/asdf/installs/python/3.10.13", "asdf"),
        (None, "user/.local/share/mise/installs/python/3.10.13", "mise"),
        ("XDG_DATA_HOME=xdg", "xdg/mise/installs/python/3.10.13", "mise"),
        ("MISE_DATA_DIR=mise", "mise/installs/python/3.10.13", "mise"),
        ("PYENV_ROOT=pyenv", "pyenv/versions/3.10.13", "pyenv"),
        (None, "user/miniforge3/envs/py310", "conda"),
        ("CONDA_EXE=conda/bin/conda", "conda/envs/py310", "conda"),
        ("CONDA_PREFIX=conda/envs/other", "conda/envs/py310", "conda"),
        ("MAMBA_ROOT_PREFIX=mamba", "mamba/envs/py310", "conda"),
    ],
)
def test_every_manager_is_looked_at(
    machine: Machine,
    tmp_path: Path,
    variable: str | None,
    place: str,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable:
        name, _, value = variable.partition("=")
        monkeypatch.setenv(name, str(tmp_path / value))
    python = machine.python(tmp_path / place / "bin" / "python3.10", "3.10.13")

    assert [(one.executable, one.source) for one in machine.find()] == [(python, source)]


def test_environments_that_conda_lists_are_found_and_conda_is_recognized_on_path(
    machine: Machine, tmp_path: Path
) -> None:
    listed = machine.python(tmp_path / "somewhere" / "bin" / "python3.10", "3.10.13")
    text = machine.user / ".conda" / "environments.txt"
    text.parent.mkdir()
    text.write_text(f"{tmp_path / 'gone'}\n{listed.parent.parent}\n", encoding="utf-8")
    root = machine.python(tmp_path / "root" / "bin" / "python3.9", "3.9.1")
    (tmp_path / "root" / "conda-meta").mkdir()
    machine.path(root.parent)

    assert [(one.executable, one.source) for one in machine.find()] == [(listed, "conda"), (root, "conda")]


def test_system_directories_come_after_path(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = machine.python(tmp_path / "opt" / "python3.8" / "bin" / "python3", "3.8.18")
    new = machine.python(machine.bin / "python3.10", "3.10.13")
    monkeypatch.setattr(places, "SYSTEM_DIRECTORIES", (f"{tmp_path}/opt/*/bin", str(machine.bin)))

    assert [(one.executable, one.source) for one in machine.find()] == [(new, "PATH"), (old, "system")]


def test_the_running_interpreter_is_found_when_nothing_leads_to_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(BASE))

    assert [(one.version, one.source) for one in machine.find()] == [(THIS, "running")]


def test_aliases_are_one_interpreter_that_is_asked_once_under_its_most_specific_name(
    machine: Machine,
) -> None:
    python = machine.python(machine.bin / "python3.10", "3.10.13")
    for alias in ("python3", "python"):
        (machine.bin / alias).symlink_to("python3.10")

    assert [one.executable for one in machine.find()] == [python]
    assert machine.asked == [str(python)]


def test_what_does_not_run_is_left_out_without_a_word(machine: Machine, tmp_path: Path) -> None:
    machine.script(machine.bin / "python3.7", "echo 'command not found' >&2; exit 127")
    (machine.bin / "python3.8").symlink_to(tmp_path / "gone")
    (machine.bin / "python3.9").write_text("not executable", encoding="utf-8")
    (machine.bin / "python3").mkdir()
    machine.script(machine.bin / "python3.11", "echo hello")
    machine.script(machine.bin / "python3.12", "echo '@@imageai-env@@{}'")
    machine.script(machine.bin / "python3.13", "echo '[1, 2]'")
    no_format = machine.bin / "python3.14"
    no_format.write_bytes(b"\x7fELF and no more")
    no_format.chmod(0o755)
    (machine.bin / "python").symlink_to("python")  # a loop
    good = machine.python(machine.bin / "python3.10", "3.10.13")
    machine.path("relative", "", str(tmp_path / "missing"), str(no_format), str(machine.bin))

    assert [one.executable for one in machine.find()] == [good]
    assert machine.listener.warnings == []


def test_one_that_hangs_is_ended_and_not_waited_for_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    good = machine.python(machine.bin / "python3.10", "3.10.13")
    assert [one.executable for one in machine.find()] == [good]  # known from here on: the short bound is not for it
    hanging = machine.script(machine.bin / "python3.9", f"exec {SLEEP} 86400")
    monkeypatch.setattr(probing, "TIMEOUT", 0.2)  # without a bound, this test would not end

    assert [one.executable for one in machine.find()] == [good]
    assert machine.listener.warnings == [f"{hanging} was left out: it did not answer within 0.2 s."]
    machine.asked.clear()
    assert [one.executable for one in machine.find()] == [good]
    assert machine.asked == []


def test_a_launcher_stands_for_what_it_starts_and_its_answer_is_not_kept(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / f"python{MINOR}"
    real.symlink_to(BASE)
    launcher = machine.script(machine.bin / "python3", f'echo "starting"\nexec "{real}" "$@"')

    (found,) = machine.find()
    machine.asked.clear()

    assert os.path.realpath(found.executable) == os.path.realpath(BASE)
    assert machine.find() == (found,)
    assert machine.asked == [str(launcher)]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"implementation": "PyPy"}, "PyPy"),
        ({"level": "candidate"}, "prerelease"),
        ({"threaded": True}, "free-threaded"),
        ({"wide": False}, "32-bit"),
        ({"musl": True}, "musl"),
    ],
)
def test_builds_without_wheels_are_shown_with_the_reason_and_never_chosen(
    machine: Machine, template: Template, facts: dict[str, Any], reason: str
) -> None:
    machine.pyenv("3.9.18", **facts)
    other = machine.pyenv("3.8.18")

    assert [reason in (one.unusable or "") for one in machine.find()] == [False, True]
    assert machine.choose(template).executable == other
    with pytest.raises(RequestError, match=reason) as caught:
        machine.choose(template, str(machine.user / ".pyenv" / "versions" / "3.9.18"))
    assert (caught.value.code, caught.value.exit_code) == ("python-unsupported", 3)


# --- modules that some Pythons lack ---------------------------------------------------------------


@pytest.fixture
def with_tkinter(tmp_path: Path) -> Template:
    path = tmp_path / "tkinter.toml"
    text = TEMPLATE.format(requires=">=3.7,<3.11", preferred='["3.10", "3.9"]')
    path.write_text(text.replace("[python]", '[python]\nmodules = ["tkinter"]'), encoding="utf-8")
    return load_template(path)


def test_a_python_without_a_module_is_passed_over(machine: Machine, with_tkinter: Template) -> None:
    machine.pyenv("3.10.13", no_tkinter="gone")
    older = machine.pyenv("3.9.18")
    assert machine.choose(with_tkinter).executable == older


def test_only_pythons_without_a_module(machine: Machine, with_tkinter: Template) -> None:
    path = machine.pyenv("3.10.13", no_tkinter="gone")
    with pytest.raises(PythonNotFoundError, match=r"python3\.10 \(has no tkinter\)") as caught:
        machine.choose(with_tkinter)
    assert "sudo apt install python3.10-tk" in (caught.value.hint or "")
    with pytest.raises(RequestError, match="which has no tkinter") as refused:
        machine.choose(with_tkinter, str(path))
    assert refused.value.code == "python-incomplete"
    assert "sudo apt install python3.10-tk" in (refused.value.hint or "")


def test_the_modules_are_really_asked_for() -> None:
    """The truth of this machine, whichever it is."""
    imports = subprocess.run([BASE, "-c", "import _tkinter"], capture_output=True, check=False).returncode == 0
    assert probing.ask(BASE).lacking == (() if imports else ("tkinter",))


# --- environments ---------------------------------------------------------------------------------


@pytest.mark.parametrize("symlinks", [True, False])
def test_an_environment_stands_for_its_base(machine: Machine, tmp_path: Path, symlinks: bool) -> None:
    # Made by another process: `venv` looks at sys.executable, and a copied Python needs its base's libraries.
    code = f"import venv; venv.create({str(tmp_path / 'env')!r}, symlinks={symlinks}, with_pip=False)"
    subprocess.run([BASE, "-c", code], check=True)
    machine.path(tmp_path / "env" / "bin")

    (found,) = machine.find()

    assert found.version == THIS
    assert tmp_path not in found.executable.parents
    assert os.path.realpath(found.executable) == os.path.realpath(BASE)
    assert interrogate(tmp_path / "env" / "bin" / "python", machine.home, source="asked").executable == found.executable


def test_an_environment_that_pyenv_lists_as_a_version_adds_nothing(machine: Machine) -> None:
    base = machine.pyenv("3.10.13")
    versions = machine.user / ".pyenv" / "versions"
    environment = versions / "3.10.13" / "envs" / "work"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(base)
    (environment / "pyvenv.cfg").write_text(f"home = {base.parent}\nversion = 3.10.13\n", encoding="utf-8")
    (versions / "work").symlink_to(environment)

    assert [one.executable for one in machine.find()] == [base]
    assert machine.asked == [str(base)]


def test_a_stable_directory_is_preferred_to_the_file_behind_it(machine: Machine, tmp_path: Path) -> None:
    # Homebrew: `opt/python@3.10` stays when the Cellar's 3.10.13 makes room for 3.10.14.
    machine.python(tmp_path / "Cellar" / "3.10.13" / "bin" / "python3.10", "3.10.13")
    stable = tmp_path / "opt" / "python@3.10"
    stable.parent.mkdir()
    stable.symlink_to(tmp_path / "Cellar" / "3.10.13")
    environment = tmp_path / "env"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(stable / "bin" / "python3.10")
    (environment / "pyvenv.cfg").write_text(
        f"home = {stable / 'bin'}\nversion_info = 3.10.13.final.0\n", encoding="utf-8"
    )

    assert probing.base_executable(environment / "bin" / "python") == stable / "bin" / "python3.10"


def test_an_environment_whose_base_is_gone_is_left_out_and_named_when_asked_for(
    machine: Machine, template: Template, tmp_path: Path
) -> None:
    environment = tmp_path / "env"
    machine.python(environment / "bin" / "python", "3.9.18")  # a copy: it would even answer
    (environment / "pyvenv.cfg").write_text(f"home = {tmp_path / 'gone'}\nversion = 3.9.18\n", encoding="utf-8")
    machine.path(environment / "bin")

    assert machine.find() == ()
    with pytest.raises(PythonNotFoundError, match="is gone"):
        machine.choose(template, str(environment))


def test_a_loop_of_environments_ends(tmp_path: Path, machine: Machine) -> None:
    for own, other in (("a", "b"), ("b", "a")):
        machine.python(tmp_path / own / "bin" / "python3.9", "3.9.1")
        text = f"home = {tmp_path / other / 'bin'}\nversion = 3.9.1\n"
        (tmp_path / own / "pyvenv.cfg").write_text(text, encoding="utf-8")

    assert probing.base_executable(tmp_path / "a" / "bin" / "python3.9") is None


# --- the cache ------------------------------------------------------------------------------------


def test_the_second_call_starts_nothing(machine: Machine) -> None:
    machine.pyenv("3.9.18")
    machine.pyenv("3.6.15")
    first = machine.find()
    assert len(machine.asked) == 2
    machine.asked.clear()

    assert machine.find() == first
    assert machine.asked == []


def test_a_file_that_changed_is_asked_again_and_the_others_are_not(machine: Machine) -> None:
    machine.pyenv("3.8.18")
    changed = machine.pyenv("3.9.18")
    machine.find()
    machine.asked.clear()
    machine.python(changed, "3.9.100")

    assert {one.version_text for one in machine.find()} == {"3.8.18", "3.9.100"}
    assert machine.asked == [str(changed)]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"schema": 1}',
        '{"schema": 1, "entries": []}',
        '{"schema": 99, "entries": {}}',
        "\udcff",
        "[",
    ],
)
def test_a_damaged_cache_is_replaced(machine: Machine, content: str) -> None:
    python = machine.pyenv("3.9.18")
    machine.home.cache.mkdir()
    cache = machine.home.cache / "interpreters.json"
    cache.write_text(content, encoding="utf-8", errors="surrogateescape")

    assert [one.executable for one in machine.find()] == [python]
    assert json.loads(cache.read_text(encoding="utf-8"))["entries"].keys() == {str(python)}


def test_an_entry_with_other_types_is_asked_again(machine: Machine) -> None:
    python = machine.pyenv("3.9.18")
    machine.find()
    cache = machine.home.cache / "interpreters.json"
    data = json.loads(cache.read_text(encoding="utf-8"))
    data["entries"][str(python)]["facts"]["version"] = "3.9"
    cache.write_text(json.dumps(data), encoding="utf-8")

    assert [one.version_text for one in machine.find()] == ["3.9.18"]


def test_a_cache_that_cannot_be_written_is_no_error(machine: Machine) -> None:
    python = machine.pyenv("3.9.18")
    machine.home.cache.write_text("a file where the directory should be", encoding="utf-8")

    assert [one.executable for one in machine.find()] == [python]


# --- choosing -------------------------------------------------------------------------------------


def test_the_template_decides_which_minor(machine: Machine, template: Template) -> None:
    for version in ("2.7.18", "3.6.15", "3.7.16", "3.8.18", "3.9.18", "3.10.13", "3.12.1"):
        machine.pyenv(version)

    assert machine.choose(template).version_text == "3.9.18"


def test_a_minor_that_is_allowed_and_not_preferred_comes_last(machine: Machine, template: Template) -> None:
    machine.pyenv("3.7.16")
    assert machine.choose(template).version_text == "3.7.16"
    machine.pyenv("3.8.18")
    assert machine.choose(template).version_text == "3.8.18"


def test_within_a_minor_the_machine_then_not_conda_then_the_newest_patch(machine: Machine, template: Template) -> None:
    conda = machine.user / "miniforge3" / "envs" / "e" / "bin" / "python3.9"
    machine.python(conda, "3.9.21")
    machine.pyenv("3.9.4")
    machine.pyenv("3.9.18")
    machine.pyenv("3.9.20", machine="aarch64")

    def chosen(host: str) -> str:
        return machine.choose(template, machine_target=host).version_text

    assert chosen("x86_64") == "3.9.18"
    assert chosen("AMD64") == "3.9.18"
    assert chosen("aarch64") == "3.9.20"
    shutil.rmtree(machine.user / ".pyenv")
    assert chosen("x86_64") == "3.9.21"


@pytest.mark.parametrize("wanted", ["3.10", "3.10.13", "python3.10", "cp310", "310", " 3.10 ", "Python3.10"])
def test_a_version_may_be_asked_for_in_many_ways(machine: Machine, template: Template, wanted: str) -> None:
    machine.pyenv("3.9.18")
    machine.pyenv("3.10.13")

    assert machine.choose(template, wanted).version_text == "3.10.13"


def test_a_python_that_the_template_does_not_run_on_is_refused(machine: Machine, template: Template) -> None:
    machine.pyenv("3.12.1")
    fitting = machine.pyenv("3.10.13")

    with pytest.raises(RequestError) as caught:
        machine.choose(template, "3.12", fetch=lambda _: pytest.fail("nothing to fetch"))

    assert caught.value.message == (
        "TensorFlow 2.10 with ImageAI 2.1.6 needs Python 3.7 to 3.10; you asked for 3.12. "
        "TensorFlow 2.10 has wheels for CPython 3.7 to 3.10."
    )
    assert caught.value.hint == f"drop --python, or use --python 3.10 (found at {fitting})"
    assert (caught.value.exit_code, caught.value.code) == (3, "python-unsupported")


def test_a_path_to_such_a_python_is_refused_with_its_version(machine: Machine, template: Template) -> None:
    path = machine.pyenv("3.12.1")

    with pytest.raises(RequestError, match=r"you asked for .*/python3\.12, which is CPython 3\.12\.1\.") as caught:
        machine.choose(template, str(path))
    assert caught.value.hint == "drop --python"


def test_paths_commands_and_directories_can_be_asked_for(
    machine: Machine, template: Template, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = machine.python(tmp_path / "own" / "bin" / "python3.9", "3.9.18")
    (machine.bin / "my-python").symlink_to(python)
    monkeypatch.chdir(tmp_path)

    for wanted in (
        str(python),
        str(tmp_path / "own"),
        str(python.parent),
        "own/bin/python3.9",
        "./own",
        "own",
    ):
        chosen = machine.choose(template, wanted)
        assert (chosen.executable, chosen.source) == (python, "asked")
    assert machine.choose(template, "my-python").executable == machine.bin / "my-python"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert machine.choose(template, "~/own").executable == python


def test_an_environment_can_be_asked_for_and_its_base_is_taken(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(BASE))
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    template = write_template(tmp_path, f"=={MINOR}.*", [])

    chosen = machine.choose(template, str(tmp_path / "env"))

    assert tmp_path not in chosen.executable.parents
    assert machine.listener.notes == [f"{tmp_path / 'env'} leads to {chosen.executable}, which is taken."]


def test_paths_that_lead_nowhere(machine: Machine, template: Template, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "text").write_text("text", encoding="utf-8")
    shim = machine.script(tmp_path / "shim", "echo 'pyenv: no such command' >&2; exit 127")
    for path, words in (
        (tmp_path / "missing" / "python", "does not exist"),
        (tmp_path / "empty", "no Python in"),
        (tmp_path / "dangling", "file that is gone"),
        (tmp_path / "text", "not a working Python: Cannot start"),
        (shim, "exit status 127: pyenv: no such command"),
    ):
        with pytest.raises(PythonNotFoundError, match=words) as caught:
            machine.choose(template, str(path))
        assert caught.value.exit_code == 4


@pytest.mark.parametrize("wanted", ["newest", "", "3.x", "3.13t"])
def test_words_that_are_no_python(machine: Machine, template: Template, wanted: str) -> None:
    with pytest.raises(RequestError) as caught:
        machine.choose(template, wanted)
    assert (caught.value.exit_code, caught.value.code) == (3, "bad-python")


def test_nothing_fits_and_nothing_may_be_fetched(machine: Machine, template: Template) -> None:
    old, new = machine.pyenv("3.6.15"), machine.pyenv("3.13.0", threaded=True)

    with pytest.raises(PythonNotFoundError) as caught:
        machine.choose(template, why_no_fetch="--no-download was given")

    message = caught.value.message
    assert message.startswith("No Python 3.7 to 3.10 was found.")
    assert f"  3.6.15   {old}\n" in message
    assert f"  3.13.0   {new} (a free-threaded build)\n" in message
    assert "Nothing was fetched: --no-download was given." in message
    for way in ("uv python install 3.9", "pyenv install 3.9", "conda create -n py39 python=3.9"):
        assert f"  {way}\n" in f"{message}\n"
    assert caught.value.exit_code == 4
    assert caught.value.data["found"] == [
        {"version": "3.13.0", "path": str(new), "unusable": "a free-threaded build"},
        {"version": "3.6.15", "path": str(old), "unusable": None},
    ]


def test_an_exact_patch_that_is_not_here_points_to_what_fits(machine: Machine, template: Template) -> None:
    here = machine.pyenv("3.10.13")

    with pytest.raises(PythonNotFoundError, match=r"No Python 3\.10\.99 was found\.") as caught:
        machine.choose(template, "3.10.99")

    assert caught.value.hint == f"drop --python, or use --python 3.10 (found at {here})"
    assert f"{here} (fits this template)" in caught.value.message


def test_a_machine_without_any_python(machine: Machine, template: Template) -> None:
    with pytest.raises(PythonNotFoundError, match="No Python at all was found"):
        machine.choose(template)


@pytest.mark.parametrize(("wanted", "requested"), [(None, "3.9"), ("3.10", "3.10"), ("3.8.20", "3.8.20")])
def test_what_is_missing_is_fetched(
    machine: Machine, template: Template, tmp_path: Path, wanted: str | None, requested: str
) -> None:
    machine.pyenv("3.12.1")
    requests: list[str] = []

    def fetch(version: str) -> Path:
        requests.append(version)
        full = version if version.count(".") == 2 else f"{version}.5"
        return machine.python(tmp_path / "fetched" / "python", full)

    chosen = machine.choose(template, wanted, fetch=fetch)

    assert requests == [requested]
    assert (chosen.executable, chosen.source) == (tmp_path / "fetched" / "python", "uv")


@pytest.mark.parametrize(
    ("version", "facts", "words"),
    [
        ("3.8.1", {}, r"is CPython 3\.8\.1"),
        ("3.9.1", {"implementation": "PyPy"}, "is PyPy"),
        ("", {}, "does not work"),
    ],
)
def test_what_was_fetched_is_not_trusted_unseen(
    machine: Machine, template: Template, tmp_path: Path, version: str, facts: dict[str, Any], words: str
) -> None:
    def fetch(_: str) -> Path:
        path = tmp_path / "fetched" / "python"
        return machine.python(path, version, **facts) if version else machine.script(path, "exit 1")

    with pytest.raises(PythonNotFoundError, match=words) as caught:
        machine.choose(template, fetch=fetch)
    assert caught.value.code == "python-fetch-failed"


# --- every real Python of this machine ------------------------------------------------------------


def test_the_script_is_understood_by_every_python_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2.7 and 3.6 too, where they are installed; a ``json.py`` in the working directory is not imported."""
    (tmp_path / "json.py").write_text("raise SystemExit(9)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    home = Home(data=tmp_path / "data", cache=tmp_path / "data", config=tmp_path / "data")

    found = find_interpreters(Context(home, Silent()))

    assert any(one.version == THIS for one in found)
    for root in places._pyenv(()):
        if (python := places.in_prefix(root)) and not (root / "pyvenv.cfg").exists():
            assert os.path.realpath(python) in {os.path.realpath(one.executable) for one in found}
