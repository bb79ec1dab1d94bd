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


def test_a_row_that_fails_breaks_no_import(environment: Path) -> None:
    put_tensorflow(environment, "2.21.0")
    library = site(environment) / "nvidia" / "cusolver" / "lib" / "libcusolver.so.11"
    library.parent.mkdir(parents=True)
    library.write_text("no library")
    assert ask(environment)["layers"] == "layers"


@pytest.mark.parametrize("version", ["2.10.1", "2.4.4"])
def test_older_tensorflows_are_left_alone(environment: Path, version: str) -> None:
    put_tensorflow(environment, version)
    answer = ask(environment)
    assert answer["detection"] == answer["classification"] == "Adam"


def put(root: Path, distribution: str, version: str, **modules: str) -> None:
    """Install a stand-in: modules by dotted name with their text, each a package."""
    (site(root) / f"{distribution}-{version}.dist-info").mkdir()
    for name, text in modules.items():
        directory = site(root).joinpath(*name.replace("__", ".").split("."))
        directory.mkdir(parents=True, exist_ok=True)
        for parent in [directory, *directory.parents][: name.count("__") + 1]:
            (parent / "__init__.py").touch()
        (directory / "__init__.py").write_text(text)


def put_the_newest(root: Path) -> None:
    put(root, "numpy", "1.26.4", numpy="__version__ = '1.26.4'\nfloat64 = 'float64'\n__all__ = ['float64']\n")
    put(root, "matplotlib", "3.10.9", matplotlib__cbook="other = 'other'\n")
    put(root, "keras", "3.12.4", keras="kind = 'Keras 3'\n", keras__layers="kind = 'layers of Keras 3'\n")
    put(root, "tensorflow_cpu", "2.19.1", tensorflow="import os\nlegacy = os.environ.get('TF_USE_LEGACY_KERAS')\n",
        tensorflow__keras="kind = 'as TensorFlow has it'\nfrom tensorflow.keras import optimizers\n",
        tensorflow__keras__optimizers="Adam = 'Adam of Keras 3'\n")  # fmt: skip
    put(root, "tf_keras", "2.19.0", tf_keras="kind = 'Keras 2'\nfrom tf_keras import optimizers, layers\n",
        tf_keras__layers="kind = 'layers of Keras 2'\n", tf_keras__optimizers="Adam = 'new Adam'\nSGD = 'SGD'\n",
        tf_keras__optimizers__legacy="Adam = 'legacy Adam'\n")  # fmt: skip


READER = """\
import numpy as np, numpy, tensorflow as tf, tensorflow.keras.optimizers as optimizers
from matplotlib.cbook import deprecated, other
from tensorflow.keras.optimizers import Adam, SGD
from tensorflow.keras.layers import kind as layers
from tensorflow import keras as tf_keras
from numpy import *
import keras, keras.layers
def later():
    import numpy
    from keras.optimizers import Adam
    return [numpy.float is float, Adam]
@deprecated("2.0", message="never")
def decorated(): return "as it was"
seen = {
    "numpy": [np.float is float, np.float64, numpy is np, float64], "cbook": [decorated(), other], "later": later(),
    "adam": [Adam, optimizers.Adam, tf.keras.optimizers.Adam, tf_keras.optimizers.Adam, keras.optimizers.Adam, SGD],
    "keras": [keras.kind, keras.layers.kind, layers, tf.keras.kind, tf_keras.kind],
}
"""
EVERYBODY = """\
import json, numpy, keras, matplotlib.cbook, tensorflow, tensorflow.keras.optimizers as o
import {module} as reader
print(json.dumps({{"seen": reader.seen, "float": hasattr(numpy, "float"), "keras": keras.kind,
    "deprecated": hasattr(matplotlib.cbook, "deprecated"), "adam": o.Adam, "legacy": tensorflow.legacy,
    "loader": type(reader.__loader__).__name__}}))
"""


