"""Does the machine have what the installed packages need? Only what concerns installed packages is reported.

What is asked: system libraries of OpenCV, AVX, memory, disk, the C library, 32 bits, Windows' long paths, Rosetta.
The parts for macOS and Windows follow documentation and were not run: unproven.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.errors import InstallError
from imageai_envs.base.file_reading import read_text
from imageai_envs.base.finding import Finding
from imageai_envs.base.process import run
from imageai_envs.doctor import remedy
from imageai_envs.doctor.shared_libraries import Libraries, missing, searched
from imageai_envs.request.stack import MODULES, OPENCVS, PURPOSE

if TYPE_CHECKING:
    from collections.abc import Callable

    from imageai_envs.doctor.subject import Facts, Subject
    from imageai_envs.installed.distributions import Distribution

_GIB = 1 << 30
LEAST_MEMORY = 2 * _GIB
"""ImageAI's own API with the real networks takes 2.5 to 2.9 GB at its peak (docs/compatibility.md)."""
LEAST_DISK = _GIB
"""A training writes a model of 100 to 250 MB per epoch; an environment takes 1.4 GB."""

# https://peps.python.org/pep-0600/ and the PEPs of the older names.
_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_TAG = re.compile(
    r"(?P<legacy>manylinux(?:1|2010|2014))_|manylinux_(?P<major>\d+)_(?P<minor>\d+)_|(?P<musl>musllinux)_"
)
# Debian's package of each library; other distributions name them alike.
_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libSM.so.6": "libsm6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libX11.so.6": "libx11-6",
    "libxcb.so.1": "libxcb1",
    "libICE.so.6": "libice6",
}
_HEADLESS = {
    "opencv-python": "opencv-python-headless",
    "opencv-contrib-python": "opencv-contrib-python-headless",
}


def _free(directory: Path) -> int | None:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return None


@dataclass(frozen=True)
class Sources:
    """Where the facts of the machine are read."""

    cpuinfo: Path = Path("/proc/cpuinfo")
    meminfo: Path = Path("/proc/meminfo")
    memory_limits: tuple[Path, ...] = (
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    )
    musl: tuple[Path, ...] = field(default_factory=lambda: tuple(Path("/lib").glob("ld-musl-*.so.1")))
    libraries: Callable[[Subject], Libraries] = lambda subject: Libraries(searched(subject.environ))
    free: Callable[[Path], int | None] = _free


def inspect(subject: Subject, sources: Sources | None = None) -> list[Finding]:
    """Find what the machine lacks."""
    facts, sources = subject.facts, sources or Sources()
    if facts is None:
        return []
    findings = _bits(subject, facts)
    if facts.sys_platform.startswith("linux"):
        findings += [*_c_library(subject, facts, sources), *_opencv(subject, sources)]
        findings += [*_avx(subject, facts, sources), *_memory(subject, sources)]
    elif facts.sys_platform == "darwin":
        findings += _rosetta(subject, facts)
    elif facts.sys_platform == "win32":
        findings += _long_paths(facts)
    return [*findings, *_disk(subject, facts, sources)]


def _purpose(subject: Subject) -> bool:
    return any(name in subject.winners for module in PURPOSE for name in MODULES[module])


def _bits(subject: Subject, facts: Facts) -> list[Finding]:
    if facts.bits != 32:
        return []
    return [
        Finding(
            "python-32-bit",
            "warning",
            str(subject.executable),
            f"Python {facts.minor} here is a 32-bit program ({facts.machine})",
            "TensorFlow is published for 64-bit Pythons only: pip finds no version of it.",
            f"{remedy.fresh(subject)}   (with a 64-bit Python)",
            link="https://www.tensorflow.org/install/pip",
        )
    ]


