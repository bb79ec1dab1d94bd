"""``uv python install`` for real, from an archive in the temporary directory instead of the internet.

The archive has the layout of python-build-standalone. Measured with uv 0.13.9: besides ``bin/``, uv wants
``lib/python3.X`` (it writes EXTERNALLY-MANAGED there) and in it a ``_sysconfigdata_*`` file with its header
comment. The ``python3.X`` in it execs the interpreter that runs the tests.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs.base.context import Context
from imageai_envs.base.errors import PythonNotFoundError
from imageai_envs.base.paths import Home
from imageai_envs.base.process import Log
from imageai_envs.base.progress import Silent
from imageai_envs.interpreters import choose, places, probing, uv_fetcher
from imageai_envs.templates.template_file import load_template

if TYPE_CHECKING:
    from imageai_envs.interpreters import Interpreter
    from imageai_envs.templates.template import Template

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
VERSION = f"{MINOR}.{sys.version_info[2]}"
MACHINE = platform.machine()
KEY = f"cpython-{VERSION}-linux-{MACHINE}-gnu"
BASE = probing.base_executable(Path(sys.executable)) or Path(sys.executable)
SYSCONFIG = "# system configuration generated and used by the sysconfig module\nbuild_time_vars = {}\n"


def find_uv() -> str | None:
    beside = shutil.which("uv", path=str(Path(sys.executable).parent))
    return beside or shutil.which("uv")


UV = find_uv()

pytestmark = [
    pytest.mark.skipif(UV is None, reason="uv is not installed"),
    pytest.mark.skipif(
        sys.platform != "linux" or MACHINE not in {"x86_64", "aarch64"},
        reason="the archive is for Linux with glibc",
    ),
]


class Listener(Silent):
    """Keeps steps, notes and lines."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.notes: list[str] = []
        self.lines: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def output(self, line: str) -> None:
        self.lines.append(line)


class Bare:
    """A machine without any Python, and a store of Pythons that uv can reach."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._monkeypatch = root, monkeypatch
        self.user = root / "user"
        self.user.mkdir()
        self.store = self.user / ".local" / "share" / "uv" / "python"
        self.home = Home(data=root / "data", cache=root / "cache", config=root / "config")
        self.listener = Listener()
        self.log = root / "uv.log"
        for name in list(os.environ):
            if name.startswith(("PYENV", "UV_", "CONDA", "MAMBA", "ASDF", "MISE", "XDG_", "VIRTUAL_ENV")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(self.user))
        monkeypatch.setenv("PATH", str(self.user))
        monkeypatch.setattr(places, "SYSTEM_DIRECTORIES", ())
        monkeypatch.setattr(places, "CONDA_PREFIXES", ())
        monkeypatch.setattr(sys, "executable", str(root / "nowhere" / "python"))

    def offer(self, *, sha256: str | None = None) -> None:
        """Make ``uv python install`` offer the one archive."""
        archive = self.root / "python.tar.gz"
        library = f"python/lib/python{MINOR}"
        files = {
            f"python/bin/python{MINOR}": f'#!/bin/sh\nexec "{BASE}" "$@"\n',
            f"{library}/os.py": "",
            f"{library}/_sysconfigdata__linux_{MACHINE}-linux-gnu.py": SYSCONFIG,
        }
        with tarfile.open(archive, "w:gz") as tar:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.mode, member.size = 0o755, len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
            for alias in ("python3", "python"):
                link = tarfile.TarInfo(f"python/bin/{alias}")
                link.type, link.linkname = tarfile.SYMTYPE, f"python{MINOR}"
                tar.addfile(link)
        entry = {
            "name": "cpython",
            "arch": {"family": MACHINE, "variant": None},
            "os": "linux",
            "libc": "gnu",
            "major": sys.version_info[0],
            "minor": sys.version_info[1],
            "patch": sys.version_info[2],
            "prerelease": "",
            "url": archive.as_uri(),
            "sha256": sha256 or hashlib.sha256(archive.read_bytes()).hexdigest(),
            "variant": None,
            "build": "20240101",
        }
        offered = self.root / "downloads.json"
        offered.write_text(json.dumps({KEY: entry}), encoding="utf-8")
        self._monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", offered.as_uri())

    def choose(self, template: Template, wanted: str | None = None) -> Interpreter:
        assert UV is not None
        fetch = uv_fetcher(Path(UV), Context(self.home, self.listener, Log(self.log)))
        return choose(template, wanted, Context(self.home, self.listener), fetch=fetch)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bare:
    return Bare(tmp_path, monkeypatch)


@pytest.fixture
def template(tmp_path: Path) -> Template:
    path = tmp_path / "template.toml"
    path.write_text(
        f"""\
