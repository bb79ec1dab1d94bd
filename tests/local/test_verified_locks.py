"""What was proved is what is installed: the locks that come with templates; the index has tiny wheels."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from imageai_envs.base.context import Context
from imageai_envs.base.paths import Home, shipped_templates
from imageai_envs.base.progress import Silent
from imageai_envs.locks import verified
from imageai_envs.locks.inputs import LockInputs
from imageai_envs.locks.lockfile import Lock, parse_lock, read_lock
from imageai_envs.locks.verified import load_matrix, lock_path
from imageai_envs.request.request import Request
from imageai_envs.request.target import Target
from imageai_envs.templates.catalog import load_catalog, select
from imageai_envs.workflows.create import CreateOptions, Plan, execute, plan_creation
from imageai_envs.workflows.relock import LockOptions, update_lock

if TYPE_CHECKING:
    from tests.support.index import Index

PROVED = "2026-11-24 on Linux x86_64, CPython 3.10.13: 8 of 8 features of ImageAI"
TINY = Request(template="tiny")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data", tmp_path / "cache", tmp_path / "config")


@pytest.fixture
def proved(index: Index, template: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """A shipped template ``tiny`` with a verified lock that a new resolution would not give: an older pillow."""
    shipped = template.parents[2] / "shipped"
    shipped.mkdir()
    template.rename(shipped / "tiny.toml")
    for module in ("templates.catalog", "locks.verified"):
        monkeypatch.setattr(f"imageai_envs.{module}.shipped_templates", lambda: shipped)
    older = dataclasses.replace(TINY, extras=("pillow<12.3",))
    lock = update_lock(LockOptions(older, Path("older.txt")), Context(home, Silent())).lock
    inputs = LockInputs(select(TINY, home), (), lock.header.target)
    header = dataclasses.replace(lock.header, requires=(), inputs=inputs.digest, verified=PROVED)
    lock = dataclasses.replace(lock, header=header)
    path = lock_path("tiny", "cpu", lock.header.target)
    path.parent.mkdir(parents=True)
    path.write_text(lock.render(), encoding="utf-8")
    return lock


def plan(home: Home, request: Request = TINY, *, upgrade: bool = False) -> Plan:
    return plan_creation(CreateOptions(request, "x", upgrade=upgrade, verify="none"), Context(home, Silent()))


def shipped_file(proved: Lock) -> Path:
    return lock_path("tiny", "cpu", proved.header.target).parents[2] / "tiny.toml"


def pillow(lock: Lock | None) -> str:
    pin = lock.pin("pillow") if lock else None
    assert pin is not None
    return pin.version


def test_create_takes_the_proved_set_and_says_so(proved: Lock, home: Home) -> None:
    one = plan(home)
    assert one.lock == proved
    assert one.to_json()["lock"] == "verified"
    created = execute(one, Context(home, Silent()))
    assert created.environment.lock() == proved
    assert created.environment.lock().header.verified == PROVED


def test_upgrade_resolves_anew(proved: Lock, home: Home) -> None:
    one = plan(home, upgrade=True)
    assert one.lock is None
    fresh = execute(one, Context(home, Silent())).environment.lock()
    assert Version(pillow(fresh)) > Version(pillow(proved))
    assert fresh.header.verified == ""


def test_further_requirements_stay_near_the_proved_set(proved: Lock, home: Home) -> None:
    more = execute(plan(home, dataclasses.replace(TINY, extras=("six",))), Context(home, Silent())).environment.lock()
    assert more.pin("six") is not None
    assert pillow(more) == pillow(proved)
    assert more.header.verified == ""  # this set was not proved


def test_another_release_or_a_changed_template_is_resolved(proved: Lock, home: Home) -> None:
    assert plan(home, dataclasses.replace(TINY, tensorflow="2.10.0")).lock is None
    path = shipped_file(proved)
    path.write_text(path.read_text(encoding="utf-8").replace("numpy<1.24", "numpy<1.22"), encoding="utf-8")
    assert plan(home).lock is None


def test_a_template_of_that_name_elsewhere_has_no_proof(proved: Lock, home: Home) -> None:
    home.templates.mkdir(parents=True)
    text = shipped_file(proved).read_text(encoding="utf-8")
    (home.templates / "tiny.toml").write_text(text, encoding="utf-8")
    assert plan(home).lock is None


def test_lock_writes_the_proved_set(proved: Lock, home: Home) -> None:
    assert update_lock(LockOptions(TINY, Path("new.txt")), Context(home, Silent())).lock == proved
    fresh = update_lock(LockOptions(TINY, Path("upgraded.txt"), upgrade_all=True), Context(home, Silent())).lock
    assert pillow(fresh) != pillow(proved)


def test_a_damaged_one_is_as_none(proved: Lock, home: Home) -> None:
    lock_path("tiny", "cpu", proved.header.target).write_text("numpy==1.0\n", encoding="utf-8")
    assert plan(home).lock is None


def test_the_header_keeps_the_proof(proved: Lock) -> None:
    assert parse_lock(proved.render()) == proved
    assert f"# verified: {PROVED}\n" in proved.render()


# What is shipped --------------------------------------------------------------------------------------------------


def shipped_locks() -> list[Path]:
    return sorted((shipped_templates() / "locks").glob("*/*.txt"))


def test_every_shipped_lock_belongs_to_its_template_as_it_is(home: Home) -> None:
    """A template that was changed after its locks were proved would quietly be resolved instead."""
    for path in shipped_locks():
        lock = read_lock(path)
        header = lock.header
        request = Request(template=header.template, variant=header.variant).at(header.release)
        assert LockInputs(select(request, home), (), header.target).digest == header.inputs, path
        assert path == lock_path(header.template, header.variant, header.target)
        assert header.verified, path


def test_variants_that_lock_the_same_have_one_proof(home: Home) -> None:
    """PyTorch's wheel on PyPI for Linux x86_64 is the same for both; TensorFlow's are not."""
    target = Target((3, 13), "linux", "x86_64")
    request = Request(torch="2.7", variant="gpu")
    for extras, found in (((), True), (("pandas",), False)):
        lock = verified.verified_lock(LockInputs(select(request, home), extras, target))
        assert bool(lock) is found
        if lock:
            assert (lock.header.variant, lock.pin("torch") is not None) == ("gpu", True)
            assert "8 of 8 features" in lock.header.verified
    tensorflow = LockInputs(
        select(Request(tensorflow="2.9", variant="gpu"), home), (), Target((3, 9), "linux", "x86_64")
    )
    assert verified.verified_lock(tensorflow) is None


def test_the_matrix_covers_every_shipped_template_and_every_lock() -> None:
    cells = load_matrix()
    catalog = {entry.template.name: entry.template for entry in load_catalog(Home(*[Path("none")] * 3)).entries}
    assert {cell.template for cell in cells} == set(catalog)
    assert {(cell.template, f"{cell.variant}-{cell.target}") for cell in cells} == {
        (path.parent.name, path.stem) for path in shipped_locks()
    }
    for name, template in catalog.items():
        for cell in cells:
            if cell.template == name:
                newest = template.newest_on(Target.parse(cell.target).python)
                assert cell.release == template.release(newest), cell
        pythons = {cell.target.split("-")[0] for cell in cells if cell.template == name and cell.variant == "cpu"}
        assert pythons == {f"cp{minor.replace('.', '')}" for minor in template.python_preferred}


def test_a_template_works_where_all_of_it_does() -> None:
    cell = load_matrix()[0]
    assert cell.works
    assert not dataclasses.replace(cell, features={**cell.features, "detection training": False}).works


def test_a_damaged_record_is_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_another_schema = json.dumps(json.loads((shipped_templates() / "matrix.json").read_bytes()) | {"schema": 2})
    monkeypatch.setattr(verified, "shipped_templates", lambda: tmp_path)
    assert load_matrix() == ()
    for text in ("", "[]", of_another_schema, json.dumps({"schema": 1, "cells": [{}]})):
        (tmp_path / "matrix.json").write_text(text, encoding="utf-8")
        assert load_matrix() == ()
