"""Are the CUDA libraries there that this TensorFlow opens, where it looks, and in versions that work?

Nothing is loaded: a file of the right name in a place that is searched counts. What each TensorFlow wants, and which
wheel brings it, stands in :mod:`imageai_envs.installed.cuda_needs`.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.doctor.shared_libraries import Libraries, searched
from imageai_envs.installed.cuda_needs import wheel_of
from imageai_envs.request.stack import HOOK

if TYPE_CHECKING:
    from collections.abc import Callable

    from imageai_envs.doctor.subject import Subject
    from imageai_envs.installed.cuda_needs import CudaNeeds
    from imageai_envs.installed.distributions import Distribution

TOOLKITS = Path("/usr/local")
"""Where NVIDIA's installers put toolkits, as ``cuda-11.2`` with a link ``cuda``."""

_CUDNN_ABORTS = {
    "libcuda.so": "https://github.com/TinyLLaVA/TinyLLaVA_Factory/issues/134",
    "libnvrtc.so": "https://github.com/vladmandic/sdnext/issues/539",
}
_LIBDEVICE = "nvvm/libdevice/libdevice.10.bc"


@dataclass(frozen=True)
class Places:
    """Where a TensorFlow looks for CUDA libraries, and where else they may be.

    Attributes:
        own: directories that its search path reaches.
        libraries: what the dynamic linker searches beside.
        unsearched: directories of wheels, toolkits and conda that nothing leads to.
        toolkits: the directory that holds installed CUDA toolkits.
    """

    own: tuple[Path, ...]
    libraries: Libraries
    unsearched: tuple[Path, ...]
    toolkits: Path

    def find(self, soname: str) -> Path | None:
        """Return the file that would be opened."""
        return _in(self.own, soname) or self.libraries.find(soname)

    def lying(self, soname: str) -> Path | None:
        """Return a file of that name in a place that is not searched."""
        return _in(self.unsearched, soname)


def places(
    subject: Subject,
    tensorflow: Distribution,
    needs: CudaNeeds,
    *,
    libraries: Libraries | None = None,
    toolkits: Path = TOOLKITS,
) -> Places:
    """Return the places of a TensorFlow on this system."""
    wheels = tuple(sorted(tensorflow.site.glob("nvidia/*/lib")))
    missed = () if HOOK in subject.winners else needs.unsearched  # the hook loads what lies there
    found = [wheel for wheel in wheels if wheel.parent.name not in missed] if needs.finder == "rpath" else []
    own = (tensorflow.site / "tensorflow", *found)
    conda = (subject.root / "lib",) if subject.root and subject.kind == "conda" else ()
    unsearched = (*wheels, *sorted(toolkits.glob("cuda*/lib64"), reverse=True), *conda)
    return Places(own, libraries or Libraries(searched(subject.environ)), unsearched, toolkits)


def inspect_libraries(
    subject: Subject, tensorflow: Distribution, needs: CudaNeeds, where: Places, *, driver: bool
) -> list[Finding]:
    """Find what is missing, is where nothing looks, or ends the program. Weighs less without a driver."""
    severity = "warning" if driver else "note"
    absent = [soname for soname in needs.sonames if where.find(soname) is None]
    cudnn = _cudnn(subject, needs, where, driver=driver)
    return [
        *cudnn,
        *_other_major(subject, needs, absent, severity),
        *_unsearched(subject, tensorflow, where, absent, severity),
        *_missing(subject, tensorflow, needs, where, absent, severity),
        *_libdevice(subject, tensorflow, needs, where, severity),
    ]


def installed_wheels(subject: Subject) -> dict[str, Distribution]:
    """Return NVIDIA's CUDA wheels among the distributions, by name."""
    return {name: item for name, item in subject.winners.items() if re.fullmatch(r"nvidia-.+-cu\d+", name)}


def _in(directories: tuple[Path, ...], soname: str) -> Path | None:
    found = (directory / soname for directory in directories)
    return next((path for path in found if os.path.exists(path)), None)  # noqa: PTH110 - Path.exists may raise


