"""Which CUDA the wheels of PyTorch on PyPI bring on Linux x86_64, for which drivers and GPUs.

Sources. CUDA: ``torch/version.py`` of the wheel of the last patch of each minor. Compute capabilities: the list that
``torch.cuda.get_arch_list()`` answers with, read from the wheel's libraries; intermediate code is in none.
Drivers: NVIDIA's minor-version compatibility
(https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html), for CUDA 10.2 its release notes (https://docs.nvidia.com/cuda/archive/10.2/cuda-toolkit-release-notes/).

Nothing is said of the libraries: torch is linked with them, so that ``import torch`` fails without one, and requires
NVIDIA's wheels itself (from 1.13 on).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from imageai_envs.installed.cuda_needs import how_served

if TYPE_CHECKING:
    from imageai_envs.installed.cuda_needs import Capability

_DRIVERS = {"10": "440.33", "11": "450.80.02", "12": "525.60.13", "13": "580"}


@dataclass(frozen=True)
class TorchCuda:
    """What a Linux wheel of PyTorch was built with.

    Attributes:
        cuda: version of CUDA, such as ``12.6``.
        capabilities: compute capabilities it has machine code for; empty: not known.
    """

    cuda: str
    capabilities: tuple[Capability, ...] = ()

    @property
    def ptx(self) -> Capability | None:
        """Return None: no wheel has intermediate code, which a driver could compile for newer GPUs."""
        return None

    @property
    def minimum_driver(self) -> str:
        """Return the Linux driver that CUDA's major needs at least."""
        return _DRIVERS[self.cuda.partition(".")[0]]

    def serves(self, capability: Capability) -> Literal["native", "compiled"] | None:
        """Say how kernels run on such a GPU; where it is not known, as if at once."""
        return how_served(capability, self.capabilities, self.ptx) if self.capabilities else "native"


def torch_cuda_of(version: str) -> TorchCuda | None:
    """Return what a PyTorch such as ``2.15.0`` or ``2.7.1+cu118`` was built with; None for one that is not known."""
    match = re.match(r"(\d+\.\d+)(?:[^+\d][^+]*)?(?:\+(?:cu(\d+)(\d))?.*)?$", version)
    known = _BUILDS.get(match[1]) if match else None
    if match is None or not match[2]:  # as on PyPI, which names none
        return known
    cuda = f"{match[2]}.{match[3]}"
    if known and known.cuda == cuda:
        return known
    return TorchCuda(cuda) if match[2] in _DRIVERS else None  # a build of download.pytorch.org


_MAXWELL_TO_AMPERE: tuple[Capability, ...] = ((5, 0), (6, 0), (7, 0), (7, 5), (8, 0), (8, 6))
_MAXWELL_TO_HOPPER = (*_MAXWELL_TO_AMPERE, (9, 0))
_TURING_TO_BLACKWELL: tuple[Capability, ...] = ((7, 5), (8, 0), (8, 6), (9, 0), (10, 0), (12, 0))

_BUILDS = {
    "1.12": TorchCuda("10.2", ((3, 7), (5, 0), (6, 0), (7, 0))),
    "1.13": TorchCuda("11.7", ((3, 7), *_MAXWELL_TO_AMPERE)),
    "2.0": TorchCuda("11.7", ((3, 7), *_MAXWELL_TO_AMPERE)),
    **{f"2.{minor}": TorchCuda("12.1", _MAXWELL_TO_HOPPER) for minor in (1, 2, 3, 4)},
    **{f"2.{minor}": TorchCuda("12.4", _MAXWELL_TO_HOPPER) for minor in (5, 6)},
    "2.7": TorchCuda("12.6", _MAXWELL_TO_HOPPER),
    **{f"2.{minor}": TorchCuda("12.8", ((7, 0), *_TURING_TO_BLACKWELL)) for minor in (8, 9, 10)},
    **{f"2.{minor}": TorchCuda("13.0", _TURING_TO_BLACKWELL) for minor in (11, 12, 13, 14)},
    "2.15": TorchCuda("13.2", _TURING_TO_BLACKWELL),
}
