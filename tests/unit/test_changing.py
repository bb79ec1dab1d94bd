"""What repair, sync, recreate and rename make sure of before and after they change an environment."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock, Timeout

from imageai_envs.base.context import Context
from imageai_envs.base.errors import InstallError, LockFileError, RequestError
from imageai_envs.base.finding import Finding
from imageai_envs.base.paths import METADATA, Home
from imageai_envs.base.progress import Silent
from imageai_envs.environments.contents import Contents
from imageai_envs.environments.environment import write_lock
from imageai_envs.environments.store import Store
from imageai_envs.request.request import Request
from imageai_envs.workflows import maintain, relock
from imageai_envs.workflows import repair as repairing
from imageai_envs.workflows.maintain import RebuildOptions, extra_requirements, recreate, rename, sync, upgrade
from imageai_envs.workflows.repair import repair
from tests.support.installed import install
from tests.unit.test_installing import LOCK
from tests.unit.test_store import build

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.environments.environment import Environment
    from imageai_envs.locks.lockfile import Lock
    from imageai_envs.workflows.create import CreateOptions

OPTIONS = RebuildOptions()
FOUND = (Finding("file-altered", "error", "six", "six/__init__.py is another one", "", "", "six"),)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Context(Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config"), Silent()))


@pytest.fixture
def environment(store: Store) -> Environment:
    write_lock(build(store.home.environments / "x", store), LOCK)
    return store.get("x")


def test_one_of_a_newer_version_is_read_and_not_changed(
    environment: Environment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairing, "faults", lambda _environment: FOUND)
    monkeypatch.setattr(repairing, "_repair", lambda *_: pytest.fail("it was changed"))
    (environment.root / METADATA / "state.json").write_text('{"schema": 99}', encoding="utf-8")
    for change in (recreate, repair):
        with pytest.raises(RequestError, match="newer version") as caught:
            change(environment, store.context, OPTIONS)
        assert caught.value.code == "newer"
    environment.lock_path.unlink()
    with pytest.raises(LockFileError):  # it goes on to its lock
        recreate(environment, store.context, OPTIONS, name="y")


def test_one_outside_the_store_has_no_other_name(store: Store, tmp_path: Path) -> None:
    build(tmp_path / "project" / ".venv", store, "project")
    with pytest.raises(RequestError) as caught:
        rename(store.get("project"), "y", store, OPTIONS)
    assert caught.value.code == "not-in-store"


@pytest.mark.parametrize("level", [None, "imports"])
def test_an_environment_is_proved_again_as_it_was(
    environment: Environment, store: Store, monkeypatch: pytest.MonkeyPatch, level: str | None
) -> None:
    planned: list[CreateOptions] = []
    monkeypatch.setattr(maintain, "plan_creation", lambda options, _context: planned.append(options))
    monkeypatch.setattr(maintain, "execute", lambda *_: None)
    assert environment.state is not None
    proved = replace(environment, state=replace(environment.state, verified="inference"))
    recreate(proved, store.context, replace(OPTIONS, verify=level))
    recreate(replace(environment, state=None), store.context, replace(OPTIONS, verify=level), name="y")
    assert [(options.verify, options.force) for options in planned] == [
        (level or "inference", True),
        (level or "inference", False),  # a second one replaces nothing
    ]


def test_a_lock_that_cannot_be_written_leaves_the_old_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "lock.txt"
    path.write_text(LOCK.render(), encoding="utf-8")
    other = replace(LOCK, header=replace(LOCK.header, variant="gpu"))
    monkeypatch.setattr(relock, "_compile", lambda *_: other)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        relock.update_lock(relock.LockOptions(Request(), path), store.context)
    assert path.read_text(encoding="utf-8") == LOCK.render()


def test_a_lock_of_the_same_pins_is_another_lock(
    environment: Environment, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted: list[object] = []

    def built(*_: object, lock: object) -> Any:
        wanted.append(lock)
        return SimpleNamespace(kept=())

    monkeypatch.setattr("imageai_envs.checks.packages.inspect", lambda _view: ())
    monkeypatch.setattr(maintain, "recreate", built)
    other = replace(LOCK, header=replace(LOCK.header, variant="gpu"))
    for lock in (LOCK, other):
        (tmp_path / "lock.txt").write_text(lock.render(), encoding="utf-8")
        sync(environment, tmp_path / "lock.txt", store.context, OPTIONS)
    assert wanted == [other]


def test_a_lock_of_the_same_pins_from_another_request_is_an_upgrade(
    environment: Environment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the environment would have drifted from its request for ever."""
    fresh = replace(LOCK, header=replace(LOCK.header, inputs="sha256:" + "e" * 64))
    wanted: list[object] = []

    def built(*_: object, lock: object) -> Any:
        wanted.append(lock)
        return SimpleNamespace(kept=())

    monkeypatch.setattr(maintain, "recreate", built)
    for lock in (LOCK, fresh):
        monkeypatch.setattr(maintain, "_lock_again", lambda *_, lock=lock: (lock, SimpleNamespace(executable="python")))
        assert upgrade(environment, (), (), store.context, OPTIONS).changes == ()
    assert wanted == [fresh]


