"""Whether a driver and GPUs serve a build of TensorFlow or PyTorch: what both tables have in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Protocol

from imageai_envs.installed.cuda_needs import needs_of
from imageai_envs.installed.torch_cuda import torch_cuda_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imageai_envs.installed.cuda_needs import Capability


class CudaBuild(Protocol):
    """What the Linux wheel of a framework was built with; the attributes are those of ``CudaNeeds``."""

    @property
    def cuda(self) -> str:
        """Version of CUDA."""

    @property
    def minimum_driver(self) -> str:
        """Linux driver that it needs at least."""

    @property
    def capabilities(self) -> tuple[Capability, ...]:
        """Compute capabilities that it has machine code for."""

    @property
    def ptx(self) -> Capability | None:
        """Compute capability of its intermediate code, None without one."""

    def serves(self, capability: Capability) -> Literal["native", "compiled"] | None:
        """Say how its kernels run on such a GPU."""


def build_of(framework: str, version: str) -> CudaBuild | None:
    """Return what is known of a release of ``tensorflow`` or ``torch``; None for one that is not known here."""
    return torch_cuda_of(version) if framework == "torch" else needs_of(version)


def is_older(driver: str, build: CudaBuild) -> bool:
    """Tell whether a driver is older than the CUDA of ``build`` needs."""
    return _numbers(driver) < _numbers(build.minimum_driver)


def obstacle(build: CudaBuild, driver: str, gpus: Sequence[Capability]) -> str:
    """Say why a driver and GPUs do not serve a build; empty when they do: one of several GPUs is enough."""
    if is_older(driver, build):
        return f"its CUDA {build.cuda} needs NVIDIA's driver {build.minimum_driver} or newer, and {driver} is here"
    if gpus and not any(build.serves(gpu) for gpu in gpus):
        return f"it has no code for compute capability {', '.join(f'{major}.{minor}' for major, minor in gpus)}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
