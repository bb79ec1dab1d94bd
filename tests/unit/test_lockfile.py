"""The lock's text: the same lock is the same bytes, both resolvers' output is read, damage is named."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageai_envs.base.errors import LockFileError
from imageai_envs.base.paths import shipped_templates
from imageai_envs.locks.lockfile import (
    MAX_BYTES,
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
from imageai_envs.request.framework import TENSORFLOW, Release
from imageai_envs.request.target import Target

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
REMARK = " (its own requirements are replaced by the template's)"
LOCK = Lock(HEADER, (Pin("numpy", "1.23.5", (A, B), ("h5py", "scipy")), Pin("pillow", "12.3.0", (C,))))

TEXT = f"""\
# imageai-env lock, format 1
# Closed: install it with `imageai-env create NAME --lock FILE`, or with
# `python -m pip install --no-deps --require-hashes -r FILE` in a Python of the target.
#
# template: tf2.10
# tensorflow: 2.10.1
# imageai: 2.1.6
# imageai-requirements: replaced
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
_versions = st.builds(
    lambda parts, end: ".".join(map(str, parts)) + end,
    st.lists(st.integers(0, 99), min_size=1, max_size=4),
    st.sampled_from(["", "", "rc1", ".post2", "+cpu"]),
)
_hashes = st.lists(
    st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}"), min_size=1, max_size=4, unique=True
).map(lambda values: tuple(sorted(values)))
_vias = st.lists(_names, max_size=3, unique=True).map(lambda values: tuple(sorted(values)))
_pins = st.lists(st.builds(Pin, _names, _versions, _hashes, _vias), max_size=8, unique_by=lambda pin: pin.name).map(
    lambda pins: tuple(sorted(pins, key=lambda pin: pin.name))
)
_headers = st.builds(
    dataclasses.replace,
    st.just(HEADER),
    variant=st.sampled_from(["cpu", "gpu"]),
    target=st.integers(7, 13).map(lambda minor: Target((3, minor), "linux", "x86_64")),
    replaced=st.booleans(),
    requires=st.lists(st.sampled_from(["pandas<2", "six", "h5py==3.1; os_name == 'posix'"]), unique=True).map(tuple),
    built=st.lists(_names, max_size=2).map(tuple),
    dropped=st.lists(_names, max_size=2).map(tuple),
)


@given(_headers, _pins)
def test_any_lock_survives_its_text(header: Header, pins: tuple[Pin, ...]) -> None:
    lock = Lock(header, pins)
    again = parse_lock(lock.render())
    assert again == lock
    assert (again.render(), again.digest) == (lock.render(), lock.digest)


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
        ("format 1", "format 0", "has format 0"),
        ("# template: tf2.10\n", "", "'template' line is missing"),
        ("# template: tf2.10", "# template:  ", "'template' line is missing or empty"),
        ("# engine: uv 0.13.9\n", "# engine: uv 0.13.9\n# engine: pip\n", "'engine' line is repeated"),
        ("# variant: cpu", "# variant: tpu", "'tpu'"),
        ("cp310-linux-x86_64", "py3-any", "'py3-any' is not a target"),
        ("pillow==12.3.0", "pillow>=12", "Line 22 is not a pinned requirement"),
        ("pillow==12.3.0", "pillow==twelve", "Line 22: 'twelve' is not a version"),
        ("pillow==12.3.0", "--index-url https://example.org\npillow==12.3.0", "Line 22 is not a pinned requirement"),
        ("pillow==12.3.0", "-e .\npillow==12.3.0", "Line 22 is not a pinned requirement"),
        ("pillow==12.3.0", "numpy==12.3.0", "pinned twice"),
        (f"pillow==12.3.0 \\\n    --hash={C}", "pillow==12.3.0", "pillow==12.3.0 has no sha256 hash"),
        (f"--hash={C}", "--hash=sha256:1234", "pillow==12.3.0 has no sha256 hash"),
        (f"--hash={C}", f"--hash={C}0", "pillow==12.3.0 has no sha256 hash"),
        (f"--hash={C}", "--hash=md5:" + "c" * 32, "pillow==12.3.0 has no sha256 hash"),
        (f"--hash={C}", f"--hash={C} --index-url=https://example.org", "Line 23 is not a pinned requirement"),
        ("pillow==12.3.0", "pillow==12.3.0 --config-settings=x=y", "Line 22 is not a pinned requirement"),
        ("pillow==12.3.0", "pillow==" + "1" * 5000, "Line 22: '1111"),
        ("pillow==12.3.0", "imageai==3.0.3", "says ImageAI 2.1.6, and imageai==3.0.3 is pinned"),
        ("pillow==12.3.0", "tensorflow-cpu==2.4.0", "says TensorFlow 2.10.1, and tensorflow-cpu==2.4.0 is pinned"),
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


