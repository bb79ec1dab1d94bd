"""doctor: what the machine lacks, and what keeps TensorFlow from the GPU.

The environments are real ones whose distributions are metadata only; /proc and /sys are files of the real format.
NVIDIA's driver library cannot exist here: a small C library with the same functions stands in for it.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from imageai_envs.doctor import nvidia
from imageai_envs.doctor.inspections import gpu, machine, torch_gpu
from imageai_envs.doctor.shared_libraries import Libraries, missing, needed
from imageai_envs.doctor.subject import Subject, look_at
from imageai_envs.installed.cuda_needs import directory_of, needs_of, wheel_of
from imageai_envs.installed.torch_cuda import torch_cuda_of
from imageai_envs.request.framework import TENSORFLOW, TORCH, Release
from imageai_envs.request.stack import HOOK
from imageai_envs.templates.template_file import load_template
from tests.support.tool import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from imageai_envs.base.finding import Finding

COMPILER = shutil.which("cc") or shutil.which("gcc")
compiled = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ELF, /proc and /sys")

CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Processor @ 2.70GHz
flags\t\t: fpu vme de pse tsc msr sse sse2 ssse3 sse4_1 sse4_2 popcnt aes xsave{avx} hypervisor lahf_lm
bugs\t\t: spectre_v1 spectre_v2
"""
MEMINFO = (
    "MemTotal:       24611336 kB\nMemFree:         1225848 kB\nMemAvailable:   {kb} kB\nBuffers:          806456 kB\n"
)
PROC = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Tue Jun  6 22:20:39 UTC 2023
GCC version:  gcc version 11.3.0 (Ubuntu 11.3.0-1ubuntu1~22.04.1)
"""
PROC_OPEN = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.126.09  Release Build  (dvs-builder@U22)  Wed Jan  7 2026
"""
NVML = """
#include <string.h>
int nvmlInit_v2(void) {{ {init} return 0; }}
int nvmlShutdown(void) {{ return 0; }}
int nvmlSystemGetDriverVersion(char *text, unsigned size) {{ strncpy(text, "{driver}", size); return 0; }}
int nvmlDeviceGetCount_v2(unsigned *count) {{ *count = {count}; return 0; }}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {{ *device = (void *)(long)(index + 1); return 0; }}
int nvmlDeviceGetName(void *device, char *text, unsigned size) {{ strncpy(text, "NVIDIA Test", size); return 0; }}
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor)
{{ *major = {major}; *minor = {minor}; return 0; }}
"""


def compile_library(path: Path, source: str, *arguments: str) -> Path:
    assert COMPILER
    path.parent.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        COMPILER,
        "-shared",
        "-fPIC",
        "-o",
        path,
        f"-Wl,-soname,{path.name}",
        "-x",
        "c",
        "-",
        "-x",
        "none",
    ]
    subprocess.run([*command, *arguments], input=source.encode(), check=True)
    return path


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("env") / "env"
    subprocess.run([Path(sys.executable).resolve(), "-m", "venv", "--without-pip", root], check=True)
    return root


