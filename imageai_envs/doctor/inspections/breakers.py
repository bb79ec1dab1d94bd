"""Combinations that are known to break ImageAI, each with what fails, the error text, and the fix.

The facts are those of docs/compatibility.md, most of them measured: the sets were installed and all of ImageAI was run.
What is not from there has its thread in ``link``. A row is one line of that page; what needs arithmetic instead of a
table stands in ``pairs.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.doctor.subject import minor_of, within
from imageai_envs.request.stack import HOOK

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Subject
    from imageai_envs.installed.distributions import Distribution

_ANY = ">=0"
_TF = "https://github.com/tensorflow/tensorflow/issues"
_IMAGEAI = "https://github.com/OlafenwaMoses/ImageAI/issues"
_NO_FLOAT = (
    "numpy 1.24 removed numpy.float. Training a detection model (DetectionModelTrainer) fails: AttributeError: "
    "module 'numpy' has no attribute 'float'. Everything else of ImageAI works."
)


@dataclass(frozen=True)
class _Breaker:
    """One combination.

    Attributes:
        id: of the finding.
        distribution: what is too new, too old or in the way; ``tensorflow`` means that of any name.
        versions: which of its versions (PEP 440).
        cause: what fails, with the error text, and why.
        install: requirements to install; empty: a new environment is the fix.
        tensorflow: TensorFlows that it concerns; None: also without one.
        imageai: ImageAIs that it concerns; None: also without one.
        beside: a further distribution that must be there, and its versions.
        without: a distribution that makes it harmless, or None.
        shim: row of our runtime hook that makes it harmless, or empty.
        newest: the newest Python that has wheels for ``install``; None: all that have TensorFlow.
        severity: ``error`` unless it only may fail.
        link: where the fact is from.
    """

    id: str
    distribution: str
    versions: str
    cause: str
    install: tuple[str, ...] = ()
    tensorflow: str | None = None
    imageai: str | None = None
    beside: tuple[str, str] | None = None
    without: str | None = None
    shim: str = ""
    newest: tuple[int, int] | None = None
    severity: str = "error"
    link: str = ""


BREAKERS = (
    # The recipe that people copy: `pip install tensorflow==2.10.0 imageai`.
    _Breaker(
        "imageai-3-tensorflow", "imageai", ">=3",
        "pip takes the newest ImageAI, and ImageAI 3 runs on PyTorch: it never imports TensorFlow, and refuses .h5 "
        "models ('ImageAI now uses PyTorch as backed'). The last ImageAI for TensorFlow is 2.1.6. Without PyTorch: "
        "RuntimeError: Dependency error!!! PyTorch and TorchVision are not installed. To stay with ImageAI 3: "
        "imageai-env create myproj --imageai 3.",
        tensorflow=_ANY, without="torch", link="https://github.com/OlafenwaMoses/FireNET/issues/16",
    ),
    _Breaker(
        "imageai-3-tensorflow", "imageai", ">=3",
        "ImageAI 3 runs on PyTorch and does not use TensorFlow, and refuses .h5 models ('ImageAI now uses PyTorch as "
        "backed'). Without .h5 models, ImageAI needs no TensorFlow here; with them, ImageAI 2.1.6 is the last one: "
        "imageai-env create myproj --tf 2.10.",
        tensorflow=_ANY, beside=("torch", _ANY), severity="warning",
        link="https://github.com/OlafenwaMoses/FireNET/issues/16",
    ),
    _Breaker(
        "tensorflow-keras-3", "tensorflow", ">=2.16",
        "TensorFlow 2.16 and newer bring Keras 3. All training fails (ValueError: Argument(s) not recognized: "
        "{'lr': 0.001}) and RetinaNet does (TypeError: 'NoneType' object is not subscriptable). Classification and "
        "YOLOv3 detection with existing models work. Our environments have Keras 2 (tf-keras) and a hook that gives "
        "it to ImageAI.",
        imageai="<3", shim="keras-2", link=f"{_TF}/70394",
    ),
    _Breaker(
        "tensorflow-optimizers", "tensorflow", ">=2.11,<2.16",
        "Its new optimizers do not know what ImageAI says to them. Training a classification model fails (ValueError: "
        "decay is deprecated in the new Keras optimizer); training a detection model runs, silently at ten times the "
        "learning rate that ImageAI sets. Everything else works. Our environments have a hook that "
        "gives ImageAI the optimizers that it means.",
        imageai="<3", shim="legacy-adam", link=f"{_TF}/58831",
    ),
    _Breaker(
        "tensorflow-not-measured", "tensorflow", ">=2.0,<2.4",
        "Nobody measured ImageAI 2.1.6 with it; the oldest TensorFlow that was is 2.4.",
        imageai=">=2.1.6,<3", severity="warning",
    ),
    _Breaker(
        "tensorflow-not-measured", "tensorflow", ">=2.22",
        "Nobody measured ImageAI 2.1.6 with it; the newest TensorFlow that was is 2.21.",
        imageai=">=2.1.6,<3", severity="warning",
    ),
    _Breaker(
        "imageai-tensorflow-1", "imageai", ">=2.1.6,<3",
        "ImageAI 2.1.6 is written for TensorFlow 2; with TensorFlow 1.15 ImageAI 2.1.5 works (Python 3.7, measured).",
        ("imageai==2.1.5",), tensorflow="<2",
    ),
    _Breaker(
        "imageai-too-old", "imageai", "<2.1.6",
        "Its training does not import with TensorFlow 2.1 and newer: ImportError: cannot import name "
        "'convert_all_kernels_in_model' from 'tensorflow.python.keras.utils'. ImageAI 2.1.6 is the one for TensorFlow "
        "2; for TensorFlow 1 there is 1.15 with ImageAI 2.1.5: imageai-env create myproj --tf 1.15.",
        tensorflow=">=2.1", link=f"{_IMAGEAI}/494",
    ),
    # numpy
    _Breaker(
        "numpy-2", "numpy", ">=2",
        "This TensorFlow was compiled for numpy 1, and most of its versions declare no upper bound. import tensorflow "
        "fails: TypeError: Unable to convert function return value to a Python type! The signature was () -> handle "
        "(or: numpy.core.multiarray failed to import).",
        ("numpy<1.24",), tensorflow="<2.18", link=f"{_TF}/102743",
    ),
    _Breaker(
        "numpy-2-matplotlib", "numpy", ">=2",
        "This matplotlib was compiled for numpy 1. It does not import, and neither does ImageAI 2, which uses it: "
        "ImportError: numpy.core.multiarray failed to import.",
        ("numpy<1.24",), beside=("matplotlib", "<3.8.4"),
        link="https://numpy.org/doc/stable/user/troubleshooting-importerror.html",
    ),
    _Breaker(
        "numpy-2-torch", "numpy", ">=2",
        "PyTorch supports numpy 2 from 2.3 on. It imports, and every call of ImageAI then fails: "
        "RuntimeError: Numpy is not available.",
        ("numpy<2",), beside=("torch", "<2.3"), link="https://github.com/pytorch/pytorch/issues/132179",
    ),
    _Breaker(
        "numpy-1.24", "numpy", ">=1.24,<2",
        "numpy 1.24 removed names that it uses. import tensorflow fails: AttributeError: module 'numpy' has "
        "no attribute 'object' (or 'typeDict'). numpy 1.23 works, though it asks for 1.19 (measured).",
        ("numpy<1.24",), tensorflow=">=2.4,<2.7",
    ),
    _Breaker(
        "numpy-1.24", "numpy", ">=1.24,<2",
        _NO_FLOAT,
        ("numpy<1.24",), imageai="<3", tensorflow=">=2.7,<2.18", shim="numpy-float", newest=(3, 11),
    ),
    _Breaker(
        "numpy-1.24", "numpy", ">=1.24",  # this TensorFlow requires 1.26 itself
        _NO_FLOAT, imageai="<3", tensorflow=">=2.18", shim="numpy-float",
    ),
    # matplotlib
    _Breaker(
        "matplotlib-3.6", "matplotlib", ">=3.6",
        "matplotlib 3.6 removed what ImageAI imports. imageai.Classification and imageai.Classification.Custom fail: "
        "ImportError: cannot import name 'deprecated' from 'matplotlib.cbook'. Detection works. (<3.8 is not enough.)",
        ("matplotlib<3.6",), imageai="==2.1.6", shim="matplotlib-deprecated", newest=(3, 10),
    ),
    # protobuf
    _Breaker(
        "protobuf-4", "protobuf", ">=4",
        "This TensorFlow was generated for protobuf 3. import tensorflow fails: TypeError: Descriptors cannot be "
        "created directly. If this call came from a _pb2.py file, your generated code is out of date.",
        ("protobuf<3.20",), tensorflow="<2.12", link=f"{_TF}/56266",
    ),
    # keras (its minor against TensorFlow's: pairs.py)
    _Breaker(
        "keras-3", "keras", ">=3",
        "Keras 3 is another library than the Keras of this TensorFlow. imageai.Detection and keras_resnet fail: "
        "ImportError: cannot import name 'dtensor' from 'tensorflow.experimental' (or another name).",
        ("keras==2.4.3",), tensorflow=">=2.4,<2.6", link=f"{_IMAGEAI}/678",
    ),
    _Breaker(
        "keras-mismatch", "keras", ">=2.5,<3",
        "TensorFlow 2.4 and 2.5 need keras 2.4.3 beside them; newer ones are part of a newer TensorFlow. "
        "imageai.Detection and keras_resnet fail: AttributeError: module 'tensorflow.compat.v2.__internal__' has no "
        "attribute 'dispatch'.",
        ("keras==2.4.3",), tensorflow=">=2.4,<2.6", link=f"{_IMAGEAI}/678",
    ),
    _Breaker(
        "keras-mismatch", "keras", ">=2.4",
        "It needs TensorFlow 2: ImportError: Keras requires TensorFlow 2.2 or higher (or: module "
        "'tensorflow._api.v1.compat.v2' has no attribute '__internal__').",
        ("keras==2.3.1",), tensorflow="<2",
    ),
    _Breaker(
        "keras-nightly", "keras-nightly", _ANY,
        "tf.keras and keras are two code bases in TensorFlow 2.5, and keras-nightly is neither's partner. RetinaNet "
        "fails: TypeError: Layer tf.nn.convolution was passed non-JSON-serializable arguments. TensorFlow works "
        "without keras-nightly, though it asks for it.",
        ("keras==2.4.3",), tensorflow=">=2.5,<2.6", imageai="<3", without="keras", link=f"{_TF}/49179",
    ),
    # h5py
    _Breaker(
        "h5py-3", "h5py", ">=3",
        "h5py 3 returns text where Keras expects bytes. Loading a model fails: AttributeError: 'str' object has no "
        "attribute 'decode' (ImageAI shows it as: exceptions must derive from BaseException).",
        ("h5py<3",), tensorflow="<2.4", link=f"{_TF}/44467",
    ),
)  # fmt: skip


def inspect(subject: Subject) -> list[Finding]:
    """Find the known combinations; where only our hook helps against several, all that it helps against as one."""
    rows = [row for row in BREAKERS if _applies(subject, row)]
    if any(row.shim for row in rows):
        served = _served(subject)
        rows = [row for row in rows if row.shim not in served]
    for_hook = [row for row in rows if row.shim]
    folded = subject.environment is None and sum(not _installable(subject, row) for row in for_hook) > 1
    if not folded:
        return [_finding(subject, row) for row in rows]
    return [_hook_needed(subject, for_hook), *(_finding(subject, row) for row in rows if not row.shim)]


def _served(subject: Subject) -> frozenset[str]:
    """Return the rows of our hook that act here, or that checks name as missing: see ``checks/beside_lock.py``."""
    from imageai_envs.building import hook
    from imageai_envs.environments import additions

    versions = {name: item.version for name, item in subject.winners.items()}
    ours = subject.environment is not None and additions.read(subject.environment.root).hook
    return hook.rows_of(hook.VERSION if ours else subject.version(HOOK) or "", versions)


def _installable(subject: Subject, row: _Breaker) -> bool:
    """Tell whether installing other versions fixes it: there are some, with wheels for this Python."""
    python = subject.facts.version[:2] if subject.facts else (0, 0)
    return bool(row.install) and (row.newest is None or python <= row.newest)


def _hook_needed(subject: Subject, rows: list[_Breaker]) -> Finding:
    from imageai_envs.building import hook

    items = (item for row in rows if (item := _item(subject, row)) is not None)
    beside = ", ".join(dict.fromkeys(f"{item.name} {item.version}" for item in items))
    python = f" on Python {subject.facts.minor}" if subject.facts else ""
    return Finding(
        "hook-needed",
        "error",
        HOOK,
        f"imageai {subject.version('imageai')} is installed beside {beside}{python}, without {HOOK}",
        "It needs our runtime hook there, which comes with an environment of ours. Without the hook: "
        + " ".join(hook.row(row.shim).why for row in rows),
        remedy.fresh(subject),
        link="https://github.com/OlafenwaMoses/ImageAI/issues/758",
    )


def _applies(subject: Subject, row: _Breaker) -> bool:
    if row.distribution == "tensorflow":
        found = subject.has_tensorflow(row.versions)
    else:
        found = subject.has(row.distribution, row.versions)
    return (
        found
        and (row.tensorflow is None or subject.has_tensorflow(row.tensorflow))
        and (row.imageai is None or subject.has("imageai", row.imageai))
        and (row.beside is None or subject.has(*row.beside))
        and not (row.without and subject.has(row.without))
    )


def _item(subject: Subject, row: _Breaker) -> Distribution | None:
    return subject.tensorflow if row.distribution == "tensorflow" else subject.winners.get(row.distribution)


def _finding(subject: Subject, row: _Breaker) -> Finding:
    item = _item(subject, row)
    assert item is not None  # noqa: S101 - _applies found it
    others = []
    if row.tensorflow is not None and subject.tensorflow:
        others.append(f"{subject.tensorflow.name} {subject.tensorflow.version}")
    if row.imageai is not None:
        others.append(f"imageai {subject.version('imageai')}")
    if row.beside is not None:
        others.append(f"{row.beside[0]} {subject.version(row.beside[0])}")
    return Finding(
        row.id,
        row.severity,
        item.name,
        f"{item.name} {item.version} is installed beside {' and '.join(others)}",
        row.cause,
        _fix(subject, row),
        item.name,
        link=row.link,
    )


def _fix(subject: Subject, row: _Breaker) -> str:
    if row.shim == "keras-2" and subject.has(HOOK):  # nothing else is missing; its requirement would bring tensorflow
        assert subject.tensorflow is not None  # noqa: S101 - the row is about it
        return remedy.install(subject, "--no-deps", f"tf-keras=={minor_of(subject.tensorflow.version)}.*")
    if not _installable(subject, row):
        return remedy.fresh(subject) if subject.environment is None else remedy.install(subject)
    if row.id == "keras-nightly":  # its files lie in keras' folder, so it goes first; pip would bring it back
        return remedy.reinstall(subject, ("keras-nightly",), "--no-deps", *row.install)
    install = row.install
    if row.distribution == "numpy" and subject.has_tensorflow(">=2.4,<2.7") and within("1.19.5", install[0][5:]):
        install = ("numpy~=1.19.2",)  # what these three ask for themselves
    return remedy.install(subject, *install)
