"""What distributions are to TensorFlow, PyTorch and ImageAI: which ones decide, and which ones only follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.request.framework import TENSORFLOW, TORCH

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from imageai_envs.request.framework import Framework

# Distributions that bring `import tensorflow`; PyPI, and conda's spellings.
TENSORFLOWS = frozenset({
    "tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos", "tensorflow-cpu-aws",
    "tensorflow-aarch64", "tensorflow-rocm", "intel-tensorflow", "intel-tensorflow-avx512", "tf-nightly",
    "tf-nightly-cpu", "tf-nightly-gpu", "tensorflow-base", "tensorflow-mkl", "tensorflow-eigen",
})  # fmt: skip

# They have TensorFlow's version or one that its metadata dictates; a pin of one's own can only be wrong.
FOLLOWERS = frozenset({
    "keras", "keras-nightly", "tf-keras", "tf-keras-nightly", "tensorflow-estimator", "tf-estimator-nightly",
    "tensorboard", "tb-nightly", "tensorboard-data-server", "tensorboard-plugin-wit", "keras-preprocessing",
    "keras-applications", "keras-resnet", "tensorflow-io-gcs-filesystem", "tensorflow-metal",
})  # fmt: skip

# Required by some TensorFlow from 1.15 to 2.21 or its Keras and TensorBoard, and by hardly anything else.
TENSORFLOW_ONLY = FOLLOWERS | {
    "absl-py", "astor", "astunparse", "flatbuffers", "gast", "google-auth-oauthlib", "google-pasta", "libclang",
    "ml-dtypes", "namex", "opt-einsum", "optree", "termcolor", "tensorboard", "requests-oauthlib",
}  # fmt: skip

# `import torch`; the index's own `pytorch` only holds a file that fails and names torch.
PYTORCHES = frozenset({"torch", "pytorch"})
TORCHES = PYTORCHES | {"torchvision", "torchaudio", "pytorch-cuda", "pytorch-mutex"}
# Required by some torch and by hardly anything else, beside the CUDA libraries.
TORCH_ONLY = frozenset({"triton", "pytorch-triton", "mpmath"})
RELEASES = {TENSORFLOW: TENSORFLOWS, TORCH: PYTORCHES}
"""The distributions that hold a release of a framework."""

# Each of them brings a package `cv2` and overwrites the others' files (opencv-python's own README, "Installation").
OPENCVS = frozenset({
    "opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless",
})  # fmt: skip


def opencv_of(names: AbstractSet[str]) -> str:
    """Return the OpenCV distribution among these names; empty when there is none."""
    return next((name for name in sorted(names) if name in OPENCVS), "")


# Part of every environment, or of no index.
NOT_NEEDED = {
    "pip": "every environment has its own pip",
    "pkg-resources": "no such release: Debian's pip lists it by mistake",
    "distribute": "setuptools replaced it in 2013",
}


def followers(framework: Framework) -> frozenset[str]:
    """Return the distributions whose version only the framework decides."""
    return FOLLOWERS if framework is TENSORFLOW else frozenset({"torchvision"})


_CUDA_PREFIXES = ("nvidia-cu", "nvidia-nccl", "nvidia-nv", "nvidia-tensorrt", "tensorrt")
_CUDA = ("cudatoolkit", "cudnn", "cuda-toolkit", "cuda-bindings", "cuda-pathfinder")


def is_cuda(name: str) -> bool:
    """Tell whether a distribution holds libraries of CUDA."""
    return name.startswith(_CUDA_PREFIXES) or name in _CUDA
