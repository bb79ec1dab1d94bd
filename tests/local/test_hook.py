"""The runtime hook, installed by real installers into real environments; TensorFlow and ImageAI are small stand-ins.

The real ones meet the hook in ``nox -s matrix``: only there training of TensorFlow 2.11-2.15 shows what it fixes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from imageai_envs.base.process import Log
from imageai_envs.building import hook
from imageai_envs.engines import get_engine
from imageai_envs.request.stack import HOOK
from tests.support.context import recording

TENSORFLOW = """\
import sys, types
__version__ = {version!r}
class Adam: pass
class LegacyAdam: pass
keras = types.ModuleType("tensorflow.keras"); optimizers = types.ModuleType("tensorflow.keras.optimizers")
optimizers.legacy = types.SimpleNamespace(Adam=LegacyAdam); optimizers.Adam = Adam
keras.optimizers = optimizers; keras.layers = "layers"
sys.modules["tensorflow.keras"] = keras; sys.modules["tensorflow.keras.optimizers"] = optimizers
"""
ASK = """\
import json, os, sys
import tensorflow as tf
import imageai.Detection.Custom as detection, imageai.Classification.Custom as classification
print(json.dumps({
    "detection": detection.Adam.__name__, "classification": classification.make().__name__,
    "users": tf.keras.optimizers.Adam.__name__, "layers": classification.tf.keras.layers,
    "flags": os.environ.get("XLA_FLAGS"), "loader": type(detection.__spec__.loader).__name__,
}))
"""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an environment that is made with the first test and copied for each."""
    return tmp_path_factory.mktemp("pristine")


@pytest.fixture
def environment(pristine: Path, tmp_path: Path) -> Path:
    """A virtual environment with the hook."""
    if not (pristine / "env").exists():
        made("uv", pristine, "--no-pip")
    return Path(shutil.copytree(pristine / "env", tmp_path / "env", symlinks=True))


def made(engine_name: str, tmp_path: Path, *options: str) -> Path:
    root = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "virtualenv", "--quiet", "--no-setuptools", *options, root], check=True)
    wheel = hook.write_wheel(tmp_path)
    engine = get_engine(engine_name)
    python = root / "bin" / "python"
    engine.install_wheel(python, wheel, tmp_path, recording(Log(tmp_path / "log")))
    return root


def site(root: Path) -> Path:
    return next((root / "lib").glob("python3*/site-packages"))


def put_tensorflow(root: Path, version: str, name: str = "tensorflow") -> None:
    package = site(root) / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text(TENSORFLOW.format(version=version))
    (site(root) / f"{name}-{version}.dist-info").mkdir()
    for part, text in (
        ("Detection/Custom", "from tensorflow.keras.optimizers import Adam\n"),
        ("Classification/Custom", "import tensorflow as tf\ndef make(): return tf.keras.optimizers.Adam\n"),
    ):
        directory = site(root) / "imageai" / part
        directory.mkdir(parents=True)
        for package in (directory.parents[0], directory.parents[1]):
            (package / "__init__.py").touch()
        (directory / "__init__.py").write_text(text)


def ask(root: Path, *options: str, script: str = ASK, **variables: str) -> dict[str, object]:
    clean = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    done = subprocess.run(
        [root / "bin" / "python", *options, "-c", script],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("version", ["2.11.0", "2.11.1", "2.15.1"])
@pytest.mark.parametrize("options", [(), ("-I",), ("-E",), ("-B", "-O")])
def test_imageai_gets_the_legacy_adam_and_nobody_else(
    environment: Path, version: str, options: tuple[str, ...]
) -> None:
    put_tensorflow(environment, version)
    answer = ask(environment, *options)
    assert answer["detection"] == answer["classification"] == "LegacyAdam"
    assert answer["users"] == "Adam"
    assert answer["layers"] == "layers"  # the rest of `tf` is TensorFlow's own
    assert answer["loader"] == "SourceFileLoader"


@pytest.mark.parametrize("version", ["2.10.1", "2.16.2", "2.4.4"])
def test_other_tensorflows_are_left_alone(environment: Path, version: str) -> None:
    put_tensorflow(environment, version)
    answer = ask(environment)
    assert answer["detection"] == answer["classification"] == "Adam"


def test_it_can_be_turned_off(environment: Path) -> None:
    put_tensorflow(environment, "2.12.1")
    (site(environment) / "nvidia" / "cuda_nvcc").mkdir(parents=True)
    answer = ask(environment, IMAGEAI_ENV_HOOK="0")
    assert (answer["detection"], answer["flags"]) == ("Adam", None)


def test_it_works_with_a_startup_file(environment: Path, tmp_path: Path) -> None:
    put_tensorflow(environment, "2.12.1")
    (tmp_path / "startup.py").write_text("import json\n")
    assert ask(environment, PYTHONSTARTUP=str(tmp_path / "startup.py"))["detection"] == "LegacyAdam"


@pytest.mark.parametrize("version", ["2.4.4", "2.10.1", "2.13.1"])
def test_xla_is_pointed_to_the_wheel(environment: Path, version: str) -> None:
    put_tensorflow(environment, version)
    toolkit = site(environment) / "nvidia" / "cuda_nvcc"
    assert ask(environment)["flags"] is None  # no wheel, no flag
    toolkit.mkdir(parents=True)
    flag = f"--xla_gpu_cuda_data_dir={toolkit}"
    assert ask(environment)["flags"] == flag
    assert ask(environment, XLA_FLAGS="--xla_dump_to=/x")["flags"] == f"--xla_dump_to=/x {flag}"
    own = "--xla_gpu_cuda_data_dir=/usr/local/cuda"
    assert ask(environment, XLA_FLAGS=own)["flags"] == own


@pytest.mark.parametrize(("version", "name"), [("2.14.1", "tensorflow"), ("2.10.1", "tensorflow_cpu")])
def test_xla_needs_no_pointing(environment: Path, version: str, name: str) -> None:
    put_tensorflow(environment, version, name)
    (site(environment) / "nvidia" / "cuda_nvcc").mkdir(parents=True)
    assert ask(environment)["flags"] is None


def test_nothing_happens_without_tensorflow(environment: Path) -> None:
    loaded = "{'hook': '_imageai_envs_hook' in sys.modules, 'tf': 'tensorflow' in sys.modules}"
    script = f"import json, sys; print(json.dumps({loaded}))"
    assert ask(environment, script=script) == {"hook": True, "tf": False}


def test_a_broken_tensorflow_gives_its_own_error(environment: Path) -> None:
    (site(environment) / "tensorflow").mkdir()
    (site(environment) / "tensorflow" / "__init__.py").write_text("raise ImportError('libcudart is wrong')\n")
    done = subprocess.run(
        [environment / "bin" / "python", "-c", "import tensorflow"], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip().splitlines()[-1] == "ImportError: libcudart is wrong"


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_installers_know_it(engine: str, tmp_path: Path) -> None:
    environment = made(engine, tmp_path)
    python = environment / "bin" / "python"
    listed = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    assert f"{HOOK}=={hook.VERSION}" in listed.splitlines()
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", HOOK], check=True)
    assert [path.name for path in site(environment).iterdir() if "imageai_envs" in path.name] == []


def test_the_wheel_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    assert hook.write_wheel(first).requirement == hook.write_wheel(second).requirement
    with zipfile.ZipFile(first / f"imageai_envs_hook-{hook.VERSION}-py3-none-any.whl") as archive:
        assert f'__version__ = "{hook.VERSION}"' in archive.read("_imageai_envs_hook.py").decode()
