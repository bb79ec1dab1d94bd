"""Runtime hook of imageai-env: makes TensorFlow 2.11-2.15 and CUDA wheels work with ImageAI 2.1.6.

A finder on ``sys.meta_path`` that knows four names and answers None to every other import. It changes no file and
nothing outside the module that is being imported:

* before ``tensorflow`` (2.4 to 2.13) is imported, XLA_FLAGS gets the place of libdevice and ptxas in
  ``nvidia/cuda_nvcc``, which those releases do not find by themselves; flags that are set stay.
* ``imageai.Classification.Custom`` and ``imageai.Detection.Custom`` see the legacy Adam under TensorFlow 2.11-2.15:
  the new one refuses their ``decay`` and silently ignores their ``lr``, which makes the learning rate ten times
  what ImageAI means. Other code sees the optimizers that it asks for.

``IMAGEAI_ENV_HOOK=0`` turns it off. Python 3.6 syntax; nothing is imported at start that Python has not imported.
"""

import os
import sys

__version__ = "1.0"

_XLA = "--xla_gpu_cuda_data_dir"


class _Finder:
    """See the module's docstring. Every step fails silently: a hook must never break an import that would work."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Answer None, after doing what the import of ``name`` needs; wrap the loaders of two ImageAI modules."""
        if name == "tensorflow":
            _point_xla_to_libdevice()
        elif name in ("imageai.Classification.Custom", "imageai.Detection.Custom"):
            return _wrapped(name, path, target)
        return None


def install():
    """Put the finder first, once."""
    if not any(finder is _Finder for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder)


def _point_xla_to_libdevice():
    site = os.path.dirname(os.path.abspath(__file__))
    toolkit = os.path.join(site, "nvidia", "cuda_nvcc")
    flags = os.environ.get("XLA_FLAGS", "")
    if _XLA in flags or not os.path.isdir(toolkit) or " " in toolkit or not _tensorflow_is_in(site, 4, 13):
        return  # XLA splits its flags at spaces and knows no quoting
    os.environ["XLA_FLAGS"] = (flags + " " if flags else "") + _XLA + "=" + toolkit


def _tensorflow_is_in(site, first, last):
    """Tell whether TensorFlow 2.first to 2.last is installed beside us, from the name of its dist-info."""
    try:
        entries = os.listdir(site)
    except OSError:
        return False
    for entry in entries:
        if entry.startswith("tensorflow-2.") and entry.endswith(".dist-info"):
            minor = entry[len("tensorflow-2.") :].split(".")[0]
            return minor.isdigit() and first <= int(minor) <= last
    return False


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
    """The real loader, and one step after it."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        self._loader.exec_module(module)
        module.__loader__ = module.__spec__.loader = self._loader  # tools that look for sources find what they expect
        _give_legacy_optimizers(module)


def _give_legacy_optimizers(module):
    try:
        tensorflow = sys.modules["tensorflow"]
        major, minor = (int(part) for part in tensorflow.__version__.split(".")[:2])
        if major != 2 or not 11 <= minor <= 15:
            return
        legacy = tensorflow.keras.optimizers.legacy.Adam
    except Exception:
        return
    if hasattr(module, "Adam"):
        module.Adam = legacy  # imageai.Detection.Custom: from tensorflow.keras.optimizers import Adam
    if getattr(module, "tf", None) is tensorflow:
        # imageai.Classification.Custom: tf.keras.optimizers.Adam(lr=..., decay=...)
        optimizers = _View(tensorflow.keras.optimizers, Adam=legacy)
        module.tf = _View(tensorflow, keras=_View(tensorflow.keras, optimizers=optimizers))


class _View:
    """A module with some attributes replaced, for one reader; the module itself stays as it is."""

    def __init__(self, _module, **replaced):
        self.__dict__.update(replaced)
        self.__dict__["_module"] = _module

    def __getattr__(self, name):
        return getattr(self._module, name)

    def __setattr__(self, name, value):
        setattr(self._module, name, value)
