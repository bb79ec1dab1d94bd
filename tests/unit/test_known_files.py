"""Hashes of many files, the ledger of known ones, and what RECORD denies."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageai_envs.base.paths import METADATA
from imageai_envs.building.own_copies import make_own_copies
from imageai_envs.installed import known_files
from imageai_envs.installed.known_files import Ledger, hash_file, hash_files
from imageai_envs.installed.record_files import differences, read_record

LONG_AGO = 1_600_000_000_123_456_789  # nanoseconds


def digest(data: bytes, algorithm: str = "sha256") -> str:
    value = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    return f"{algorithm}={value}"


def altered_files(
    site: Path, ledger: Ledger | None = None, misrecorded: dict[str, str] | None = None
) -> dict[str, list[str]]:
    """Return the files that are there and other ones than RECORD says, by distribution (see :func:`differences`)."""
    found = {
        name: [item.path for item in items if item.found]
        for name, items in differences(site, ledger, misrecorded).items()
    }
    return {name: paths for name, paths in found.items() if paths}


def write(path: Path, data: bytes, when: int = LONG_AGO) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(when, when))
    return str(path)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "cache" / "known-files")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths whose contents were read."""
    seen: list[str] = []
    real = known_files._hash

    def spy(path: str, algorithm: str) -> tuple[bytes, str] | None:
        seen.append(path)
        return real(path, algorithm)

    monkeypatch.setattr(known_files, "_hash", spy)
    return seen


# The ledger -------------------------------------------------------------------------------------------------------


def test_a_file_is_hashed_once(tmp_path: Path, ledger: Ledger, hashed: list[str]) -> None:
    path = write(tmp_path / "a", b"abc")
    assert ledger.hashes([path]) == {path: digest(b"abc")}
    assert ledger.hashes([path]) == {path: digest(b"abc")}
    again = Ledger(tmp_path / "cache" / "known-files")  # another command
    assert again.hashes([path]) == {path: digest(b"abc")}
    assert hashed == [path]


def test_a_new_link_to_a_file_is_the_same_file(tmp_path: Path, ledger: Ledger, hashed: list[str]) -> None:
    path = write(tmp_path / "a", b"abc")
    ledger.hashes([path])
    before = Path(path).stat().st_ctime_ns
    time.sleep(0.05)
    (tmp_path / "b").hardlink_to(path)
    assert Path(path).stat().st_ctime_ns != before
    link = str(tmp_path / "b")
    assert ledger.hashes([path, link]) == {path: digest(b"abc"), link: digest(b"abc")}
    assert hashed == [path]


def test_an_edit_in_place_is_another_file(tmp_path: Path, ledger: Ledger) -> None:
    path = write(tmp_path / "a", b"abc")
    ledger.hashes([path])
    with Path(path).open("r+b") as stream:
        stream.write(b"x")  # the size stays
    assert ledger.hashes([path]) == {path: digest(b"xbc")}


