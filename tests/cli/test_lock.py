"""`lock`: written, updated with few changes, checked; by both engines, against the local index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imageai_envs.locks.lockfile import Lock, Pin, read_lock
from imageai_envs.templates.template_file import load_template
from tests.support.tool import Answer, tool
from tests.support.wheels import Project, write_wheel

if TYPE_CHECKING:
    from tests.support.index import Index

TINY = ("--template", "tiny")
LOCK = Path("lock.txt")
OUT = ("-o", "lock.txt")


def written(*words: str) -> Answer:
    answer = tool("lock", *words, *OUT, "--json")
    assert answer.code == 0, answer.out + answer.err
    return answer


def changes(answer: Answer) -> list[tuple[str, str, str]]:
    return [(item["name"], item["before"], item["after"]) for item in answer.json()["data"]["changes"]]


def text() -> str:
    return LOCK.read_text(encoding="utf-8")


def with_old_pillow(index: Index) -> None:
    """Write the lock as it was before pillow 12.3.0 appeared."""
    written(*TINY)
    lock = read_lock(LOCK)
    assert lock.pin("pillow") is not None
    old = next(file for file in index.files_of("pillow") if "12.2.0" in file.name)
    done = subprocess.run([sys.executable, "-m", "pip", "hash", old], capture_output=True, text=True, check=True)
    value = re.search(r"--hash=(sha256:[0-9a-f]{64})", done.stdout)
    assert value
    pins = tuple(Pin("pillow", "12.2.0", (value[1],), pin.via) if pin.name == "pillow" else pin for pin in lock.pins)
    LOCK.write_text(Lock(lock.header, pins).render(), encoding="utf-8")


def test_header_and_pins(index: Index, template: Path) -> None:
    data = written(*TINY, "--with", "six", "--with", "pandas<2", "--engine", "uv").json()["data"]
    lock = read_lock(LOCK)
    header = lock.header
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert (header.template, str(header.release), header.imageai) == ("tiny", "TensorFlow 2.10.1", "2.1.6")
    assert (header.variant, header.replaced) == ("cpu", True)
    assert (header.requires, header.built, header.dropped) == (("six", "pandas<2"), ("keras-resnet",), ())
    assert header.target.python_version == minor
    assert header.engine.startswith("uv ")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", header.inputs)
    assert text().startswith("# imageai-env lock, format 1\n")
    assert data["written"] is True
    assert data["path"] == "lock.txt"
    assert data["packages"] == {pin.name: pin.version for pin in lock.pins}
    assert {"imageai", "tensorflow-cpu", "pandas", "keras-resnet"} <= set(data["packages"])
    assert lock.pin("keras") is not None
    assert "matplotlib" in data["packages"]
    assert len(changes(tool("lock", *OUT, "--json"))) == 0


def test_no_index_address_in_the_file(index: Index, template: Path) -> None:
    for engine in ("uv", "pip"):
        written(*TINY, "--engine", engine, "--upgrade")
        assert "127.0.0.1" not in text()
        assert "http" not in text()
        assert "index" not in text()


def test_the_same_again_writes_nothing(index: Index, template: Path) -> None:
    written(*TINY)
    before, stamp = text(), LOCK.stat().st_mtime_ns
    again = tool("lock", *TINY, *OUT)
    assert again.out.startswith("Nothing to change in lock.txt")
    assert (text(), LOCK.stat().st_mtime_ns) == (before, stamp)


def test_the_lock_knows_what_was_asked(index: Index, template: Path) -> None:
    written(*TINY, "--tf", "2.10.0", "--with", "pandas<2")
    before = text()
    again = written()
    assert again.json()["data"]["written"] is False
    assert text() == before


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_pins_stay_until_they_are_upgraded(index: Index, template: Path, engine: str) -> None:
    with_old_pillow(index)
    kept = written("--engine", engine)
    assert changes(kept) == []
    assert kept.json()["data"]["packages"]["pillow"] == "12.2.0"
    added = written(*TINY, "--with", "pytz", "--engine", engine)
    assert [name for name, before, _ in changes(added) if not before] == ["pytz"]
    assert [name for name, before, _ in changes(added) if before] == []

    upgraded = written("-P", "Pillow", "--engine", engine)
    assert changes(upgraded) == [("pillow", "12.2.0", "12.3.0")]


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_upgrade_takes_everything_new_and_keeps_the_request(index: Index, template: Path, engine: str) -> None:
    with_old_pillow(index)
    before = text()
    upgraded = tool("lock", "--upgrade", "--engine", engine, *OUT)
    assert upgraded.code == 0, upgraded.err
    assert "  ~ pillow 12.2.0 -> 12.3.0" in upgraded.out.splitlines()
    gone, come = (
        set(before.splitlines()) - set(text().splitlines()),
        set(text().splitlines()) - set(before.splitlines()),
    )
    assert [line for line in gone if "==" in line] == ["pillow==12.2.0 \\"]
    assert [line for line in come if "==" in line] == ["pillow==12.3.0 \\"]


def test_each_engine_updates_the_others_lock_without_a_change(index: Index, template: Path) -> None:
    written(*TINY, "--engine", "uv")
    pins = read_lock(LOCK).pins
    for engine, name in (("pip", "pip-tools "), ("uv", "uv ")):
        assert changes(written("--engine", engine)) == []
        lock = read_lock(LOCK)
        assert {pin.name: (pin.version, pin.hashes) for pin in lock.pins} == {
            pin.name: (pin.version, pin.hashes) for pin in pins
        }
        assert lock.header.engine.startswith(name)


def test_an_unknown_package_cannot_be_upgraded(index: Index, template: Path) -> None:
    written(*TINY)
    before = text()
    answer = tool("lock", "-P", "nothing-like-it", *OUT, "--json")
    assert (answer.code, answer.json()["errors"][0]["code"]) == (3, "no-such-package")
    assert text() == before
    LOCK.unlink()
    assert tool("lock", *TINY, "-P", "pillow", *OUT).code == 3
    assert not LOCK.exists()


# --check ----------------------------------------------------------------------------------------------------------


def test_in_sync_resolves_nothing(index: Index, template: Path) -> None:
    written(*TINY, "--with", "six")
    index.requests.clear()
    for words in ((), (*TINY, "--with", "six")):
        answer = tool("lock", "--check", *words, *OUT, "--json")
        assert (answer.code, answer.json()["data"]["in_sync"]) == (0, True)
    assert index.requests == []
    assert "is in sync" in tool("lock", "--check", *OUT).out


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_another_request_has_drifted(index: Index, template: Path, engine: str) -> None:
    written(*TINY, "--with", "six")
    before = text()
    answer = tool("lock", "--check", *TINY, "--with", "pytz==2025.2", "--engine", engine, *OUT, "--json")
    assert answer.code == 8, answer.err
    envelope = answer.json()
    assert envelope["data"]["in_sync"] is False
    assert envelope["data"]["changes"] == [{"name": "pytz", "before": "", "after": "2025.2"}]
    assert envelope["errors"][0]["code"] == "drift"
    assert "+ pytz==2025.2" in envelope["errors"][0]["message"]
    assert envelope["errors"][0]["hint"].startswith("imageai-env lock")
    assert text() == before


def test_another_template_has_drifted(index: Index, template: Path) -> None:
    written(*TINY)
    old = template.read_text(encoding="utf-8")
    template.write_text(old.replace('"matplotlib<3.6"', '"matplotlib<3.5.4"'), encoding="utf-8")
    same_packages = tool("lock", "--check", *OUT)
    assert same_packages.code == 8
    assert "(the packages stay the same)" in same_packages.err
    template.write_text(old.replace('"numpy<1.24"', '"numpy<1.25"'), encoding="utf-8")
    answer = tool("lock", "--check", *OUT)
    assert answer.code == 8
    # Pins are kept where they can be: what is shown is what `lock` would do.
    assert "(the packages stay the same)" in answer.err
    template.write_text(old.replace('patches = ["2.10.0", "2.10.1"]', 'patches = ["2.10.0"]'), encoding="utf-8")
    assert tool("lock", "--check", *OUT).code == 3  # the lock's own TensorFlow is not offered any more
    answer = tool("lock", "--check", *TINY, *OUT)
    assert answer.code == 8
    assert "  ~ tensorflow-cpu 2.10.1 -> 2.10.0" in answer.err.splitlines()
    assert tool("lock", *TINY, *OUT).code == 0
    assert tool("lock", "--check", *OUT).code == 0


def test_a_template_whose_words_change_has_not_drifted(index: Index, template: Path) -> None:
    written(*TINY)
    old = template.read_text(encoding="utf-8")
    template.write_text(old.replace("summary = ", 'summary = "other words" # '), encoding="utf-8")
    assert load_template(template).summary == "other words"
    assert tool("lock", "--check", *OUT).code == 0


def test_check_without_a_lock() -> None:
    answer = tool("lock", "--check", *OUT)
    assert answer.code == 3
    assert "lock.txt" in answer.err


# Other people's files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["numpy==1.0\n", "", "# a note\n# imageai-env lock, format 1\n", "\x00\x01"])
def test_foreign_files_are_never_overwritten(index: Index, template: Path, content: str) -> None:
    LOCK.write_text(content, encoding="utf-8")
    for words in ((), ("--upgrade",)):
        answer = tool("lock", *TINY, *words, *OUT)
        assert answer.code == 3
        assert "is not a lock of imageai-env; it is not overwritten" in answer.err
    assert text() == content


def test_a_damaged_lock_of_ours_is_not_overwritten(index: Index, template: Path) -> None:
    written(*TINY)
    LOCK.write_text(text().replace("# target: ", "# tarmac: "), encoding="utf-8")
    before = text()
    answer = tool("lock", *OUT)
    assert answer.code == 3
    assert "'target' line is missing" in answer.err
    assert text() == before


def test_a_directory_is_no_lock(index: Index, template: Path) -> None:
    LOCK.mkdir()
    assert tool("lock", *TINY, *OUT).code == 3
    assert list(LOCK.iterdir()) == []


def test_missing_directories_are_made(index: Index, template: Path) -> None:
    assert tool("lock", *TINY, "-o", "deep/er/lock.txt").code == 0
    assert read_lock(Path("deep/er/lock.txt")).pins


def test_a_failure_leaves_the_lock_as_it_was(index: Index, template: Path, tmp_path: Path) -> None:
    written(*TINY)
    before = text()
    index.faults["^/simple/"] = "500"
    cold = {"UV_CACHE_DIR": str(tmp_path / "cold"), "UV_HTTP_RETRIES": "0"}
    answer = tool("lock", "--upgrade", "--engine", "uv", *OUT, **cold)
    assert answer.code == 6
    assert text() == before
    assert sorted(os.listdir()) == [".imageai-env", "lock.txt"]


def test_a_release_that_vanished_is_replaced(index: Index, template: Path) -> None:
    # A wheel of our own, so that the shared index stays as it is.
    own = Path("own").absolute()
    own.mkdir()
    old = write_wheel(own, Project("appears", "1.0", (), None, {"appears.py": ""}))
    where = {"UV_FIND_LINKS": str(own)}
    assert tool("lock", *TINY, "--with", "appears", "--engine", "uv", *OUT, **where).code == 0
    old.unlink()
    write_wheel(own, Project("appears", "1.1", (), None, {"appears.py": ""}))
    answer = tool("lock", "--engine", "uv", *OUT, "--json", **where)
    assert answer.code == 0, answer.out
    assert changes(answer) == [("appears", "1.0", "1.1")]


def test_a_lock_for_another_platform_is_resolved_with_its_distributions(index: Index, template: Path) -> None:
    target = f"cp{sys.version_info[0]}{sys.version_info[1]}-win32-x86_64"
    answer = tool("lock", "--template", "tiny", "--target", target, "-o", "win.txt", "--json")
    assert answer.code == 0, answer.err
    assert answer.json()["data"]["target"] == target
    assert f"# target: {target}\n" in Path("win.txt").read_text(encoding="utf-8")
    again = tool("lock", "-o", "win.txt", "--json")  # nothing said: it stays what it is for
    assert again.json()["data"]["written"] is False
    refused = tool("create", "x", "--lock", "win.txt", "--json")
    assert (refused.code, refused.json()["errors"][0]["code"]) == (3, "bad-lock")


def test_the_pip_engine_and_unknown_platforms_are_refused(index: Index, template: Path) -> None:
    target = f"cp{sys.version_info[0]}{sys.version_info[1]}-win32-x86_64"
    foreign = tool("lock", "--template", "tiny", "--target", target, "--engine", "pip", "-o", "w.txt", "--json")
    assert (foreign.code, foreign.json()["errors"][0]["code"]) == (3, "foreign-target")
    assert tool("lock", "--template", "tiny", "--target", "windows", "-o", "w.txt").code == 3
    assert not Path("w.txt").exists()