def _cudnn(subject: Subject, needs: CudaNeeds, where: Places, *, driver: bool) -> list[Finding]:
    """Find releases of cuDNN that have another soname, or that abort the process at the first convolution.

    Measured with nvidia-cudnn-cu11: 8.5 and 8.6 want an unversioned ``libcuda.so``, which only a CUDA toolkit or
    development package brings; 8.7 wants ``libnvrtc.so``; 8.9.4 and 8.9.6 want neither.
    """
    item = subject.winners.get(f"nvidia-cudnn-cu{needs.cuda_major}")
    if item is None:
        return []
    right = wheel_of(needs.cudnn_soname, needs.cuda)
    brought = f"libcudnn.so.{item.version.partition('.')[0]}"
    if brought != needs.cudnn_soname:
        return [
            Finding(
                "cudnn-version",
                "warning" if driver else "note",
                item.name,
                f"{item.name} {item.version} brings {brought}, TensorFlow {needs.tensorflow} opens "
                f"{needs.cudnn_soname}",
                "It came for another TensorFlow, or by a requirement without an upper bound, for which pip takes the "
                "newest. TensorFlow computes on the CPU, with one line in its log.",
                remedy.install(subject, right),
                item.name,
                link="https://docs.nvidia.com/deeplearning/cudnn/backend/latest/release-notes.html",
            )
        ]
    if needs.cuda_major != 11:
        return []
    return cudnn_aborts(subject, where.find, remedy.install(subject, right), driver=driver)


def cudnn_aborts(subject: Subject, find: Callable[[str], Path | None], fix: str, *, driver: bool) -> list[Finding]:
    """Find a cuDNN for CUDA 11 that ends the process at the first convolution, for want of what ``find`` finds."""
    item = subject.winners.get("nvidia-cudnn-cu11")
    if item is None:
        return []
    wanted = {"<8.5": "", "<8.7": "libcuda.so", "<8.8": "libnvrtc.so"}
    library = next((name for versions, name in wanted.items() if subject.has(item.name, versions)), "")
    if not library or find(library):
        return []
    if library == "libnvrtc.so" and (item.site / "nvidia" / "cudnn" / "lib" / library).exists():
        return []
    return [
        Finding(
            "cudnn-aborts",
            "error" if driver else "warning",
            item.name,
            f"{item.name} {item.version} ends the program without {library}; none is here",
            "This release of cuDNN cannot do without a library that newer ones do not need, at the first "
            f"convolution: 'Could not load library … {library}: cannot open shared object file', then 'Aborted'.",
            fix,
            item.name,
            link=_CUDNN_ABORTS[library],
        )
    ]


def _other_major(subject: Subject, needs: CudaNeeds, absent: list[str], severity: str) -> list[Finding]:
    wheels = installed_wheels(subject)
    own = f"-cu{needs.cuda_major}"
    others = sorted(name for name in wheels if not name.endswith(own))
    # torch brings CUDA wheels of its own version; beside TensorFlow's they do no harm.
    if not absent or not others or any(name.endswith(own) for name in wheels) or "torch" in subject.winners:
        return []
    return [
        Finding(
            "cuda-other-major",
            severity,
            others[0],
            f"{len(others)} libraries are installed for CUDA {others[0].rpartition('-cu')[2]} "
            f"({', '.join(others[:3])}{' …' if len(others) > 3 else ''}), "
            f"TensorFlow {needs.tensorflow} is built for CUDA {needs.cuda_major}",
            "They came with a newer TensorFlow, PyTorch or JAX. Libraries of another major version have other names "
            "and are not opened.",
            _bring(subject, needs),
            link="https://www.tensorflow.org/install/source#gpu",
        )
    ]


