"""Which CUDA libraries each TensorFlow minor looks for on Linux, where it looks, and which wheel brings them.

Sources. CUDA and cuDNN versions: TensorFlow's table of tested builds (https://www.tensorflow.org/install/source#gpu)
and ``tf.sysconfig.get_build_info()`` of the wheels. Sonames, search path and compute capabilities: the Linux x86_64
wheels of the last patch of each minor, run under the dynamic linker's trace and asked for their build info (2.17 and
newer: only asked, their sonames are those of 2.16 with the major of their cuDNN). Minimum drivers: NVIDIA's minor-
version compatibility (https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html). No kernel
was run on a GPU for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Capability = tuple[int, int]
"""Compute capability of a GPU, such as ``(8, 6)`` (https://developer.nvidia.com/cuda-gpus)."""


@dataclass(frozen=True)
class CudaNeeds:
    """What the Linux wheel of a TensorFlow minor needs to use a GPU.

    Attributes:
        tensorflow: minor, such as ``2.10``.
        cuda: version it was built with, such as ``11.2``; a newer one of the same major serves.
        cudnn: likewise; TensorFlow wants the same major and at least this minor.
        sonames: libraries it opens; one missing, and it uses no GPU at all.
        optional: libraries it does without: TensorRT, the profiler's.
        capabilities: compute capabilities it has machine code for.
        ptx: compute capability of its intermediate code, which the driver compiles for newer GPUs at first use.
        minimum_driver: Linux driver that CUDA's major needs at least.
        finder: how the libraries of NVIDIA's wheels are found. ``links``: not at all by itself, links to them have to
            stand in ``site-packages/tensorflow``; ``rpath``: it searches ``site-packages/nvidia/*/lib`` too.
        xla_flags: XLA finds libdevice and ptxas of NVIDIA's wheel only with
            ``XLA_FLAGS=--xla_gpu_cuda_data_dir=…/nvidia/cuda_nvcc``.
        unsearched: directories of ``site-packages/nvidia`` that its search path lacks although it opens their library.
        nvml: it opens the driver's ``libnvidia-ml.so.1`` too, and lists no GPU without it.
    """

    tensorflow: str
    cuda: str
    cudnn: str
    sonames: tuple[str, ...]
    optional: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    ptx: Capability
    minimum_driver: str
    finder: Literal["links", "rpath"]
    xla_flags: bool
    unsearched: tuple[str, ...] = ()
    nvml: bool = False

    @property
    def cuda_major(self) -> int:
        """Return 11 or 12: what the names of NVIDIA's wheels end in."""
        return int(self.cuda.partition(".")[0])

    @property
    def cudnn_soname(self) -> str:
        """Return the library of cuDNN, whose number is cuDNN's major."""
        return f"libcudnn.so.{self.cudnn.partition('.')[0]}"

    @property
    def wheels(self) -> tuple[str, ...]:
        """Return requirements that bring every library of :attr:`sonames`, ptxas and libdevice.

        ``libcusolver.so.10`` (TensorFlow 2.4) is in no wheel; the wheel of ``libcusolver.so.11`` is named for it, and
        a link of the older name to it is what such an installation needs.
        """
        named = [wheel_of(soname, self.cuda) for soname in self.sonames]
        more = [f"nvidia-cuda-nvrtc-cu{self.cuda_major}", f"nvidia-cuda-nvcc-cu{self.cuda_major}"]
        if self.cuda_major >= 12:
            more.append(f"nvidia-nvjitlink-cu{self.cuda_major}")
        else:
            named.append(wheel_of("libcusolver.so.11", self.cuda))
        return tuple(sorted({name for name in [*named, *more] if name}))

    def serves(self, capability: Capability) -> Literal["native", "compiled"] | None:
        """Say how this TensorFlow's kernels run on such a GPU: see :func:`how_served`."""
        return how_served(capability, self.capabilities, self.ptx)


def how_served(
    capability: Capability, machine_code: Iterable[Capability], ptx: Capability | None
) -> Literal["native", "compiled"] | None:
    """Say how kernels run on such a GPU: at once, compiled at first use by the driver, or not.

    Machine code runs on GPUs of the same major and an equal or higher minor, intermediate code on all newer ones
    (https://docs.nvidia.com/cuda/cuda-c-programming-guide/#binary-compatibility).
    """
    if any(own[0] == capability[0] and own[1] <= capability[1] for own in machine_code):
        return "native"
    return "compiled" if ptx and capability >= ptx else None


def needs_of(tensorflow_version: str) -> CudaNeeds | None:
    """Return the needs of a TensorFlow version, such as ``2.10.1``; None for a minor that is not known here."""
    match = re.match(r"(\d+\.\d+)(?:\D|$)", tensorflow_version)
    return _NEEDS.get(match[1]) if match else None


def wheel_of(soname: str, cuda: str) -> str:
    """Return the requirement whose wheel has a library for that CUDA; empty when no wheel on PyPI has it.

    cuDNN is pinned: 9.x has another soname, and 8.5 to 8.7 for CUDA 11 end the process at the first convolution when
    an unversioned ``libcuda.so`` or ``libnvrtc.so`` is not there.
    """
    major = cuda.partition(".")[0]
    if (soname, major) in _CUDNN:
        return _CUDNN[soname, major]
    name = _WHEELS.get(major, {}).get(soname, "")
    return f"nvidia-{name}-cu{major}" if name else ""


def directory_of(soname: str, cuda: str) -> str:
    """Return the directory of ``site-packages/nvidia`` that the wheel puts a library in; empty when there is none."""
    name = re.split(r"-cu\d", wheel_of(soname, cuda).removeprefix("nvidia-"))[0]
    return name.replace("-", "_")


_WHEELS = {
    "11": {
        "libcudart.so.11.0": "cuda-runtime",
        "libcublas.so.11": "cublas",
        "libcublasLt.so.11": "cublas",
        "libcufft.so.10": "cufft",
        "libcurand.so.10": "curand",
        "libcusolver.so.11": "cusolver",
        "libcusparse.so.11": "cusparse",
        "libnvrtc.so.11.2": "cuda-nvrtc",
        "libcupti.so.11.8": "cuda-cupti",
        "libnccl.so.2": "nccl",
    },
    "12": {
        "libcudart.so.12": "cuda-runtime",
        "libcublas.so.12": "cublas",
        "libcublasLt.so.12": "cublas",
        "libcufft.so.11": "cufft",
        "libcurand.so.10": "curand",
        "libcusolver.so.11": "cusolver",
        "libcusparse.so.12": "cusparse",
        "libnvJitLink.so.12": "nvjitlink",
        "libnvrtc.so.12": "cuda-nvrtc",
        "libcupti.so.12": "cuda-cupti",
        "libnccl.so.2": "nccl",
    },
}
_CUDNN = {
    ("libcudnn.so.8", "11"): "nvidia-cudnn-cu11==8.9.6.50",
    ("libcudnn.so.8", "12"): "nvidia-cudnn-cu12==8.9.7.29",
    ("libcudnn.so.9", "12"): "nvidia-cudnn-cu12==9.3.0.75",
}

# Kepler (3.5) to Turing (7.5); Ampere and later through the intermediate code of 8.0.
_TO_TURING: tuple[Capability, ...] = ((3, 5), (5, 0), (6, 0), (7, 0), (7, 5))

_CUDA_11 = (
    "libcudart.so.11.0", "libcublas.so.11", "libcublasLt.so.11", "libcufft.so.10", "libcurand.so.10",
    "libcusolver.so.11", "libcusparse.so.11", "libcudnn.so.8",
)  # fmt: skip
_CUDA_11_0 = tuple("libcusolver.so.10" if name == "libcusolver.so.11" else name for name in _CUDA_11)
_CUDA_11_NO_CURAND = tuple(name for name in _CUDA_11 if name != "libcurand.so.10")
_CUDA_12 = (
    "libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12", "libcufft.so.11", "libcusolver.so.11",
    "libcusparse.so.12", "libcudnn.so.8",
)  # fmt: skip
_CUDA_12_CUDNN_9 = (*_CUDA_12[:-1], "libcudnn.so.9")

_PASCAL_TO_ADA: tuple[Capability, ...] = ((6, 0), (7, 0), (8, 0), (8, 9))

# https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
_DRIVER_11, _DRIVER_12 = "450.80.02", "525.60.13"


def _eleven(minor: str, cuda: str, cudnn: str, sonames: tuple[str, ...], *optional: str) -> CudaNeeds:
    finder: Literal["links", "rpath"] = "rpath" if minor == "2.14" else "links"
    return CudaNeeds(
        minor, cuda, cudnn, sonames, optional, _TO_TURING, (8, 0), _DRIVER_11, finder, xla_flags=finder == "links"
    )


_NEEDS = {
    needs.tensorflow: needs
    for needs in (
        _eleven("2.4", "11.0", "8.0", _CUDA_11_0, "libcupti.so.11.0"),
        *(_eleven(f"2.{minor}", "11.2", "8.1", _CUDA_11, "libcupti.so.11.2") for minor in (5, 6, 7, 8, 9)),
        *(
            _eleven(
                f"2.{minor}", "11.2", "8.1", _CUDA_11, "libcupti.so.11.2", "libnvinfer.so.7", "libnvinfer_plugin.so.7"
            )
            for minor in (10, 11)
        ),
        *(
            _eleven(
                f"2.{minor}", "11.8", "8.6", _CUDA_11, "libcupti.so.11.8", "libnvinfer.so.8", "libnvinfer_plugin.so.8"
            )
            for minor in (12, 13)
        ),
        _eleven(
            "2.14", "11.8", "8.7", _CUDA_11_NO_CURAND,
            "libcupti.so.11.8", "libnvinfer.so.8", "libnvinfer_plugin.so.8",
        ),
        CudaNeeds(
            "2.15", "12.2", "8.9", _CUDA_12,
            ("libcupti.so.12", "libnvinfer.so.8.6.1", "libnvinfer_plugin.so.8.6.1"),
            ((5, 0), (6, 0), (7, 0), (7, 5)), (8, 0), _DRIVER_12, "rpath", xla_flags=False,
        ),
        CudaNeeds(
            "2.16", "12.3", "8.9", _CUDA_12,
            ("libcupti.so.12", "libnvinfer.so.8.6.1", "libnvinfer_plugin.so.8.6.1"),
            ((5, 0), (6, 0), (7, 0), (8, 0)), (9, 0), _DRIVER_12, "rpath", xla_flags=False,
        ),
        CudaNeeds(
            "2.17", "12.3", "8.9", _CUDA_12,
            ("libcupti.so.12", "libnvinfer.so.8.6.1", "libnvinfer_plugin.so.8.6.1"),
            _PASCAL_TO_ADA, (9, 0), _DRIVER_12, "rpath", xla_flags=False,
        ),
        *(
            CudaNeeds(
                f"2.{minor}", "12.5", "9.3", _CUDA_12_CUDNN_9, ("libcupti.so.12",),
                _PASCAL_TO_ADA, (9, 0), _DRIVER_12, "rpath", xla_flags=False,
                # The RUNPATH of 2.21 lacks this directory; the runtime hook loads its library.
                unsearched=("cusolver",) if minor == 21 else (), nvml=minor == 21,
            )
            for minor in (18, 19, 20, 21)
        ),
    )
}  # fmt: skip
