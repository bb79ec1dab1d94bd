"""Real files on a real file system, counted as ``du`` counts them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from imageai_envs.installed.disk_use import Use, measure, measure_together

if TYPE_CHECKING:
    from pathlib import Path


def fill(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def du(*roots: Path) -> int:
    done = subprocess.run(["du", "-s", "-c", "-B1", *roots], capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1].split()[0])


def test_as_du_counts(tmp_path: Path) -> None:
    root = tmp_path / "a"
    fill(root / "one", 10_000)
    fill(root / "deep" / "er" / "two", 300_000)
    (root / "again").hardlink_to(root / "one")
    (root / "link").symlink_to("/usr")
    (root / "to a directory").symlink_to(tmp_path)
    assert measure(root).size == du(root)
    assert measure(root).unshared == du(root)


def test_a_link_within_counts_once_and_is_freed(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "one", 1_000_000)
    (tmp_path / "a" / "two").hardlink_to(tmp_path / "a" / "one")
    use = measure(tmp_path / "a")
    assert 1_000_000 <= use.size < 2_000_000
    assert use.unshared == use.size


def test_a_link_to_the_outside_is_not_freed(tmp_path: Path) -> None:
    fill(tmp_path / "cache" / "one", 1_000_000)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").hardlink_to(tmp_path / "cache" / "one")
    fill(tmp_path / "a" / "own", 100_000)
    use = measure(tmp_path / "a")
    assert use.size >= 1_100_000
    assert 100_000 <= use.unshared < 1_000_000
    (tmp_path / "cache" / "one").unlink()
    assert measure(tmp_path / "a").unshared == use.size


def test_together_counts_shared_files_once(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "big", 1_000_000)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "big").hardlink_to(tmp_path / "a" / "big")
    fill(tmp_path / "b" / "own", 50_000)
    roots = [tmp_path / "a", tmp_path / "b"]
    assert measure_together(roots) == du(*roots)
    assert measure_together(roots) < measure(roots[0]).size + measure(roots[1]).size - 900_000
    assert measure_together([]) == 0
    assert measure_together([roots[0], roots[0]]) == measure(roots[0]).size


def test_holes_take_no_room(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with (tmp_path / "a" / "sparse").open("wb") as stream:
        stream.truncate(500_000_000)
    assert measure(tmp_path / "a").size < 1_000_000


def test_what_is_not_there_uses_nothing(tmp_path: Path) -> None:
    assert measure(tmp_path / "missing") == Use(0, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_parts_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "closed" / "one", 1_000)
    fill(tmp_path / "a" / "open", 100_000)
    (tmp_path / "a" / "closed").chmod(0)
    try:
        assert measure(tmp_path / "a").size >= 100_000
    finally:
        (tmp_path / "a" / "closed").chmod(0o700)
