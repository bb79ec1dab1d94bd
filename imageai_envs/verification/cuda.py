"""Prove a GPU environment: every CUDA library that TensorFlow opens is opened; with a GPU there, it computes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from imageai_envs.base.errors import VerifyError
from imageai_envs.base.redaction import redact
from imageai_envs.installed.cuda_needs import needs_of, wheel_of
from imageai_envs.request.framework import TENSORFLOW
from imageai_envs.verification.devices import device_variables
from imageai_envs.verification.probe_runner import run_probe

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.base.context import Context
    from imageai_envs.locks.lockfile import Lock

_LIBRARIES_TIMEOUT = 120  # seconds; a gigabyte is mapped, not read
_DEVICES_TIMEOUT = 900  # seconds; kernels that are compiled at first use take minutes on a new GPU


@dataclass(frozen=True)
class CudaProof:
    """What was seen.

    Attributes:
        libraries: soname to the file that was opened.
        driver: the driver's library is on this machine; without it nothing can be said of devices.
        devices: name, model and compute capability of each GPU that TensorFlow lists.
        computed: the matrix product and the training step on the first GPU; None without one.
    """

    libraries: dict[str, str]
    driver: bool
    devices: tuple[dict[str, str], ...]
    computed: dict[str, Any] | None

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        return asdict(self)

    def words(self) -> str:
        """Return the result in one line."""
        opened = f"all {len(self.libraries)} CUDA libraries opened"
        if not self.driver:
            return f"{opened}; no NVIDIA driver on this machine, so nothing was computed on a GPU"
        if not self.devices:
            return f"{opened}; there is a driver, and TensorFlow lists no GPU"
        models = ", ".join(f"{device['name']} ({device['model'] or 'unknown model'})" for device in self.devices)
        return f"{opened}; TensorFlow lists {models}" + ("; a training step ran on it" if self.computed else "")


def is_proved_here(lock: Lock) -> bool:
    """Tell whether a lock brings CUDA that can be opened: the gpu variant of TensorFlow on Linux x86_64."""
    header = lock.header
    here = (header.target.platform, header.target.machine) == ("linux", "x86_64")
    return here and header.variant == "gpu" and header.release.framework is TENSORFLOW


def prove_cuda(root: Path, lock: Lock, context: Context, *, compute: bool = True) -> CudaProof:
    """Open the libraries in the environment's own process, then let TensorFlow list and use the GPUs that are there.

    Raises:
        VerifyError: a library is missing or cannot be opened (``cuda-library``), or a listed GPU does not compute
            (``gpu-does-not-compute``).
    """
    needs = needs_of(lock.header.release.version)
    if needs is None:
        raise VerifyError(
            f"Which CUDA libraries {lock.header.release} needs is not known to this version.",
            hint="The same command with --verify none",
            code="cuda-unknown",
        )
    context.reporter.step("opening the CUDA libraries")
    words = ("libraries", needs.finder, *needs.sonames)
    done, answer = run_probe(root, "cuda_probe.py", words, context, timeout=_LIBRARIES_TIMEOUT)
    opened: dict[str, Any] = answer["libraries"] if answer else {}  # type: ignore[assignment]
    failed = [
        f"  {soname} ({wheel_of(soname, needs.cuda) or 'in no wheel'}): {opened.get(soname, {}).get('error')}"
        for soname in needs.sonames
        if opened.get(soname, {}).get("path") is None
    ]
    if failed or not done.ok:
        end = f"\n  {done.stderr.strip()[-500:]}" if not done.ok else ""
        raise VerifyError(
            redact("CUDA libraries that TensorFlow needs cannot be opened:\n" + "\n".join(failed) + end)
            + f"\n  Full log: {context.log.path}",
            hint="imageai-env doctor   says what this machine lacks",
            code="cuda-library",
        )
    devices = _devices(root, context, compute=compute)
    return CudaProof(
        {soname: item["path"] for soname, item in opened.items()},
        bool(devices["driver"]),
        tuple(devices["devices"]),
        devices.get("computed"),
    )


def _devices(root: Path, context: Context, *, compute: bool) -> dict[str, Any]:
    context.reporter.step("asking TensorFlow for GPUs")
    words = ("devices", "compute" if compute else "list")
    done, answer = run_probe(
        root, "cuda_probe.py", words, context, timeout=_DEVICES_TIMEOUT, variables=device_variables("gpu")
    )
    if not done.ok or not answer or not answer.get("ok"):
        last = "\n".join(f"  {line}" for line in redact(done.stderr).splitlines()[-5:])
        said = f"\n  {answer.get('computed')}" if answer else ""
        raise VerifyError(
            f"TensorFlow sees a GPU and does not compute rightly on it (exit {done.returncode}).{said}\n{last}\n"
            f"  Full log: {context.log.path}",
            hint="imageai-env doctor   compares driver and GPU with what this TensorFlow was built for",
            code="gpu-does-not-compute",
        )
    return answer
