"""What the short probes share: the imports, the answer, and the closed network. They run on Python 3.6 and newer.

A probe is started as ``PROBE imports|inference DIRECTORY``. It runs offline on purpose: sockets are closed to anything
but this machine, so a probe that passes needs no network.
"""

import json
import sys
import time
import traceback

MARK = "@@imageai-env@@"


class Wrong(Exception):
    """The environment runs and gives a wrong result."""


def close_network():
    """Refuse every connection that leaves this machine."""
    import socket

    connect = socket.socket.connect

    def guarded(self, address):
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("localhost", "127.0.0.1", "::1"):
            raise OSError("the probe is offline on purpose; something asked for " + str(host))
        return connect(self, address)

    socket.socket.connect = guarded


def import_all(answer, modules, versions):
    """Import every module, recording how long each took, and the versions of some."""
    import importlib

    answer["imports"] = {}
    for name in modules:
        answer["stage"] = "import " + name
        start = time.time()
        importlib.import_module(name)
        answer["imports"][name] = round(time.time() - start, 2)
    for name in versions:
        answer["versions"][name] = str(getattr(sys.modules[name], "__version__", ""))


def main(modules, versions, classify, argv=None):
    """Run a probe and print its answer; return the exit status.

    Args:
        modules: what is imported, in this order.
        versions: those of them whose versions are told.
        classify: called with the answer and the directory at the level ``inference``.
        argv: the level and an existing directory; those of the command line by default.
    """
    level, directory = argv or sys.argv[1:]
    answer = {"level": level, "ok": False, "stage": "start", "versions": {"python": sys.version.split()[0]}}
    start = time.time()
    try:
        close_network()
        import_all(answer, modules, versions)
        if level == "inference":
            classify(answer, directory)
        answer["ok"] = True
        answer["stage"] = "done"
    except BaseException as error:
        answer["error"] = {
            "type": type(error).__name__,
            "text": str(error)[:2000],
            "traceback": traceback.format_exc()[-6000:],
        }
    answer["seconds"] = round(time.time() - start, 2)
    try:
        import resource

        answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    except ImportError:
        pass
    print(MARK + json.dumps(answer))
    return 0 if answer["ok"] else 1