@pytest.mark.parametrize("module", ["imageai.Detection.YOLO", "keras_resnet"])
@pytest.mark.parametrize("options", [(), ("-I",), ("-O",)])
def test_imageai_sees_what_is_gone_and_nobody_else_does(
    environment: Path, module: str, options: tuple[str, ...]
) -> None:
    put_the_newest(environment)
    put(environment, "reader", "1.0", **{module.replace(".", "__"): READER})
    answer = ask(environment, *options, script=EVERYBODY.format(module=module))
    assert answer["seen"] == {
        "numpy": [True, "float64", True, "float64"],
        "cbook": ["as it was", "other"],
        "later": [True, "legacy Adam"],
        "adam": ["legacy Adam"] * 5 + ["SGD"],
        "keras": ["Keras 2", "layers of Keras 2", "layers of Keras 2", "Keras 2", "Keras 2"],
    }
    del answer["seen"]
    assert answer == {
        "float": False, "keras": "Keras 3", "deprecated": False, "adam": "Adam of Keras 3", "legacy": "1",
        "loader": "SourceFileLoader",
    }  # fmt: skip


def test_what_the_user_sets_for_keras_wins_and_imageai_works_all_the_same(environment: Path) -> None:
    put_the_newest(environment)
    put(environment, "reader", "1.0", imageai=READER)
    answer = ask(environment, script=EVERYBODY.format(module="imageai"), TF_USE_LEGACY_KERAS="0")
    assert answer["legacy"] == "0"
    assert answer["seen"]["keras"][0] == "Keras 2"  # type: ignore[index]


def test_without_tf_keras_nothing_is_said_to_tensorflow(environment: Path) -> None:
    put_the_newest(environment)
    shutil.rmtree(site(environment) / "tf_keras-2.19.0.dist-info")
    script = "import json, tensorflow; print(json.dumps({'legacy': tensorflow.legacy}))"
    assert ask(environment, script=script) == {"legacy": None}


def test_modules_that_no_row_is_about_are_executed_as_ever(environment: Path) -> None:
    put(environment, "numpy", "1.23.5", numpy="float = 'its own'\n")
    put(environment, "matplotlib", "3.5.3", matplotlib__cbook="deprecated = 'its own'\n")
    put(environment, "reader", "1.0", imageai="from matplotlib.cbook import deprecated\nimport numpy\n")
    script = (
        "import json, builtins, imageai; print(json.dumps({'builtins': imageai.__builtins__ is builtins.__dict__, "
        "'seen': [imageai.deprecated, imageai.numpy.float]}))"
    )
    assert ask(environment, script=script) == {"builtins": True, "seen": ["its own", "its own"]}


@pytest.mark.parametrize(
    ("versions", "names"),
    [
        ({"tensorflow-cpu": "2.10.1", "numpy": "1.23.5", "matplotlib": "3.5.3"}, ["libdevice"]),
        ({"tensorflow": "2.15.0", "numpy": "1.23.5", "matplotlib": "3.5.3"}, ["legacy-adam"]),
        ({"tensorflow": "2.15.1", "numpy": "1.26.4", "matplotlib": "3.10.9", "tf-keras": "2.15.0"},
         ["legacy-adam", "matplotlib-deprecated", "numpy-float"]),
        ({"tensorflow-cpu": "2.21.0", "numpy": "2.5.5", "matplotlib": "3.11.2", "tf-keras": "2.21.0"},
         ["cusolver", "legacy-adam", "legacy-keras", "keras-2", "matplotlib-deprecated", "numpy-float"]),
        ({"numpy": "built by hand"}, []),
    ],
)  # fmt: skip
def test_rows_by_versions(versions: dict[str, str], names: list[str]) -> None:
    assert [shim.name for shim in hook.shims_for(versions)] == names


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


def test_xla_of_newer_releases_needs_no_pointing(environment: Path) -> None:
    put_tensorflow(environment, "2.14.1")
    (site(environment) / "nvidia" / "cuda_nvcc").mkdir(parents=True)
    assert ask(environment)["flags"] is None


def test_nothing_happens_without_tensorflow(environment: Path) -> None:
    loaded = "[name for name in sys.modules if 'imageai' in name or 'tensorflow' in name]"
    script = f"import json, sys; print(json.dumps({{'loaded': {loaded}}}))"
    assert ask(environment, script=script) == {"loaded": ["_imageai_envs_hook"]}


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
        assert f'__version__ = "{hook.VERSION}"' in archive.read("_imageai_envs_hook/__init__.py").decode()
