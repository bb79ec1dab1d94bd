"""The software around ImageAI by its names: which distributions bring what, which decide, and which only follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.request.framework import TENSORFLOW, TORCH

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from imageai_envs.request.framework import Framework

HOOK = "imageai-envs-hook"
"""The distribution that is our runtime hook."""

TENSORFLOWS = (
    "tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos", "tensorflow-cpu-aws",
    "tensorflow-aarch64", "tensorflow-rocm", "intel-tensorflow", "intel-tensorflow-avx512", "tf-nightly",
    "tf-nightly-cpu", "tf-nightly-gpu",
)  # fmt: skip
"""Distributions that bring a package ``tensorflow``; on some platforms the first is an empty shell over another."""

KERASES = ("keras", "keras-nightly")

OPENCVS = (
    "opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless",
)  # fmt: skip
"""Four distributions of one package, cv2: each overwrites the others' files.
https://github.com/opencv/opencv-python#installation-and-usage says to install just one of them."""

PYTORCHES = frozenset({"torch", "pytorch"})
"""``import torch``; the index's own ``pytorch`` only holds a file that fails and names torch."""

TORCHES = PYTORCHES | {"torchvision", "torchaudio", "pytorch-cuda", "pytorch-mutex"}

CONDA_NAMES = {
    "opencv": "opencv-python",
    "py-opencv": "opencv-python",
    "libopencv": "opencv-python",
    "pytorch": "torch",
    "matplotlib-base": "matplotlib",
    "numpy-base": "numpy",
    "tensorflow-base": "tensorflow",
    "tensorflow-mkl": "tensorflow",
    "tensorflow-eigen": "tensorflow",
}
"""conda's names for what the index has under another; opencv: conda-forge's feedstock "opencv"."""

MODULES = {
    "tensorflow": TENSORFLOWS,
    "keras": KERASES,
    "imageai": ("imageai",),
    "numpy": ("numpy",),
    "cv2": OPENCVS,
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "matplotlib": ("matplotlib",),
    "PIL": ("pillow", "pillow-simd"),
    "h5py": ("h5py",),
    "scipy": ("scipy",),
    "keras_resnet": ("keras-resnet",),
}
"""Top-level module to the distributions that bring it."""

PIPELINE = frozenset({*(name for names in MODULES.values() for name in names), "protobuf", "tensorflow-estimator"})
"""Distributions whose version decides whether ImageAI runs."""

PURPOSE = ("tensorflow", "keras", "imageai", "torch")
"""Modules whose presence says that someone means to run TensorFlow or ImageAI here."""

IMAGEAI_NEEDS = {
    2: ("numpy", "scipy", "pillow", "matplotlib", "h5py", "keras", "keras-resnet", "opencv-python"),
    3: ("numpy", "scipy", "pillow", "opencv-python", "tqdm"),
}
"""What ImageAI of a major version imports, whatever its metadata says: 2.1.6 pins versions of 2020 that only TensorFlow
2.4 can take, 3.0.3 declares nothing at all (measured; docs/compatibility.md). PyTorch and TensorFlow are not named."""

FOLLOWERS = frozenset({
    "keras", "keras-nightly", "tf-keras", "tf-keras-nightly", "tensorflow-estimator", "tf-estimator-nightly",
    "tensorboard", "tb-nightly", "tensorboard-data-server", "tensorboard-plugin-wit", "keras-preprocessing",
    "keras-applications", "keras-resnet", "tensorflow-io-gcs-filesystem", "tensorflow-metal",
})  # fmt: skip
"""They have TensorFlow's version or one that its metadata dictates; a pin of one's own can only be wrong."""

TENSORFLOW_ONLY = FOLLOWERS | {
    "absl-py", "astor", "astunparse", "flatbuffers", "gast", "google-auth-oauthlib", "google-pasta", "libclang",
    "ml-dtypes", "namex", "opt-einsum", "optree", "termcolor", "tensorboard", "requests-oauthlib",
}  # fmt: skip
"""Required by some TensorFlow from 1.15 to 2.21 or its Keras and TensorBoard, and by hardly anything else."""

TORCH_ONLY = frozenset({"triton", "pytorch-triton", "mpmath"})
"""Required by some torch and by hardly anything else, beside the CUDA libraries."""

RELEASES = {
    TENSORFLOW: frozenset({*TENSORFLOWS, *(name for name, real in CONDA_NAMES.items() if real == "tensorflow")}),
    TORCH: PYTORCHES,
}
"""The distributions that hold a release of a framework, conda's spellings too."""

_CUDA_PREFIXES = ("nvidia-cu", "nvidia-nccl", "nvidia-nv", "nvidia-tensorrt", "tensorrt")
_CUDA = ("cudatoolkit", "cudnn", "cuda-toolkit", "cuda-bindings", "cuda-pathfinder")


def opencv_of(names: AbstractSet[str]) -> str:
    """Return the OpenCV distribution among these names; empty when there is none."""
    return next((name for name in sorted(names) if name in OPENCVS), "")


def followers(framework: Framework) -> frozenset[str]:
    """Return the distributions whose version the framework determines."""
    return FOLLOWERS if framework is TENSORFLOW else frozenset({"torchvision"})


def is_cuda(name: str) -> bool:
    """Tell whether a distribution holds libraries of CUDA."""
    return name.startswith(_CUDA_PREFIXES) or name in _CUDA
