"""A lock resolved for real: what is dropped, what ImageAI's metadata would do, and clashes that cost no request."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uv

from imageai_envs.base.errors import UnsolvableError
from imageai_envs.base.process import Log
from imageai_envs.engines.compile_lock import compile_lock
from imageai_envs.engines.uv import UvEngine
from imageai_envs.locks.lockfile import parse_lock
from tests.conftest import tiny_template
from tests.support.context import recording
from tests.unit.test_locking import DROPPED, inputs, of_imageai, ours

if TYPE_CHECKING:
    from tests.support.index import Index


def test_a_dropped_distribution_leaves_no_trace_in_the_pins(index: Index, tmp_path: Path) -> None:
    engine, log, python = (
        UvEngine(Path(uv.find_uv_bin())),
        Log(tmp_path / "x.log"),
        ours(),
    )
    whole = compile_lock(inputs(target=python.target), engine, python, recording(log))
    assert whole.pin("keras-preprocessing") is not None
    dropping = inputs(text=tiny_template() + DROPPED, target=python.target)
    lock = compile_lock(dropping, engine, python, recording(log))
    assert {pin.name for pin in whole.pins} - {pin.name for pin in lock.pins} == {"keras-preprocessing"}
    assert not any("keras-preprocessing" in pin.via for pin in lock.pins)
    assert any("keras-preprocessing" in pin.via for pin in whole.pins)
    assert lock.header.dropped == ("keras-preprocessing",)
    assert lock.header.engine == engine.describe(python)
    assert lock.header.inputs == dropping.digest
    assert parse_lock(lock.render()) == lock
    assert all(pin.hashes for pin in lock.pins)


def test_believed_metadata_of_imageai_cannot_be_solved(index: Index, tmp_path: Path) -> None:
    # Why it is replaced: ImageAI 2.1.6 pins keras==2.4.3, TensorFlow 2.10 wants keras 2.10.
    python = ours()
    one = dataclasses.replace(inputs(text=of_imageai()), target=python.target)
    with pytest.raises(UnsolvableError, match="keras") as caught:
        compile_lock(
            one,
            UvEngine(Path(uv.find_uv_bin())),
            python,
            recording(Log(tmp_path / "x.log")),
        )
    assert caught.value.exit_code == 5


def test_clashes_cost_no_request(index: Index, tmp_path: Path) -> None:
    python = ours()
    with pytest.raises(UnsolvableError):
        compile_lock(
            inputs("numpy>=2", target=python.target),
            UvEngine(Path(uv.find_uv_bin())),
            python,
            recording(Log(tmp_path / "x.log")),
        )
    assert index.requests == []
