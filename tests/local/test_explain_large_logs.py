"""Logs of any size: read in blocks, nothing of them is kept."""

from __future__ import annotations

import io
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from imageai_envs.explain.explain import explain
from tests.unit.test_explain import NUMPY

if TYPE_CHECKING:
    from collections.abc import Iterator


class Endless(io.RawIOBase):
    """A log that is made while it is read, so that its size is nobody's memory."""

    def __init__(self, lines: Iterator[bytes], size: int) -> None:
        self._lines = lines
        self._left = size
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = min(size, self._left)
        while len(self._held) < size:
            self._held += next(self._lines)
        block, self._held = self._held[:size], self._held[size:]
        self._left -= size
        return block


BLOCK = b"2026-11-23 10:00:00.123 INFO worker[17] step 12345 loss=0.1234 image=/data/train/000123.jpg\n" * 10_000
WARNING = b"W dso_loader.cc:64] Could not load dynamic library 'libcudart.so.11.0'; dlerror: no such file\n" * 10_000


@pytest.mark.parametrize("block", [BLOCK, WARNING], ids=["plain", "full-of-hits"])
def test_a_hundred_megabytes_take_no_memory(block: bytes) -> None:
    def lines() -> Iterator[bytes]:
        yield NUMPY.encode()
        while True:
            yield block

    explain("")
    tracemalloc.start()
    found = explain(Endless(lines(), 100_000_000))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[0].rule.id == "numpy-2"
    assert found[0].evidence[0].line == 1
    assert peak < 40_000_000