def _c_library(subject: Subject, facts: Facts, sources: Sources) -> list[Finding]:
    name, version = facts.libc
    if not name and sources.musl:
        return [
            Finding(
                "musl",
                "warning",
                str(subject.executable),
                f"this system's C library is musl ({sources.musl[0]})",
                "TensorFlow and NVIDIA publish for glibc only: on Alpine pip finds no version of them.",
                "use an image with glibc, such as python:3.10-slim",
                link="https://github.com/tensorflow/tensorflow/issues/85371",
            )
        ]
    have = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if name != "glibc" or len(have) < 2:
        return []
    tight = [(item, need) for item in _compiled(subject) if (need := _glibc_wanted(item)) and need > have]
    return [
        Finding(
            "glibc-too-old",
            "error",
            item.name,
            f"{item.name} {item.version} is built for glibc {need[0]}.{need[1]} or newer, this system has {version}",
            "It was installed on a newer system and copied, or the file was renamed to install it. Its libraries do "
            "not load ('GLIBC_… not found').",
            remedy.install(subject, item.name),
            item.name,
            link="https://peps.python.org/pep-0600/",
        )
        for item, need in tight
    ]


def _compiled(subject: Subject) -> list[Distribution]:
    names = dict.fromkeys(name for module in MODULES.values() for name in module)
    return [subject.winners[name] for name in names if name in subject.winners]


def _glibc_wanted(item: Distribution) -> tuple[int, int] | None:
    """Return the oldest glibc that the tags of a wheel allow; None when they name none."""
    try:
        text = read_text(item.path / "WHEEL", errors="replace")
    except OSError:
        return None
    found = []
    for match in _TAG.finditer("\n".join(line for line in text.splitlines() if line.startswith("Tag:"))):
        if match["legacy"]:
            found.append(_MANYLINUX[match["legacy"]])
        elif match["major"]:
            found.append((int(match["major"]), int(match["minor"])))
    return min(found) if found else None


def _opencv(subject: Subject, sources: Sources) -> list[Finding]:
    for item in (subject.winners[name] for name in OPENCVS if name in subject.winners):
        modules = sorted((item.site / "cv2").glob("*.so")) + sorted((item.site / "cv2").glob("python-*/*.so"))
        # Of several, whose cv2 this is cannot be told: each one's libraries may be the right ones.
        bundled = [item.site / f"{name.replace('-', '_')}.libs" for name in OPENCVS]
        bundled.append(item.site / "cv2" / ".libs")
        if subject.kind == "conda" and subject.root:
            bundled.append(subject.root / "lib")
        absent = missing(modules, [path for path in bundled if path.is_dir()], sources.libraries(subject))
        if absent:
            return [_libraries_absent(subject, item, absent)]
    return []


def _libraries_absent(subject: Subject, item: Distribution, absent: tuple[str, ...]) -> Finding:
    packages = list(dict.fromkeys(_PACKAGES[name] for name in absent if name in _PACKAGES))
    headless = _HEADLESS.get(item.name)
    fix = f"apt install {' '.join(packages)}" if packages else f"install what brings {absent[0]}"
    if headless and not subject.environment:
        fix += f"   (or, without windows: {remedy.reinstall(subject, (item.name,), f'{headless}=={item.version}')})"
    return Finding(
        "system-library-missing",
        "error",
        item.name,
        f"{item.name} {item.version} needs {', '.join(absent)}, which this system does not have",
        "OpenCV shows windows through libraries of the desktop; servers and slim images come without. 'import cv2', "
        "and ImageAI with it, fails.",
        fix,
        link="https://github.com/opencv/opencv-python/issues/370",
    )


def _avx(subject: Subject, facts: Facts, sources: Sources) -> list[Finding]:
    item = subject.tensorflow
    if item is None or facts.machine not in ("x86_64", "AMD64") or not subject.has_tensorflow(">=1.6"):
        return []
    if item.installer == "conda":  # conda's own builds ask for less
        return []
    flags = _flags(sources.cpuinfo)
    if not flags or "avx" in flags:
        return []
    return [
        Finding(
            "no-avx",
            "error",
            item.name,
            f"the processor has no AVX ({sources.cpuinfo}), which {item.name} {item.version} is built with",
            "It is older than 2011, or a virtual machine hides it. 'import tensorflow' ends with 'Illegal "
            "instruction'.",
            "let the virtual machine show the host's processor (QEMU: -cpu host), or use another machine",
            link="https://github.com/tensorflow/tensorflow/issues/17411",
        )
    ]


