"""Files of others: devices, pipes without a writer and files without end are refused, not waited for."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from imageai_envs.base.file_reading import UnreadableError, open_file, read_bytes, read_head, read_text


def refused(path: Path, *, limit: int = 100, pipe: bool = False) -> str:
    start = time.monotonic()
    with pytest.raises(UnreadableError) as caught:
        read_text(path, limit=limit, pipe=pipe)
    assert time.monotonic() - start < 5
    assert str(caught.value.filename) == str(path)
    assert caught.value.errno
    return str(caught.value.strerror)


def test_a_file_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\xc3\xa9\n")
    assert read_text(path, encoding="utf-8-sig") == "one\ntwo\nthreeé\n"
    assert read_bytes(path)[:6] == b"\xef\xbb\xbfone"
    assert read_head(path, 4) == b"\xef\xbb\xbfo"
    path.write_bytes(b"")
    assert read_text(path) == ""


def test_the_limit_is_the_longest_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 100)
    assert len(read_text(path, limit=100)) == 100
    path.write_bytes(b"x" * 101)
    assert "longer than" in refused(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing") == "No such file or directory"
    assert refused(tmp_path) == "Is a directory"
    assert "null" in refused(Path("a\0b"))
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic links" in refused(tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert refused(tmp_path / "s", pipe=True) == "it is a socket, not a file"
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    assert refused(tmp_path / "latin") == "it is not UTF-8 text (byte 3)"
    assert read_text(tmp_path / "latin", errors="replace") == "caf\ufffd"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty", "/dev/urandom"])
def test_devices_also_behind_a_link(tmp_path: Path, device: str) -> None:
    link = tmp_path / "link"
    link.symlink_to(device)
    for path in (Path(device), link):
        assert refused(path, pipe=True) == "it is a device, not a file"
        with pytest.raises(UnreadableError):
            read_head(path, 10)
        with pytest.raises(UnreadableError):
            open_file(path, pipe=True)


def test_a_file_without_end_that_says_it_is_empty() -> None:
    # In /proc sizes are 0; the limit counts what comes, not what the size says.
    assert "longer than" in refused(Path("/proc/self/maps"), limit=10)


def test_a_pipe_without_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert refused(path) == "it is a pipe, not a file"
    assert refused(path, pipe=True) == "nothing came out of this pipe"


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        time.sleep(0.2)  # it opens its end after us
        with path.open("wb") as stream:
            for _ in range(20):
                stream.write(b"x" * 10_000)
                stream.flush()
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert len(read_bytes(path, pipe=True)) == 200_000
    finally:
        writer.join()


def test_a_slow_writer_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb") as stream:
            time.sleep(0.6)  # longer than a pipe without a writer is waited for
            stream.write(b"late")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert read_bytes(path, pipe=True) == b"late"
    finally:
        writer.join()


def test_an_inherited_pipe_by_its_number() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"numpy\n")
    os.close(writing)
    try:
        assert read_text(Path(f"/dev/fd/{reading}"), pipe=True) == "numpy\n"
    finally:
        os.close(reading)


def test_nothing_stays_open(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x", encoding="utf-8")
    before = len(os.listdir("/proc/self/fd"))
    for path in (tmp_path, tmp_path / "x", Path("/dev/zero"), tmp_path / "missing"):
        for _ in range(3):
            with contextlib.suppress(UnreadableError):
                read_bytes(path)
    assert len(os.listdir("/proc/self/fd")) == before
