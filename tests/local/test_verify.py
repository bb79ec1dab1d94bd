"""The proof: real virtual environments and the real probe; what breaks in them is said in plain words."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from imageai_envs.base.errors import VerifyError
from imageai_envs.base.process import Log
from imageai_envs.base.progress import Silent
from imageai_envs.installed.venv_files import site_packages
from imageai_envs.locks.lockfile import Header, Lock, Pin
from imageai_envs.request.framework import TENSORFLOW, Release
from imageai_envs.request.target import Target
from imageai_envs.verification.verify import check_installed, installed, verify
from tests.support.context import recording

MODULES = {
    "numpy/__init__.py": "__version__ = '1.23.5'\n",
    "cv2/__init__.py": "__version__ = '4.11.0'\n",
    "tensorflow/__init__.py": "__version__ = '2.10.1'\n",
    "imageai/__init__.py": "",
    "imageai/Classification/__init__.py": "import tensorflow\n",
    "imageai/Classification/Custom/__init__.py": "",
    "imageai/Detection/__init__.py": "",
    "imageai/Detection/Custom/__init__.py": "",
}
PINS = (
    Pin("imageai", "2.1.6", ("sha256:" + "0" * 64,)),
    Pin("keras-resnet", "0.2.0", ("sha256:" + "1" * 64,)),
)


def lock(variant: str = "cpu") -> Lock:
    target = Target((3, 10), "linux", "x86_64")
    return Lock(
        Header("tiny", Release(TENSORFLOW, "2.10.1"), "2.1.6", variant, target, "uv 1", (), True, (), (), "sha256:0"),
        PINS,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An environment in which all modules of ImageAI are there, and do nothing."""
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    put(place, MODULES)
    put(
        place,
        {
            "imageai-2.1.6.dist-info/METADATA": "Metadata-Version: 2.1\nName: ImageAI\nVersion: 2.1.6\n",
            "keras_resnet-0.2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: keras_resnet\nVersion: 0.2.0\n",
        },
    )
    return place


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "x.log")


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = site_packages(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def fake_python(root: Path, script: str) -> None:
    """Put a program of ours where the environment's Python is."""
    python = root / "bin" / "python"
    python.unlink()
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)


# What is installed ------------------------------------------------------------------------------------------------


def test_installed_is_read_without_running_anything(root: Path) -> None:
    (root / "bin" / "python").unlink()
    assert installed(root) == {"imageai": "2.1.6", "keras-resnet": "0.2.0"}
    check_installed(root, lock())


def test_no_site_packages(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="no site-packages") as caught:
        site_packages(tmp_path)
    assert (caught.value.code, caught.value.exit_code) == ("no-site-packages", 7)


def test_windows_layout(tmp_path: Path) -> None:
    (tmp_path / "Lib" / "site-packages").mkdir(parents=True)
    assert site_packages(tmp_path) == tmp_path / "Lib" / "site-packages"


def test_what_differs_from_the_lock(root: Path, log: Log) -> None:
    packages = site_packages(root)
    (packages / "imageai-2.1.6.dist-info").rename(packages / "imageai-2.1.5.dist-info")
    # What pip leaves of a package that it could not remove.
    (packages / "keras_resnet-0.2.0.dist-info").rename(packages / "~eras_resnet-0.2.0.dist-info")
    with pytest.raises(VerifyError) as caught:
        verify(root, lock(), "none", recording(log))
    assert caught.value.code == "not-as-locked"
    assert "imageai: locked 2.1.6, installed 2.1.5" in caught.value.message
    assert "keras-resnet: locked 0.2.0, installed nothing" in caught.value.message


# Levels -----------------------------------------------------------------------------------------------------------


def test_level_none_runs_nothing(root: Path, log: Log) -> None:
    fake_python(root, "exit 1")
    proof = verify(root, lock(), "none", recording(log))
    assert (proof.level, proof.seconds, proof.answer) == ("none", 0.0, {})
    assert not log.path.exists()


def test_level_imports(root: Path, log: Log) -> None:
    proof = verify(root, lock(), "imports", recording(log))
    assert proof.level == "imports"
    assert proof.answer["ok"] is True
    assert proof.answer["versions"] == proof.answer["versions"] | {"tensorflow": "2.10.1", "numpy": "1.23.5"}  # type: ignore[operator]
    assert "[exit 0]" in log.path.read_text(encoding="utf-8")


def test_level_inference_wants_a_real_result(root: Path, log: Log) -> None:
    with pytest.raises(VerifyError) as caught:
        verify(root, lock(), "inference", recording(log))
    assert caught.value.exit_code == 7
    assert str(log.path) in caught.value.message


def test_the_probes_surroundings(root: Path, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import json, os, sys\n"
        f"names = ('HOME', 'CUDA_VISIBLE_DEVICES', 'MPLBACKEND', 'PYTHONPATH', 'VIRTUAL_ENV')\n"
        f"with open({str(tmp_path / 'seen.json')!r}, 'w') as stream:\n"
        "    json.dump({name: os.environ.get(name) for name in names} | {'cwd': os.getcwd()}, stream)\n"
    )
    put(root, {"numpy/__init__.py": code + MODULES["numpy/__init__.py"]})
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    seen = {}
    # A platform without CUDA from wheels: where there are such, the libraries are opened first (test_cuda_proof).
    elsewhere = Target((3, 10), "darwin", "arm64")
    for variant in ("cpu", "gpu"):
        one = lock(variant)
        one = dataclasses.replace(one, header=dataclasses.replace(one.header, target=elsewhere))
        verify(root, one, "imports", recording(log))
        seen[variant] = json.loads((tmp_path / "seen.json").read_text(encoding="utf-8"))
    assert seen["cpu"]["HOME"] == seen["cpu"]["cwd"] != str(Path.home())
    assert (seen["cpu"]["MPLBACKEND"], seen["cpu"]["PYTHONPATH"], seen["cpu"]["VIRTUAL_ENV"]) == ("Agg", None, None)
    assert (seen["cpu"]["CUDA_VISIBLE_DEVICES"], seen["gpu"]["CUDA_VISIBLE_DEVICES"]) == ("-1", None)
    assert not Path(seen["cpu"]["HOME"]).exists()


