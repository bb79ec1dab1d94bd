"""The lock's text: the same lock is the same bytes, both resolvers' output is read, damage is named."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageai_envs.errors import LockFileError
from imageai_envs.framework import TENSORFLOW, Release
from imageai_envs.lockfile import (
    Change,
    Header,
    Lock,
    Pin,
    compare,
    digest_inputs,
    is_lock,
    parse_lock,
    parse_pins,
    read_lock,
    render_pins,
)
from imageai_envs.target import Target

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")

HEADER = Header(
    template="tf2.10",
    release=Release(TENSORFLOW, "2.10.1"),
    imageai="2.1.6",
    variant="cpu",
    target=Target((3, 10), "linux", "x86_64"),
    engine="uv 0.13.9",
    requires=("pandas<2", "six"),
    replaced=True,
    built=("keras-resnet",),
    dropped=("jax",),
    inputs="sha256:" + "d" * 64,
)
LOCK = Lock(HEADER, (Pin("numpy", "1.23.5", (A, B), ("h5py", "scipy")), Pin("pillow", "12.3.0", (C,))))

TEXT = f"""\
# imageai-env lock, format 1
# Closed: install it with `imageai-env create NAME --lock FILE`, or with
# `python -m pip install --no-deps --require-hashes -r FILE` in a Python of the target.
#
# template: tf2.10
# tensorflow: 2.10.1
# imageai: 2.1.6 (its own requirements are replaced by the template's)
# variant: cpu
# target: cp310-linux-x86_64
# engine: uv 0.13.9
# requires: pandas<2
# requires: six
# built-from-source: keras-resnet
# dropped: jax
# inputs: sha256:{"d" * 64}

numpy==1.23.5 \\
    --hash={A} \\
    --hash={B}
    # via h5py, scipy
pillow==12.3.0 \\
    --hash={C}
"""


def test_the_whole_text() -> None:
    assert LOCK.render() == TEXT


def test_reading_gives_the_same_lock_back() -> None:
    assert parse_lock(TEXT) == LOCK
    assert parse_lock(TEXT).digest == LOCK.digest


def test_windows_line_ends_and_spaces_at_the_end_do_not_matter() -> None:
    assert parse_lock(TEXT.replace("\n", "\r\n")) == LOCK
    assert parse_lock(TEXT.replace("\\\n", "\\  \n")).pins == LOCK.pins


_names = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True)
_versions = st.tuples(*[st.integers(0, 99)] * 3).map(lambda parts: ".".join(map(str, parts)))
_hashes = st.lists(
    st.text("0123456789abcdef", min_size=64, max_size=64).map(lambda digits: f"sha256:{digits}"),
    min_size=1,
    max_size=4,
    unique=True,
).map(lambda values: tuple(sorted(values)))
_vias = st.lists(_names, max_size=3, unique=True).map(lambda values: tuple(sorted(values)))
_pins = st.lists(st.builds(Pin, _names, _versions, _hashes, _vias), max_size=8, unique_by=lambda pin: pin.name).map(
    lambda pins: tuple(sorted(pins, key=lambda pin: pin.name))
)
_headers = st.builds(
    dataclasses.replace,
    st.just(HEADER),
    variant=st.sampled_from(["cpu", "gpu"]),
    replaced=st.booleans(),
    requires=st.lists(st.sampled_from(["pandas<2", "six", "h5py==3.1; os_name == 'posix'"]), unique=True).map(tuple),
    built=st.lists(_names, max_size=2).map(tuple),
    dropped=st.lists(_names, max_size=2).map(tuple),
)


@given(_headers, _pins)
def test_any_lock_survives_its_text(header: Header, pins: tuple[Pin, ...]) -> None:
    lock = Lock(header, pins)
    assert parse_lock(lock.render()) == lock


# Printed by uv 0.13.9: uv pip compile --generate-hashes --no-header
UV = f"""\
Numpy==1.23.5 \\
    --hash={B} \\
    --hash={A}
    # via
    #   h5py
    #   Keras_ResNet
    #   -r resolve.in
pillow==12.3.0 \\
    --hash={C}
    # via -r resolve.in
"""
# Printed by pip-tools 7.6.2: pip-compile --generate-hashes --no-header
PIP_TOOLS = f"""\
numpy==1.23.5 \\
    --hash={A} \\
    --hash={B}
    # via
    #   -r resolve.in
    #   h5py
    #   keras-resnet
pillow==12.3.0 --hash={C}
    # via
    #   -c constraints.txt
    #   -r resolve.in

# The following packages are considered to be unsafe in a requirements file:
setuptools==84.2.1 \\
    --hash={C}
    # via keras-resnet
