"""Names, places and what exists; nothing of an environment is executed for that."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock, Timeout

from imageai_envs.base.context import Context
from imageai_envs.base.errors import BusyError, LockFileError, RequestError
from imageai_envs.base.paths import Home
from imageai_envs.base.progress import Silent
from imageai_envs.environments.environment import METADATA, State, write_lock, write_state
from imageai_envs.environments.ownership import aside, forget, mark, marker_of, owns, place_of, register
from imageai_envs.environments.store import MAX_NAME, Store, looks_like_path, validate_name
from imageai_envs.environments.transaction import discard, is_unsettled, locked
from imageai_envs.locks.lockfile import Header, Lock, Pin
from imageai_envs.request.framework import TENSORFLOW, Release
from imageai_envs.request.request import Request
from imageai_envs.request.target import Target
from imageai_envs.workflows.remove import remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imageai_envs.environments.users_files import Kept


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Context(Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config"), Silent()))


def state(name: str) -> State:
    return State(
        name=name,
        created="2026-01-01T00:00:00+00:00",
        request=Request(),
        template="tf2.10",
        release=Release(TENSORFLOW, "2.10.1"),
        imageai="2.1.6",
        variant="cpu",
        target="cp310-linux-x86_64",
        python="/usr/bin/python3.10",
        python_version="3.10.13",
        engine="uv 0.13.9",
        creator="virtualenv",
        lock="sha256:0",
        verified="none",
        seconds={},
        tool="0.1.0",
    )


def build(root: Path, store: Store, name: str = "", *, finished: bool = True, building: bool = False) -> Path:
    if not owns(root, store.home):
        place = place_of(root)
        mark(root, register(name or place.name.lstrip("."), place, store.home))
    if finished:
        write_state(root, state(root.name))
    if building:
        (root / METADATA / "building").touch()
    return root


@pytest.mark.parametrize("name", ["x", "myproj", "tf2.10-cpu", "A_b", "0", "x" * MAX_NAME, "console", "com10", "x.con"])
def test_good_names(name: str) -> None:
    assert validate_name(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("x" * (MAX_NAME + 1), "65 characters"),
        ("a/b", "a path"),
        ("a\\b", "a path"),
        (".", "a path"),
        ("..", "a path"),
        (".hidden", "beginning with"),
        ("-x", "beginning with"),
        ("x.", "allowed are"),
        ("a b", "allowed are"),
        ("a\n", "allowed are"),
        ("a$(b)", "allowed are"),
        ("ä", "allowed are"),
        ("٣", "allowed are"),
        ("CON", "device name"),
        ("lpt1.txt", "device name"),
    ],
)
def test_bad_names(name: str, why: str) -> None:
    with pytest.raises(RequestError, match=why) as caught:
        validate_name(name)
    assert caught.value.code == "bad-name"
    assert len(caught.value.message) < 200


def test_names_and_paths_are_told_apart() -> None:
    assert all(looks_like_path(text) for text in ("./x", ".venv", "../x", "/srv/env", "~/env", "a/b", "a\\b"))
    assert not any(looks_like_path(text) for text in ("x", "tf2.10", "a~b"))


@pytest.mark.parametrize("kind", ["here", "above", "home", "above home", "mount point", "work tree"])
def test_places_that_an_environment_would_be_in_the_way_of(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    here, home, tree = tmp_path / "a" / "here", tmp_path / "b" / "home", tmp_path / "c" / "tree"
    for place in (here, home, tree / ".git"):
        place.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(os.path, "ismount", lambda place: place == tmp_path / "d")
    places = {
        "here": here, "above": here.parent, "home": home, "above home": home.parent, "mount point": tmp_path / "d",
        "work tree": tree,
    }  # fmt: skip
    assert store.place("x", tmp_path / "e") == ("x", tmp_path / "e")
    with pytest.raises(RequestError, match="cannot become an environment") as caught:
        store.place("x", places[kind])
    assert caught.value.code == "bad-place"


def test_one_without_a_record_is_held_to_be_read_alone(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "clone"
    mark(root, "0" * 32)
    with store.hold(str(root), to_read=True) as found:
        assert not found.ours
    with pytest.raises(RequestError, match="no record of it"), store.hold(str(root)):
        pytest.fail("the block must not run")


def test_a_name_belongs_to_one_place(store: Store, tmp_path: Path) -> None:
    root = build(tmp_path / "one" / ".venv", store, "taken")
    build(store.home.environments / "stored", store)
    assert store.place("taken", root) == ("taken", root)
    for name in ("taken", "stored"):
        with pytest.raises(RequestError, match="There is another environment called") as caught:
            store.place(name, tmp_path / "two" / ".venv")
        assert caught.value.code == "exists"


def test_an_empty_store(store: Store) -> None:
    assert store.all() == []
    assert not store.home.data.exists()
    with pytest.raises(RequestError, match="There are none yet") as caught:
        store.get("x")
    assert (caught.value.code, caught.value.hint) == ("no-such-environment", "imageai-env create x")


def test_names_of_the_store_and_links(store: Store, tmp_path: Path) -> None:
    inside = build(store.home.environments / "inside", store)
    outside = build(tmp_path / "project" / ".venv", store, "outside")
    assert [(one.name, one.root) for one in store.all()] == [("inside", inside), ("outside", outside)]
    assert store.get("outside").root == outside
    assert store.root_for("outside") == outside
    assert store.root_for("new") == store.home.environments / "new"
    forget(marker_of(outside), outside, store.home)
    assert [one.name for one in store.all()] == ["inside"]
    assert not store.get(str(outside)).ours


def test_near_names_are_suggested(store: Store) -> None:
    build(store.home.environments / "myproj", store)
    with pytest.raises(RequestError, match=r"There are: myproj\.") as caught:
        store.get("myproject")
    assert caught.value.hint == "Did you mean myproj?"
    with pytest.raises(RequestError) as caught:
        store.get("zzz")
    assert caught.value.hint == "imageai-env create zzz"


def test_directories_are_environments_too(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    root = build(tmp_path / "project" / ".venv", store)
    monkeypatch.chdir(root.parent)
    assert store.get(".venv").root == root
    assert store.get("./.venv").name == "venv"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.get("~/project/.venv").root == root
    with pytest.raises(RequestError, match="not an environment made by imageai-env") as caught:
        store.get("./other")
    assert caught.value.code == "no-such-environment"


def test_foreign_directories_in_the_store_are_not_listed(store: Store, tmp_path: Path) -> None:
    (store.home.environments / "foreign").mkdir(parents=True)
    (store.home.environments / "file").touch()
    build(tmp_path / "elsewhere", store)
    (store.home.environments / "link").symlink_to(tmp_path / "elsewhere")
    assert [one.name for one in store.all()] == ["elsewhere"]
    for name in ("foreign", "file", "link"):
        with pytest.raises(RequestError, match="There is no environment"):
            store.get(name)


def test_unfinished_and_damaged_ones_are_listed_without_a_state(store: Store) -> None:
    build(store.home.environments / "unfinished", store, finished=False)
    damaged = build(store.home.environments / "damaged", store)
    (damaged / METADATA / "state.json").write_text("{", encoding="utf-8")
    assert [(one.name, one.state) for one in store.all()] == [("damaged", None), ("unfinished", None)]


def test_records_that_lead_nowhere(store: Store, tmp_path: Path) -> None:
    register("gone", tmp_path / "gone", store.home)
    id_ = "0" * 32
    for name, text in (
        ("torn", '{"path": '),
        ("empty", "{}"),
        ("list", "[]"),
        ("number", '{"path": 1}'),
        ("top", '{"path": "/"}'),
    ):
        (store.home.records / f"{name}.{id_}.json").write_text(text, encoding="utf-8")
    (store.home.records / "foreign.json").touch()
    assert store.all() == []
    assert [store.linked(name) for name in ("gone", "torn", "empty", "list", "number", "top", "never")] == [None] * 7
    with pytest.raises(RequestError, match="There is no environment 'gone'"):
        store.get("gone")


def test_what_a_kill_left_is_settled_on_the_way(store: Store, tmp_path: Path) -> None:
    one, two, outside = store.home.environments / "one", store.home.environments / "two", tmp_path / "p" / ".venv"
    build(aside(one), store)
    build(two, store, finished=False, building=True)
    build(aside(outside), store, "outside")
    assert [found.name for found in store.all()] == ["one", "outside"]
    assert sorted(path.name for path in store.home.environments.iterdir()) == ["one"]
    build(aside(two), store)
    assert store.get("two").root == two


def test_looking_at_a_place_outside_the_store_changes_nothing_there(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "p" / ".venv"
    build(aside(outside), store, "outside")
    for name in ("outside", str(outside)):
        with pytest.raises(RequestError, match="waits beside it") as caught:
            store.get(name)
        assert caught.value.code == "interrupted-before"
    build(outside, store, "outside", finished=False, building=True)
    (outside / "mine").touch()
    assert store.get(str(outside)).state is None
    assert [one.state for one in store.all()] == [None]
    assert (outside / "mine").exists()
    assert store.get("outside", to_use=True).state == state(aside(outside).name)
    assert not (outside / "mine").exists()
    (kept,) = outside.parent.glob(".venv-kept-*")
    assert (kept / "mine").exists()


@contextmanager
def somebody_else_at(root: Path, home: Home) -> Iterator[None]:
    """Hold an environment's lock as another process does: with a file descriptor of its own."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with locked(root, Context(home, Silent())):
        (file,) = home.locks.iterdir()
    with FileLock(file):
        yield


