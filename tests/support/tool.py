"""The command line as users have it: a process of its own."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
# What an interpreter reads when it starts: a fork has what its parent had.
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_")


@dataclass(frozen=True)
class Answer:
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Return standard output as the one JSON object that it must be."""
        data = json.loads(self.out)
        assert isinstance(data, dict)
        return data


def tool(*words: str | Path, **variables: str) -> Answer:
    """Run ``imageai-env`` with further environment variables, as a process of its own.

    It is forked from one that has imported everything already (:mod:`tests.support.starter`), unless a variable counts
    that Python reads when it starts.
    """
    usual = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    if not _STARTER.serves({**usual, **variables}, usual):
        return started_tool(*words, **variables)
    return _without_traceback(_STARTER.run([*map(str, words)], {**usual, **variables}))


def started_tool(*words: str | Path, **variables: str) -> Answer:
    """Do the same with a Python that is started for it."""
    done = subprocess.run(
        [sys.executable, "-m", "imageai_envs", *map(str, words)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **variables},
        timeout=600,
        check=False,
    )
    return _without_traceback(Answer(done.returncode, done.stdout, done.stderr))


def _without_traceback(answer: Answer) -> Answer:
    assert "Traceback (most recent call last)" not in answer.err, answer.err
    return answer


class _Starter:
    """The process that forks, started with the first command."""

    def __init__(self) -> None:
        self._at_start: dict[str, str] = {}
        self._connection: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.stop)

    def stop(self) -> None:
        """Let the process end, as without a socket it does."""
        if self._connection and self._process:
            self._connection.close()
            self._process.wait()
        self._connection = self._process = None

    def serves(self, environment: dict[str, str], usual: dict[str, str]) -> bool:
        """Tell whether a fork would be like a Python that is started with this environment."""
        if self._connection is None:
            self._start(usual)
        read = {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}
        return read == self._at_start

    def run(self, words: list[str], environment: dict[str, str]) -> Answer:
        """Run a command and return what it did; a negative code is a signal."""
        assert self._connection is not None
        body = json.dumps({"words": words, "environment": environment, "umask": _umask()}).encode()
        pipes = [os.pipe(), os.pipe()]
        child = 0
        with ThreadPoolExecutor(2) as pool:
            texts = [pool.submit(_read, reading) for reading, _ in pipes]
            sent = [os.open(os.devnull, os.O_RDONLY), *(writing for _, writing in pipes)]
            sent.append(os.open(".", getattr(os, "O_PATH", os.O_RDONLY)))  # by name it may be gone
            try:
                socket.send_fds(self._connection, [struct.pack("!I", len(body))], sent)
                self._connection.sendall(body)
                while sent:
                    os.close(sent.pop())
                child = self._number()
                status = self._number()
            except BaseException:  # the test took too long, or the starter is gone
                for fd in sent:
                    os.close(fd)
                if child:
                    os.kill(child, signal.SIGKILL)
                elif self._process:
                    self._process.kill()
                self.stop()
                raise
            out, err = (text.result() for text in texts)
        return Answer(os.waitstatus_to_exitcode(status), out, err)

    def _start(self, environment: dict[str, str]) -> None:
        ours, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.starter", str(its.fileno())],
                env=environment,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )
        self._connection = ours
        self._at_start = {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}

    def _number(self) -> int:
        assert self._connection is not None
        data = self._connection.recv(4, socket.MSG_WAITALL)
        (number,) = struct.unpack("!i", data)
        assert isinstance(number, int)
        return number


def _read(fd: int) -> str:
    with os.fdopen(fd, encoding="utf-8") as stream:
        return stream.read()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


_STARTER = _Starter()
