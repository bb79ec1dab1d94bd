"""Would PyTorch use the GPU? Driver, device, and NVIDIA's libraries, without which it does not even import.

PyTorch warns at most, and ImageAI 3 computes on the CPU. Linux x86_64 is looked at: the wheels on PyPI for the others
are built for the processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import nvidia, remedy
from imageai_envs.doctor.inspections import gpu
from imageai_envs.doctor.inspections.cuda_libraries import cudnn_aborts
from imageai_envs.doctor.shared_libraries import Libraries, missing, searched
from imageai_envs.installed.torch_cuda import torch_cuda_of
from imageai_envs.request.framework import TORCH, Release

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.doctor.subject import Subject

# torch 1.13 and 2.0 require cuDNN 8.5, exactly; from 2.1 on it is one that does not need this (for CUDA 12).
_LINK = (
    "sudo ln -s libcuda.so.1 /usr/lib/x86_64-linux-gnu/libcuda.so   (WSL: export LD_LIBRARY_PATH=/usr/lib/wsl/lib), or "
    "imageai-env create myproj --torch 2.7 --gpu"
)


def inspect(subject: Subject, sources: nvidia.Sources | None = None) -> list[Finding]:
    """Find what keeps this PyTorch from the GPU; nothing where there is no GPU, unless it was asked for one."""
    facts, torch = subject.facts, subject.winners.get("torch")
    if facts is None or torch is None or not facts.sys_platform.startswith("linux") or facts.machine != "x86_64":
        return []
    if torch.installer == "conda":  # its builds for the processor have the same names and versions
        return []
    sources = sources or nvidia.Sources()
    driver = nvidia.driver(subject.environ, sources)
    answers = driver is not None and bool(driver.version)
    built_in = answers or nvidia.hardware(sources)
    build = str(Release(TORCH, torch.version))
    if torch.version.endswith("+cpu"):
        return [_never(build)] if built_in else []
    libraries = sources.libraries or Libraries(searched(subject.environ))
    absent = _absent(torch.site, libraries)
    if absent:
        return [_broken(subject, build, absent)]
    if not built_in:
        state = subject.environment.state if subject.environment else None
        return [gpu.none_here(build)] if state and state.variant == "gpu" else []
    needs = torch_cuda_of(torch.version)
    findings = gpu.driver_findings(driver, build, needs, built_in=built_in)
    if driver is not None and answers:
        if needs:
            findings += gpu.device_findings(driver, build, needs, remedy.with_gpu(TORCH))
        findings += cudnn_aborts(subject, libraries.find, _LINK, driver=True)
        if subject.tensorflow is None:  # said once
            findings += gpu.hidden(subject)
    return findings


def _absent(site: Path, libraries: Libraries) -> list[str]:
    """Return NVIDIA's libraries that torch is linked with and that are not found, the driver's own aside."""
    bundled = [*site.glob("*/lib"), *site.glob("nvidia/*/lib")]  # torch's own, cusparselt's, all others
    names = missing([site / "torch" / "lib" / "libtorch_cuda.so"], bundled, libraries)
    return [name for name in names if name.startswith(("libcu", "libnv", "libnccl")) and name != "libcuda.so.1"]


def _broken(subject: Subject, build: str, absent: list[str]) -> Finding:
    return Finding(
        "cuda-library-missing",
        "error",
        "torch",
        f"{build} is linked with {', '.join(absent)}, which {'are' if len(absent) > 1 else 'is'} not here",
        "One of NVIDIA's wheels is gone or damaged. import torch fails, on the CPU too: 'cannot open shared object "
        "file'.",
        remedy.install(subject, "--force-reinstall", f"torch=={subject.winners['torch'].version}"),
        "torch",
        link="https://pypi.org/project/torch/",
    )


def _never(build: str) -> Finding:
    return Finding(
        "gpu-unused",
        "note",
        "torch",
        f"a GPU of NVIDIA is here, and {build} never uses one",
        "It is built for the CPU.",
        remedy.with_gpu(TORCH),
        link="https://pytorch.org/get-started/locally/",
    )
