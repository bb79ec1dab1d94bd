"""Would TensorFlow use the GPU? Driver, device, and the libraries that this TensorFlow opens.

TensorFlow says nothing when it does not: it computes on the CPU. Linux is looked at; what is known of Windows and
macOS is told from :mod:`imageai_envs.doctor.inspections.gpu_elsewhere`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import nvidia, remedy
from imageai_envs.doctor.inspections import gpu_elsewhere
from imageai_envs.doctor.inspections.cuda_libraries import TOOLKITS, inspect_libraries, installed_wheels, places
from imageai_envs.installed.cuda_builds import build_of, is_older
from imageai_envs.installed.cuda_needs import needs_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imageai_envs.doctor.nvidia import Driver
    from imageai_envs.doctor.subject import Subject
    from imageai_envs.installed.cuda_builds import CudaBuild
    from imageai_envs.installed.cuda_needs import CudaNeeds
    from imageai_envs.installed.distributions import Distribution
    from imageai_envs.request.framework import Release

_GPU_BUILDS = ("tensorflow", "tensorflow-gpu")
_CPU_BUILDS = ("tensorflow-cpu", "tensorflow-intel", "tensorflow-cpu-aws")
_DRIVERS = "https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html"
_TOO_OLD = {
    "TensorFlow": "CUDA driver version is insufficient for CUDA runtime version",
    "PyTorch": "The NVIDIA driver on your system is too old",
}
_CAPABILITIES = "https://developer.nvidia.com/cuda-gpus"


def inspect(subject: Subject, sources: nvidia.Sources | None = None, toolkits: Path = TOOLKITS) -> list[Finding]:
    """Find what keeps this TensorFlow from the GPU; nothing where there is neither a GPU nor CUDA libraries."""
    facts, tensorflow = subject.facts, subject.tensorflow
    if facts is None or tensorflow is None:
        return []
    if not facts.sys_platform.startswith("linux"):
        return gpu_elsewhere.inspect(subject, facts, tensorflow)
    sources = sources or nvidia.Sources()
    driver = nvidia.driver(subject.environ, sources)
    answers = driver is not None and bool(driver.version)
    built_in = answers or nvidia.hardware(sources)
    if tensorflow.name in _CPU_BUILDS or facts.machine != "x86_64":
        return [_never(subject, tensorflow)] if built_in and tensorflow.name in _CPU_BUILDS else []
    if tensorflow.name not in _GPU_BUILDS or tensorflow.installer == "conda":  # conda brings and links its own CUDA
        return []
    needs = needs_of(tensorflow.version)
    build = f"TensorFlow {tensorflow.version}"
    findings = driver_findings(driver, build, needs, built_in=built_in)
    if not built_in and not installed_wheels(subject):
        return findings
    if needs:
        where = places(subject, tensorflow, needs, libraries=sources.libraries, toolkits=toolkits)
        if driver is not None and answers:
            findings += device_findings(driver, build, needs, remedy.fresh(subject, gpu=True))
            findings += _management(subject, build, needs, sources)
        findings += inspect_libraries(subject, tensorflow, needs, where, driver=answers)
    if answers:
        findings += hidden(subject)
    elif not built_in:
        findings.append(none_here(build))
    return findings


def before_install(
    release: Release, environ: Mapping[str, str], sources: nvidia.Sources | None = None
) -> list[Finding]:
    """Find what will keep a release from a GPU of this machine; nothing of it is installed yet."""
    sources = sources or nvidia.Sources()
    driver = nvidia.driver(environ, sources)
    built_in = bool(driver and driver.version) or nvidia.hardware(sources)
    if not built_in:
        return [none_here(str(release))]
    needs = build_of(release.framework.name, release.version)
    findings = driver_findings(driver, str(release), needs, built_in=built_in)
    if driver is not None and needs:
        findings += device_findings(driver, str(release), needs, remedy.with_gpu(release.framework))
    return findings


def driver_findings(driver: Driver | None, build: str, needs: CudaBuild | None, *, built_in: bool) -> list[Finding]:
    """Find what is wrong with the driver for ``build``, such as "TensorFlow 2.10.1", of which ``needs`` are known."""
    framework = build.partition(" ")[0]
    if driver is not None and driver.mismatch:
        return [
            Finding(
                "driver-mismatch",
                "warning",
                driver.source,
                "NVIDIA's library and its kernel module are of different versions",
                f"The driver was updated, and the system runs the old module still. {framework} computes on the CPU.",
                "sudo reboot",
                link="https://stackoverflow.com/questions/43022843/nvidia-nvml-driver-library-version-mismatch",
            )
        ]
    if driver is None or not driver.version:
        return [_driver_missing(build)] if built_in else []
    if needs and is_older(driver.version, needs):
        return [
            Finding(
                "driver-too-old",
                "warning",
                driver.source,
                f"NVIDIA's driver is {driver.version}; CUDA {needs.cuda} of {build} needs "
                f"{needs.minimum_driver} or newer",
                f"The driver of the system decides which CUDA can run. {framework} computes on the CPU: "
                f"'{_TOO_OLD[framework]}'.",
                "install a newer driver   (Ubuntu: sudo ubuntu-drivers install)",
                link=_DRIVERS,
            )
        ]
    return []


def _driver_missing(build: str) -> Finding:
    return Finding(
        "driver-missing",
        "warning",
        build,
        "a GPU of NVIDIA is built in, and no driver answers",
        "The driver is not installed, not loaded (after a kernel update; Secure Boot), or this is a container that was "
        f"started without the GPU. {build.partition(' ')[0]} computes on the CPU.",
        "sudo ubuntu-drivers install   (or the like); a container: docker run --gpus all …",
        link="https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/",
    )


def _management(subject: Subject, build: str, needs: CudaNeeds, sources: nvidia.Sources) -> list[Finding]:
    """Find that the driver's management library is missing where this TensorFlow lists no GPU without it."""
    if not needs.nvml or nvidia.libraries(subject.environ, sources).find(nvidia.LIBRARY) is not None:
        return []
    return [
        Finding(
            "nvml-missing",
            "warning",
            build,
            f"the driver is here, but not its {nvidia.LIBRARY}, which {build} opens before it looks for a GPU",
            "A container gets that library only with the driver's capability utility. TensorFlow lists no GPU, says "
            "nothing, and computes on the CPU. TensorFlow 2.20 and older do without it.",
            "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility …",
            link="https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html",
        )
    ]


