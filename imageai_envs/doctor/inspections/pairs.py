"""Distributions whose versions must match: keras and TensorFlow, torchvision and torch, each and the Python."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.doctor.subject import release
from imageai_envs.request.stack import PIPELINE

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Facts, Subject
    from imageai_envs.installed.distributions import Distribution

# What was seen when keras is newer than its TensorFlow (docs/compatibility.md and forced on TensorFlow 2.10).
_NEWER_KERAS = {
    "2.11": "AttributeError: module 'tensorflow.compat.v2.__internal__' has no attribute "
    "'register_load_context_function'",
    "2.12": "ImportError: cannot import name 'type_spec_registry' from 'tensorflow.python.framework'",
    "2.15": "SymbolAlreadyExposedError: Symbol Zeros is already exposed as (), or ImportError: cannot import name "
    "'dtensor' from 'tensorflow.compat.v2.experimental'",
}
_OLDER_KERAS = "ModuleNotFoundError: No module named 'tensorflow.keras', or 'Keras requires TensorFlow 2.2 or higher'"
_TENSORFLOW = (2, 6), (2, 16)  # minors that require the keras of their own number
_NEWEST = (3, 13)  # with which ImageAI 3 was run
_TORCH_IMPORT = "https://github.com/pytorch/pytorch/issues/122494"


def inspect(subject: Subject) -> list[Finding]:
    """Find what does not fit its partner, and partners that are not there."""
    findings = [*_keras(subject), *_tf_keras(subject), *_torchvision(subject), *_backend(subject)]
    if subject.facts:
        findings += [*_builds(subject, subject.facts), *_python(subject, subject.facts)]
    return findings


def _minor(item: Distribution | None) -> tuple[int, int] | None:
    parsed = release(item.version) if item else None
    return (parsed.major, parsed.minor) if parsed else None


def _keras(subject: Subject) -> list[Finding]:
    keras, tensorflow = subject.winners.get("keras"), subject.tensorflow
    have, wanted = _minor(keras), _minor(tensorflow)
    if keras is None or tensorflow is None or have is None or wanted is None or have == wanted:
        return []
    if not _TENSORFLOW[0] <= wanted < _TENSORFLOW[1]:
        return []
    number = f"{wanted[0]}.{wanted[1]}"
    if have >= (3, 0):
        id_, severity = "keras-3", "error"
        cause = (
            f"Keras 3 is another library than the Keras of TensorFlow {number}: import keras, import keras_resnet and "
            "imageai.Detection fail, as: ModuleNotFoundError: No module named 'tensorflow.keras'."
        )
    elif have > wanted:
        id_, severity = "keras-mismatch", "error"
        text = _NEWER_KERAS.get(f"{have[0]}.{have[1]}", _NEWER_KERAS["2.12"])
        cause = (
            f"TensorFlow {number} is made with keras {number}; a newer one uses what it does not have yet. import "
            f"keras and imageai.Detection fail, as: {text}."
        )
    elif have < (2, 6):
        id_, severity = "keras-mismatch", "error"
        cause = f"This keras is from before keras was TensorFlow's own. import tensorflow.keras fails: {_OLDER_KERAS}."
    else:
        id_, severity = "keras-mismatch", "warning"
        cause = f"TensorFlow {number} is made with the keras of its own number. An older one may import and still fail."
    return [
        Finding(
            id_, severity, "keras",
            f"keras {keras.version} is installed beside {tensorflow.name} {tensorflow.version}",
            cause,
            remedy.install(subject, f"keras=={number}.*"),
            "keras",
            link="https://github.com/OlafenwaMoses/ImageAI/issues/461",
        )
    ]  # fmt: skip


def _tf_keras(subject: Subject) -> list[Finding]:
    """Find a tf-keras of another minor than TensorFlow's; TensorFlow's minors before 2.16 do not use it."""
    tf_keras, tensorflow = subject.winners.get("tf-keras"), subject.tensorflow
    if tf_keras is None or tensorflow is None or not subject.has_tensorflow(">=2.16"):
        return []
    have, wanted = _minor(tf_keras), _minor(tensorflow)
    if have is None or wanted is None or have == wanted:
        return []
    if have > wanted:
        severity = "error"
        cause = (
            "A newer one is made for a newer protobuf and does not import (2.21.0 beside TensorFlow 2.19.1): "
            "google.protobuf.runtime_version.VersionError: Detected incompatible Protobuf Gencode/Runtime versions."
        )
    else:
        severity, cause = "warning", "An older one may work (2.16.0 beside TensorFlow 2.19.1 trains)."
    return [
        Finding(
            "tf-keras-mismatch", severity, "tf-keras",
            f"tf-keras {tf_keras.version} is installed beside {tensorflow.name} {tensorflow.version}",
            f"tf-keras is the Keras 2 of the TensorFlow of its own minor. {cause}",
            remedy.install(subject, "--no-deps", f"tf-keras=={wanted[0]}.{wanted[1]}.*"),
            "tf-keras",
            link="https://github.com/tensorflow/tensorflow/releases/tag/v2.16.1",
        )
    ]  # fmt: skip


def torchvision_for(torch: tuple[int, int]) -> tuple[int, int] | None:
    """Return the torchvision minor of a torch minor; None where the numbers do not go together, or are not known.

    1.12 and 0.13, 2.0 and 0.15, 2.1 and 0.16, …: https://github.com/pytorch/vision#installation. From 0.29.1 on it is
    not compiled for one torch any more, and requires torch>=2.14; with 2.15.0 it was run.
    """
    major, minor = torch
    if major == 1:
        return (0, minor + 1) if minor >= 4 else None
    return (0, min(minor, 14) + 15) if major == 2 and minor <= 15 else None


def _torchvision(subject: Subject) -> list[Finding]:
    torch, vision = subject.winners.get("torch"), subject.winners.get("torchvision")
    have, torch_minor = _minor(vision), _minor(torch)
    if torch is None or vision is None or have is None or torch_minor is None:
        return []
    wanted = torchvision_for(torch_minor)
    both = f"torchvision {vision.version} is installed beside torch {torch.version}"
    if wanted and have != wanted:
        return [
            Finding(
                "torchvision-mismatch", "error", "torchvision",
                f"{both}, whose torchvision is {wanted[0]}.{wanted[1]}",
                "torchvision is compiled for one torch. import torchvision fails (RuntimeError: operator "
                "torchvision::nms does not exist), and ImageAI 3 says: Dependency error!!! PyTorch and TorchVision "
                "are not installed.",
                remedy.install(subject, *_origin(torch.version), f"torchvision=={wanted[0]}.{wanted[1]}.*"),
                "torchvision",
                link="https://github.com/pytorch/vision#installation",
            )
        ]  # fmt: skip
    return _flavours(subject, both, torch.version, vision.version)


def _origin(torch: str) -> tuple[str, ...]:
    """Return where PyTorch's builds such as ``+cpu`` are: the index's torchvision would replace torch by its own."""
    local = getattr(release(torch), "local", None)
    known = bool(local) and re.fullmatch(r"cpu|cu\d+", str(local))
    return ("--index-url", f"https://download.pytorch.org/whl/{local}", f"torch=={torch}") if known else ()


def _flavours(subject: Subject, both: str, torch: str, vision: str) -> list[Finding]:
    """Compare the builds: on Linux x86_64 the index's own wheels are for CUDA, those with +cpu are not."""
    facts = subject.facts
    if facts is None or not facts.sys_platform.startswith("linux") or facts.machine != "x86_64":
        return []
    builds = [getattr(release(version), "local", None) for version in (torch, vision)]
    if (builds[0] == "cpu") == (builds[1] == "cpu") or subject.kind == "conda":
        return []
    return [
        Finding(
            "torchvision-build", "error", "torchvision",
            f"{both}: one is built for the processor, the other for CUDA",
            "import torchvision fails: RuntimeError: operator torchvision::nms does not exist. ImageAI 3 hides it "
            "behind: Dependency error!!! PyTorch and TorchVision are not installed.",
            remedy.install(subject, "--index-url", "https://download.pytorch.org/whl/cpu", "--force-reinstall",
                           f"torch=={torch.partition('+')[0]}", f"torchvision=={vision.partition('+')[0]}"),
            "torchvision",
            link=_TORCH_IMPORT,
        )
    ]  # fmt: skip


