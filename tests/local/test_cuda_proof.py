"""Libraries are really opened, by the environment's own Python; C libraries of the system stand for those of CUDA.

TensorFlow is a stand-in, and so is the driver (an empty library): no GPU is needed to see what is made of the answers.
"""

from __future__ import annotations

import ctypes
import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from imageai_envs.base.errors import VerifyError
from imageai_envs.base.process import Log
from imageai_envs.building.cuda_links import make_links, wanted_links
from imageai_envs.installed.cuda_needs import needs_of
from imageai_envs.locks.lockfile import Header, Lock
from imageai_envs.request.framework import TENSORFLOW, TORCH, Release
from imageai_envs.request.target import Target
from imageai_envs.verification.cuda import is_proved_here, prove_cuda
from tests.support.context import recording

MODULE = """\
import types
__version__ = "2.10.1"
gpu = types.SimpleNamespace(name="/physical_device:GPU:0")
config = types.SimpleNamespace(
    list_physical_devices=lambda kind: {gpus},
    experimental=types.SimpleNamespace(
        get_device_details=lambda gpu: {{"device_name": "Stand-in", "compute_capability": (8, 0)}}
    ),
)
"""


def system_library() -> Path:
    """Return a shared library that any process can open."""
    ctypes.CDLL("libm.so.6")
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return next(Path(line.split()[-1]) for line in maps if "libm.so" in line or "libm-" in line)


@pytest.fixture
def lock() -> Lock:
    header = Header(
        template="tf2.10", release=Release(TENSORFLOW, "2.10.1"), imageai="2.1.6", variant="gpu",
        target=Target((3, 10), "linux", "x86_64"), engine="uv 1", inputs="0" * 64,
        requires=(), built=(), dropped=(), replaced=True,
    )  # fmt: skip
    return Lock(header, ())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An environment with every CUDA library of TensorFlow 2.10 in wheels' directories, and links to them."""
    root = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    site = next((root / "lib").glob("python3*/site-packages"))
    needs = needs_of("2.10.1")
    assert needs is not None
    for soname in needs.sonames:
        directory = site / "nvidia" / soname.removeprefix("lib").split(".")[0] / "lib"
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(system_library(), directory / soname)
    (site / "tensorflow").mkdir()
    (site / "tensorflow" / "__init__.py").write_text(MODULE.format(gpus=[]))
    make_links(site, wanted_links(site, {}))
    return root


def site_of(root: Path) -> Path:
    return next((root / "lib").glob("python3*/site-packages"))


def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


def test_every_library_is_opened_where_tensorflow_looks(root: Path, lock: Lock, tmp_path: Path) -> None:
    proof = prove_cuda(root, lock, recording(log(tmp_path)))
    assert len(proof.libraries) == 8
    assert proof.libraries["libcudnn.so.8"] == str(site_of(root) / "tensorflow" / "libcudnn.so.8")
    assert proof.computed is None


def test_a_library_that_is_none_is_named_with_its_wheel(root: Path, lock: Lock, tmp_path: Path) -> None:
    place = site_of(root) / "nvidia" / "cudnn" / "lib" / "libcudnn.so.8"
    place.write_bytes(b"not a library")
    with pytest.raises(VerifyError) as caught:
        prove_cuda(root, lock, recording(log(tmp_path)))
    assert caught.value.code == "cuda-library"
    assert "libcudnn.so.8 (nvidia-cudnn-cu11==8.9.6.50)" in caught.value.message
    assert "libcublas" not in caught.value.message


