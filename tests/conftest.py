"""Isolation of every test, and the fixtures of the hermetic ground."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from imageai_envs.base.known_secrets import known_secrets
from imageai_envs.base.paths import CACHE_VARIABLE, HOME_VARIABLE
from tests.support.catalogue import write_catalogue
from tests.support.index import Index
from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAKS = (
    "PIP_",
    "UV_",
    "VIRTUALENV_",
    "PYENV_",
    "CONDA_",
    "PYTHON",
    "XDG_",
    "IMAGEAI_ENV_",
    "VIRTUAL_ENV",
    "MISE_",
)
_KEPT = ("PYTHONDONTWRITEBYTECODE",)
# `--hypothesis-profile thorough` for more.
for _name, _examples in (("quick", 100), ("thorough", 1700)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,  # a busy machine is no failure
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
settings.load_profile("quick")
CACHE = Path(os.environ.get("IMAGEAI_ENV_TEST_CACHE", REPOSITORY / ".cache" / "test-wheels"))


@pytest.fixture(scope="session", autouse=True)
def _signals_as_in_a_terminal() -> None:
    """Undo what ``nohup`` and background jobs of scripts leave to their children: ignored signals."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of uv and pip for all hermetic tests of a run; of a worker, since tests damage and measure it."""
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(autouse=True)
def isolated(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session_cache: Path
) -> None:
    """Give every test a home and a directory of its own; nothing of the machine's settings leaks in.

    Tests marked ``real`` keep the settings that lead to the index.
    """
    known_secrets.cache_clear()  # every test has settings of its own
    real = request.node.get_closest_marker("real") is not None
    for name in list(os.environ):
        if name.startswith(_LEAKS) and name not in _KEPT and not (real and name.startswith(("PIP_", "UV_"))):
            monkeypatch.delenv(name)
    place = tmp_path / "project"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "store"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    if real:
        return
    monkeypatch.setenv(CACHE_VARIABLE, str(session_cache / "imageai-env"))
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(session_cache / "uv"))
    monkeypatch.setenv("PIP_CACHE_DIR", str(session_cache / "pip"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens: a test that asks the internet fails
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the local index: written once in a run, by the first worker that needs them."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "index"
    with FileLock(directory.with_suffix(".lock")):
        if not directory.exists():
            unfinished = tmp_path_factory.mktemp("index")
            write_catalogue(unfinished, CACHE)
            unfinished.rename(directory)
    return directory


@pytest.fixture(scope="session")
def _running_index(catalogue: Path) -> Iterator[Index]:
    index = Index(catalogue)
    index.start()
    yield index
    index.stop()


@pytest.fixture
def index(_running_index: Index, session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """The local index, healthy, and both engines told to use it."""
    _running_index.reset()
    shutil.rmtree(session_cache / "imageai-env" / "locks", ignore_errors=True)
    monkeypatch.setenv("PIP_INDEX_URL", _running_index.url)
    monkeypatch.setenv("UV_DEFAULT_INDEX", _running_index.url)
    yield _running_index
    _running_index.reset()


TEMPLATE = (REPOSITORY / "templates" / "tf2.10.toml").read_text(encoding="utf-8")


# Of the shipped templates of TensorFlow 2.10 and ImageAI 3: what makes them fit the running Python.
RUNNING_PYTHON = {
    'requires = ">=3.7,<3.11"': 'requires = ">=3.8"',
    'preferred = ["3.10", "3.9", "3.8", "3.7"]': f'preferred = ["{sys.version_info[0]}.{sys.version_info[1]}"]',
}


def _replaced(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the template"
        text = text.replace(old, new)
    return text


def tiny_template(name: str = "tiny") -> str:
    """Return the shipped TensorFlow 2.10 template, made to fit the running Python."""
    return _replaced(TEMPLATE, {'name = "tf2.10"': f'name = "{name}"', **RUNNING_PYTHON})


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A project template called ``tiny`` that the local index and the running Python serve."""
    path = tmp_path / "project" / ".imageai-env" / "templates" / "tiny.toml"
    path.parent.mkdir(parents=True)
    path.write_text(tiny_template(), encoding="utf-8")
    return path


@pytest.fixture
def torch_template(tmp_path: Path) -> Path:
    """A project template called ``tiny3``: the shipped one of ImageAI 3, made to fit the running Python."""
    text = _replaced(
        (REPOSITORY / "templates" / "imageai3.toml").read_text(encoding="utf-8"),
        {'name = "imageai3"': 'name = "tiny3"', 'modules = ["tkinter"]': "", **RUNNING_PYTHON},
    )
    path = tmp_path / "project" / ".imageai-env" / "templates" / "tiny3.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