def device_findings(driver: Driver, build: str, needs: CudaBuild, fresh: str) -> list[Finding]:
    """Find GPUs that ``build`` has no code for, or no machine code."""
    findings = []
    framework = build.partition(" ")[0]
    newer = f" and newer than {needs.ptx[0]}.{needs.ptx[1]}" if needs.ptx else ""
    for gpu in driver.gpus:
        if gpu.capability is None:
            continue
        text = f"{gpu.capability[0]}.{gpu.capability[1]}"
        how = needs.serves(gpu.capability)
        if how is None:
            findings.append(
                Finding(
                    "gpu-unsupported",
                    "warning",
                    gpu.name,
                    f"{gpu.name} has compute capability {text}; {build} has code for "
                    f"{', '.join(f'{major}.{minor}' for major, minor in needs.capabilities)}{newer}",
                    "The published wheels leave out GPUs that were old then, and PyTorch's newer ones as well. "
                    f"{framework} ignores the GPU, or fails with 'no kernel image is available for execution on the "
                    "device'.",
                    f"{fresh}   (older releases serve older GPUs), or compute on the CPU",
                    link=_CAPABILITIES,
                )
            )
        elif how == "compiled":
            findings.append(
                Finding(
                    "gpu-compiles-first",
                    "note",
                    gpu.name,
                    f"{gpu.name} has compute capability {text}, for which {build} has no "
                    "machine code: the driver compiles it at first use",
                    f"The GPU is newer than this {framework}. The first start takes longer (TensorFlow 2.10 on an "
                    "H100: 36 to 67 s); the result is kept in ~/.nv/ComputeCache if that is large enough. GPUs newer "
                    f"than CUDA {needs.cuda} may not work with its libraries.",
                    "export CUDA_CACHE_MAXSIZE=4294967296",
                    link="https://docs.nvidia.com/cuda/cuda-c-programming-guide/#just-in-time-compilation",
                )
            )
    return findings


def hidden(subject: Subject) -> list[Finding]:
    """Find that the environment variable of CUDA shows no GPU to programs."""
    value = subject.environ.get("CUDA_VISIBLE_DEVICES")
    if value is None or value.strip() not in ("", "-1"):
        return []
    return [
        Finding(
            "gpu-hidden",
            "note",
            "CUDA_VISIBLE_DEVICES",
            f"CUDA_VISIBLE_DEVICES is '{value}': no GPU is shown to programs",
            "It was set in this terminal, a start-up file or by the cluster.",
            "unset CUDA_VISIBLE_DEVICES",
            link="https://docs.nvidia.com/cuda/cuda-c-programming-guide/#cuda-environment-variables",
        )
    ]


def _never(subject: Subject, tensorflow: Distribution) -> Finding:
    return Finding(
        "gpu-unused",
        "note",
        tensorflow.name,
        f"a GPU of NVIDIA is here, and {tensorflow.name} {tensorflow.version} never uses one",
        "It is built for the CPU.",
        remedy.fresh(subject, gpu=True),
        link="https://www.tensorflow.org/install/pip",
    )


def none_here(build: str) -> Finding:
    """Say that there is neither a GPU nor a driver."""
    return Finding(
        "no-gpu",
        "note",
        build,
        "this machine shows neither a GPU of NVIDIA nor its driver",
        f"{build.partition(' ')[0]} computes on the CPU here. In a container it may be that the GPU was not passed in.",
        "docker run --gpus all …   (if the machine has a GPU)",
        link="https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/",
    )