# What others write into a header becomes arguments, names of files and words on a terminal.
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("template: tf2.10", "template: ../../../etc/passwd", 5),
        ("template: tf2.10", "template: ./x.toml", 5),
        ("template: tf2.10", "template: x.toml", 5),
        ("template: tf2.10", "template: tf2.10\x1b]0;x\x07", 5),
        ("template: tf2.10", "template: tf\u202e2.10", 5),
        ("template: tf2.10", "template: " + "x" * 70, 5),
        ("template: tf2.10", "template: --help", 5),
        ("tensorflow: 2.10.1", "tensorflow: 2.10.1; import os", 6),
        ("tensorflow: 2.10.1", "tensorflow: --upgrade", 6),
        ("tensorflow: 2.10.1", "tensorflow: " + "1" * 5000, 6),
        ("tensorflow: 2.10.1", "tensorflow: 2.10." + "1" * 100, 6),
        ("imageai: 2.1.6", "imageai: newest", 7),
        ("imageai: 2.1.6", "imageai: 2.1.6 (", 7),
        ("imageai: 2.1.6", "imageai: 2.1.6 (its own requirements are kept)", 7),
        ("imageai: 2.1.6", "imageai: 2.1.6 (its own requirements are replaced by the template's) ", None),
        ("imageai-requirements: replaced", "imageai-requirements: kept", 8),
        ("imageai-requirements: replaced", "imageai-requirements: ", 8),
        ("variant: cpu", "variant: gpu; rm", 9),
        ("target: cp310-linux-x86_64", "target: cp310-linux-../..", 10),
        ("engine: uv 0.13.9", "engine: uv \x1b[2J", 11),
        ("engine: uv 0.13.9", "engine: $(id)", 11),
        ("requires: six", "requires: --index-url http://evil.invalid", 13),
        ("requires: six", "requires: six @ https://evil.invalid/six.whl", 13),
        ("requires: six", "requires: -r /etc/passwd", 13),
        ("requires: six", "requires: ", 13),
        ("requires: six", "requires: six; os_name == '\x1b[31m'", 13),
        ("requires: six", "requires: six==" + "1" * 5000, 13),
        ("built-from-source: keras-resnet", "built-from-source: :all:", 14),
        ("built-from-source: keras-resnet", "built-from-source: --index-url=http://evil.invalid", 14),
        ("built-from-source: keras-resnet", "built-from-source: keras-resnet,numpy", 14),
        ("built-from-source: keras-resnet", "built-from-source: Keras_ResNet", 14),
        ("dropped: jax", "dropped: :all:", 15),
        ("dropped: jax", "dropped: ../jax", 15),
        ("inputs: sha256:dddd", "inputs: sha256:", 16),
        ("inputs: sha256:", "inputs: md5:", 16),
        ("# inputs: ", "# verified: yes\n# inputs: ", 16),
        ("# inputs: ", "# verified: 2026-11-24 on Linux\x1b[8m x86_64\n# inputs: ", 16),
        ("# inputs: ", "# torch: 1.12.1\n# inputs: ", None),
    ],
)
def test_headers_are_data(tmp_path: Path, old: str, new: str, line: int | None) -> None:
    assert old in TEXT
    path = tmp_path / "lock.txt"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LockFileError) as caught:
        read_lock(path)
    where = f"{path}: Line {line}: " if line else f"{path}: "
    assert caught.value.message.startswith(where)
    assert (caught.value.path, caught.value.exit_code, "\x1b" in caught.value.message) == (path, 3, False)
    assert len(caught.value.message) < 600