def test_output_goes_to_the_reporter_and_the_answer_does_not(root: Path, log: Log) -> None:
    put(root, {"tensorflow/__init__.py": "print('W: no GPU')\n__version__ = '2.10.1'\n"})
    lines: list[str] = []

    class Listening(Silent):
        def output(self, line: str) -> None:
            lines.append(line)

    verify(root, lock(), "imports", recording(log, Listening()))
    assert lines == ["W: no GPU"]


# Failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "code", "words", "hint"),
    [
        ("cv2", "raise ImportError('libGL.so.1: cannot open shared object file')", "libGL", "apt install libgl1"),
        ("cv2", "raise ImportError('libgthread-2.0.so.0: cannot open')", "GLib", "apt install libglib2.0-0"),
        ("tensorflow", "raise TypeError('Descriptors cannot be created directly.')", "protobuf 4", "protobuf<4"),
        (
            "imageai/Classification",
            "raise ImportError(\"cannot import name 'deprecated' from 'matplotlib.cbook' (x)\")",
            "matplotlib 3.6 removed",
            "matplotlib<3.6",
        ),
        ("numpy", "raise AttributeError(\"module 'numpy' has no attribute 'float'\")", "too new", "numpy<1.24"),
        ("tensorflow", "raise ImportError('numpy.core.multiarray failed to import')", "major version", "numpy<1.24"),
        ("tensorflow", "raise OSError(28, 'No space left on device')", "disk", "df -h"),
    ],
)
def test_known_reasons(root: Path, log: Log, module: str, code: str, words: str, hint: str) -> None:
    put(root, {f"{module}/__init__.py": f"{code}\n"})
    with pytest.raises(VerifyError) as caught:
        verify(root, lock(), "imports", recording(log))
    assert caught.value.exit_code == 7
    assert words in caught.value.message
    assert f"import {module.replace('/', '.')}" in caught.value.message
    assert hint in (caught.value.hint or "")
    assert str(log.path) in caught.value.message
    probe = caught.value.data["probe"]
    assert isinstance(probe, dict)
    assert probe["ok"] is False


def test_a_reason_that_is_only_in_the_chain(root: Path, log: Log) -> None:
    code = (
        "try:\n    raise ImportError('libGL.so.1: cannot open shared object file')\n"
        "except ImportError as error:\n    raise RuntimeError('cv2 is broken') from error\n"
    )
    put(root, {"cv2/__init__.py": code})
    with pytest.raises(VerifyError, match="libGL, which this machine does not have"):
        verify(root, lock(), "imports", recording(log))


def test_unknown_reasons_and_secrets(root: Path, log: Log) -> None:
    put(root, {"tensorflow/__init__.py": "raise ValueError('odd https://robot:hunter2@x/')\n"})
    with pytest.raises(VerifyError, match="ImageAI does not run in it, at stage 'import tensorflow'") as caught:
        verify(root, lock(), "imports", recording(log))
    assert "ValueError: odd https://****@x/" in caught.value.message
    assert "hunter2" not in log.path.read_text(encoding="utf-8")
    assert "--verify none" in (caught.value.hint or "")


def test_a_module_that_exits(root: Path, log: Log) -> None:
    put(root, {"tensorflow/__init__.py": "import sys\nsys.exit(0)\n"})
    with pytest.raises(VerifyError):
        verify(root, lock(), "imports", recording(log))


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("kill -ILL $$", "no-avx", "AVX"),
        ("kill -KILL $$", "out-of-memory", "memory"),
        ("exit 137", "out-of-memory", "memory"),
        ("kill -SEGV $$", "probe-died", "signal 11"),
        ("echo 'ImportError: broken' >&2; exit 1", "probe-died", "ImportError: broken"),
        ("exit 0", "probe-died", "without an answer"),
        ("echo '@@imageai-env@@{torn'", "probe-died", "without an answer"),
        ("echo '@@imageai-env@@[1]'", "probe-died", "without an answer"),
    ],
)
def test_a_probe_that_dies(root: Path, log: Log, script: str, code: str, words: str) -> None:
    fake_python(root, script)
    with pytest.raises(VerifyError, match=words) as caught:
        verify(root, lock(), "imports", recording(log))
    assert (caught.value.code, caught.value.exit_code) == (code, 7)
    assert str(log.path) in caught.value.message


def test_an_answer_does_not_count_when_the_probe_then_fails(root: Path, log: Log) -> None:
    fake_python(root, "echo '@@imageai-env@@{\"ok\": true}'; exit 3")
    with pytest.raises(VerifyError):
        verify(root, lock(), "imports", recording(log))


def test_a_probe_that_denies_it_is_no_proof_whatever_its_status(root: Path, log: Log) -> None:
    fake_python(root, 'echo \'@@imageai-env@@{"ok": false, "stage": "import", "error": {"text": "wrong result"}}\'')
    with pytest.raises(VerifyError, match="wrong result"):
        verify(root, lock(), "inference", recording(log))


def test_the_last_answer_counts(root: Path, log: Log) -> None:
    fake_python(root, 'echo \'@@imageai-env@@{"ok": false}\'; echo \'x @@imageai-env@@{"ok": true, "seconds": 2}\'')
    assert verify(root, lock(), "imports", recording(log)).seconds == 2.0