def _backend(subject: Subject) -> list[Finding]:
    """Find an ImageAI without what it computes with."""
    imageai = subject.winners.get("imageai")
    have = _minor(imageai)
    if imageai is None or have is None:
        return []
    words = f"imageai {imageai.version} is installed, and no"
    if have[0] < 3 and subject.tensorflow is None:
        if subject.facts and subject.facts.modules.get("tensorflow"):
            return []  # it imports from somewhere: module-without-distribution
        return [
            Finding(
                "tensorflow-missing", "error", "tensorflow",
                f"{words} TensorFlow",
                "ImageAI 2 runs on TensorFlow and does not declare it, so pip does not bring it. import "
                "imageai.Detection fails: ModuleNotFoundError: No module named 'tensorflow'.",
                _with_tensorflow(subject),
                link="https://github.com/OlafenwaMoses/ImageAI/issues/533",
            )
        ]  # fmt: skip
    missing = [name for name in ("torch", "torchvision") if not subject.has(name)]
    if have[0] >= 3 and missing and (subject.tensorflow is None or subject.has("torch")):
        return [
            Finding(
                "torch-missing", "error", missing[0],
                f"{words} {' and no '.join(missing)}",
                "ImageAI 3 runs on PyTorch, and its metadata declares nothing, so pip does not bring it: RuntimeError: "
                "Dependency error!!! PyTorch and TorchVision are not installed. For TensorFlow and .h5 models, take "
                "ImageAI 2.1.6: imageai-env create myproj --tf 2.10.",
                _with_torch(subject),
                missing[0],
            )
        ]  # fmt: skip
    return []


