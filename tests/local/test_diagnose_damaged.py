"""doctor: files that are gone or cut, and what comes from elsewhere and breaks something."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from imageai_envs.doctor.doctor import diagnose
from imageai_envs.doctor.inspections import damaged, pairs
from imageai_envs.doctor.subject import Subject, look_at
from imageai_envs.environments.environment import Environment
from tests.support.installed import install, make_venv, site_of

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.base.finding import Finding

CORE = "numpy/core/_multiarray_umath.cpython-310-x86_64-linux-gnu.so"
NUMPY = {"numpy/__init__.py": "", "numpy/core/__init__.py": "", CORE: "x" * 100, "numpy/README.txt": "words"}


def see(root: Path, **variables: str) -> Subject:
    environ = {"PATH": "/nonexistent/bin", "HOME": os.environ["HOME"], **variables}
    return look_at(root / "bin" / "python", label=root.name, root=root, environ=environ)


def ids(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.id, finding.subject) for finding in findings]


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "env")


@pytest.fixture
def site(env: Path) -> Path:
    return site_of(env)


def test_what_is_whole_has_nothing_to_say(env: Path, site: Path) -> None:
    install(site, "numpy", "1.23.5", files=NUMPY)
    (site / "numpy/README.txt").unlink()  # nobody imports it
    (site / "numpy/__init__.py").write_text("edited = True\n", encoding="utf-8")
    assert damaged.inspect(see(env)) == []


def test_a_library_that_is_cut(env: Path, site: Path) -> None:
    install(site, "numpy", "1.23.5", files=NUMPY)
    (site / CORE).write_text("x" * 50, encoding="utf-8")
    [finding] = damaged.inspect(see(env))
    assert (finding.id, finding.severity, finding.subject) == ("file-altered", "error", "numpy")
    assert CORE in finding.evidence
    assert finding.fix.endswith("--force-reinstall --no-deps numpy==1.23.5")


def test_modules_that_were_edited_where_we_installed_them(env: Path, site: Path) -> None:
    install(site, "numpy", "1.23.5", files=NUMPY)
    with (site / "numpy/core/__init__.py").open("a", encoding="utf-8") as stream:
        stream.write("# edited\n")
    ours = replace(see(env), environment=Environment("x", env, None))
    [finding] = damaged.inspect(ours)
    assert (finding.id, finding.severity, finding.subject) == ("file-altered", "warning", "numpy")
    assert "not as they were installed: numpy/core/__init__.py" in finding.evidence
    assert finding.fix == "imageai-env repair x"
    (site / CORE).write_text("x" * 50, encoding="utf-8")  # that is worse
    [finding] = damaged.inspect(replace(see(env), environment=Environment("x", env, None)))
    assert (finding.severity, CORE in finding.evidence) == ("error", True)


def test_modules_that_are_gone_are_counted_and_the_telling_ones_named(env: Path, site: Path) -> None:
    files = {"tensorflow/__init__.py": "", **{f"tensorflow/python/a{number}.py": "" for number in range(9)}}
    install(site, "tensorflow", "2.10.1", files=files)
    for file in files:
        (site / file).unlink()
    [finding] = damaged.inspect(see(env))
    assert (finding.id, finding.subject) == ("file-missing", "tensorflow")
    assert finding.evidence.startswith("10 files of tensorflow 2.10.1 are missing: tensorflow/__init__.py, ")
    assert finding.evidence.endswith(" and 7 more")


def test_what_a_twin_overwrote_is_told_as_an_overlap(env: Path, site: Path) -> None:
    install(site, "opencv-python", "4.11.0.86", files={"cv2/__init__.py": "", "cv2/cv2.abi3.so": "x" * 9})
    install(site, "opencv-python-headless", "4.5.5.64", files={"cv2/__init__.py": "", "cv2/cv2.abi3.so": "y"})
    assert damaged.inspect(see(env)) == []


@pytest.mark.parametrize("record", [None, "numpy/__init__.py\n\x00,,,\n", "numpy/gone.py,sha256=x,no number\n"])
def test_records_that_are_none(env: Path, site: Path, record: str | None) -> None:
    info = install(site, "numpy", "1.23.5", files=NUMPY)
    (info / "RECORD").unlink()
    if record is not None:
        (info / "RECORD").write_text(record, encoding="utf-8")
    expected = [("file-missing", "numpy")] if record and "gone" in record else []
    assert ids(damaged.inspect(see(env))) == expected


def test_a_tensorflow_without_its_record_is_not_called_missing(env: Path, site: Path) -> None:
    install(site, "imageai", "2.1.6")
    assert "tensorflow-missing" in {finding.id for finding in pairs.inspect(see(env))}
    install(site, "tensorflow", "2.10.1", files={"tensorflow/__init__.py": ""})
    for file in (site / "tensorflow-2.10.1.dist-info").iterdir():
        file.unlink()
    (site / "tensorflow-2.10.1.dist-info").rmdir()
    assert "tensorflow-missing" not in {finding.id for finding in pairs.inspect(see(env))}


def test_a_copy_from_elsewhere_that_breaks_something_comes_first(tmp_path: Path) -> None:
    base = tmp_path / "base"
    make_venv(base)
    install(site_of(base), "numpy", "2.0.2")
    env = make_venv(tmp_path / "env")
    install(site_of(env), "tensorflow", "2.10.1")
    found = diagnose(see(env, PYTHONPATH=str(site_of(base)))).findings
    assert [(finding.severity, finding.id) for finding in found[:2]] == [
        ("error", "pythonpath-shadows"),
        ("error", "numpy-2"),
    ]


def test_what_lies_elsewhere_altogether_is_broken_by_itself(tmp_path: Path) -> None:
    lib = tmp_path / "lib"
    lib.mkdir()
    install(lib, "numpy", "2.0.2")
    install(lib, "tensorflow", "2.10.1")
    found = diagnose(see(make_venv(tmp_path / "env"), PYTHONPATH=str(lib))).findings
    assert [(finding.severity, finding.id) for finding in found[:1]] == [("error", "numpy-2")]
    assert ("warning", "pythonpath-shadows") in [(finding.severity, finding.id) for finding in found]
