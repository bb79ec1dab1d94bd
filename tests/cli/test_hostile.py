"""A sample of what ``nox -s hostile`` lets the command line meet: the mechanism stays true between its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hostile.ground import Ground
from tests.hostile.hostile import KINDS, Hostile, judge, nothing
from tests.hostile.inputs import INPUTS

if TYPE_CHECKING:
    from tests.support.index import Index

SAMPLE = (
    ("lock", "a link to a device"),
    ("lock", "a marker that bare pip would heed"),
    ("lock", "escape sequences in the header"),
    ("template", "a key of 200,000 parts"),
    ("template", "a CUDA link that climbs out"),
    ("requirement file", "400,000 spaces in a line"),
    ("requirement file", "nobody may read it"),
    ("environment", "of a clone: the clone itself has a marker, and is being built"),
    ("environment", "of ours: a plan to keep what is not in it, moved"),
    ("environment", "of a clone: a RECORD names a device by a path that climbs out"),
    ("variable", "IMAGEAI_ENV_HOME: ~nobody-of-that-name/x"),
    ("environment", "of ours: nobody may look into it"),
    ("variable", "COLUMNS: -1"),
    ("variable", "IMAGEAI_ENV_HOME: umlauts, in the locale C, with ASCII for output"),
    ("variable", "UV_NO_VERIFY_HASHES: 1"),
    ("name", "create: .other:evil"),
    ("name", "remove: /"),
    ("name", "show: x\\x1b[2J"),
)


def chosen() -> list[Hostile]:
    return [one for one in INPUTS if (one.kind, one.name) in SAMPLE]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, _running_index: Index) -> Ground:
    built = Ground(tmp_path_factory.mktemp("hostile"), _running_index.url)
    built.build()
    return built


@pytest.mark.parametrize("hostile", chosen(), ids=lambda one: f"{one.kind}: {one.name}")
def test_it_is_answered_as_decided(ground: Ground, hostile: Hostile) -> None:
    assert judge(hostile, ground).wrong == ()


def test_what_is_answered_otherwise_is_seen(ground: Ground) -> None:
    """The judgement sees a wrong exit code and sentence, and what was changed that may not be."""
    wrong = judge(Hostile("name", "none", ("show", "x"), 3, "no such words", "bad-name"), ground).wrong
    assert any("exit 0, not 3" in text for text in wrong)
    assert any("does not say 'no such words'" in text for text in wrong)
    changing = Hostile("name", "none", ("remove", "x", "--yes"), 0, "Removed x", mutate=nothing)
    assert any(text.startswith("changed: store/envs/x") for text in judge(changing, ground).wrong)


def test_there_are_enough_and_all_are_told_apart() -> None:
    assert len(chosen()) == len(SAMPLE)
    assert len({(one.kind, one.name) for one in INPUTS}) == len(INPUTS) >= 70
    for kind in KINDS:
        assert sum(one.kind == kind for one in INPUTS) >= 8