def test_locks_that_say_replaced_in_a_remark_stay_as_they_are() -> None:
    old = TEXT.replace("2.1.6\n# imageai-requirements: replaced\n", f"2.1.6{REMARK}\n")
    assert parse_lock(old) == LOCK
    assert parse_lock(old).render() == old
    assert parse_lock(TEXT).render() == TEXT
    kept = TEXT.replace("# imageai-requirements: replaced\n", "")
    assert not parse_lock(kept).header.replaced
    assert parse_lock(kept).render() == kept
    with pytest.raises(LockFileError, match="says twice"):
        parse_lock(TEXT.replace("imageai: 2.1.6", f"imageai: 2.1.6{REMARK}"))


def test_fields_of_later_versions_and_notes_are_passed_over() -> None:
    assert parse_lock(TEXT.replace("# inputs", "# reviewed-by: me\n# inputs")) == LOCK


def test_the_header_ends_where_the_pins_begin() -> None:
    assert parse_lock(f"{TEXT}# requires: evil\n# template: ../x\n") == LOCK


SHIPPED = sorted((shipped_templates() / "locks").glob("*/*.txt"))


def test_shipped_locks_are_what_they_were() -> None:
    assert SHIPPED
    for path in SHIPPED:
        lock = read_lock(path)
        assert lock.render() == path.read_text(encoding="utf-8"), path
        assert lock.digest == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        assert lock.header.replaced is (lock.header.release.framework is TENSORFLOW)


def test_what_is_no_file_is_no_lock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for name, words in (("pipe", "nothing came out of this pipe"), ("endless", "it is a device, not a file")):
        assert not is_lock(tmp_path / name)
        with pytest.raises(LockFileError, match=words) as caught:
            read_lock(tmp_path / name)
        assert caught.value.path == tmp_path / name
    with (tmp_path / "long").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(LockFileError, match="longer than 8 MB"):
        read_lock(tmp_path / "long")


def test_a_lock_from_a_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, TEXT.encode())
    os.close(writing)
    try:
        assert read_lock(Path(f"/dev/fd/{reading}")) == LOCK
    finally:
        os.close(reading)


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


@pytest.mark.parametrize("rest", ["; sys_platform == 'win32'", " ; $(id)", "; os_name", " x", " @ file:///x"])
def test_nothing_stands_behind_a_pin_but_hashes(rest: str) -> None:
    """Bare pip would heed a marker, and leave out what we would install."""
    with pytest.raises(LockFileError, match="Line 18 is not a pinned requirement"):
        parse_lock(TEXT.replace("numpy==1.23.5 ", f"numpy==1.23.5{rest} "))
    assert parse_pins(f"pytz==1{rest} --hash={C}") == (Pin("pytz", "1", (C,)),)  # a resolver's repeats true markers
    assert parse_lock(f"{TEXT.rstrip()} # mine\n") == LOCK


def test_an_option_is_no_part_of_what_was_resolved() -> None:
    for line in (f"six==1 --index-url x --hash={A}", f"six==1 \\\n    --hash={A} -i x"):
        with pytest.raises(LockFileError, match="is not a pinned requirement"):
            parse_pins(line)


def test_a_mark_of_byte_order_is_no_part_of_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock.txt"
    path.write_text(TEXT, encoding="utf-8-sig")
    assert read_lock(path) == LOCK
    assert is_lock(path)