def _flags(cpuinfo: Path) -> frozenset[str]:
    for line in _text(cpuinfo).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            return frozenset(value.split())
    return frozenset()


def _memory(subject: Subject, sources: Sources) -> list[Finding]:
    if not _purpose(subject):
        return []
    match = re.search(r"^MemAvailable:\s+(\d+) kB", _text(sources.meminfo), re.MULTILINE)
    found = [(int(match[1]) * 1024, "available")] if match else []
    for file in sources.memory_limits:
        text = _text(file).strip()
        if text.isdigit():
            found.append((int(text), "allowed to this container"))
    if not found or min(found)[0] >= LEAST_MEMORY:
        return []
    least, what = min(found)
    return [
        Finding(
            "low-memory",
            "warning",
            "memory",
            f"{least / _GIB:.1f} GiB of memory are {what}",
            "Detection and training with ImageAI take up to 3 GB; the system ends a program that asks for more "
            "('Killed', exit status 137).",
            "close other programs, give the container more memory, or train with a smaller batch_size",
            link="https://github.com/OlafenwaMoses/ImageAI/issues",
        )
    ]


def _disk(subject: Subject, facts: Facts, sources: Sources) -> list[Finding]:
    place = subject.root or facts.purelib
    free = sources.free(place) if _purpose(subject) else None
    if free is None or free >= LEAST_DISK:
        return []
    return [
        Finding(
            "low-disk",
            "warning",
            str(place),
            f"{free / _GIB:.1f} GiB are free on the disk of {place}",
            "An installation that runs out of space leaves half a package; a training writes a model per epoch.",
            "imageai-env gc   (and: pip cache purge, uv cache prune)",
        )
    ]


def _rosetta(subject: Subject, facts: Facts) -> list[Finding]:
    """Tell of an Intel Python on Apple silicon. Unproven: from Apple's documentation of ``sysctl``."""
    if facts.machine != "x86_64" or sys.platform != "darwin":
        return []
    try:
        done = run(["/usr/sbin/sysctl", "-n", "hw.optional.arm64"], timeout=5.0)
    except InstallError:
        return []
    if done.stdout.strip() != "1":
        return []
    return [
        Finding(
            "rosetta",
            "error" if subject.has_tensorflow(">=1.6") else "warning",
            str(subject.executable),
            "this Python is built for Intel and runs translated (Rosetta) on Apple silicon",
            "TensorFlow for Intel uses AVX, which Rosetta does not have before macOS 15: 'Illegal instruction'. "
            "The GPU is out of reach too.",
            f"{remedy.fresh(subject)}   (with an arm64 Python)",
            link="https://developer.apple.com/documentation/apple-silicon/about-the-rosetta-translation-environment",
        )
    ]


def _long_paths(facts: Facts) -> list[Finding]:
    """Tell of Windows' limit of 260 characters. Unproven: from Microsoft's documentation."""
    if sys.platform != "win32":
        return []
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            enabled = winreg.QueryValueEx(key, "LongPathsEnabled")[0] == 1
    except OSError:
        enabled = False
    # The longest path inside TensorFlow's wheel takes about 150 characters below site-packages.
    if enabled or len(str(facts.purelib)) < 100:
        return []
    return [
        Finding(
            "long-paths",
            "warning",
            str(facts.purelib),
            f"its path has {len(str(facts.purelib))} characters, and long paths are not enabled",
            "Windows refuses paths of more than 260 characters; TensorFlow's files have long ones.",
            r"reg add HKLM\SYSTEM\CurrentControlSet\Control\FileSystem /v LongPathsEnabled /t REG_DWORD /d 1 /f"
            "   (as administrator), or a shorter directory",
            link="https://pip.pypa.io/warnings/enable-long-paths",
        )
    ]


def _text(file: Path) -> str:
    try:
        return read_text(file, errors="replace")
    except OSError:
        return ""