def test_what_another_begins_while_we_look_is_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was there when ``hold`` looked, and a moment later another process builds it."""
    root = store.home.environments / "x"
    root.parent.mkdir(parents=True)
    begun: list[Path] = []
    other = somebody_else_at(root, store.home)

    def look_then_be_overtaken(place: Path, context: Context) -> bool:
        if begun:
            return is_unsettled(place, context)
        begun.append(place)
        other.__enter__()
        build(place, store, finished=False, building=True)
        return False

    class Finisher(Silent):
        def note(self, text: str) -> None:
            assert "waiting for it" in text
            write_state(root, state("x"))
            other.__exit__(None, None, None)

    monkeypatch.setattr("imageai_envs.environments.store.is_unsettled", look_then_be_overtaken)
    with Store(Context(store.home, Finisher())).hold("x") as environment:
        assert environment.state is not None


def test_one_that_is_being_built_cannot_be_used(store: Store) -> None:
    root = store.home.environments / "x"
    with somebody_else_at(root, store.home):
        build(root, store, finished=False, building=True)
        with pytest.raises(BusyError, match="building") as caught:
            store.get("x")
        assert [one.state for one in store.all()] == [None]
    assert caught.value.exit_code == 9
    with pytest.raises(RequestError, match="There is no environment"):
        store.get("x")


def test_one_that_is_done_and_being_swept_can_be_used(store: Store) -> None:
    root = store.home.environments / "x"
    root.parent.mkdir(parents=True)
    with somebody_else_at(root, store.home):
        build(root, store, building=True)
        assert store.get("x").state == state("x")


def test_the_lock_of_an_environment(store: Store) -> None:
    root = build(store.home.environments / "x", store)
    with pytest.raises(LockFileError, match="No such file"):
        store.get("x").lock()
    header = Header(
        "tf2.10",
        Release(TENSORFLOW, "2.10.1"),
        "2.1.6",
        "cpu",
        Target((3, 10), "linux", "x86_64"),
        "uv 1",
        (),
        True,
        (),
        (),
        "sha256:" + "0" * 64,
    )
    lock = Lock(header, (Pin("six", "1.17.0", ("sha256:" + "0" * 64,)),))
    write_lock(root, lock)
    assert store.get("x").lock() == lock


def test_removing_frees_what_nobody_shares_and_forgets_the_name(store: Store, tmp_path: Path) -> None:
    root = build(tmp_path / "project" / ".venv", store, "project")
    (root / "bin").mkdir()
    (root / "bin" / "python3.10").write_bytes(b"x" * 50_000)
    (root / "bin" / "python3").write_bytes(b"x" * 500_000)
    (root / "mine").write_bytes(b"x" * 300_000)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "shared").hardlink_to(root / "bin" / "python3")
    removed = remove(store.get("project"), store)
    assert 50_000 <= removed.freed < 300_000
    assert not root.exists()
    assert (tmp_path / "cache" / "shared").stat().st_size == 500_000
    assert removed.kept is not None
    assert (removed.kept.place / "mine").stat().st_size == 300_000
    store.context.finish()
    assert not list(store.home.records.iterdir())


def test_removing_holds_the_environment_and_forgets_all_of_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = build(tmp_path / "project" / ".venv", store, "project")
    register("project", root, store.home)  # of one that somebody deleted by hand
    held: list[bool] = []

    def watched(directory: Path, context: Context) -> Kept | None:
        (file,) = store.home.locks.iterdir()
        with pytest.raises(Timeout):
            FileLock(file).acquire(timeout=0)
        held.append(True)
        return discard(directory, context)

    monkeypatch.setattr("imageai_envs.workflows.remove.discard", watched)
    remove(store.get("project"), store)
    store.context.finish()
    assert held == [True]
    assert not list(store.home.records.iterdir())


def test_the_directory_that_one_stands_in_is_not_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    root = build(store.home.environments / "x", store)
    (root / "below").mkdir()
    for place in (root, root / "below"):
        monkeypatch.chdir(place)
        with pytest.raises(RequestError, match="You are in") as caught:
            remove(store.get("x"), store)
        assert caught.value.code == "in-use"
    assert (root / "below").is_dir()


def test_removing_by_directory_keeps_another_of_the_name(store: Store, tmp_path: Path) -> None:
    one, two = (build(tmp_path / name / ".venv", store, "venv") for name in ("one", "two"))
    remove(store.get(str(one)), store)
    assert store.get("venv").root == two
