"""The distributions that a pipeline with ImageAI stands on, and the modules that they bring."""

from __future__ import annotations

from imageai_envs.doctor.subject import TENSORFLOWS

OPENCVS = (
    "opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless",
)  # fmt: skip
"""Four distributions of one package, cv2. https://github.com/opencv/opencv-python#installation-and-usage says to
install just one of them."""

KERASES = ("keras", "keras-nightly")

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
"""Top-level module to the distributions that bring it (those that the probe asks about)."""

PIPELINE = frozenset({*(name for names in MODULES.values() for name in names), "protobuf", "tensorflow-estimator"})
"""Distributions whose version decides whether ImageAI runs."""

PURPOSE = ("tensorflow", "keras", "imageai", "torch")
"""Modules whose presence says that somebody means to run TensorFlow or ImageAI here."""