@pytest.mark.parametrize(("when", "later"), [(LONG_AGO, 10**7), (LONG_AGO // 10**9 * 10**9, 15 * 10**8)])
def test_a_file_written_just_now_is_hashed_again(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, when: int, later: int
) -> None:
    """A second write within one tick of the clock would keep the time: as git's racy entries.

    A clock of whole seconds has ticks of up to two.
    """
    monkeypatch.setattr(time, "time_ns", lambda: when + later)
    path = write(tmp_path / "a", b"abc", when)
    ledger.hashes([path])
    write(tmp_path / "a", b"xyz", when)
    assert ledger.hashes([path]) == {path: digest(b"xyz")}


def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a", b"abc")
    real = known_files._chunks

    def altering(descriptor: int, size: int) -> list[bytes]:
        data = list(real(descriptor, size))
        write(tmp_path / "a", b"abcd", LONG_AGO)
        return data

    monkeypatch.setattr(known_files, "_chunks", altering)
    ledger.hashes([path])
    monkeypatch.undo()
    assert ledger.hashes([path]) == {path: digest(b"abcd")}


def test_a_file_that_was_another_while_it_was_read_is_not_known_by_its_old_time(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a", b"abc")
    real = known_files._chunks

    def altering(descriptor: int, size: int) -> list[bytes]:
        write(tmp_path / "a", b"xyz", LONG_AGO + 10**9)
        return list(real(descriptor, size))

    monkeypatch.setattr(known_files, "_chunks", altering)
    ledger.hashes([path])
    monkeypatch.undo()
    write(tmp_path / "a", b"abc")  # brought back with its time, as rsync does
    assert ledger.hashes([path]) == {path: digest(b"abc")}


def test_a_file_is_known_by_device_inode_size_and_time() -> None:
    def key(**changed: int) -> bytes:
        one = {"st_dev": 1, "st_ino": 2, "st_size": 3, "st_mtime_ns": 4} | changed
        head = (stat.S_IFREG, one["st_ino"], one["st_dev"], 1, 0, 0, one["st_size"], 0, 0, 0)
        return known_files._key(os.stat_result(head, {"st_mtime_ns": one["st_mtime_ns"]}))

    keys = [key(), key(st_dev=9), key(st_ino=9), key(st_size=9), key(st_mtime_ns=9)]
    assert len(set(keys)) == len(keys)


def test_what_is_no_file_is_left_out(tmp_path: Path, ledger: Ledger) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "endless").symlink_to("/dev/zero")
    names = ("pipe", "directory", "dangling", "endless", "missing", "null\0byte")
    assert ledger.hashes(f"{tmp_path}/{name}" for name in names) == {}
    assert hash_files([f"{tmp_path}/{name}" for name in names]) == {}
    assert hash_file(f"{tmp_path}/pipe") == ""


@pytest.mark.parametrize(
    "damage",
    [b"", b"garbage", b"imageai-env known files, format 2\n", "cut", "zeros", "other hash"],
    ids=["empty", "garbage", "other format", "cut", "zeros", "other hash"],
)
def test_a_damaged_ledger_only_means_hashing_again(
    tmp_path: Path, ledger: Ledger, hashed: list[str], damage: bytes | str
) -> None:
    site = tmp_path / "site"
    path = write(site / "a.py", b"abc")
    record(site, "x", {"a.py": digest(b"abc")})
    ledger.hashes([path])
    file = tmp_path / "cache" / "known-files" / "sha256"
    good = file.read_bytes()
    damaged = {"cut": good[:-3], "zeros": b"\0" * len(good), "other hash": good[:-5] + b"AAAAA"}
    file.write_bytes(damage if isinstance(damage, bytes) else damaged[damage])
    hashed.clear()
    assert altered_files(site, ledger) == {}
    assert path in hashed


def test_a_ledger_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a", b"abc")
    (tmp_path / "file").touch()
    assert Ledger(tmp_path / "file" / "known-files").hashes([path]) == {path: digest(b"abc")}

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert Ledger(tmp_path / "full").hashes([path]) == {path: digest(b"abc")}
    assert list((tmp_path / "full").iterdir()) == []


def _by_group(directory: Path) -> None:
    directory.chmod(0o770)


def _file_by_all(directory: Path) -> None:
    (directory / "sha256").chmod(0o666)


def _link(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))
    directory.symlink_to("elsewhere")


def _pipe(directory: Path) -> None:
    (directory / "sha256").unlink()
    os.mkfifo(directory / "sha256", 0o600)


@pytest.mark.parametrize("change", [_by_group, _file_by_all, _link, _pipe])
def test_a_ledger_that_others_may_have_written_is_ignored(
    tmp_path: Path, ledger: Ledger, hashed: list[str], change: object
) -> None:
    path = write(tmp_path / "a", b"abc")
    ledger.hashes([path])
    assert callable(change)
    change(tmp_path / "cache" / "known-files")
    hashed.clear()
    assert ledger.hashes([path]) == {path: digest(b"abc")}
    assert hashed == [path]


def test_a_ledger_of_another_user_is_ignored(
    tmp_path: Path, ledger: Ledger, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a", b"abc")
    ledger.hashes([path])
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    ledger.hashes([path])
    assert hashed == [path, path]


def test_a_ledger_is_private(tmp_path: Path, ledger: Ledger) -> None:
    ledger.hashes([write(tmp_path / "a", b"abc")])
    directory = tmp_path / "cache" / "known-files"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "sha256").stat().st_mode) == 0o600
    assert [entry.name for entry in directory.iterdir()] == ["sha256"]


def test_a_full_ledger_forgets_what_was_not_used(
    tmp_path: Path, ledger: Ledger, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_files, "_MOST", 3)
    one, two, three, four = (write(tmp_path / name, name.encode()) for name in "1234")
    for paths in ([one], [two], [one, three], [one, four]):
        ledger.hashes(paths)
    assert hashed == [one, two, three, four]
    hashed.clear()
    ledger.hashes([one, three, four])
    assert hashed == []
    ledger.hashes([two])
    assert hashed == [two]


def test_a_ledger_that_is_too_long_is_ignored(
    tmp_path: Path, ledger: Ledger, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path / name, name.encode()) for name in "12"]
    ledger.hashes(paths)
    monkeypatch.setattr(known_files, "_MOST", 1)
    ledger.hashes(paths)
    assert sorted(hashed) == sorted(paths * 2)