schema = 1
name = "tf2.10"
summary = "for tests"
[tensorflow]
minor = "2.10"
patches = ["2.10.1"]
[python]
requires = ">=3.5,<={MINOR}"
preferred = ["{MINOR}"]
reason = "none"
[imageai]
version = "2.1.6"
[variants.cpu]
requirements = ["tensorflow-cpu=={{tensorflow}}"]
""",
        encoding="utf-8",
    )
    return load_template(path)


def test_a_machine_without_python_gets_one(bare: Bare, template: Template) -> None:
    bare.offer()

    chosen = bare.choose(template)

    assert chosen.version_text == VERSION
    assert chosen.unusable is None
    assert (bare.store / KEY / "bin" / f"python{MINOR}").is_file()
    # What was fetched only launches the interpreter of the tests, and that is what is taken.
    assert os.path.realpath(chosen.executable) == os.path.realpath(BASE)
    assert not (bare.user / ".local" / "bin").exists()  # the user's PATH is left alone
    assert bare.listener.steps == [f"fetching Python {MINOR} with uv"]
    assert f"Installed Python {VERSION}" in bare.log.read_text(encoding="utf-8")


def test_what_was_fetched_is_found_the_next_time(bare: Bare, template: Template) -> None:
    bare.offer()
    first = bare.choose(template)
    bare.listener.steps.clear()

    again = bare.choose(template)

    assert (again.executable, again.source) == (first.executable, "uv")
    assert bare.listener.steps == []


def test_the_directory_where_the_user_stands_has_no_say(
    bare: Bare, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = bare.root / "project"
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / "uv.toml").write_text('python-downloads = "never"\n', encoding="utf-8")
    (project / ".python-version").write_text("3.5\n", encoding="utf-8")
    monkeypatch.chdir(project)
    monkeypatch.setenv("UV_PYTHON", "3.5")
    bare.offer()

    assert bare.choose(template).version_text == VERSION


def test_the_user_may_forbid_downloads(bare: Bare, template: Template, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.offer()
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")

    with pytest.raises(PythonNotFoundError, match="the configuration of uv forbids") as caught:
        bare.choose(template)
    assert (caught.value.exit_code, caught.value.code) == (4, "python-fetch-failed")


def test_a_version_that_uv_does_not_have(bare: Bare, template: Template) -> None:
    bare.offer()

    with pytest.raises(PythonNotFoundError, match=r"uv knows no build of Python 3\.5 for this platform"):
        bare.choose(template, "3.5")


def test_a_damaged_download_is_refused(bare: Bare, template: Template) -> None:
    bare.offer(sha256="0" * 64)

    with pytest.raises(PythonNotFoundError, match="its hash is wrong"):
        bare.choose(template)
    assert not (bare.store / KEY).exists()


def test_without_a_network_the_reason_is_told_and_credentials_are_not(
    bare: Bare, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Port 9 of this machine: nobody answers, no name has to be resolved.
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", "http://user:secret@127.0.0.1:9/mirror")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")

    with pytest.raises(PythonNotFoundError, match="the server cannot be reached") as caught:
        bare.choose(template)
    told = "\n".join([caught.value.message, *bare.listener.lines, bare.log.read_text(encoding="utf-8")])
    assert "127.0.0.1:9/mirror" in told
    assert "secret" not in told


def test_credentials_are_kept_back_whatever_uv_says(bare: Bare, template: Template) -> None:
    # uv 0.13.9 masks them itself; other versions may not.
    talking = bare.root / "talking-uv"
    talking.write_text("#!/bin/sh\necho 'error: Failed to download https://me:secret@host/x' >&2\nexit 1\n")
    talking.chmod(0o755)
    fetch = uv_fetcher(talking, Context(bare.home, bare.listener, Log(bare.log)))

    with pytest.raises(PythonNotFoundError, match="the download failed") as caught:
        choose(template, None, Context(bare.home, bare.listener), fetch=fetch)
    for told in (caught.value.message, *bare.listener.lines, bare.log.read_text(encoding="utf-8")):
        assert "secret" not in told


def test_a_uv_that_cannot_be_run(bare: Bare, template: Template) -> None:
    fetch = uv_fetcher(bare.root / "uv", Context(bare.home, bare.listener))

    with pytest.raises(PythonNotFoundError, match="uv cannot be run"):
        choose(template, None, Context(bare.home, bare.listener), fetch=fetch)