"""


def test_both_resolvers_output() -> None:
    numpy, pillow = Pin("numpy", "1.23.5", (A, B), ("h5py", "keras-resnet")), Pin("pillow", "12.3.0", (C,))
    assert parse_pins(UV) == (numpy, pillow)
    assert parse_pins(PIP_TOOLS) == (numpy, pillow, Pin("setuptools", "84.2.1", (C,), ("keras-resnet",)))


def test_pins_come_out_sorted_and_normalized() -> None:
    pins = parse_pins(f"Zope.Interface[test]==5.0 --hash={A}\nabsl_py==1.0 --hash={B}\n")
    assert [pin.name for pin in pins] == ["absl-py", "zope-interface"]


def test_pins_without_comments() -> None:
    assert render_pins(LOCK.pins[:1], comments=False) == [f"numpy==1.23.5 \\\n    --hash={A} \\\n    --hash={B}"]


def test_a_pin_is_found_by_any_spelling() -> None:
    lock = Lock(HEADER, (Pin("keras-resnet", "0.2.0", (A,)),))
    assert lock.pin("Keras_ResNet") == lock.pins[0]
    assert lock.pin("keras") is None


def test_the_digest_follows_every_part() -> None:
    other_header = Lock(dataclasses.replace(HEADER, variant="gpu"), LOCK.pins)
    other_hash = Lock(HEADER, (dataclasses.replace(LOCK.pins[0], hashes=(C,)), LOCK.pins[1]))
    assert len({LOCK.digest, other_header.digest, other_hash.digest}) == 3


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("# imageai-env lock, format 1", "# a file", "not a lock made by imageai-env"),
        ("format 1", "format 2", "has format 2"),
        ("# template: tf2.10\n", "", "'template' line is missing"),
        ("# template: tf2.10", "# template:  ", "'template' line is missing or empty"),
        ("# engine: uv 0.13.9\n", "# engine: uv 0.13.9\n# engine: pip\n", "'engine' line is repeated"),
        ("# variant: cpu", "# variant: tpu", "'tpu'"),
        ("cp310-linux-x86_64", "py3-any", "'py3-any' is not a target"),
        ("pillow==12.3.0", "pillow>=12", "Line 21 is not a pinned requirement"),
        ("pillow==12.3.0", "pillow==twelve", "Line 21: 'twelve' is not a version"),
        ("pillow==12.3.0", "--index-url https://example.org\npillow==12.3.0", "Line 21 is not a pinned requirement"),
        ("pillow==12.3.0", "-e .\npillow==12.3.0", "Line 21 is not a pinned requirement"),
        ("pillow==12.3.0", "numpy==12.3.0", "pinned twice"),
        (f"pillow==12.3.0 \\\n    --hash={C}", "pillow==12.3.0", "pillow==12.3.0 has no sha256 hash"),
        (f"--hash={C}", "--hash=sha256:1234", "pillow==12.3.0 has no sha256 hash"),
        (f"--hash={C}", f"--hash={C}0", "pillow==12.3.0 has no sha256 hash"),
        (f"--hash={C}", "--hash=md5:" + "c" * 32, "pillow==12.3.0 has no sha256 hash"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in TEXT
    path = tmp_path / "lock.txt"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LockFileError, match=re.escape(words)) as caught:
        read_lock(path)
    assert caught.value.message.startswith(str(path))
    assert caught.value.exit_code == 3


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(LockFileError, match="No such file"):
        read_lock(tmp_path / "missing.txt")
    with pytest.raises(LockFileError, match="Is a directory"):
        read_lock(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LockFileError, match="not UTF-8"):
        read_lock(tmp_path / "binary")


def test_is_lock_looks_at_the_first_line_only(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    for text, answer in (
        (TEXT, True),
        ("# imageai-env lock, format 7\nand then something else", True),
        (f"\n{TEXT}", False),
        ("numpy==1.0\n", False),
        ("", False),
    ):
        path.write_text(text, encoding="utf-8")
        assert is_lock(path) is answer
    path.write_bytes(b"\xff\xfe\x00\x80")
    assert not is_lock(path)
    assert not is_lock(tmp_path / "missing")
    assert not is_lock(tmp_path)


def test_input_digests_ignore_the_order_of_keys_only() -> None:
    assert digest_inputs({"a": 1, "b": [1, 2]}) == digest_inputs({"b": [1, 2], "a": 1})
    assert digest_inputs({"a": 1, "b": [1, 2]}) != digest_inputs({"a": 1, "b": [2, 1]})


def test_changes_by_package() -> None:
    before = (Pin("a", "1", (A,)), Pin("b", "1", (A,)), Pin("c", "1", (A,)), Pin("d", "1", (A,)), Pin("e", "1", (A,)))
    after = (Pin("b", "2", (B,)), Pin("c", "1", (B,)), Pin("d", "1", (A, B)), Pin("e", "1", (A,)), Pin("f", "3", (A,)))
    changes = compare(before, after)
    assert changes == (Change("a", "1", ""), Change("b", "1", "2"), Change("c", "1", "1"), Change("f", "", "3"))
    assert [str(change) for change in changes] == ["- a==1", "~ b 1 -> 2", "~ c==1 (other files)", "+ f==3"]
    assert compare(after, after) == ()
