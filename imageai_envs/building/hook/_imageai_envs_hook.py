"""Runtime hook of imageai-env: lets ImageAI 2.1.6 run with packages that are newer than itself.

``SHIMS`` says what: each row gives some modules of ImageAI, and nobody else, a name that is gone or means something
else today, or sets an environment variable before TensorFlow is imported. A row acts only in an environment that has
the versions that need it. There is one mechanism: a module that a row serves is executed with an ``__import__`` of its
own, and gets views of the modules that the row is about. No file and no module is changed, and what other code in the
process imports is what it would be without us.

``IMAGEAI_ENV_HOOK=0`` turns all of it off. Python 3.6 syntax; nothing is imported at start that Python has not imported
already.
"""

import os
import sys

__version__ = "2.0"

IMAGEAI = ("imageai", "keras_resnet")
"""ImageAI 2.1.6, and the distribution that only its RetinaNet uses: the modules for which the rows are."""

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
        sees: dotted names that ImageAI uses; empty for a row that sets a variable.
        gets: dotted name of what it gets there; ``""`` for :func:`_no_decorator`.
        variable: name of the variable that is set before TensorFlow is imported, and its value or what returns it.
        what: what the row does, one sentence.
        why: what fails without it, with the error text.
        source: where that was seen.
    """

    def __init__(
        self, name, distribution, first, last=None, sees=(), gets="", variable=None, what="", why="", source=""
    ):  # fmt: skip
        self.name, self.distribution, self.first, self.last = name, distribution, first, last
        self.sees, self.gets, self.variable = sees, gets, variable
        self.what, self.why, self.source = what, why, source

    def serves(self, versions):
        """Tell whether an environment needs it; ``versions`` has a ``(major, minor)`` for each distribution."""
        found = versions.get(self.distribution)
        return found is not None and self.first <= found and (self.last is None or found <= self.last)


def _cuda_data_dir(flags):
    """Return XLA_FLAGS with the place of libdevice and ptxas; None where they are not, or one is set."""
    option, toolkit = "--xla_gpu_cuda_data_dir", os.path.join(_site(), "nvidia", "cuda_nvcc")
    if option in flags or " " in toolkit or not os.path.isdir(toolkit):
        return None  # XLA splits its flags at spaces and knows no quoting
    return (flags + " " if flags else "") + option + "=" + toolkit


def _legacy_keras(value):
    """Return ``1`` for TF_USE_LEGACY_KERAS unless it is set."""
    return None if value else "1"


SHIMS = (
    Shim(
        "libdevice", "tensorflow", (2, 4), (2, 13),
        variable=("XLA_FLAGS", _cuda_data_dir),
        what="XLA_FLAGS gets the place of libdevice and ptxas in NVIDIA's wheel; flags that are set stay.",
        why="XLA of these releases does not look there: libdevice not found at ./libdevice.10.bc.",
        source="measured with 2.8.4, 2.10.1 and 2.11.1",
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
        variable=("TF_USE_LEGACY_KERAS", _legacy_keras),
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

    ``versions`` has ``(major, minor)`` by distribution; TensorFlow's under ``tensorflow``, whatever its distribution.
    """
    return tuple(shim for shim in SHIMS if shim.serves(versions))


class _Finder:
    """Answers None to every import but those of ImageAI's modules; before TensorFlow's it sets the variables."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return ImageAI's specs with a loader that serves the rows; for others None."""
        if name == "tensorflow":
            _set_variables()
        elif name.partition(".")[0] in IMAGEAI and _views().names:
            return _wrapped(name, path, target)
        return None


def install():
    """Put the finder first, once."""
    if not any(finder is _Finder for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder)


def _site():
    return os.path.dirname(os.path.abspath(__file__))


def _versions():
    """Return ``(major, minor)`` of the distributions beside us, from the names of their directories."""
    found = {}
    try:
        entries = os.listdir(_site())
    except OSError:
        return found
    for entry in entries:
        if entry.endswith(".dist-info"):
            name, _, version = entry[: -len(".dist-info")].partition("-")
            numbers = version.split(".")
            if len(numbers) > 1 and numbers[0].isdigit() and numbers[1].isdigit():
                found[name] = (int(numbers[0]), int(numbers[1]))
    for name in TENSORFLOWS:
        if name in found:
            found["tensorflow"] = found[name]
            break
    return found


