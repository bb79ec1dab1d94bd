"""What a probe really gets: real processes that tell their environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imageai_envs.base.context import Context
from imageai_envs.base.paths import CACHE_VARIABLE, home
from imageai_envs.base.process import Log
from imageai_envs.base.progress import Silent
from imageai_envs.locks.lockfile import Header, Lock
from imageai_envs.request.framework import TENSORFLOW, Release
from imageai_envs.request.target import Target
from imageai_envs.verification import probe_runner
from imageai_envs.verification.devices import device_variables
from imageai_envs.verification.features import prove
from imageai_envs.verification.probe_runner import run_probe
from imageai_envs.verification.verify import verify
from tests.support.context import recording

# Stands in for the environment's Python: answers as a probe does, with its environment and where it runs.
TELLING = """#!{python}
import json, os, sys
print("@@imageai-env-event@@" + json.dumps({{"plan": ["imports"]}}))
open(os.path.join(os.environ["HOME"], "file"), "w").close()
answer = {{"ok": True, "environment": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv, "libraries": {{}}}}
with open({record!r}, "a") as stream:
    stream.write(json.dumps(answer) + "\\n")
print("@@imageai-env@@" + json.dumps(answer))
"""
_CACHE = ("CUDA_CACHE_PATH", "CUDA_CACHE_MAXSIZE")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"


@pytest.fixture
def root(tmp_path: Path, record: Path) -> Path:
    """An environment whose Python tells what it is given."""
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(TELLING.format(python=sys.executable, record=str(record)), encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / "env" / "lib" / "python3.10" / "site-packages").mkdir(parents=True)
    return tmp_path / "env"


def told(record: Path) -> list[dict[str, str]]:
    lines = record.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["environment"] for line in lines]


def lock(variant: str, system: str = "linux") -> Lock:
    target = Target((3, 10), system, "x86_64")
    return Lock(
        Header("t", Release(TENSORFLOW, "2.10.1"), "2.1.6", variant, target, "uv 1", (), True, (), (), "sha256:0"), ()
    )


def test_a_proof_on_a_gpu_keeps_kernels_where_the_user_looks(
    root: Path, record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "imageai_envs.verification.cuda.needs_of", lambda _: type("Needs", (), {"finder": "links", "sonames": ()})
    )
    with pytest.raises(KeyError):  # the stand-in tells of no devices
        verify(root, lock("gpu"), "inference", recording(Log(tmp_path / "log")))
    devices = told(record)[-1]
    verify(root, lock("gpu", "darwin"), "inference", recording(Log(tmp_path / "log")))
    quick = told(record)[-1]
    prove(root, recording(Log(tmp_path / "log")), variant="gpu")
    full = told(record)[-1]
    for environment in (devices, quick, full):
        assert environment["CUDA_CACHE_PATH"] == f"{os.environ['HOME']}/.nv/ComputeCache"
        assert environment["CUDA_CACHE_MAXSIZE"] == str(2**30)
        assert environment["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
        assert environment["HOME"] != os.environ["HOME"]
        assert "CUDA_VISIBLE_DEVICES" not in environment
    assert full["NVIDIA_TF32_OVERRIDE"] == "0"
    assert "NVIDIA_TF32_OVERRIDE" not in devices.keys() | quick.keys()  # what people get is proved
    assert not Path(os.environ["HOME"], ".nv").exists()  # no driver, no cache


def test_a_proof_on_the_processor_sees_no_gpu(root: Path, record: Path, tmp_path: Path) -> None:
    verify(root, lock("cpu"), "inference", recording(Log(tmp_path / "log")))
    prove(root, recording(Log(tmp_path / "log")))
    for environment in told(record):
        assert environment["CUDA_VISIBLE_DEVICES"] == "-1"
        assert not environment.keys() & set(_CACHE)


def test_the_users_own_cache_of_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_CACHE_PATH", "kernels")
    monkeypatch.setenv("CUDA_CACHE_MAXSIZE", "4294967296")
    monkeypatch.setenv("CUDA_CACHE_DISABLE", "1")
    variables = device_variables("gpu")
    assert variables["CUDA_CACHE_PATH"] == str(Path("kernels").absolute())  # the probe runs in another directory
    assert variables["CUDA_CACHE_MAXSIZE"] == "4294967296"
    assert "CUDA_CACHE_DISABLE" not in variables  # and so stays what it is


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert not device_variables("gpu").keys() & set(_CACHE)


def test_the_home_of_a_probe(root: Path, record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in our cache, may have spaces, and goes away."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "my cache"))
    monkeypatch.setattr("imageai_envs.base.scratch._LONGEST", 4000)
    context = Context(home(), Silent(), Log(tmp_path / "log"))
    done, answer = run_probe(root, "cuda_probe.py", ("a{directory}b",), context, timeout=60)
    assert done.ok
    assert answer is not None
    place = Path(str(answer["cwd"]))
    assert place.parent == home().cache / "scratch"
    assert told(record)[-1]["HOME"] == str(place)
    assert answer["argv"][-1] == f"a{place}b"  # type: ignore[index]
    assert not place.exists()


PROBES = Path(probe_runner.__file__).parent / "probes"
ASKED = "import sys; sys.path.insert(0, sys.argv[1]); import cuda_probe; cuda_probe.keep_kernels()"


@pytest.mark.parametrize(("disabled", "made"), [("0", True), ("1", False)])
def test_the_directory_of_kernels_is_made_where_a_driver_is(tmp_path: Path, disabled: str, made: bool) -> None:
    place = tmp_path / "a" / "b"
    variables = {**os.environ, "CUDA_CACHE_PATH": str(place), "CUDA_CACHE_DISABLE": disabled}
    for _ in range(2):
        subprocess.run([sys.executable, "-B", "-c", ASKED, PROBES], env=variables, check=True)
    assert place.is_dir() is made
    variables["CUDA_CACHE_PATH"] = "/proc/nothing/here"
    subprocess.run([sys.executable, "-B", "-c", ASKED, PROBES], env=variables, check=True)
