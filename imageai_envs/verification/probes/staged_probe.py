"""The command line of every probe, and its level ``features``: stages that stand alone. For Python 3.6 and newer.

A probe is started as ``PROBE imports|inference|features DIRECTORY [--only STAGE,STAGE] [--threads N]``. One stage that
fails stops no other. Nothing is downloaded: models get random weights that are made to give clear answers, and sockets
are closed to anything but this machine. Frameworks are imported in the normal way and nothing of them is replaced: what
fails here fails for people too.
"""

import argparse
import gc
import json
import os
import sys
import time
import traceback

from quick_probe import MARK, Place, close_network, import_timed, peak_rss_mb, run_quick

EVENT = "@@imageai-env-event@@"  # what happens, as it happens: a process that dies has still proved something


def run_stage(work, place):
    """Run one stage and return its answer; nothing that it raises comes out."""
    answer = {"ok": False, "seconds": 0.0, "cpu_seconds": 0.0, "error": None, "facts": {}}
    start, used = time.time(), cpu_seconds()
    try:
        work(place, answer["facts"])
        answer["ok"] = True
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: code of RetinaNet ends the process when it dislikes a model
        answer["error"] = describe(error)
    answer["seconds"] = round(time.time() - start, 2)
    answer["cpu_seconds"] = round(cpu_seconds() - used, 2)
    return answer


def describe(error):
    """Return what happened, from the error at the root: ImageAI replaces it by advice that fits no error."""
    root, seen = error, {id(error)}
    while True:
        below = root.__cause__ or root.__context__
        if below is None or id(below) in seen:
            break
        seen.add(id(below))
        root = below
    told = {"type": type(root).__name__, "text": str(root)[:2000], "where": where(root)}
    if root is not error:
        told["shown"] = ("%s: %s" % (type(error).__name__, error))[:500]
    return told


def where(error):
    """Return the innermost line of an error, below site-packages."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    name = frames[-1].filename.replace("\\", "/").rpartition("site-packages/")[2]
    if name.startswith("/") or ":" in name:
        name = name.rpartition("/")[2]
    return "%s:%d in %s" % (name, frames[-1].lineno, frames[-1].name)


def cpu_seconds():
    """Return the processor time of this process so far: what a busy machine does not stretch."""
    times = os.times()
    return times[0] + times[1]


def versions(modules):
    """Return the versions of Python and of those modules that were imported."""
    found = {"python": sys.version.split()[0]}
    for name in modules:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            found[name] = str(version)
    return found


def tell(mark, value):
    """Write one line for who listens; progress bars may have left theirs open."""
    sys.stderr.flush()
    print("\n" + mark + json.dumps(value), flush=True)


def arguments(names, argv):
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description="Prove what of ImageAI works here.")
    parser.add_argument("level", choices=("imports", "inference", "features"))
    parser.add_argument("directory", help="an existing, empty directory: models and pictures go there (0.6 GB)")
    parser.add_argument("--only", default="", help="stages, with commas: " + ", ".join(names))
    parser.add_argument("--threads", type=int, help="threads for the framework and NumPy; all processors otherwise")
    chosen = parser.parse_args(argv)
    chosen.only = tuple(name for name in chosen.only.split(",") if name)
    unknown = set(chosen.only) - set(names) - {"imports"}
    if unknown:
        parser.error("no such stage: " + ", ".join(sorted(unknown)))
    return chosen


def main(stages, argv=None):
    """Run a probe and print its answer; the exit status is 0 when all that was asked for works.

    Args:
        stages: a ``probe_stages.Stages``, which knows one generation of ImageAI.
        argv: the command line.
    """
    table = stages.table()
    chosen = arguments([name for name, _ in table], argv)
    if chosen.level != "features":
        return run_quick(stages, chosen.level, chosen.directory)
    start = time.time()
    if chosen.threads:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(chosen.threads)
    close_network()
    place = Place(chosen.directory)
    wanted = [item for item in table if not chosen.only or item[0] in chosen.only]
    wanted.insert(0, ("imports", lambda _, facts: import_all(stages, chosen.threads, facts)))
    tell(EVENT, {"plan": [name for name, _ in wanted]})
    answers = {}
    for name, work in wanted:
        tell(EVENT, {"started": name})
        answers[name] = run_stage(work, place)
        tell(EVENT, {"done": name, "answer": answers[name]})
        stages.tidy()
        gc.collect()
    answer = {
        "versions": versions(stages.told),
        "stages": answers,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": round(time.time() - start, 2),
        "cpu_seconds": round(cpu_seconds(), 2),
    }
    tell(MARK, answer)
    return 0 if all(stage["ok"] for stage in answers.values()) else 1


def import_all(stages, threads, facts):
    """Import what ImageAI needs and all of ImageAI but what trains detection: it changes TensorFlow for everybody."""
    seconds = facts.setdefault("seconds", {})
    for name in stages.modules():
        if name != "imageai.Detection.Custom":
            import_timed(name, seconds)
            if name == stages.framework and threads:
                stages.limit_threads(threads)