def _unsearched(
    subject: Subject, tensorflow: Distribution, where: Places, absent: list[str], severity: str
) -> list[Finding]:
    lying = {soname: path for soname in absent if (path := where.lying(soname))}
    if not lying:
        return []
    directories = sorted({str(path.parent) for path in lying.values()})
    shown = ", ".join(directories[:2]) + (f" and {len(directories) - 2} more" if len(directories) > 2 else "")
    if subject.environment:
        fix = subject.environment.fix_by("repair")
    else:
        fix = f"export LD_LIBRARY_PATH={shlex.quote(':'.join(directories))}   (in every terminal, before Python starts)"
    return [
        Finding(
            "cuda-not-searched",
            severity,
            directories[0],
            f"{', '.join(lying)} {'lie' if len(lying) > 1 else 'lies'} in {shown}, where TensorFlow "
            f"{tensorflow.version} does not look",
            "TensorFlow finds the libraries of NVIDIA's wheels by itself from 2.14 on (2.21: all but cuSOLVER's), "
            "and those of a toolkit only through ldconfig or LD_LIBRARY_PATH. It computes on the CPU until then. "
            "Environments created with --gpu need no variable.",
            fix,
            link="https://www.tensorflow.org/install/pip",
        )
    ]


def _missing(
    subject: Subject, tensorflow: Distribution, needs: CudaNeeds, where: Places, absent: list[str], severity: str
) -> list[Finding]:
    gone = [soname for soname in absent if not where.lying(soname)]
    if not gone:
        return []
    named = (f"{soname} ({wheel_of(soname, needs.cuda) or 'in no wheel'})" for soname in gone)
    cause = (
        f"TensorFlow {needs.tensorflow} was built with CUDA {needs.cuda} and cuDNN {needs.cudnn}. With one library "
        "missing it computes on the CPU: 'Cannot dlopen some GPU libraries. Skipping registering GPU devices'."
    )
    if needs.finder == "links":
        cause += " 'pip install tensorflow[and-cuda]' brings libraries from 2.14 on; before, it does nothing."
    return [
        Finding(
            "cuda-library-missing",
            severity,
            tensorflow.name,
            f"TensorFlow {tensorflow.version} would not find {', '.join(named)}",
            cause,
            _bring(subject, needs),
            link="https://www.tensorflow.org/install/source#gpu",
        )
    ]


def _bring(subject: Subject, needs: CudaNeeds) -> str:
    """Return the command that brings libraries: into the environment where they are found, else into one of ours."""
    if needs.finder == "rpath" and subject.kind != "global" and not subject.environment:
        return remedy.install(subject, *needs.wheels)
    return remedy.fresh(subject, gpu=True)


def _libdevice(
    subject: Subject, tensorflow: Distribution, needs: CudaNeeds, where: Places, severity: str
) -> list[Finding]:
    """Find that XLA would miss ``libdevice``, without which Keras' Adam of TensorFlow 2.11 to 2.13 cannot train."""
    if not needs.xla_flags or not subject.has_tensorflow(">=2.11") or HOOK in subject.winners:
        return []
    flag = re.search(r"--xla_gpu_cuda_data_dir=(\S+)", subject.environ.get("XLA_FLAGS", ""))
    roots = [Path(flag[1])] if flag else []
    roots += [where.toolkits / f"cuda-{needs.cuda}", where.toolkits / "cuda"]  # those that XLA tries
    if any((root / _LIBDEVICE).is_file() for root in roots):
        return []
    wheel = tensorflow.site / "nvidia" / "cuda_nvcc"
    have = (wheel / _LIBDEVICE).is_file()
    command = f"export XLA_FLAGS=--xla_gpu_cuda_data_dir={shlex.quote(str(wheel))}"
    if not have:
        command = f"{remedy.install(subject, f'nvidia-cuda-nvcc-cu{needs.cuda_major}')} && {command}"
    return [
        Finding(
            "libdevice-not-found",
            severity,
            tensorflow.name,
            f"TensorFlow {tensorflow.version} would not find libdevice.10.bc"
            + (f", which is in {wheel}" if have else ""),
            "Keras compiles its optimizers with XLA on a GPU from 2.11 on, and XLA looks for this file in an installed "
            "CUDA toolkit only: 'InternalError: libdevice not found at ./libdevice.10.bc' when a training starts.",
            command,
            link="https://github.com/tensorflow/tensorflow/issues/58681",
        )
    ]
