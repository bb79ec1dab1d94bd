"""What the levels of a probe share, and the short ones: ``imports`` and ``inference``. For Python 3.6 and newer.

A probe runs offline on purpose: sockets are closed to anything but this machine, so a probe that passes needs no
network.
"""

import importlib
import json
import os
import sys
import time
import traceback

MARK = "@@imageai-env@@"


class Wrong(Exception):
    """The environment runs and gives a wrong result."""


class Skipped(Exception):
    """A stage could not begin, because something before it failed."""


class Place(object):
    """Where a run keeps its files, and what earlier stages left for later ones.

    Attributes:
        directory: an existing directory of our own.
        made: files and numbers by name, for example the trained model of ``train_detection``.
        step: what is being done, in words.
    """

    def __init__(self, directory):
        self.directory = os.path.abspath(directory)
        self.made = {}
        self.step = "start"

    def path(self, *names):
        """Return a path below the directory."""
        return os.path.join(self.directory, *names)

    def need(self, name, stage):
        """Return what ``stage`` made.

        Raises:
            Skipped: it made nothing.
        """
        if name not in self.made:
            raise Skipped("needs what the stage %s makes, and that failed or was not asked for" % stage)
        return self.made[name]


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


def peak_rss_mb():
    """Return the largest memory that was in use, or None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)


def import_timed(name, seconds):
    """Import a module and note how long it took."""
    start = time.time()
    importlib.import_module(name)
    seconds[name] = round(time.time() - start, 2)


def run_quick(stages, level, directory):
    """Import ImageAI, classify a picture at the level ``inference``, print the answer; return the exit status."""
    answer = {"level": level, "ok": False, "stage": "start", "versions": {"python": sys.version.split()[0]}}
    start, place = time.time(), Place(directory)
    try:
        close_network()
        answer["imports"] = {}
        for name in stages.modules():
            place.step = "import " + name
            import_timed(name, answer["imports"])
        for name in stages.libraries:
            answer["versions"][name] = str(getattr(sys.modules[name], "__version__", ""))
        if level == "inference":
            answer["result"] = {}
            stages.classify_quickly(place, answer["result"])
        answer["ok"] = True
        place.step = "done"
    except BaseException as error:
        answer["error"] = {
            "type": type(error).__name__,
            "text": str(error)[:2000],
            "traceback": traceback.format_exc()[-6000:],
        }
    answer["stage"] = place.step
    answer["seconds"] = round(time.time() - start, 2)
    peak = peak_rss_mb()
    if peak is not None:
        answer["peak_mb"] = peak
    print(MARK + json.dumps(answer))
    return 0 if answer["ok"] else 1