def test_what_is_wrong_after_rebuilding_too_is_said(
    environment: Environment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairing, "faults", lambda _environment: FOUND)
    monkeypatch.setattr(repairing, "look_at", lambda _environment: SimpleNamespace(lock=None))
    monkeypatch.setattr(repairing, "recreate", lambda *_: SimpleNamespace(environment=environment, kept=()))
    with pytest.raises(InstallError, match="something is wrong still: six/__init__.py") as caught:
        repair(environment, store.context, OPTIONS)
    assert caught.value.code == "not-mended"


def test_an_environment_is_held_while_it_is_repaired(
    environment: Environment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [()]
    done = repairing.Repaired(FOUND, fixed=("six",))

    def watched(*_: object) -> repairing.Repaired:
        (file,) = store.home.locks.iterdir()
        with pytest.raises(Timeout):
            FileLock(file).acquire(timeout=0)
        return done

    monkeypatch.setattr(repairing, "_repairs", lambda _environment: FOUND)
    monkeypatch.setattr(repairing, "faults", lambda _environment: left.pop(0))
    monkeypatch.setattr(repairing, "_repair", watched)
    assert repair(environment, store.context, OPTIONS) is done
    assert left == []


def test_of_two_records_the_one_that_is_not_locked_goes(environment: Environment) -> None:
    site = environment.root / "lib" / "python3.10" / "site-packages"
    site.mkdir(parents=True)
    kept, stale, torn = (install(site, name, version) for name, version in (("six", "1.0"), ("six", "0.9"), ("x", "1")))
    (torn / "RECORD").unlink()
    repairing._drop_stale_records(environment, LOCK, frozenset({"six", "x"}))
    assert [info.exists() for info in (kept, stale, torn)] == [True, False, False]


def test_what_came_from_a_directory_is_not_kept_by_its_version(environment: Environment) -> None:
    site = environment.root / "lib" / "python3.10" / "site-packages"
    site.mkdir(parents=True)
    mine = install(site, "mine", "1.0")
    assert extra_requirements(environment) == ("mine==1.0",)
    (mine / "direct_url.json").write_text('{"url": "file:///mine", "dir_info": {}}', encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        extra_requirements(environment)
    assert caught.value.code == "direct-reference"


@pytest.mark.parametrize(
    ("names", "extras", "pins"),
    [(None, (), LOCK.pins), ((), (), ()), (("Six",), (), LOCK.pins), ((), ("pytz",), LOCK.pins)],
)
def test_pins_that_an_upgrade_keeps(
    environment: Environment,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...] | None,
    extras: tuple[str, ...],
    pins: tuple[object, ...],
) -> None:
    def compiled(*_: object, preferred: object, upgrade: object) -> Lock:
        assert (preferred, upgrade) == (pins, frozenset({"six"} if names else ()))
        return LOCK

    monkeypatch.setattr("imageai_envs.templates.catalog.select", lambda *_: None)
    monkeypatch.setattr(maintain, "find_python", lambda *_, **__: SimpleNamespace(target=LOCK.header.target))
    monkeypatch.setattr(maintain, "get_engine", lambda _name: None)
    monkeypatch.setattr(maintain, "compile_lock", compiled)
    assert maintain._lock_again(environment, extras, store.context, OPTIONS, names)[0] is LOCK


def test_what_a_repair_keeps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    site = "lib/python3.10/site-packages"
    among, compiled = f"{site}/six/mine.py", f"{site}/six/__pycache__/mine.txt"
    contents = Contents(("train.py", among, compiled), (f"{site}/six/__init__.py", f"{site}/six/emptied.py"))
    for path in contents.edited:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("" if "emptied" in path else "mine", encoding="utf-8")
    monkeypatch.setattr(repairing, "users_contents", lambda _root: contents)
    assert repairing._at_risk(tmp_path, FOUND) == [contents.edited[0], compiled]
    whose = replace(FOUND[0], id="record-missing")
    assert repairing._at_risk(tmp_path, (whose,)) == [contents.edited[0], among, compiled]
