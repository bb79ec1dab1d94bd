"""Prove what of ImageAI works here. Usage: imageai_full_probe.py DIRECTORY [--only STAGE,STAGE] [--threads N].

Every stage stands alone: one that fails stops no other. ImageAI hides errors behind bare ``except:`` and returns empty
answers, so each stage compares ImageAI's *result* with what the model itself answers. Nothing is downloaded: models get
random weights that are made to give clear answers, and sockets are closed to anything but this machine.

TensorFlow is imported in the normal way and nothing of it is replaced: what fails here fails for people too.
"""

import argparse
import gc
import json
import os
import sys
import time
import traceback

MARK = "@@imageai-env@@"
EVENT = "@@imageai-env-event@@"  # what happens, as it happens: a process that dies has still proved something

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
import imageai_probe  # noqa: E402
import imageai_stages_classification as classification  # noqa: E402
import imageai_stages_detection as detection  # noqa: E402
import imageai_stages_training as training  # noqa: E402

sys.dont_write_bytecode = _keep

# In this order: importing imageai.Detection.Custom switches all of TensorFlow to eager functions, so what does not need
# it runs before, as it does for people.
STAGES = (
    ("classify_mobilenetv2", classification.mobilenet_v2),
    ("classify_resnet50", classification.resnet50),
    ("classify_inceptionv3", classification.inception_v3),
    ("classify_densenet121", classification.densenet121),
    ("detect_retinanet", detection.retinanet),
    ("detect_yolov3", detection.yolo_v3),
    ("detect_tinyyolov3", detection.tiny_yolo_v3),
    ("detect_video", detection.video),
    ("train_classification", training.classification),
    ("classify_custom", training.custom_classification),
    ("train_classification_full", training.full_model),
    ("classify_custom_full", training.custom_full_model),
    ("import_custom_detection", detection.import_custom),
    ("train_detection", training.detection),
    ("evaluate_detection", training.evaluate_detection),
    ("detect_custom", training.custom_detection),
    ("detect_custom_video", training.custom_video),
)


class Place(object):
    """Where a run keeps its files, and what earlier stages left for later ones.

    Attributes:
        directory: an existing directory of our own.
        made: files and numbers by name, for example the trained model of ``train_detection``.
    """

    def __init__(self, directory):
        self.directory = os.path.abspath(directory)
        self.made = {}

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


class Skipped(Exception):
    """A stage could not begin, because something before it failed."""


def import_all(place, facts):
    """Import what ImageAI needs and all of ImageAI but what changes TensorFlow for everybody."""
    import importlib

    seconds = facts.setdefault("seconds", {})
    for name in imageai_probe.MODULES:
        if name == "imageai.Detection.Custom":
            continue
        start = time.time()
        importlib.import_module(name)
        seconds[name] = round(time.time() - start, 2)
        if name == "tensorflow":
            limit_threads(place.made.get("threads"))


def limit_threads(number):
    """Hold TensorFlow to so many threads, before it makes any."""
    if number:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(number)
        tensorflow.config.threading.set_inter_op_parallelism_threads(number)


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


def peak_rss_mb():
    """Return the largest memory that was in use, or None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)


def versions():
    """Return the versions of what was imported."""
    found = {"python": sys.version.split()[0]}
    for name in ("tensorflow", "keras", "numpy", "cv2", "h5py", "PIL", "matplotlib", "scipy"):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            found[name] = str(version)
    return found


def tidy():
    """Give back what a stage's models hold."""
    keras = getattr(sys.modules.get("tensorflow"), "keras", None)
    if keras is not None:
        keras.backend.clear_session()
    gc.collect()


def tell(mark, value):
    """Write one line for who listens; progress bars may have left theirs open."""
    sys.stderr.flush()
    print("\n" + mark + json.dumps(value), flush=True)


def arguments(argv):
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", help="an existing, empty directory: models and pictures go there (0.6 GB)")
    parser.add_argument("--only", default="", help="stages, with commas: " + ", ".join(name for name, _ in STAGES))
    parser.add_argument("--threads", type=int, help="threads for TensorFlow and NumPy; all processors otherwise")
    chosen = parser.parse_args(argv)
    chosen.only = tuple(name for name in chosen.only.split(",") if name)
    unknown = set(chosen.only) - {name for name, _ in STAGES} - {"imports"}
    if unknown:
        parser.error("no such stage: " + ", ".join(sorted(unknown)))
    return chosen


def main(argv=None):
    """Run the stages and print the answer; the exit status is 0 when all that was asked for works."""
    chosen = arguments(argv)
    start = time.time()
    if chosen.threads:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(chosen.threads)
    imageai_probe.close_network()
    place = Place(chosen.directory)
    place.made["threads"] = chosen.threads
    wanted = [item for item in STAGES if not chosen.only or item[0] in chosen.only]
    wanted.insert(0, ("imports", import_all))
    tell(EVENT, {"plan": [name for name, _ in wanted]})
    stages = {}
    for name, work in wanted:
        tell(EVENT, {"started": name})
        stages[name] = run_stage(work, place)
        tell(EVENT, {"done": name, "answer": stages[name]})
        tidy()
    answer = {
        "versions": versions(),
        "stages": stages,
        "peak_rss_mb": peak_rss_mb(),
        "seconds": round(time.time() - start, 2),
        "cpu_seconds": round(cpu_seconds(), 2),
    }
    tell(MARK, answer)
    return 0 if all(stage["ok"] for stage in stages.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