def test_a_missing_link_is_a_missing_library(root: Path, lock: Lock, tmp_path: Path) -> None:
    (site_of(root) / "tensorflow" / "libcufft.so.10").unlink()
    with pytest.raises(VerifyError, match=r"libcufft\.so\.10 \(nvidia-cufft-cu11\)"):
        prove_cuda(root, lock, recording(log(tmp_path)))


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a library of the driver's name where the loader looks."""
    directory = tmp_path / "driver"
    directory.mkdir()
    shutil.copy(system_library(), directory / "libcuda.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(directory))


@pytest.mark.usefixtures("driver")
def test_gpus_that_tensorflow_lists_are_shown(root: Path, lock: Lock, tmp_path: Path) -> None:
    (site_of(root) / "tensorflow" / "__init__.py").write_text(MODULE.format(gpus="[gpu]"))
    proof = prove_cuda(root, lock, recording(log(tmp_path)), compute=False)
    assert proof.devices == ({"name": "/physical_device:GPU:0", "model": "Stand-in", "capability": "8.0"},)
    assert "/physical_device:GPU:0 (Stand-in)" in proof.words()


@pytest.mark.usefixtures("driver")
def test_a_driver_without_a_gpu(root: Path, lock: Lock, tmp_path: Path) -> None:
    assert "lists no GPU" in prove_cuda(root, lock, recording(log(tmp_path))).words()


@pytest.mark.usefixtures("driver")
def test_a_listed_gpu_that_does_not_compute_is_an_error(root: Path, lock: Lock, tmp_path: Path) -> None:
    (site_of(root) / "tensorflow" / "__init__.py").write_text(MODULE.format(gpus="[gpu]"))
    with pytest.raises(VerifyError) as caught:  # the stand-in cannot multiply
        prove_cuda(root, lock, recording(log(tmp_path)))
    assert caught.value.code == "gpu-does-not-compute"


LIBRARIES = {soname: {"path": f"/{soname}"} for needs in [needs_of("2.10.1")] if needs for soname in needs.sonames}
DEVICES = {"ok": True, "driver": False, "devices": []}


def answering(root: Path, libraries: dict[str, object], devices: dict[str, object], end: str) -> None:
    """Put a program in the place of the environment's Python; ``end`` sees in $3 which probe it is."""
    texts = [shlex.quote(f"@@imageai-env@@{json.dumps(answer)}") for answer in ({"libraries": libraries}, devices)]
    python = root / "bin" / "python"
    python.unlink()
    python.write_text(f"#!/bin/sh\n[ $3 = devices ] && echo {texts[1]} || echo {texts[0]}\n{end}\n", encoding="utf-8")
    python.chmod(0o755)


@pytest.mark.parametrize(
    ("libraries", "devices", "end", "code"),
    [
        ({}, {}, "exit 0", None),
        ({"libcudnn.so.8": {}}, {}, "exit 0", "cuda-library"),
        ({"libcudnn.so.8": None}, {}, "exit 0", "cuda-library"),
        ({}, {}, "[ $3 = devices ] || kill -SEGV $$", "cuda-library"),
        ({}, {"ok": False}, "exit 0", "gpu-does-not-compute"),
        ({}, {}, "[ $3 = libraries ] || exit 3", "gpu-does-not-compute"),
    ],
)
def test_answers_and_status_must_agree(
    root: Path,
    lock: Lock,
    tmp_path: Path,
    libraries: dict[str, object],
    devices: dict[str, object],
    end: str,
    code: str | None,
) -> None:
    opened = {soname: answer for soname, answer in (LIBRARIES | libraries).items() if answer is not None}
    answering(root, opened, DEVICES | devices, end)
    if code is None:
        assert len(prove_cuda(root, lock, recording(log(tmp_path))).libraries) == len(LIBRARIES)
        return
    with pytest.raises(VerifyError) as caught:
        prove_cuda(root, lock, recording(log(tmp_path)))
    assert caught.value.code == code


def test_only_linux_x86_64_is_proved(lock: Lock) -> None:
    assert is_proved_here(lock)
    assert not is_proved_here(replace(lock, header=replace(lock.header, release=Release(TORCH, "1.12.1"))))
    assert not is_proved_here(replace(lock, header=replace(lock.header, variant="cpu")))
    windows = Target((3, 10), "win32", "amd64")
    assert not is_proved_here(replace(lock, header=replace(lock.header, target=windows)))