class Made:
    """An environment to put distributions into, seen on Linux x86_64 unless told otherwise."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.site = next((root / "lib").glob("python*/site-packages"))

    def install(self, name: str, version: str, *, tag: str = "", installer: str = "pip") -> None:
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "INSTALLER").write_text(installer)
        if tag:
            (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n{tag}\n")

    def put(self, place: str) -> None:
        file = self.site / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")

    def see(self, environ: dict[str, str] | None = None, **facts: Any) -> Subject:
        subject = look_at(self.root / "bin" / "python", label="env", root=self.root, environ=environ or {"PATH": ""})
        assert subject.facts
        linux: dict[str, Any] = {"sys_platform": "linux", "machine": "x86_64", "wide": True, "libc": ("glibc", "2.36")}
        changed = dataclasses.replace(subject.facts, **{**linux, **facts})
        return dataclasses.replace(subject, facts=changed)


@pytest.fixture
def env(python: Path, tmp_path: Path) -> Made:
    return Made(Path(shutil.copytree(python, tmp_path / "env", symlinks=True)))


@pytest.fixture
def sources(tmp_path: Path) -> Callable[..., machine.Sources]:
    def build(*, avx: str = " avx", kb: int = 8_000_000, limit: str = "max", free: int = 50 << 30) -> machine.Sources:
        for name, text in {
            "cpuinfo": CPUINFO.format(avx=avx), "meminfo": MEMINFO.format(kb=kb), "memory.max": f"{limit}\n",
        }.items():  # fmt: skip
            (tmp_path / name).write_text(text)
        return machine.Sources(
            tmp_path / "cpuinfo", tmp_path / "meminfo", (tmp_path / "memory.max", tmp_path / "none"),
            musl=(), libraries=lambda _: Libraries((), tmp_path / "no-cache", (tmp_path / "system",)),
            free=lambda _: free,
        )  # fmt: skip

    return build


def ids(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.severity, finding.id) for finding in findings]


def test_a_good_machine_has_nothing_to_say(env: Made, sources: Callable[..., machine.Sources]) -> None:
    env.install("tensorflow-cpu", "2.10.1", tag="Tag: cp310-cp310-manylinux_2_17_x86_64")
    assert machine.inspect(env.see(), sources()) == []


def test_an_empty_environment_needs_nothing(env: Made, sources: Callable[..., machine.Sources]) -> None:
    assert machine.inspect(env.see(), sources(avx="", kb=1, limit="1", free=1)) == []


def test_no_avx(env: Made, sources: Callable[..., machine.Sources]) -> None:
    env.install("tensorflow-cpu", "2.10.1")
    assert ids(machine.inspect(env.see(), sources(avx=""))) == [("error", "no-avx")]
    assert machine.inspect(env.see(machine="aarch64"), sources(avx="")) == [], "AVX is a word of x86"
    assert ids(machine.inspect(env.see(), sources(avx=" avx2"))) == [("error", "no-avx")], "whole words"


@pytest.mark.parametrize(("version", "installer"), [("1.5.0", "pip"), ("2.10.0", "conda")])
def test_builds_without_avx(env: Made, sources: Callable[..., machine.Sources], version: str, installer: str) -> None:
    env.install("tensorflow", version, installer=installer)
    assert machine.inspect(env.see(), sources(avx="")) == []


def test_unreadable_sources_are_no_findings(env: Made, sources: Callable[..., machine.Sources]) -> None:
    env.install("tensorflow", "2.10.0")
    made = sources()
    made.cpuinfo.unlink()
    made.meminfo.write_bytes(b"\xff\x00garbage")
    assert machine.inspect(env.see(), made) == []


@pytest.mark.parametrize(
    ("kb", "limit", "text"),
    [(1_500_000, "max", "1.4 GiB of memory are available"), (8_000_000, "1073741824", "1.0 GiB of memory are allowed")],
)
def test_low_memory(env: Made, sources: Callable[..., machine.Sources], kb: int, limit: str, text: str) -> None:
    env.install("imageai", "2.1.6")
    (finding,) = machine.inspect(env.see(), sources(kb=kb, limit=limit))
    assert (finding.severity, finding.id) == ("warning", "low-memory")
    assert finding.evidence.startswith(text)


def test_low_disk(env: Made, sources: Callable[..., machine.Sources]) -> None:
    env.install("imageai", "2.1.6")
    assert ids(machine.inspect(env.see(), sources(free=100 << 20))) == [("warning", "low-disk")]


@pytest.mark.parametrize(
    ("tag", "libc", "old"),
    [
        ("Tag: cp38-cp38-manylinux2010_x86_64", "2.12", False),
        ("Tag: cp38-cp38-manylinux2010_x86_64", "2.5", True),
        ("Tag: cp310-cp310-manylinux_2_17_x86_64\nTag: cp310-cp310-manylinux2014_x86_64", "2.12", True),
        ("Tag: cp310-cp310-manylinux_2_17_x86_64\nTag: cp310-cp310-manylinux1_x86_64", "2.12", False),
        ("Tag: cp310-cp310-manylinux_2_28_x86_64", "2.9", True),
        ("Tag: cp310-cp310-linux_x86_64", "2.5", False),
    ],
)
def test_glibc(env: Made, sources: Callable[..., machine.Sources], tag: str, libc: str, old: bool) -> None:
    env.install("tensorflow", "2.4.4", tag=tag)
    found = machine.inspect(env.see(libc=("glibc", libc)), sources())
    assert ids(found) == ([("error", "glibc-too-old")] if old else [])


def test_musl_and_32_bits(env: Made, sources: Callable[..., machine.Sources]) -> None:
    alpine = dataclasses.replace(sources(), musl=(Path("/lib/ld-musl-x86_64.so.1"),))
    assert ids(machine.inspect(env.see(libc=("", "")), alpine)) == [("warning", "musl")]
    assert machine.inspect(env.see(), alpine) == [], "musl installed beside glibc"
    assert ids(machine.inspect(env.see(wide=False, machine="i686"), sources())) == [("warning", "python-32-bit")]


@LINUX
@compiled
def test_system_libraries_of_opencv(env: Made, sources: Callable[..., machine.Sources], tmp_path: Path) -> None:
    """A cv2 that needs a library of its wheel, which in turn needs libGL of the system."""
    libgl = compile_library(tmp_path / "build" / "libGL.so.1", "int gl(void) { return 1; }")
    unused = compile_library(tmp_path / "build" / "libunused.so.9", "int unused(void) { return 1; }")
    place = env.site / "opencv_python.libs"
    qt = compile_library(place / "libQt5Gui-1ce8.so.5", "int gl(void); int qt(void) { return gl(); }", str(libgl))
    compile_library(place / "libQt5XcbQpa.so.5", "int unused(void); int x(void) { return unused(); }", str(unused))
    source = "int qt(void); int cv(void) { return qt(); }"
    compile_library(env.site / "cv2" / "cv2.abi3.so", source, str(qt), str(libgl))
    env.install("opencv-python", "4.11.0.86")
    system = tmp_path / "system"
    system.mkdir()
    for name in ("libc.so.6", "libm.so.6", "libgcc_s.so.1"):
        (system / name).touch()
    (finding,) = machine.inspect(env.see(), sources())
    assert (finding.severity, finding.id, finding.subject) == ("error", "system-library-missing", "opencv-python")
    assert "needs libGL.so.1, which" in finding.evidence, "a plugin that nothing needs is not asked"
    assert finding.fix.startswith("apt install libgl1   (or")
    assert "opencv-python-headless==4.11.0.86" in finding.fix
    shutil.copy(libgl, system / "libGL.so.1")
    assert machine.inspect(env.see(), sources()) == []


@LINUX
def test_what_this_python_needs_is_here() -> None:
    """The reader of ELF files and of the linker's cache against real files of the machine that runs the tests."""
    libc = Libraries().find("libc.so.6")
    assert libc is not None
    assert libc.exists()
    assert any(name.startswith(("ld-linux", "ld64")) for name in needed(libc))
    import select

    extensions = sorted(Path(select.__file__).parent.glob("*.so")) if hasattr(select, "__file__") else []
    own = {Path(sys.executable).resolve().parent.parent / "lib"}
    assert missing([path for path in extensions if "_test" not in path.name][:20], own, Libraries()) == ()


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 100, b"MZ" * 50, b"\0" * 64])
def test_files_that_are_no_libraries(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.so").write_bytes(content)
    assert needed(tmp_path / "x.so") == ()
    assert Libraries((), tmp_path / "x.so", (tmp_path,)).find("libfoo.so") is None


# --- GPU


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A PCI bus with one GPU of NVIDIA."""
    device = tmp_path / "pci" / "0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x10de\n")
    (device / "class").write_text("0x030000\n")
    return device.parent


def gpu_sources(tmp_path: Path, *, proc: str = "", pci: Path | None = None) -> nvidia.Sources:
    (tmp_path / "version").write_text(proc)
    places = Libraries((tmp_path / "driver",), tmp_path / "no-cache", ())
    return nvidia.Sources(tmp_path / "version", pci or tmp_path / "no-bus", places)


def look(env: Made, sources: nvidia.Sources, tmp_path: Path, environ: dict[str, str] | None = None) -> list[Finding]:
    return gpu.inspect(env.see(environ), sources, tmp_path / "toolkits")


def nvml(tmp_path: Path, *, driver: str = "535.54.03", capability: str = "7.5", init: str = "") -> None:
    major, minor = capability.split(".")
    source = NVML.format(driver=driver, count=1, major=major, minor=minor, init=init)
    compile_library(tmp_path / "driver" / nvidia.LIBRARY, source)


def complete(env: Made, version: str = "2.10.1") -> None:
    """Put TensorFlow there with everything that it opens, where it looks."""
    needs = needs_of(version)
    assert needs
    env.install("tensorflow", version)
    for soname in needs.sonames:
        wheel = directory_of(soname, needs.cuda) or "cusolver"
        env.put(f"nvidia/{wheel}/lib/{soname}")
        if needs.finder == "links":
            env.put(f"tensorflow/{soname}")
    env.put("nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc")
    env.install(f"nvidia-cublas-cu{needs.cuda_major}", "11.11.3.6")


def test_nothing_without_gpu_and_cuda(env: Made, tmp_path: Path) -> None:
    assert look(env, gpu_sources(tmp_path), tmp_path) == []
    env.install("tensorflow", "2.10.1")
    assert look(env, gpu_sources(tmp_path), tmp_path) == [], "the usual TensorFlow on a machine without a GPU"


def test_a_cpu_build_beside_a_gpu(env: Made, tmp_path: Path, card: Path) -> None:
    env.install("tensorflow-cpu", "2.10.1")
    assert ids(look(env, gpu_sources(tmp_path, pci=card), tmp_path)) == [("note", "gpu-unused")]
    assert look(env, gpu_sources(tmp_path), tmp_path) == []


def test_other_devices_are_no_gpus(env: Made, tmp_path: Path, card: Path) -> None:
    env.install("tensorflow-cpu", "2.10.1")
    (card / "0000:01:00.0" / "class").write_text("0x040300\n")  # the sound of a GPU that is used elsewhere
    assert look(env, gpu_sources(tmp_path, pci=card), tmp_path) == []


def test_a_gpu_without_a_driver(env: Made, tmp_path: Path, card: Path) -> None:
    complete(env)
    assert ids(look(env, gpu_sources(tmp_path, pci=card), tmp_path)) == [("warning", "driver-missing")]


def test_cuda_installed_and_no_gpu(env: Made, tmp_path: Path) -> None:
    complete(env)
    assert ids(look(env, gpu_sources(tmp_path), tmp_path)) == [("note", "no-gpu")]


@pytest.mark.parametrize("version", ["2.4.4", "2.10.1", "2.13.1", "2.14.1", "2.15.1", "2.16.2"])
def test_complete_gpu_environments(env: Made, tmp_path: Path, version: str) -> None:
    complete(env, version)
    environ = {"XLA_FLAGS": f"--xla_gpu_cuda_data_dir={env.site}/nvidia/cuda_nvcc"}
    assert look(env, gpu_sources(tmp_path, proc=PROC.format(version="545.23.06")), tmp_path, environ) == []


@pytest.mark.parametrize(
    ("tensorflow", "driver", "old"),
    [("2.10.1", "450.80.02", False), ("2.10.1", "450.51.06", True), ("2.15.1", "520.61.05", True),
     ("2.15.1", "525.60.13", False), ("2.10.1", "1000.1", False)],
)  # fmt: skip
def test_drivers(env: Made, tmp_path: Path, tensorflow: str, driver: str, old: bool) -> None:
    complete(env, tensorflow)
    found = look(env, gpu_sources(tmp_path, proc=PROC.format(version=driver)), tmp_path)
    assert ids(found) == ([("warning", "driver-too-old")] if old else [])


def test_the_open_kernel_module(env: Made, tmp_path: Path) -> None:
    sources = gpu_sources(tmp_path, proc=PROC_OPEN)
    known = nvidia.driver({}, sources)
    assert known is not None
    assert known.version == "580.126.09"


@LINUX
@compiled
@pytest.mark.parametrize(
    ("tensorflow", "capability", "expected"),
    [("2.10.1", "7.5", []), ("2.10.1", "3.0", [("warning", "gpu-unsupported")]), ("2.10.1", "6.1", []),
     ("2.10.1", "8.6", [("note", "gpu-compiles-first")]), ("2.15.1", "3.5", [("warning", "gpu-unsupported")]),
     ("2.16.2", "8.6", []), ("2.16.2", "9.0", [("note", "gpu-compiles-first")])],
)  # fmt: skip
def test_devices(env: Made, tmp_path: Path, tensorflow: str, capability: str, expected: list[tuple[str, str]]) -> None:
    complete(env, tensorflow)
    nvml(tmp_path, capability=capability)
    found = look(env, gpu_sources(tmp_path), tmp_path)
    assert ids(found) == expected
    assert all("NVIDIA Test has compute capability" in finding.evidence for finding in found)


@LINUX
@compiled
@pytest.mark.parametrize(
    ("init", "expected"),
    [("return 18;", "driver-mismatch"), ("return 9;", "driver-missing"), ("*(volatile int *)0 = 1;", "driver-missing")],
)  # fmt: skip
def test_a_driver_library_that_fails(env: Made, tmp_path: Path, card: Path, init: str, expected: str) -> None:
    """It reports a mismatch, a driver that is not loaded, or crashes: we do not."""
    complete(env)
    nvml(tmp_path, init=init)
    assert ids(look(env, gpu_sources(tmp_path, pci=card), tmp_path)) == [("warning", expected)]


def test_a_driver_library_that_is_none(env: Made, tmp_path: Path, card: Path) -> None:
    complete(env)
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / nvidia.LIBRARY).write_text("not a library")
    assert ids(look(env, gpu_sources(tmp_path, pci=card), tmp_path)) == [("warning", "driver-missing")]


DRIVER = PROC.format(version="535.54.03")


def test_missing_libraries_are_named_with_their_wheels(env: Made, tmp_path: Path) -> None:
    env.install("tensorflow", "2.10.1")
    (finding,) = look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path)
    assert (finding.severity, finding.id) == ("warning", "cuda-library-missing")
    needs = needs_of("2.10.1")
    assert needs
    for soname in needs.sonames:
        assert f"{soname} ({wheel_of(soname, needs.cuda)})" in finding.evidence
    assert "and-cuda" in finding.cause
    assert finding.fix == "imageai-env create myproj --tf 2.10 --gpu"


def test_from_2_14_on_wheels_are_enough(env: Made, tmp_path: Path) -> None:
    env.install("tensorflow", "2.15.1")
    (finding,) = look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path)
    assert "and-cuda" not in finding.cause
    assert "nvidia-cudnn-cu12==8.9.7.29" in finding.fix


def test_one_library_missing(env: Made, tmp_path: Path) -> None:
    complete(env)
    for place in ("tensorflow", "nvidia/cudnn/lib"):
        (env.site / place / "libcudnn.so.8").unlink()
    (finding,) = look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path)
    assert finding.evidence == "TensorFlow 2.10.1 would not find libcudnn.so.8 (nvidia-cudnn-cu11==8.9.6.50)"


def test_wheels_without_links(env: Made, tmp_path: Path) -> None:
    complete(env)
    shutil.rmtree(env.site / "tensorflow")
    (finding,) = look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path)
    assert finding.id == "cuda-not-searched"
    path = finding.fix.split("=", 1)[1].split()[0]
    assert (
        look(env, nvidia.Sources(tmp_path / "version", tmp_path / "no-bus"), tmp_path, {"LD_LIBRARY_PATH": path}) == []
    )


@compiled
def test_tensorflow_2_21_does_not_look_for_cusolver_and_opens_nvml_first(env: Made, tmp_path: Path) -> None:
    complete(env, "2.21.0")
    sources = gpu_sources(tmp_path, proc=DRIVER)
    unsearched, management = look(env, sources, tmp_path)[::-1]
    assert (unsearched.id, unsearched.subject) == ("cuda-not-searched", str(env.site / "nvidia" / "cusolver" / "lib"))
    assert (management.id, management.severity) == ("nvml-missing", "warning")
    env.install(HOOK, "2.0")  # it loads cuSOLVER
    assert ids(look(env, sources, tmp_path)) == [("warning", "nvml-missing")]
    nvml(tmp_path)
    assert look(env, sources, tmp_path) == []


def test_tensorflow_2_20_does_without_both(env: Made, tmp_path: Path) -> None:
    complete(env, "2.20.0")
    assert look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path) == []


def test_a_toolkit_that_nothing_leads_to(env: Made, tmp_path: Path) -> None:
    complete(env)
    place = tmp_path / "toolkits" / "cuda-11.2" / "lib64"
    place.mkdir(parents=True)
    (env.site / "tensorflow" / "libcudart.so.11.0").rename(place / "libcudart.so.11.0")
    (env.site / "nvidia" / "cuda_runtime" / "lib" / "libcudart.so.11.0").unlink()
    (finding,) = look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path)
    assert (finding.id, finding.subject) == ("cuda-not-searched", str(place))


@pytest.mark.parametrize(
    ("version", "helper", "aborts"),
    [("8.5.0.96", "", True), ("8.6.0.163", "", True), ("8.6.0.163", "tensorflow/libcuda.so", False),
     ("8.7.0.84", "tensorflow/libcuda.so", True), ("8.7.0.84", "nvidia/cudnn/lib/libnvrtc.so", False),
     ("8.9.6.50", "", False)],
)  # fmt: skip
def test_cudnn_that_aborts(env: Made, tmp_path: Path, version: str, helper: str, aborts: bool) -> None:
    complete(env)
    env.install("nvidia-cudnn-cu11", version)
    if helper:
        env.put(helper)
    assert ids(look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path)) == (
        [("error", "cudnn-aborts")] if aborts else []
    )


def test_cudnn_9(env: Made, tmp_path: Path) -> None:
    complete(env)
    env.install("nvidia-cudnn-cu11", "9.10.2.21")
    for place in ("tensorflow", "nvidia/cudnn/lib"):
        (env.site / place / "libcudnn.so.8").unlink()
    found = look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path)
    assert ids(found) == [("warning", "cudnn-version"), ("warning", "cuda-library-missing")]


@pytest.mark.parametrize(("torch", "told"), [(False, True), (True, False)])
def test_wheels_of_another_cuda(env: Made, tmp_path: Path, torch: bool, told: bool) -> None:
    env.install("tensorflow", "2.10.1")
    env.install("nvidia-cublas-cu12", "12.3.4.1")
    if torch:
        env.install("torch", "2.5.0")
    found = look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path)
    assert (("warning", "cuda-other-major") in ids(found)) is told


def test_libdevice(env: Made, tmp_path: Path) -> None:
    complete(env, "2.11.1")
    (finding,) = look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path)
    assert finding.id == "libdevice-not-found"
    assert finding.fix == f"export XLA_FLAGS=--xla_gpu_cuda_data_dir={env.site}/nvidia/cuda_nvcc"
    installed = tmp_path / "toolkits" / "cuda-11.2" / "nvvm" / "libdevice"
    installed.mkdir(parents=True)
    (installed / "libdevice.10.bc").touch()
    assert look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path) == []


def test_the_hook_knows_libdevice(env: Made, tmp_path: Path) -> None:
    from imageai_envs.building import hook

    complete(env, "2.11.1")
    env.install(HOOK, hook.VERSION)
    assert look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path) == []


def test_a_hidden_gpu(env: Made, tmp_path: Path) -> None:
    complete(env)
    found = look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path, {"CUDA_VISIBLE_DEVICES": "-1"})
    assert ids(found) == [("note", "gpu-hidden")]
    assert look(env, gpu_sources(tmp_path, proc=DRIVER), tmp_path, {"CUDA_VISIBLE_DEVICES": "0"}) == []


def test_windows_and_macos(env: Made, tmp_path: Path) -> None:
    env.install("tensorflow", "2.10.1")
    windows: dict[str, Any] = {"sys_platform": "win32", "machine": "AMD64", "libc": ("", "")}
    mac: dict[str, Any] = {"sys_platform": "darwin", "machine": "arm64", "libc": ("", "")}
    assert ids(gpu.inspect(env.see(None, **windows))) == [("note", "windows-cuda")]
    assert ids(gpu.inspect(env.see(None, **mac))) == [("note", "metal-missing")]
    env.install("tensorflow-metal", "1.2.0")
    (finding,) = gpu.inspect(env.see(None, **mac))
    assert (finding.id, finding.severity) == ("metal-version", "warning")
    assert "tensorflow-metal==0.6.0" in finding.fix
    shutil.rmtree(env.site / "tensorflow-2.10.1.dist-info")
    env.install("tensorflow-intel", "2.13.0")
    assert ids(gpu.inspect(env.see(None, **windows))) == [("note", "windows-no-gpu")]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "templates").glob("tf2.*.toml")), ids=lambda path: path.stem)
def test_the_table_agrees_with_the_templates(path: Path) -> None:
    """What the templates install and link for the GPU is what the table says that TensorFlow opens."""
    template = load_template(path)
    needs, variant = needs_of(template.newest), template.variants["gpu"]
    assert needs is not None
    installed = {requirement.partition("==")[0].strip() for requirement in variant.requirements}
    assert {wheel.partition("==")[0] for wheel in needs.wheels} <= installed
    assert variant.hook or not needs.xla_flags
    without_wheel = {soname for soname in needs.sonames if not wheel_of(soname, needs.cuda)}
    assert without_wheel <= set(variant.cuda_links or ())


@pytest.mark.parametrize("version", ["", "x", "3", "2.99.0", "1.15.5", "2.1"])
def test_versions_that_are_not_known(version: str) -> None:
    assert needs_of(version) is None


def test_environments_of_the_tests_are_not_the_machines() -> None:
    """The defaults read this machine and do not fail on it."""
    assert isinstance(nvidia.hardware(nvidia.Sources()), bool)
    assert nvidia.driver(dict(os.environ), nvidia.Sources()) is None or nvidia.PCI.exists()


# --- PyTorch


def look_at_torch(env: Made, sources: nvidia.Sources, environ: dict[str, str] | None = None) -> list[Finding]:
    return torch_gpu.inspect(env.see(environ), sources)


@pytest.mark.parametrize(
    ("torch", "driver", "old"),
    [("1.12.1", "440.33.01", False), ("2.0.1", "450.51.06", True), ("2.0.1", "450.80.02", False),
     ("2.7.1", "520.61.05", True), ("2.7.1", "525.60.13", False), ("2.15.0", "575.64.03", True),
     ("2.15.0", "580.95.05", False), ("2.7.1+cu118", "520.61.05", False), ("9.9.0", "440.33.01", False)],
)  # fmt: skip
def test_drivers_for_torch(env: Made, tmp_path: Path, torch: str, driver: str, old: bool) -> None:
    env.install("torch", torch)
    found = look_at_torch(env, gpu_sources(tmp_path, proc=PROC.format(version=driver)))
    assert ids(found) == ([("warning", "driver-too-old")] if old else [])
    assert all(f"of PyTorch {torch} needs" in one.evidence and "PyTorch computes" in one.cause for one in found)


def test_torch_on_a_machine_without_a_driver(env: Made, tmp_path: Path, card: Path) -> None:
    env.install("torch", "2.7.1")
    assert look_at_torch(env, gpu_sources(tmp_path)) == [], "the usual PyTorch on a machine without a GPU"
    (finding,) = look_at_torch(env, gpu_sources(tmp_path, pci=card))
    assert (finding.severity, finding.id, finding.subject) == ("warning", "driver-missing", "PyTorch 2.7.1")


def test_torch_of_conda_and_for_the_processor(env: Made, tmp_path: Path, card: Path) -> None:
    env.install("torch", "2.7.1+cpu")
    (finding,) = look_at_torch(env, gpu_sources(tmp_path, proc=DRIVER, pci=card))
    assert (finding.id, finding.fix) == ("gpu-unused", "imageai-env create myproj --imageai 3 --gpu")
    assert look_at_torch(env, gpu_sources(tmp_path)) == []
    shutil.rmtree(env.site / "torch-2.7.1+cpu.dist-info")
    env.install("torch", "2.15.0", installer="conda")
    assert look_at_torch(env, gpu_sources(tmp_path, proc=DRIVER, pci=card)) == []


@LINUX
@compiled
@pytest.mark.parametrize(
    ("torch", "capability", "served"),
    [("2.15.0", "6.1", False), ("2.7.1", "6.1", True), ("2.7.1", "12.0", False), ("2.0.1", "9.0", False),
     ("2.0.1", "3.7", True), ("1.12.1", "8.6", False), ("2.15.0", "8.9", True), ("2.7.1+cu118", "12.0", True)],
)  # fmt: skip
def test_devices_for_torch(env: Made, tmp_path: Path, torch: str, capability: str, served: bool) -> None:
    env.install("torch", torch)
    nvml(tmp_path, driver="580.95.05", capability=capability)
    found = look_at_torch(env, gpu_sources(tmp_path))
    assert ids(found) == ([] if served else [("warning", "gpu-unsupported")])
    assert all(one.fix.startswith("imageai-env create myproj --imageai 3 --gpu   (") for one in found)


def test_a_gpu_hidden_from_torch_is_told_once(env: Made, tmp_path: Path) -> None:
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"}
    env.install("torch", "2.7.1")
    sources = gpu_sources(tmp_path, proc=DRIVER)
    assert ids(look_at_torch(env, sources, hidden)) == [("note", "gpu-hidden")]
    complete(env)
    found = look_at_torch(env, sources, hidden) + look(env, sources, tmp_path, hidden)
    assert ids(found) == [("note", "gpu-hidden")]


@LINUX
@compiled
def test_a_library_that_torch_is_linked_with_is_gone(env: Made, tmp_path: Path) -> None:
    env.install("torch", "2.15.0")
    sources = gpu_sources(tmp_path)  # a machine without a GPU: the import fails there too
    bundled = env.site / "nvidia" / "cu13" / "lib"
    system = compile_library(tmp_path / "build" / "libcuda.so.1", "int driver(void) { return 1; }")
    blas = compile_library(bundled / "libcublas.so.13", "int blas(void) { return 1; }")
    source = "int driver(void); int blas(void); int torch(void) { return blas() + driver(); }"
    compile_library(env.site / "torch" / "lib" / "libtorch_cuda.so", source, str(blas), str(system))
    assert look_at_torch(env, sources) == []
    blas.unlink()
    (finding,) = look_at_torch(env, sources)
    assert (finding.severity, finding.id) == ("error", "cuda-library-missing")
    assert finding.evidence == "PyTorch 2.15.0 is linked with libcublas.so.13, which is not here"
    assert "--force-reinstall torch==2.15.0" in finding.fix


def test_the_cudnn_of_torch_2_0_needs_what_a_development_package_has(env: Made, tmp_path: Path) -> None:
    """Measured with torch 2.0.1: "Could not load library libcudnn_cnn_infer.so.8. Error: libcuda.so"."""
    env.install("torch", "2.0.1")
    env.install("nvidia-cudnn-cu11", "8.5.0.96")
    sources = gpu_sources(tmp_path, proc=DRIVER)
    (finding,) = look_at_torch(env, sources)
    assert (finding.severity, finding.id) == ("error", "cudnn-aborts")
    assert finding.fix.startswith("sudo ln -s libcuda.so.1 ")
    assert look_at_torch(env, gpu_sources(tmp_path)) == [], "there is no driver: nothing is computed on a GPU"
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / "libcuda.so").write_bytes(b"")
    assert look_at_torch(env, gpu_sources(tmp_path, proc=DRIVER)) == []


@pytest.mark.parametrize(
    ("version", "cuda"),
    [("1.12.1", "10.2"), ("2.0.1", "11.7"), ("2.7.1", "12.6"), ("2.7.1+cu126", "12.6"), ("2.7.1+cu118", "11.8"),
     ("2.15.0", "13.2"), ("2.15.0+cu132", "13.2"), ("2.15.0a0+git123", "13.2")],
)  # fmt: skip
def test_the_cuda_of_a_torch(version: str, cuda: str) -> None:
    build = torch_cuda_of(version)
    assert build is not None
    assert build.cuda == cuda


@pytest.mark.parametrize("version", ["", "x", "2", "2.99.0", "0.4.1", "1.0.0+cu92"])
def test_torches_that_are_not_known(version: str) -> None:
    assert torch_cuda_of(version) is None


# --- Before anything is installed


def test_before_install_an_old_driver_for_torch(tmp_path: Path, card: Path) -> None:
    (found,) = gpu.before_install(Release(TORCH, "2.15.0"), {}, gpu_sources(tmp_path, proc=DRIVER, pci=card))
    assert (found.id, found.evidence.partition(";")[2]) == (
        "driver-too-old", " CUDA 13.2 of PyTorch 2.15.0 needs 580 or newer",
    )  # fmt: skip
    assert gpu.before_install(Release(TORCH, "2.7.1"), {}, gpu_sources(tmp_path, proc=DRIVER, pci=card)) == []


def test_before_install_a_machine_without_a_gpu_is_a_note(tmp_path: Path) -> None:
    (found,) = gpu.before_install(Release(TENSORFLOW, "2.10.1"), {}, gpu_sources(tmp_path))
    assert (found.id, found.severity) == ("no-gpu", "note")


def test_before_install_a_gpu_without_a_driver(tmp_path: Path, card: Path) -> None:
    (found,) = gpu.before_install(Release(TENSORFLOW, "2.10.1"), {}, gpu_sources(tmp_path, pci=card))
    assert found.id == "driver-missing"


def test_before_install_an_old_driver(tmp_path: Path, card: Path) -> None:
    old = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  440.33.01  Tue Nov 12 23:43:11 UTC 2019\n"
    (found,) = gpu.before_install(Release(TENSORFLOW, "2.10.1"), {}, gpu_sources(tmp_path, proc=old, pci=card))
    assert (found.id, found.severity) == ("driver-too-old", "warning")


def test_before_install_a_gpu_that_is_not_served(tmp_path: Path, card: Path) -> None:
    nvml(tmp_path, capability="3.5")
    (found,) = gpu.before_install(Release(TENSORFLOW, "2.15.1"), {}, gpu_sources(tmp_path, pci=card))
    assert found.id == "gpu-unsupported"
    assert gpu.before_install(Release(TENSORFLOW, "2.10.1"), {}, gpu_sources(tmp_path, pci=card)) == []
