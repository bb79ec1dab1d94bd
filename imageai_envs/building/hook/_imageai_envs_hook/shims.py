"""What is given to ImageAI 2.1.6, and when: the hook's table, and which of its rows an environment needs.

Python 3.6 syntax. Also read by imageai-env itself.
"""

import os

SITE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The directory of distributions that we are in."""

TENSORFLOWS = (
    "tensorflow", "tensorflow_cpu", "tensorflow_gpu", "tensorflow_intel", "tensorflow_macos", "tensorflow_cpu_aws",
)  # fmt: skip
"""Distributions that hold TensorFlow; the first to be found tells its version."""


class Shim:
    """One row: what is given to ImageAI, and when.

    Attributes:
        name: for people.
        distribution: whose versions need it.
        first: the first ``(major, minor)`` that needs it.
        last: the last one; None: all newer ones.
        sees: dotted names that ImageAI uses; empty for a row that acts before TensorFlow is imported.
        gets: dotted name of what it gets there; ``""`` for :func:`_no_decorator`.
        before: what is called before TensorFlow is imported.
        what: what the row does, one sentence.
        why: what fails without it, with the error text.
        source: where that was seen.
    """

    def __init__(
        self, name, distribution, first, last=None, sees=(), gets="", before=None, what="", why="", source=""
    ):  # fmt: skip
        self.name, self.distribution, self.first, self.last = name, distribution, first, last
        self.sees, self.gets, self.before = sees, gets, before
        self.what, self.why, self.source = what, why, source

    def serves(self, versions):
        """Tell whether an environment needs it; ``versions`` has a ``(major, minor)`` for each distribution."""
        found = versions.get(self.distribution)
        return found is not None and self.first <= found and (self.last is None or found <= self.last)


def _point_xla_to_libdevice():
    option, toolkit = "--xla_gpu_cuda_data_dir", os.path.join(SITE, "nvidia", "cuda_nvcc")
    flags = os.environ.get("XLA_FLAGS", "")
    if option not in flags and " " not in toolkit and os.path.isdir(toolkit):  # XLA splits its flags at spaces
        os.environ["XLA_FLAGS"] = (flags + " " if flags else "") + option + "=" + toolkit


def _load_cusolver():
    library = os.path.join(SITE, "nvidia", "cusolver", "lib", "libcusolver.so.11")
    if os.path.exists(library):
        import ctypes

        ctypes.CDLL(library)


def _use_keras_2():
    if not os.environ.get("TF_USE_LEGACY_KERAS"):
        os.environ["TF_USE_LEGACY_KERAS"] = "1"


SHIMS = (
    Shim(
        "libdevice", "tensorflow", (2, 4), (2, 13),
        before=_point_xla_to_libdevice,
        what="XLA_FLAGS gets the place of libdevice and ptxas in NVIDIA's wheel; flags that are set stay.",
        why="XLA of these releases does not look there: libdevice not found at ./libdevice.10.bc.",
        source="measured with 2.8.4, 2.10.1 and 2.11.1",
    ),
    Shim(
        "cusolver", "tensorflow", (2, 21), (2, 21),
        before=_load_cusolver,
        what="libcusolver.so.11 of NVIDIA's wheel is loaded before TensorFlow is imported.",
        why="TensorFlow 2.21 does not look into nvidia/cusolver/lib (its RUNPATH lacks that) and uses no GPU: "
        "Cannot dlopen some GPU libraries.",
        source="measured with 2.21.0; 2.14 to 2.20 have the directory",
    ),
    Shim(
        "legacy-adam", "tensorflow", (2, 11),
        sees=("tensorflow.keras.optimizers.Adam", "keras.optimizers.Adam"),
        gets="tensorflow.keras.optimizers.legacy.Adam",
        what="ImageAI's trainers get the legacy Adam.",
        why="The new Adam refuses `decay` (ValueError: decay is deprecated in the new Keras optimizer) and silently "
        "ignores `lr`: ten times the learning rate that ImageAI means.",
        source="https://github.com/tensorflow/tensorflow/issues/58831; measured with 2.11.1 to 2.21.0",
    ),
    Shim(
        "legacy-keras", "tf_keras", (2, 16),
        before=_use_keras_2,
        what="tf.keras is Keras 2 (the distribution tf-keras), as in older releases; TF_USE_LEGACY_KERAS=0 keeps "
        "Keras 3 for code of your own.",
        why="From 2.16 on tf.keras is Keras 3, which does not load many models of Keras 2, and has other arguments.",
        source="https://github.com/tensorflow/tensorflow/releases/tag/v2.16.1",
    ),
    Shim(
        "keras-2", "tf_keras", (2, 16),
        sees=("keras", "tensorflow.keras"),
        gets="tf_keras",
        what="`keras` and `tensorflow.keras` mean tf_keras.",
        why="With Keras 3 all training fails (ValueError: Argument(s) not recognized: {'lr': 0.001}), and so does "
        "RetinaNet, for which keras-resnet imports `keras` (TypeError: 'NoneType' object is not subscriptable).",
        source="https://github.com/tensorflow/tensorflow/issues/70394; measured with 2.16.2 and 2.21.0",
    ),
    Shim(
        "matplotlib-deprecated", "matplotlib", (3, 6),
        sees=("matplotlib.cbook.deprecated",),
        what="matplotlib.cbook has a `deprecated` again, which does nothing; ImageAI imports it and never uses it.",
        why="imageai.Classification does not import: ImportError: cannot import name 'deprecated' from "
        "'matplotlib.cbook'.",
        source="measured with 3.6, 3.7.5, 3.10.9 and 3.11.2",
    ),
    Shim(
        "numpy-float", "numpy", (1, 24),
        sees=("numpy.float",),
        gets="builtins.float",
        what="numpy has the name `float` again: Python's own, as before.",
        why="Training of a detection model fails: AttributeError: module 'numpy' has no attribute 'float'.",
        source="measured with 1.24.4, 1.26.4 and 2.5.5",
    ),
)  # fmt: skip


def needed(versions):
    """Return the rows that an environment with ImageAI 2.1.6 needs.

    ``versions`` has ``(major, minor)`` by distribution; any that holds TensorFlow counts as ``tensorflow``.
    """
    held = [versions[name] for name in TENSORFLOWS if name in versions]
    known = dict(versions, tensorflow=held[0]) if held else versions
    return tuple(shim for shim in SHIMS if shim.serves(known))


def versions_here():
    """Return ``(major, minor)`` of the distributions beside us, from the names of their directories."""
    found = {}
    try:
        entries = os.listdir(SITE)
    except OSError:
        return found
    for entry in entries:
        if entry.endswith(".dist-info"):
            name, _, version = entry[: -len(".dist-info")].partition("-")
            numbers = version.split(".")
            if len(numbers) > 1 and numbers[0].isdigit() and numbers[1].isdigit():
                found[name] = (int(numbers[0]), int(numbers[1]))
    return found