def test_a_ledger_is_not_written_through_a_link(tmp_path: Path, ledger: Ledger) -> None:
    path = write(tmp_path / "a", b"abc")
    precious = Path(write(tmp_path / "precious", b"mine"))
    directory = tmp_path / "cache" / "known-files"
    directory.mkdir(mode=0o700, parents=True)
    (directory / f"sha256.{os.getpid()}.new").symlink_to(precious)
    assert ledger.hashes([path]) == {path: digest(b"abc")}
    assert precious.read_bytes() == b"mine"


@given(st.lists(st.binary(max_size=5000), max_size=20))
def test_hashes_are_those_of_hashlib(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    directory = tmp_path_factory.mktemp("files")
    wanted = {write(directory / str(number), data): digest(data) for number, data in enumerate(contents)}
    ledger = Ledger(directory / "known")
    assert hash_files(wanted) == ledger.hashes(wanted) == ledger.hashes(wanted) == wanted


def test_hashing_runs_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    both = threading.Barrier(2, timeout=30)  # broken, and so an error, when one thread does everything
    real = known_files._hash

    def meet(path: str, algorithm: str) -> tuple[bytes, str] | None:
        both.wait()
        return real(path, algorithm)

    monkeypatch.setattr(known_files, "_hash", meet)
    paths = [write(tmp_path / name, name.encode()) for name in "ab"]
    assert hash_files(paths) == {path: digest(path[-1].encode()) for path in paths}


# RECORD -----------------------------------------------------------------------------------------------------------


def record(site: Path, name: str, rows: dict[str, str]) -> Path:
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    lines = [f'"{path}",{said},1' if "," in path else f"{path},{said},1" for path, said in rows.items()]
    (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,", ""]), encoding="utf-8")
    return info


@pytest.fixture(params=["ledger", "no ledger"])
def either(request: pytest.FixtureRequest, ledger: Ledger) -> Ledger | None:
    return ledger if request.param == "ledger" else None


def test_what_record_denies_is_named(tmp_path: Path, either: Ledger | None) -> None:
    good, bad = digest(b"abc"), digest(b"other")
    for name in ("good.py", "bad.py", "a,b.py", "old.py", "sub/deep.py"):
        write(tmp_path / name, b"abc")
    write(tmp_path / "bin" / "tool", b"edited")
    site = tmp_path / "lib" / "site"
    rows = {"good.py": good, "bad.py": bad, "a,b.py": bad, "sub/deep.py": good, "gone.py": good, "no-hash.py": ""}
    rows |= {"old.py": digest(b"other", "md5"), "x.pyc": bad, "__pycache__": bad, "odd.py": "sha256", "new.py": "x9=a"}
    rows |= {"shake.py": "shake_128=abc"}
    record(site, "one", {f"../../{path}": said for path, said in rows.items()})
    record(site, "two", {"../../bin/tool": digest(b"tool")})
    wanted = {"one": ["../../bad.py", "../../a,b.py", "../../old.py"], "two": ["../../bin/tool"]}
    assert altered_files(site, either) == wanted
    assert altered_files(site, either) == wanted
    found = {item.path: item.found for item in differences(site, either)["one"]}
    assert found == {
        "../../bad.py": good, "../../a,b.py": good, "../../gone.py": "", "../../old.py": digest(b"abc", "md5"),
    }  # fmt: skip


def test_a_file_of_two_distributions_may_be_either(tmp_path: Path, either: Ledger | None) -> None:
    write(tmp_path / "tests.py", b"two")
    record(tmp_path, "one", {"tests.py": digest(b"one")})
    record(tmp_path, "two", {"tests.py": digest(b"two", "sha512")})
    assert altered_files(tmp_path, either) == {}
    write(tmp_path / "tests.py", b"edited")
    assert altered_files(tmp_path, either) == {"one": ["tests.py"], "two": ["tests.py"]}


def test_what_a_wheel_is_wrong_about_is_right(tmp_path: Path, either: Ledger | None) -> None:
    write(tmp_path / "one.py", b"abc")
    record(tmp_path, "one", {"one.py": digest(b"other")})
    assert altered_files(tmp_path, either, {"one.py": digest(b"abc")}) == {}
    assert altered_files(tmp_path, either, {"one.py": digest(b"third")}) == {"one": ["one.py"]}


def test_only_the_named_distributions_are_looked_at(tmp_path: Path, hashed: list[str]) -> None:
    for name in ("one", "two"):
        write(tmp_path / f"{name}.py", b"abc")
        record(tmp_path, name, {f"{name}.py": digest(b"other")})
    assert list(differences(tmp_path, names={"two"})) == ["two"]
    assert set(hashed) == {str(tmp_path / "two.py")}


@pytest.mark.parametrize("damage", ["bytes", "pipe", "null", "directory"])
def test_a_record_that_cannot_be_read_tells_nothing(tmp_path: Path, damage: str) -> None:
    info = record(tmp_path, "one", {})
    path = info / "RECORD"
    path.unlink()
    if damage == "pipe":
        os.mkfifo(path)
    elif damage == "directory":
        path.mkdir()
    else:
        path.write_bytes(
            b"\xff\xfe" if damage == "bytes" else b'"a\nb.py,sha256=x,1\n\0,,\n' if damage == "null" else b""
        )
    if damage != "null":
        with pytest.raises((OSError, ValueError)):
            read_record(info)
    assert altered_files(tmp_path) == {}


def test_devices_and_pipes_that_a_record_names_are_not_read(tmp_path: Path, either: Ledger | None) -> None:
    os.mkfifo(tmp_path / "pipe")
    record(tmp_path, "one", {"/dev/zero": digest(b""), "pipe": digest(b"")})
    assert altered_files(tmp_path, either) == {}


# ImageAI's own copies ---------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An environment whose files are linked to a cache."""
    root = tmp_path / "env"
    site = root / "lib" / "python3.11" / "site-packages"
    (root / METADATA).mkdir(parents=True)
    for name in ("imageai", "numpy"):
        cached = tmp_path / "cache" / name / "__init__.py"
        write(cached, name.encode())
        cached.chmod(0o640)
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").hardlink_to(cached)
        record(site, name, {f"{name}/__init__.py": digest(name.encode()), f"{name}/gone.py": ""})
    return root


def test_imageai_gets_files_of_its_own(tmp_path: Path, root: Path) -> None:
    site = root / "lib" / "python3.11" / "site-packages"
    mine, cached = site / "imageai" / "__init__.py", tmp_path / "cache" / "imageai" / "__init__.py"
    assert mine.stat().st_nlink == 2
    assert make_own_copies(root) == 1
    assert (mine.stat().st_nlink, cached.stat().st_nlink) == (1, 1)
    assert mine.read_bytes() == b"imageai"
    assert stat.S_IMODE(mine.stat().st_mode) == 0o640
    assert mine.stat().st_mtime_ns == LONG_AGO
    assert (site / "numpy" / "__init__.py").stat().st_nlink == 2
    assert list((root / METADATA).iterdir()) == []
    assert make_own_copies(root) == 0


def test_links_to_the_cache_become_files(tmp_path: Path, root: Path) -> None:
    mine = root / "lib" / "python3.11" / "site-packages" / "imageai" / "__init__.py"
    mine.unlink()
    mine.symlink_to(tmp_path / "cache" / "imageai" / "__init__.py")
    assert make_own_copies(root) == 1
    assert not mine.is_symlink()
    assert mine.read_bytes() == b"imageai"


def test_a_copy_that_was_broken_off_leaves_the_file_and_is_made_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = root / "lib" / "python3.11" / "site-packages" / "imageai" / "__init__.py"

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            make_own_copies(root)
    assert (mine.read_bytes(), mine.stat().st_nlink) == (b"imageai", 2)
    (root / METADATA / "own.copy").unlink()
    cached = root.with_name("cache") / "numpy" / "__init__.py"
    (root / METADATA / "own.copy").hardlink_to(cached)
    assert make_own_copies(root) == 1
    assert cached.read_bytes() == b"numpy"
    assert list((root / METADATA).iterdir()) == []
