"""The NVIDIA driver and its GPUs, asked without ``nvidia-smi``: through NVML, else from ``/proc``.

NVML (``libnvidia-ml.so.1``) is a part of the driver: https://docs.nvidia.com/deploy/nvml-api/. It is asked by a
process of its own, which a driver that hangs or crashes takes with it, not us. Linux only.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.errors import InstallError
from imageai_envs.base.file_reading import read_text
from imageai_envs.base.process import run
from imageai_envs.doctor.shared_libraries import Libraries, searched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imageai_envs.installed.cuda_needs import Capability

LIBRARY = "libnvidia-ml.so.1"
PROC = Path("/proc/driver/nvidia/version")
PCI = Path("/sys/bus/pci/devices")
WSL = Path("/usr/lib/wsl/lib")
"""Where Windows puts the driver's libraries for Linux (https://docs.nvidia.com/cuda/wsl-user-guide/)."""

_TIMEOUT = 10.0
_NVIDIA, _DISPLAYS = "0x10de", ("0x0300", "0x0302")  # PCI vendor; VGA and 3D controllers
# Names and signatures as in nvml.h; strings have 96 bytes at most (NVML_DEVICE_NAME_V2_BUFFER_SIZE).
_ASK = """
import ctypes, json, sys
nvml = ctypes.CDLL(sys.argv[1])
answer = {"init": nvml.nvmlInit_v2(), "driver": "", "devices": []}
if answer["init"] == 0:
    text = ctypes.create_string_buffer(96)
    if nvml.nvmlSystemGetDriverVersion(text, 96) == 0:
        answer["driver"] = text.value.decode("ascii", "replace")
    count = ctypes.c_uint()
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0:
        for index in range(count.value):
            device, major, minor = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int()
            if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)):
                continue
            name = text.value.decode("utf-8", "replace") if nvml.nvmlDeviceGetName(device, text, 96) == 0 else "GPU"
            known = nvml.nvmlDeviceGetCudaComputeCapability(device, ctypes.byref(major), ctypes.byref(minor)) == 0
            answer["devices"].append([name, [major.value, minor.value] if known else None])
    nvml.nvmlShutdown()
print(json.dumps(answer))
"""
# nvmlReturn_t: https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html
_MISMATCH = 18  # NVML_ERROR_LIB_RM_VERSION_MISMATCH


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name and compute capability, None when unknown."""

    name: str
    capability: Capability | None


@dataclass(frozen=True)
class Driver:
    """What is known of the driver.

    Attributes:
        version: such as ``535.54.03``; empty when no driver answers.
        gpus: what NVML lists; empty also when only the version is known.
        source: where it is from, for people.
        mismatch: the library and the kernel's module are of different versions: updated, and not restarted.
    """

    version: str
    gpus: tuple[Gpu, ...]
    source: str
    mismatch: bool = False


@dataclass(frozen=True)
class Sources:
    """Where the facts are read."""

    proc: Path = PROC
    pci: Path = PCI
    libraries: Libraries | None = None


def libraries(environ: Mapping[str, str], sources: Sources) -> Libraries:
    """Return where the driver's libraries are looked for."""
    # WSL's directory stands in no cache, but in the search path that its distributions set up.
    return sources.libraries or Libraries((*searched(environ), WSL))


def driver(environ: Mapping[str, str], sources: Sources) -> Driver | None:
    """Return what is known of the driver; None when there is no sign of one."""
    library = libraries(environ, sources).find(LIBRARY)
    asked = _nvml(library) if library else None
    if asked and asked.version:
        return asked
    version = _from_proc(sources.proc)
    if version:
        return Driver(version, (), str(sources.proc), mismatch=bool(asked and asked.mismatch))
    return asked


def hardware(sources: Sources) -> bool:
    """Tell whether a GPU of NVIDIA is built in, driver or not: from the PCI bus."""
    try:
        devices = list(sources.pci.iterdir())
    except OSError:
        return False
    return any(
        _line(device / "vendor") == _NVIDIA and _line(device / "class").startswith(_DISPLAYS) for device in devices
    )


def _nvml(library: Path) -> Driver | None:
    try:
        done = run([sys.executable, "-I", "-S", "-c", _ASK, library], timeout=_TIMEOUT)
        answer = json.loads(done.stdout)
        gpus = tuple(Gpu(str(name), (known[0], known[1]) if known else None) for name, known in answer["devices"])
        return Driver(str(answer["driver"]), gpus, f"NVML, {library}", mismatch=answer["init"] == _MISMATCH)
    except (InstallError, ValueError, KeyError, TypeError, IndexError):
        return None  # a library that cannot be loaded, is another program's, crashes or hangs


def _from_proc(file: Path) -> str:
    # NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023
    # NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.126.09  Release Build  (…)
    match = re.search(r"Kernel Module\b.*?\s(\d+\.\d+(?:\.\d+)?)\s", _read(file))
    return match[1] if match else ""


def _line(file: Path) -> str:
    return _read(file).strip()


def _read(file: Path) -> str:
    try:
        return read_text(file, errors="replace")
    except OSError:
        return ""