def _set_variables():
    for shim in needed(_versions()):
        if shim.variable is not None:
            name, value = shim.variable
            wanted = value(os.environ.get(name, ""))
            if wanted is not None:
                os.environ[name] = wanted


def _wrapped(name, path, target):
    for finder in sys.meta_path:
        find = None if finder is _Finder else getattr(finder, "find_spec", None)
        spec = find(name, path, target) if find else None
        if spec is not None:
            if hasattr(spec.loader, "exec_module"):
                spec.loader = _Loader(spec.loader)
            return spec
    return None


class _Loader:
    """The real loader; it executes the module with builtins whose ``__import__`` is ours.

    CPython takes ``__import__`` from the ``__builtins__`` in a module's globals, for its functions too.
    """

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self._loader  # tools that look for sources find what they expect
        builtins = dict(sys.modules["builtins"].__dict__)
        builtins["__import__"] = _views().import_
        module.__dict__["__builtins__"] = builtins
        self._loader.exec_module(module)


class _Views:
    """What ImageAI's modules see: the rows that this environment needs, and the views that were handed out."""

    def __init__(self, shims):
        self.names = {name: shim.gets for shim in shims for name in shim.sees}
        self._tops = frozenset(name.partition(".")[0] for name in self.names)
        self._above = frozenset(
            ".".join(parts[:length])
            for parts in (name.split(".") for name in self.names)
            for length in range(1, len(parts))
        )
        self._views = {}

    def import_(self, name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002 - as the builtin's
        """Do what ``__import__`` does; answer with a view where a row is about what is imported."""
        real = sys.modules["builtins"].__import__
        if level or name.partition(".")[0] not in self._tops:
            return real(name, globals, locals, fromlist, level)
        # Names that a row gives are not asked of the real module, which may lack them or load something large for them.
        asked = tuple(one for one in fromlist or () if name + "." + one not in self.names)
        module = real(self._real(name), globals, locals, asked or ("__name__",), 0)
        if fromlist:
            return self.seen(name, module)
        top = name.partition(".")[0]
        return self.seen(top, sys.modules[self._real(top)])

    def _real(self, name):
        """Return the name of the module that ``name`` means."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            gets = self.names.get(".".join(parts[:length]))
            if gets:
                return ".".join([gets, *parts[length:]])
        return name

    def seen(self, name, value):
        """Return what ImageAI sees under a dotted name: ``value``, or a view of it if a row is about a part of it."""
        if name not in self._above:
            return value
        view = self._views.get(name)
        if view is None or view.__dict__["_module"] is not value:
            view = self._views[name] = _View(self, name, value)
        return view

    def given(self, name):
        """Return what the row for a dotted name gives; raise AttributeError when it is not there after all."""
        gets = self.names[name]
        if not gets:
            return _no_decorator
        parts = gets.split(".")
        if gets.startswith("tensorflow.keras."):  # itself as ImageAI sees it
            parts = self._real("tensorflow.keras").split(".") + parts[2:]
        value = __import__(parts[0])
        for length in range(1, len(parts)):
            try:
                value = getattr(value, parts[length])
            except AttributeError:  # noqa: PERF203 - three rounds
                __import__(".".join(parts[: length + 1]))
                value = getattr(value, parts[length])
        return value


class _View:
    """A module with some attributes replaced, for ImageAI; the module itself stays as it is."""

    def __init__(self, views, name, module):
        self.__dict__.update(_views=views, _name=name, _module=module)

    def __getattr__(self, name):
        own = self.__dict__
        views, path = own["_views"], own["_name"] + "." + name
        if name == "__all__":  # `from module import *` would look into our own __dict__
            return getattr(own["_module"], name, [one for one in dir(own["_module"]) if not one.startswith("_")])
        if path in views.names:
            try:
                value = views.seen(path, views.given(path))
            except (AttributeError, ImportError):
                return getattr(own["_module"], name)
            own[name] = value
            return value
        return views.seen(path, getattr(own["_module"], name))

    def __setattr__(self, name, value):
        setattr(self._module, name, value)

    def __dir__(self):
        return dir(self._module)


def _no_decorator(*arguments, **options):  # noqa: ARG001 - as matplotlib's
    """Return a decorator that returns what it is given."""
    return lambda decorated: decorated


_made = []


def _views():
    """Return what ImageAI sees here; worked out once."""
    if not _made:
        _made.append(_Views(needed(_versions())))
    return _made[0]
