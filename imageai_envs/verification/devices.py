"""Environment variables that tell a probe about GPUs: it sees none, or takes memory only as needed."""

from __future__ import annotations

import os
from pathlib import Path

# So much keep today's drivers by themselves, those of CUDA 11 a quarter; of a full cache they drop the oldest kernels:
# https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html
# TensorFlow 2.10's kernels for one network take 19 to 68 MB (measured on an H100).
_CACHE_BYTES = 1 << 30
# NVIDIA's libraries then compute in float32 throughout, whatever a framework allows:
# https://developer.nvidia.com/blog/accelerating-ai-training-with-tf32-tensor-cores/
WITHOUT_TF32 = {"NVIDIA_TF32_OVERRIDE": "0"}


def device_variables(variant: str) -> dict[str, str]:
    """Return the environment variables for a probe of ``variant``.

    ``cpu`` hides GPUs. ``gpu`` lets TensorFlow take memory as it needs it, so that it runs beside other programs
    (PyTorch always does), and has the driver keep the kernels that it compiles where the user's first start looks: the
    probe's own home goes away. The user's choices about that cache stay, ``CUDA_CACHE_DISABLE`` too.
    """
    if variant == "cpu":
        return {"CUDA_VISIBLE_DEVICES": "-1"}
    # https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth; it overrules what a program asks for.
    return {"TF_FORCE_GPU_ALLOW_GROWTH": "true", **_kernel_cache()}


def _kernel_cache() -> dict[str, str]:
    """Return where the driver keeps kernels without us; on Windows that does not depend on what probes change."""
    place = os.environ.get("CUDA_CACHE_PATH") or os.path.expanduser("~/.nv/ComputeCache")  # noqa: PTH111 - never raises
    if os.name != "posix" or place.startswith("~"):
        return {}
    return {
        "CUDA_CACHE_PATH": str(Path(place).absolute()),  # the probe runs elsewhere
        "CUDA_CACHE_MAXSIZE": os.environ.get("CUDA_CACHE_MAXSIZE") or str(_CACHE_BYTES),
    }
