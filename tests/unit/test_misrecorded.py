"""RECORDs that are wrong about METADATA, as PyTorch's wheels have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from imageai_envs.installed.misrecorded import misrecorded_in

if TYPE_CHECKING:
    from pathlib import Path


def put(site: Path, name: str, metadata: bytes, said: str | None) -> None:
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_bytes(metadata)
    if said is not None:
        (info / "RECORD").write_text(f"{info.name}/RECORD,,\n{info.name}/METADATA,{said},3\n", encoding="utf-8")


# echo -n abc | openssl dgst -sha256 -binary | base64
ABC = "sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"


def test_only_what_is_wrong_is_named(tmp_path: Path) -> None:
    put(tmp_path, "right", b"abc", ABC)
    put(tmp_path, "wrong", b"abc", "sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFaX")
    assert misrecorded_in(tmp_path) == {"wrong-1.0.dist-info/METADATA": ABC}


@pytest.mark.parametrize("said", [None, "", "md5=abc"])
def test_what_says_nothing_is_not_wrong(tmp_path: Path, said: str | None) -> None:
    put(tmp_path, "x", b"abc", said)
    assert misrecorded_in(tmp_path) == {}


def test_garbage_is_left_to_others(tmp_path: Path) -> None:
    put(tmp_path, "x", b"abc", None)
    (tmp_path / "x-1.0.dist-info" / "RECORD").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "y-1.0.dist-info" / "RECORD").mkdir(parents=True)
    assert misrecorded_in(tmp_path) == {}
