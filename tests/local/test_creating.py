"""The plan that `create` follows: places and names, what a lock says, what is refused before anything is touched."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock, Timeout

from imageai_envs.base.context import Context
from imageai_envs.base.errors import ImageAIEnvError, LockFileError, UnsolvableError
from imageai_envs.base.paths import METADATA, Home
from imageai_envs.base.progress import Silent
from imageai_envs.environments.environment import State, write_state
from imageai_envs.environments.ownership import mark, register
from imageai_envs.environments.store import Store
from imageai_envs.locks.lockfile import Lock
from imageai_envs.request.framework import TENSORFLOW, Release
from imageai_envs.request.request import Request
from imageai_envs.request.target import Target
from imageai_envs.workflows.create import CreateOptions, Plan, execute, plan_creation
from imageai_envs.workflows.relock import LockOptions, update_lock

if TYPE_CHECKING:
    from tests.support.index import Index

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
TINY = Request(template="tiny")


class Listening(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config")


def plan(options: CreateOptions, home: Home, reporter: Silent | None = None) -> Plan:
    return plan_creation(options, Context(home, reporter or Silent()), dry_run=True)


def refused(options: CreateOptions, home: Home) -> ImageAIEnvError:
    with pytest.raises(ImageAIEnvError) as caught:
        plan(options, home)
    return caught.value


def finish(root: Path, home: Home, name: str = "x") -> None:
    mark(root, register(name, root, home))
    state = State(
        "x", "now", TINY, "tiny", Release(TENSORFLOW, "2.10.1"), "2.1.6", "cpu", "t", "p", "v", "uv 1", "venv",
        "sha256:0", "none", {}, "0",
    )  # fmt: skip
    write_state(root, state)


# Places and names -------------------------------------------------------------------------------------------------


def test_a_place_in_the_store(home: Home, template: Path) -> None:
    one = plan(CreateOptions(TINY, "x"), home)
    assert (one.name, one.root, one.replaces) == ("x", home.environments / "x", False)
    assert not home.data.exists()


def test_a_place_in_a_project_is_named_after_it(home: Home, template: Path) -> None:
    one = plan(CreateOptions(TINY, None, path=Path(".venv")), home)
    assert (one.name, one.root) == ("project", Path.cwd() / ".venv")
    named = plan(CreateOptions(TINY, "other", path=Path(".venv")), home)
    assert (named.name, named.root) == ("other", Path.cwd() / ".venv")


def test_a_project_whose_name_cannot_be_one(home: Home, template: Path) -> None:
    place = Path("my project") / ".venv"
    error = refused(CreateOptions(TINY, None, path=place), home)
    assert error.code == "bad-name"
    assert "Give a name" in (error.hint or "")
    assert plan(CreateOptions(TINY, "mine", path=place), home).name == "mine"


def test_a_home_in_a_path(home: Home, template: Path) -> None:
    one = plan(CreateOptions(TINY, "x", path=Path("~/env")), home)
    assert one.root == Path.home() / "env"


def test_names_are_needed_and_checked(home: Home, template: Path) -> None:
    assert refused(CreateOptions(TINY, None), home).code == "bad-name"
    assert refused(CreateOptions(TINY, "a/b"), home).code == "bad-name"
    assert refused(CreateOptions(TINY, "a/b", path=Path(".venv")), home).code == "bad-name"


def test_names_that_are_taken(home: Home, template: Path, tmp_path: Path) -> None:
    finish(home.environments / "x", home)
    assert refused(CreateOptions(TINY, "x"), home).code == "exists"
    assert plan(CreateOptions(TINY, "x", force=True), home).replaces
    assert refused(CreateOptions(TINY, "x", path=Path(".venv"), force=True), home).code == "exists"
    elsewhere = tmp_path / "elsewhere" / ".venv"
    finish(elsewhere, home, "y")
    assert str(elsewhere) in refused(CreateOptions(TINY, "y", force=True), home).message
    assert refused(CreateOptions(TINY, "y", path=Path(".venv")), home).code == "exists"
    assert plan(CreateOptions(TINY, "y", path=elsewhere, force=True), home).root == elsewhere


def test_a_name_whose_directory_is_gone_is_free(home: Home, template: Path, tmp_path: Path) -> None:
    register("y", tmp_path / "gone" / ".venv", home)
    assert plan(CreateOptions(TINY, "y"), home).root == home.environments / "y"
    assert plan(CreateOptions(TINY, "y", path=Path(".venv")), home).root == Path.cwd() / ".venv"


def test_foreign_directories(home: Home, template: Path) -> None:
    Path("src").mkdir()
    Path("src/precious").touch()
    for force in (False, True):
        assert refused(CreateOptions(TINY, "x", path=Path("src"), force=force), home).code == "not-ours"


# What is chosen and told ------------------------------------------------------------------------------------------


def test_the_plan_as_data(home: Home, template: Path) -> None:
    options = CreateOptions(dataclasses.replace(TINY, tensorflow="2.10.0", extras=("six",)), "x", verify="imports")
    data = json.loads(json.dumps(plan(options, home).to_json()))
    assert (data["name"], data["replaces"], data["lock"], data["verify"]) == ("x", False, "compile", "imports")
    assert (data["template"], data["template_path"]) == ("tiny", str(template))
    assert (data["tensorflow"], data["imageai"], data["variant"]) == ("2.10.0", "2.1.6", "cpu")
    assert data["requirements"][0] == "tensorflow-cpu==2.10.0"
    assert data["requirements"][-1] == "six"
    assert data["constraints"] == ["matplotlib<3.6", "numpy<1.24"]
    assert data["built_from_source"] == ["keras-resnet"]
    assert data["dropped"] == []
    assert data["disk_mb"] == 1391
    assert data["target"].startswith(f"cp{MINOR.replace('.', '')}-")
    assert data["python"]["version"].startswith(MINOR)
    assert data["python"]["creator"] in ("uv", "virtualenv")
    assert data["python"]["fetch"] is None
    assert Path(data["python"]["executable"]).exists()


def test_what_is_told(home: Home, template: Path) -> None:
    reporter = Listening()
    plan(CreateOptions(dataclasses.replace(TINY, template=str(template)), "x"), home, reporter)
    assert reporter.notes == [f"using template {template} as it is"]
    far = home.templates / "far.toml"
    far.parent.mkdir(parents=True)
    far.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
    reporter = Listening()
    plan(CreateOptions(TINY, "x"), home, reporter)
    assert reporter.notes == [f"template tiny of the project is used; it hides {far}"]


def test_engines(home: Home, template: Path) -> None:
    assert plan(CreateOptions(TINY, "x"), home).engine.name == "uv"
    assert plan(CreateOptions(TINY, "x", engine="pip"), home).engine.name == "pip"


def test_clashes_are_found_while_planning(home: Home, template: Path) -> None:
    error = refused(CreateOptions(dataclasses.replace(TINY, extras=("numpy>=2",)), "x"), home)
    assert isinstance(error, UnsolvableError)
    assert not home.data.exists()


def test_a_python_that_the_template_does_not_run_on(home: Home, template: Path) -> None:
    error = refused(CreateOptions(dataclasses.replace(TINY, python="3.7"), "x", download=False), home)
    assert error.code == "python-unsupported"


def test_a_python_without_wheels_of_the_newest_patch_gets_an_older_one(home: Home, template: Path) -> None:
    newer = f'releases = {{ "2.10.1" = ">{MINOR}.99" }}'
    template.write_text(
        template.read_text(encoding="utf-8").replace("[python]", f"[python]\n{newer}"), encoding="utf-8"
    )
    assert plan(CreateOptions(TINY, "x"), home).selection.version == "2.10.0"
    error = refused(
        CreateOptions(dataclasses.replace(TINY, tensorflow="2.10.1", python=MINOR), "x", download=False), home
    )
    assert error.code == "python-unsupported"


# From a lock ------------------------------------------------------------------------------------------------------


@pytest.fixture
def lock(index: Index, template: Path, home: Home) -> Lock:
    """A lock of the template with two more requirements, in ``lock.txt``."""
    request = dataclasses.replace(TINY, tensorflow="2.10.0", extras=("six", "pandas<2"))
    return update_lock(LockOptions(request, Path("lock.txt")), Context(home, Silent())).lock


def test_a_lock_says_what_is_installed(lock: Lock, home: Home) -> None:
    one = plan(CreateOptions(Request(), "x", lock=Path("lock.txt")), home)
    assert one.lock == lock
    assert one.selection.version == "2.10.0"
    assert one.options.request.extras == ("six", "pandas<2")
    assert one.options.request.template == "tiny"
    assert one.to_json()["lock"] == "lock.txt"
    assert one.interpreter is not None
    assert one.interpreter.target == lock.header.target


@pytest.mark.parametrize("more", [{"tensorflow": "2.10.0"}, {"imageai": "2.1.6"}, {"extras": ("six",)}])
def test_a_lock_and_versions_exclude_each_other(lock: Lock, home: Home, more: dict[str, object]) -> None:
    options = CreateOptions(dataclasses.replace(Request(), **more), "x", lock=Path("lock.txt"))  # type: ignore[arg-type]
    assert refused(options, home).code == "lock-and-versions"


def test_a_lock_of_another_machine(lock: Lock, home: Home) -> None:
    machine = "aarch64" if lock.header.target.machine == "x86_64" else "x86_64"
    foreign = dataclasses.replace(lock.header, target=dataclasses.replace(lock.header.target, machine=machine))
    Path("lock.txt").write_text(Lock(foreign, lock.pins).render(), encoding="utf-8")
    error = refused(CreateOptions(Request(), "x", lock=Path("lock.txt")), home)
    assert isinstance(error, LockFileError)
    assert machine in error.message


def test_a_lock_of_another_python(lock: Lock, home: Home) -> None:
    foreign = dataclasses.replace(lock.header, target=Target((3, 7), "linux", "x86_64"))
    Path("lock.txt").write_text(Lock(foreign, lock.pins).render(), encoding="utf-8")
    assert refused(CreateOptions(Request(), "x", lock=Path("lock.txt"), download=False), home).exit_code in (3, 4)


def test_a_file_that_is_no_lock(home: Home, template: Path) -> None:
    Path("requirements.txt").write_text("numpy==1.0\n", encoding="utf-8")
    error = refused(CreateOptions(Request(), "x", lock=Path("requirements.txt")), home)
    assert (error.code, error.exit_code) == ("bad-lock", 3)


# Execution --------------------------------------------------------------------------------------------------------


def test_created_and_linked_with_a_record(index: Index, home: Home, template: Path) -> None:
    options = CreateOptions(dataclasses.replace(TINY, extras=("six",)), None, path=Path(".venv"), verify="none")
    reporter = Listening()
    planned = plan_creation(options, Context(home, reporter))
    created = execute(planned, Context(home, reporter))
    environment = Store(Context(home, Silent())).get("project")
    assert created.environment.state == environment.state
    assert environment.root == Path.cwd() / ".venv"
    assert environment.state is not None
    assert environment.state.request == options.request
    assert environment.state.lock == environment.lock().digest
    python = planned.to_json()["python"]
    assert isinstance(python, dict)
    assert (environment.state.verified, environment.state.creator) == ("none", python["creator"])
    assert {"lock", "venv", "install", "verify"} <= set(created.seconds)
    assert created.log.is_file()
    assert created.verification.level == "none"
    assert "bin/activate" in (environment.root / METADATA / "venv.json").read_text(encoding="utf-8")


def test_the_place_is_held_while_it_is_built(lock: Lock, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def watched(*_: object) -> None:
        (file,) = home.locks.iterdir()
        with pytest.raises(Timeout):
            FileLock(file).acquire(timeout=0)
        raise ValueError("it was held")

    monkeypatch.setattr("imageai_envs.workflows.create._build", watched)
    context = Context(home, Silent())
    with pytest.raises(ValueError, match="it was held"):
        execute(plan_creation(CreateOptions(Request(), "x", lock=lock), context), context)


def test_too_little_room_is_a_warning(index: Index, home: Home, template: Path) -> None:
    text = template.read_text(encoding="utf-8").replace("disk-mb = 1391", "disk-mb = 999999999999")
    template.write_text(text, encoding="utf-8")
    reporter = Listening()
    execute(plan_creation(CreateOptions(TINY, "x", verify="none"), Context(home, reporter)), Context(home, reporter))
    assert [("999999999999 MB" in text, str(home.data.parent) in text) for text in reporter.warnings] == [(True, True)]
    assert Store(Context(home, Silent())).get("x").state is not None


def test_a_failure_leaves_no_environment_and_no_name(index: Index, home: Home, template: Path) -> None:
    index.faults["absl_py.*whl$"] = "404"
    options = CreateOptions(TINY, "x", path=Path(".venv"), engine="uv", verify="none")
    planned = plan_creation(options, Context(home, Silent()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", str(home.cache / "uv"))
        patch.setenv("UV_HTTP_RETRIES", "0")
        with pytest.raises(ImageAIEnvError) as caught:
            execute(planned, Context(home, Silent()))
    assert caught.value.exit_code == 6
    assert not Path(".venv").exists()
    assert Store(Context(home, Silent())).linked("x") is None
    assert sorted(path.name for path in Path().iterdir()) == [".imageai-env"]