def _with_torch(subject: Subject) -> str:
    """Return how PyTorch comes here: the pair that was measured where it has wheels, the torchvision of a torch."""
    facts, torch = subject.facts, _minor(subject.winners.get("torch"))
    vision = torchvision_for(torch) if torch else None
    if vision:
        found = subject.winners["torch"].version
        return remedy.install(subject, *_origin(found), f"torchvision=={vision[0]}.{vision[1]}.*")
    if facts is None or not (3, 7) <= facts.version[:2] <= _NEWEST:
        return remedy.fresh(subject) if subject.environment is None else remedy.install(subject)
    if facts.version[:2] > (3, 10):
        return remedy.install(subject, "torch==2.15.0", "torchvision==0.29.2", "numpy<2.4")
    return remedy.install(subject, "torch==1.12.1", "torchvision==0.13.1", "numpy<2")


def _with_tensorflow(subject: Subject) -> str:
    """Return how TensorFlow comes here: no TensorFlow for ImageAI 2 has wheels for every Python."""
    facts = subject.facts
    if subject.environment or subject.kind == "global" or not facts or not (3, 7) <= facts.version[:2] <= (3, 10):
        return remedy.fresh(subject)
    if subject.has("imageai", "<2.1.6"):  # TensorFlow 1, keras and more of its time
        return remedy.fresh(subject)
    return remedy.install(subject, "tensorflow-cpu==2.10.1", "numpy<1.24", "matplotlib<3.6")


def _builds(subject: Subject, facts: Facts) -> list[Finding]:
    """Find wheels of another Python, as copied site-packages and PYTHONPATH bring them."""
    wrong: list[tuple[Distribution, str]] = []
    own = f"cp{facts.version[0]}{facts.version[1]}"
    for name in sorted(PIPELINE & subject.winners.keys()):
        item = subject.winners[name]
        tags = [tag.split("-") for tag in item.tags]
        abis = {tag[1] for tag in tags if len(tag) == 3}
        if abis and not abis & {"none", "abi3"} and not any(abi.startswith(own) for abi in abis):
            wrong.append((item, min(abis)))
    if not wrong or facts.implementation != "CPython":
        return []
    shown = ", ".join(f"{item.name} {item.version} ({abi})" for item, abi in wrong[:4])
    return [
        Finding(
            "other-python", "error", wrong[0][0].name,
            f"this is Python {facts.minor} ({own}), and these are compiled for another one: {shown}",
            "The directory was copied from an environment of another Python, or PYTHONPATH leads to one. Compiled "
            "modules do not load: ImportError, 'No module named numpy.core._multiarray_umath' and the like.",
            remedy.fresh(subject),
        )
    ]  # fmt: skip


def _python(subject: Subject, facts: Facts) -> list[Finding]:
    """Say which Pythons no template serves, and why."""
    if facts.implementation == "CPython" and facts.bits == 64 and (3, 6) <= facts.version[:2] <= _NEWEST:
        return []
    used = subject.tensorflow is not None or subject.has("imageai", "<3")
    served, what = "3.6 to 3.13", f"Python {facts.minor}"
    if facts.implementation != "CPython" or facts.bits != 64:
        what = f"{facts.implementation} {facts.minor}, {facts.bits} bits"
        cause = "Wheels of TensorFlow and PyTorch are for 64-bit CPython: pip answers 'No matching distribution found'."
    elif facts.version[:2] < (3, 6):
        cause = "It is older than what ImageAI and today's packaging tools work with; no template serves it."
    elif subject.has("imageai", ">=3") and not subject.tensorflow:
        served = "3.7 to 3.13"
        cause = f"ImageAI 3 was run with Python {served}. create finds or fetches a Python that fits."
    else:
        cause = (
            "TensorFlow 2.21, the newest that ImageAI 2.1.6 was run with, has wheels up to Python 3.13 (pip answers "
            "'No matching distribution found'). create finds or fetches a Python that fits."
        )
    return [
        Finding(
            "python-unsupported",
            "warning" if used or facts.version[:2] < (3, 6) else "note",
            str(subject.executable),
            f"it is {what}; templates serve 64-bit CPython {served}",
            cause,
            remedy.fresh(subject),
            link="https://github.com/OlafenwaMoses/ImageAI/issues/758",
        )
    ]
