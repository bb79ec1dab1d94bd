"""What is known of TensorFlow and GPUs on Windows and macOS. From documentation and published files: unproven.

Sources: https://www.tensorflow.org/install/pip (Windows: GPU up to 2.10; then WSL2), the table of tested pairs in
the description of https://pypi.org/project/tensorflow-metal/, and the wheels that each platform has on PyPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.installed.cuda_needs import needs_of

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Facts, Subject
    from imageai_envs.installed.distributions import Distribution

METAL = {
    "2.5": "0.1.2", "2.6": "0.2.0", "2.7": "0.3.0", "2.8": "0.4.0", "2.9": "0.5.0", "2.10": "0.6.0",
    "2.11": "0.7.0", "2.12": "0.8.0", "2.13": "1.0.0", "2.14": "1.1.0", "2.15": "1.1.0", "2.16": "1.1.0",
    "2.17": "1.1.0",
}  # fmt: skip
"""TensorFlow's minor to the release of tensorflow-metal that was tested with it."""


def inspect(subject: Subject, facts: Facts, tensorflow: Distribution) -> list[Finding]:
    """Tell what the platform allows."""
    if facts.sys_platform == "win32":
        return _windows(subject, tensorflow)
    if facts.sys_platform == "darwin" and facts.machine == "arm64":
        return _metal(subject, tensorflow)
    return []


def _windows(subject: Subject, tensorflow: Distribution) -> list[Finding]:
    if subject.has_tensorflow(">=2.11"):
        return [
            Finding(
                "windows-no-gpu",
                "note",
                tensorflow.name,
                f"{tensorflow.name} {tensorflow.version} never uses a GPU on Windows",
                "2.10 was the last TensorFlow with CUDA for Windows itself.",
                f"wsl --install   (then, in Linux: {remedy.fresh(subject, gpu=True)})",
                link="https://www.tensorflow.org/install/pip",
            )
        ]
    needs = needs_of(tensorflow.version)
    if needs is None or tensorflow.name not in ("tensorflow", "tensorflow-gpu"):
        return []
    return [
        Finding(
            "windows-cuda",
            "note",
            tensorflow.name,
            f"{tensorflow.name} {tensorflow.version} uses a GPU if CUDA {needs.cuda} and cuDNN {needs.cudnn} are there",
            "No wheel brings them on Windows; their bin directories have to be on PATH.",
            f"install CUDA {needs.cuda} and cuDNN {needs.cudnn} from NVIDIA",
            link="https://www.tensorflow.org/install/source_windows#gpu",
        )
    ]


def _metal(subject: Subject, tensorflow: Distribution) -> list[Finding]:
    minor = ".".join(tensorflow.version.split(".")[:2])
    wanted, have = METAL.get(minor), subject.version("tensorflow-metal")
    if wanted is None or have == wanted or (have is None and not subject.has_tensorflow(">=2.5")):
        return []
    if have is None:
        return [
            Finding(
                "metal-missing",
                "note",
                tensorflow.name,
                f"{tensorflow.name} {tensorflow.version} uses the GPU of this Mac only together with tensorflow-metal",
                "It is a distribution of its own.",
                remedy.install(subject, f"tensorflow-metal=={wanted}"),
                link="https://pypi.org/project/tensorflow-metal/",
            )
        ]
    return [
        Finding(
            "metal-version",
            "warning",
            "tensorflow-metal",
            f"tensorflow-metal {have} is installed; {wanted} was tested with TensorFlow {minor}",
            "It names no TensorFlow in its requirements, so pip takes the newest. Other pairs fail at 'import "
            "tensorflow' (symbol not found) or compute wrong results.",
            remedy.install(subject, f"tensorflow-metal=={wanted}"),
            "tensorflow-metal",
            link="https://pypi.org/project/tensorflow-metal/",
        )
    ]
