"""Which of several templates is taken: by the Pythons that are within reach and, for a GPU, by driver and GPUs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from imageai_envs.base.context import Context
from imageai_envs.base.errors import PythonNotFoundError
from imageai_envs.base.paths import Home
from imageai_envs.base.progress import Silent
from imageai_envs.doctor.nvidia import Driver, Gpu
from imageai_envs.locks.inputs import LockInputs
from imageai_envs.locks.verified import verified_lock
from imageai_envs.request.interpreter import Interpreter
from imageai_envs.request.request import Request
from imageai_envs.request.target import Target
from imageai_envs.templates.catalog import Selection, load_catalog, select
from imageai_envs.workflows import template_choice
from imageai_envs.workflows.relock import LockOptions, check_lock
from imageai_envs.workflows.template_choice import MachineChoice, for_driver, name_another
from tests.unit.test_catalog import project, put

TORCHES = ("imageai3-torch2.15", "imageai3-torch2.7", "imageai3-torch2.0")  # those with a gpu variant, newest first


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config")


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def driver(version: str, *capabilities: tuple[int, int]) -> Driver:
    return Driver(version, tuple(Gpu("a GPU", one) for one in capabilities), "a test")


def machine(monkeypatch: pytest.MonkeyPatch, *minors: int, fetches: bool = False, driver: Driver | None = None) -> None:
    """Let the machine have these minors of Python 3, uv, and a driver."""
    pythons = tuple(
        Interpreter(Path(f"/opt/3.{minor}/bin/python"), (3, minor, 1), "CPython", "linux", "x86_64", "PATH", None, ())
        for minor in minors
    )
    monkeypatch.setattr("imageai_envs.interpreters.choice.find_interpreters", lambda _context: pythons)
    monkeypatch.setattr(template_choice, "find_uv", lambda: Path("uv") if fetches else None)
    monkeypatch.setattr(template_choice, "_driver", lambda: driver)


def chosen(home: Home, *, imageai: str = "3", variant: str = "cpu", python: str | None = None) -> tuple[Selection, str]:
    choice = MachineChoice(variant, python, Context(home, Silent()), download=True)
    selection = select(Request(imageai=imageai, variant=variant, python=python), home, choice)
    return selection, choice.reason


@pytest.mark.parametrize(
    ("pythons", "fetches", "asked", "name"),
    [
        ((10, 13), False, None, "imageai3"),
        ((13,), True, None, "imageai3"),  # 3.10 is fetched
        ((13,), False, None, "imageai3-torch2.15"),
        ((10, 12), False, "3.12", "imageai3-torch2.15"),
        ((10, 12), False, "3.10", "imageai3"),
        ((), True, "3.12", "imageai3-torch2.15"),
        ((), False, None, "imageai3"),  # what is missing is told by what follows
        ((10,), True, "3.14", "imageai3"),
    ],
)
def test_the_usual_one_unless_no_python_for_it_is_within_reach(
    home: Home, monkeypatch: pytest.MonkeyPatch, pythons: tuple[int, ...], fetches: bool, asked: str | None, name: str
) -> None:
    machine(monkeypatch, *pythons, fetches=fetches)
    selection, reason = chosen(home, python=asked)
    assert selection.template.name == name
    why = f"Python {asked} was asked for" if asked else "none is here"
    assert reason == ("" if name == "imageai3" else f"imageai3 needs Python 3.7 to 3.10, and {why}")


@pytest.mark.parametrize(
    ("pythons", "asked", "hint"),
    [
        ((13,), None, "get one; or --tf 2.21, which runs on a Python that is here"),
        ((9,), None, "get one; or --tf 2.20, which runs on a Python that is here"),
        ((10, 12), "3.12", "get one; or --tf 2.21, which runs on Python 3.12"),
        ((10,), "3.12", "get one"),
        ((), None, "get one"),
        ((14,), None, "get one"),
    ],
)
def test_an_error_of_a_missing_python_names_what_runs_here(
    home: Home, monkeypatch: pytest.MonkeyPatch, pythons: tuple[int, ...], asked: str | None, hint: str
) -> None:
    machine(monkeypatch, *pythons, fetches=True)
    entry = load_catalog(home).named("tf2.4")
    assert entry
    error = PythonNotFoundError("none", hint="get one")
    name_another(error, entry.template, "cpu", asked, Context(home, Silent()))
    assert error.hint == hint


def test_the_newest_that_a_python_here_serves(home: Home, monkeypatch: pytest.MonkeyPatch, linux: None) -> None:
    machine(monkeypatch, 9, driver=driver("580.95.05", (8, 0)))
    selection, reason = chosen(home, variant="gpu")
    assert selection.template.name == "imageai3-torch2.7"
    assert reason == (
        "imageai3-torch2.15 needs Python 3.11 to 3.13, and none is here; NVIDIA's driver 580.95.05 serves its CUDA 12.6"
    )


@pytest.mark.parametrize(
    ("pythons", "fetches", "asked", "newest", "name"),
    [
        ((10, 13), False, None, False, "tf2.10"),
        ((13,), True, None, False, "tf2.10"),  # 3.10 is fetched
        ((13,), False, None, False, "tf2.21"),
        ((11,), False, None, False, "tf2.21"),
        ((10, 12), False, "3.12", False, "tf2.21"),
        ((9, 10), False, None, True, "tf2.21"),
        ((9,), False, None, True, "tf2.20"),
        ((9,), True, None, True, "tf2.21"),
        ((8, 9), False, "3.8", True, "tf2.13"),
        ((13,), True, "3.7", True, "tf2.11"),
    ],
)
def test_which_tensorflow_a_bare_create_takes(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    pythons: tuple[int, ...],
    fetches: bool,
    asked: str | None,
    newest: bool,
    name: str,
) -> None:
    machine(monkeypatch, *pythons, fetches=fetches)
    choice = MachineChoice("cpu", asked, Context(home, Silent()), download=True, newest=newest)
    assert select(Request(python=asked), home, choice).template.name == name
    assert ("tf2.10 needs Python 3.7 to 3.10" in choice.reason) == (name == "tf2.21" and not newest)


@pytest.mark.parametrize(
    ("known", "name", "reason"),
    [
        (None, TORCHES[0], "no driver of NVIDIA is here to choose by"),
        (driver(""), TORCHES[0], "no driver of NVIDIA is here to choose by"),
        (driver("580.95.05"), TORCHES[0], "NVIDIA's driver 580.95.05 serves its CUDA 13.2"),
        (driver("580.95.05", (6, 1), (9, 0)), TORCHES[0], "NVIDIA's driver 580.95.05 serves its CUDA 13.2"),
        (
            driver("580.95.05", (6, 1)),
            TORCHES[1],
            f"{TORCHES[0]}: it has no code for compute capability 6.1; NVIDIA's driver 580.95.05 serves its CUDA 12.6",
        ),
        (
            driver("470.57.02", (7, 5)),
            TORCHES[2],
            f"{TORCHES[0]}: its CUDA 13.2 needs NVIDIA's driver 580 or newer, and 470.57.02 is here; "
            f"{TORCHES[1]}: its CUDA 12.6 needs NVIDIA's driver 525.60.13 or newer, and 470.57.02 is here; "
            "NVIDIA's driver 470.57.02 serves its CUDA 11.7",
        ),
    ],
)
def test_driver_and_gpus_decide(
    home: Home, monkeypatch: pytest.MonkeyPatch, linux: None, known: Driver | None, name: str, reason: str
) -> None:
    machine(monkeypatch, 11, fetches=True, driver=known)
    selection, told = chosen(home, variant="gpu")
    assert (selection.template.name, selection.variant, told) == (name, "gpu", reason)


def test_a_driver_that_serves_none(home: Home, monkeypatch: pytest.MonkeyPatch, linux: None) -> None:
    machine(monkeypatch, 11, driver=driver("390.157", (3, 0)))
    selection, reason = chosen(home, variant="gpu")
    assert selection.template.name == TORCHES[0]
    assert all(f"{name}: its CUDA" in reason for name in TORCHES)


def test_no_driver_is_asked_elsewhere(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    machine(monkeypatch, 11)
    monkeypatch.setattr(template_choice, "_driver", lambda: pytest.fail("it was asked"))
    assert chosen(home, variant="gpu")[1] == ""


def test_templates_of_tensorflow_are_compared_alike(home: Home) -> None:
    catalog = load_catalog(home)
    named = [catalog.named(name) for name in ("tf2.15", "tf2.10")]
    templates = [entry.template for entry in named if entry]
    taken, told = for_driver(templates, driver("470.57.02", (7, 5)))
    assert taken.name == "tf2.10"
    assert told[0].startswith("tf2.15: its CUDA 12.2 needs NVIDIA's driver 525.60.13 or newer")


def test_a_release_that_nothing_is_known_of_is_not_passed_over(home: Home) -> None:
    text = (Path(put(project(), "x"))).read_text(encoding="utf-8")
    put(project(), "x", text.replace('"2.10"', '"2.99"').replace("2.10.", "2.99."))
    entry = load_catalog(home).named("x")
    assert entry
    assert for_driver([entry.template], driver("390.157", (3, 0)))[1] == ["NVIDIA's driver 390.157 is here"]


def test_who_names_a_release_or_a_template_gets_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 13)
    choice = MachineChoice("cpu", None, Context(home, Silent()), download=False)
    for request in (Request(torch="1.12"), Request(template="imageai3"), Request(tensorflow="2.10")):
        assert select(request, home, choice).template.minor in ("1.12", "2.10")
    assert choice.reason == ""


def test_a_lock_for_a_gpu_is_in_sync_on_a_machine_with_another_driver(
    home: Home, monkeypatch: pytest.MonkeyPatch, linux: None, tmp_path: Path
) -> None:
    machine(monkeypatch, 13)
    selection = select(Request(torch="2.7", variant="gpu"), home)
    lock = verified_lock(LockInputs(selection, (), Target((3, 13), "linux", "x86_64")))
    assert lock
    path = tmp_path / "requirements.lock.txt"
    path.write_text(lock.render(), encoding="utf-8")
    assert chosen(home, variant="gpu")[0].template.name == TORCHES[0]
    context = Context(home, Silent())
    assert check_lock(LockOptions(Request(imageai="3", variant="gpu"), path), context) == lock
