"""Starts the command line a hundred times faster: imports once, then each command is a fork of that.

Run by :mod:`tests.support.tool`, which sends over a socket what a command gets: words, environment, directory, and its
three standard streams. Each fork ends as the interpreter ends, not by ``os._exit``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import socket
import struct
import sys
import threading

import imageai_envs
from imageai_envs.__main__ import main

_SCRIPTS = ("probes", "hook", "driver", "facts")  # run elsewhere, some with effects on import
_BESIDE = ("difflib", "filelock", "json", "packaging.requirements", "platformdirs", "rich.console", "rich.table")


def import_everything() -> None:
    """Import what commands import; nothing of it may start a thread, which a fork would lose."""
    for name in _BESIDE:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(imageai_envs.__path__, "imageai_envs."):
        if not any(word in module.name for word in _SCRIPTS):
            importlib.import_module(module.name)
    assert threading.active_count() == 1
    gc.freeze()  # else each child copies it all when it looks for garbage


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Return one message and the descriptors that came with it; an empty one at the end."""
    head, fds, _, _ = socket.recv_fds(connection, 4, 4)
    if not head:
        return b"", []
    (length,) = struct.unpack("!I", head)
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return body, fds


def serve(connection: socket.socket) -> bool:
    """Answer with the process id and the wait status of each command; True in a child, which is to become one."""
    while True:
        body, fds = receive(connection)
        if not body:
            return False
        child = os.fork()
        if not child:
            break
        for fd in fds:
            os.close(fd)
        try:
            connection.sendall(struct.pack("!i", child))
            _, status = os.waitpid(child, 0)
            connection.sendall(struct.pack("!i", status))
        except ConnectionError:  # who asked has ended the command, and waits for nothing more
            return False
    connection.close()
    *streams, directory = fds
    os.fchdir(directory)
    os.close(directory)
    for target, fd in enumerate(streams):
        os.dup2(fd, target)
        os.close(fd)
    order = json.loads(body)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.umask(order["umask"])
    sys.argv[1:] = order["words"]
    return True


if __name__ == "__main__":
    import_everything()
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        main()
