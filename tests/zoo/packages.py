"""Animals with the wrong packages: real distributions from the index that do not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.zoo.animal import RUNS, UNKNOWN, animal
from tests.zoo.cage import Cage, Scene, cut, metadata

if TYPE_CHECKING:
    from pathlib import Path

IMAGEAI = "imageai==2.1.6"
# What ImageAI 2.1.6 runs with on TensorFlow 2.10 and Python 3.10 (docs/compatibility.md).
AROUND = (
    "numpy==1.23.5", "scipy==1.15.3", "pillow", "matplotlib==3.5.3", "h5py", "keras-resnet==0.2.0",
    "opencv-python==4.11.0.86",
)  # fmt: skip
HEALTHY = ("tensorflow-cpu==2.10.1", *AROUND)

TENSORFLOW = "import tensorflow"
DETECTION = "from imageai.Detection import ObjectDetection"
CLASSIFICATION = "from imageai.Classification import ImageClassification"
ANCHORS = "import numpy\nfrom imageai.Detection.Custom.gen_anchors import run_kmeans\nrun_kmeans(numpy.ones((9, 2)), 3)"
TRAINING = """\
import os, numpy
from PIL import Image
for part in ("train", "test"):
    for kind in ("cat", "dog"):
        os.makedirs(os.path.join("pictures", part, kind))
        for number in range(2):
            picture = Image.fromarray(numpy.random.randint(0, 255, (224, 224, 3)).astype("uint8"))
            picture.save(os.path.join("pictures", part, kind, "%d.png" % number))
from imageai.Classification.Custom import ClassificationModelTrainer
trainer = ClassificationModelTrainer()
trainer.setModelTypeAsMobileNetV2()
trainer.setDataDirectory("pictures")
trainer.trainModel(num_objects=2, num_experiments=1, batch_size=2)
"""
H5 = """\
import keras
model = keras.models.Sequential([keras.layers.Dense(2, input_shape=(3,))])
model.save_weights("weights.h5")
model.load_weights("weights.h5")
"""


def scene(env: Path, code: str) -> Scene:
    """Return an environment whose user runs ``code`` in it."""
    return Scene((env,), (env / "bin/python", "-c", code))


def healthy(cage: Cage, *instead: str, minor: str = "3.10", base: tuple[str, ...] = HEALTHY) -> Path:
    """Build a set that works, then put others over it."""
    env = cage.venv(minor)
    cage.install(env, *base)
    cage.put(env, IMAGEAI)
    if instead:
        cage.put(env, *instead)
    return env


@animal("`pip install tensorflow==2.10.0 imageai` on Python 3.10", "imageai-3-tensorflow", "imageai-3-without-torch")
def copied_recipe(cage: Cage) -> Scene:
    env = cage.venv("3.10")
    cage.install(env, "tensorflow==2.10.0", "imageai")
    return scene(env, DETECTION)


@animal("the same, and `import tensorflow` in it", "imageai-3-tensorflow", "numpy-2")
def copied_recipe_tensorflow(cage: Cage) -> Scene:
    env = cage.venv("3.10")
    cage.install(env, "tensorflow==2.10.0", "imageai")
    return scene(env, TENSORFLOW)


@animal("tensorflow 2.10.1 installed over tensorflow-cpu 2.9.3", "overlap", RUNS)
def tensorflow_and_tensorflow_cpu(cage: Cage) -> Scene:
    env = healthy(cage, base=("tensorflow-cpu==2.9.3", *AROUND))
    cage.put(env, "tensorflow==2.10.1")
    return scene(env, TENSORFLOW)


@animal("tensorflow and tensorflow-cpu installed, then `pip uninstall tensorflow-cpu`", "file-missing",
        "tensorflow-folder-empty")  # fmt: skip
def one_of_two_tensorflows_uninstalled(cage: Cage) -> Scene:
    env = healthy(cage, "tensorflow==2.10.1")
    cage.build(env / "bin/python", "-m", "pip", "uninstall", "-q", "-y", "tensorflow-cpu")
    return scene(env, "import tensorflow\nprint(tensorflow.__version__)")


@animal("opencv-python-headless 4.5.5.64 installed over opencv-python 4.11.0.86", "overlap", "opencv-two-copies")
def two_opencvs(cage: Cage) -> Scene:
    return scene(healthy(cage, "opencv-python-headless==4.5.5.64"), DETECTION)


@animal("opencv-python-headless 4.11.0.86 installed over the opencv-python of the same number", "overlap",
        "opencv-headless-window")  # fmt: skip
def opencv_and_its_headless_twin(cage: Cage) -> Scene:
    env = healthy(cage, "opencv-python-headless==4.11.0.86")
    return scene(env, "import cv2, numpy\ncv2.imshow('seen', numpy.zeros((9, 9, 3), 'uint8'))")


@animal("numpy 2.0.2 put into a set that works", "numpy-2", "numpy-2")
def numpy_2(cage: Cage) -> Scene:
    return scene(healthy(cage, "numpy==2.0.2"), TENSORFLOW)


@animal("numpy 1.26.4 put into a set that works; detection training", "numpy-1.24", "numpy-removed-alias")
def numpy_1_26(cage: Cage) -> Scene:
    return scene(healthy(cage, "numpy==1.26.4"), ANCHORS)


@animal("matplotlib 3.7.5 in a set that works", "matplotlib-3.6", "matplotlib-too-new")
def matplotlib_3_7(cage: Cage) -> Scene:
    env = healthy(cage)
    cage.install(env, "matplotlib==3.7.5", "numpy==1.23.5")
    return scene(env, CLASSIFICATION)


@animal("`pip install tensorflow-cpu==2.9.0`, whose metadata does not cap protobuf", "protobuf-4", "protobuf-4")
def protobuf_4(cage: Cage) -> Scene:
    return scene(healthy(cage, base=("tensorflow-cpu==2.9.0", "protobuf==4.25.9", *AROUND)), TENSORFLOW)


@animal("keras 2.11.0 put into a set with TensorFlow 2.10", "keras-mismatch", "keras-of-another-tensorflow")
def keras_2_11(cage: Cage) -> Scene:
    return scene(healthy(cage, "keras==2.11.0"), "import keras")


@animal("keras 2.4.3 put into a set with TensorFlow 2.10", "keras-mismatch", "tensorflow-keras-missing")
def keras_2_4(cage: Cage) -> Scene:
    return scene(healthy(cage, "keras==2.4.3"), "import tensorflow.keras.layers")


@animal("`pip install tensorflow-cpu==2.4.4 keras-resnet`, which takes the newest keras", "keras-mismatch",
        "keras-of-another-tensorflow")  # fmt: skip
def keras_of_keras_resnet(cage: Cage) -> Scene:
    around = (
        "keras==2.15.0",
        "protobuf<4",
        "keras-resnet==0.2.0",
        "matplotlib<3.6",
        "scipy",
        "pillow",
        "opencv-python",
    )
    return scene(healthy(cage, minor="3.8", base=("tensorflow-cpu==2.4.4", *around)), DETECTION)


@animal("`pip install tensorflow-cpu==2.5.3 keras==2.4.3`: its keras-nightly has the same files", "overlap",
        "keras-nightly-mixed")  # fmt: skip
def keras_nightly_beside_keras(cage: Cage) -> Scene:
    around = ("protobuf<4", "keras-resnet==0.2.0", "matplotlib<3.6", "scipy", "pillow", "opencv-python")
    env = healthy(cage, minor="3.9", base=("tensorflow-cpu==2.5.3", "keras==2.4.3", *around))
    return scene(env, DETECTION)


@animal("TensorFlow 2.16.2 (Keras 3) with ImageAI 2.1.6; classification training", "tensorflow-keras-3",
        "keras-3-optimizer")  # fmt: skip
def keras_3(cage: Cage) -> Scene:
    return scene(healthy(cage, base=("tensorflow-cpu==2.16.2", *AROUND)), TRAINING)


@animal("TensorFlow 2.12.1 with ImageAI 2.1.6, without our hook; classification training", "tensorflow-optimizers",
        "optimizer-decay")  # fmt: skip
def tensorflow_2_12(cage: Cage) -> Scene:
    return scene(healthy(cage, base=("tensorflow-cpu==2.12.1", *AROUND)), TRAINING)


@animal("ImageAI 2.1.6 and what it declares, no TensorFlow", "tensorflow-missing", "tensorflow-not-installed")
def imageai_2_without_tensorflow(cage: Cage) -> Scene:
    return scene(healthy(cage, base=("keras==2.10.0", *AROUND)), DETECTION)


@animal("ImageAI 3.0.3 with all but PyTorch", "torch-missing", "imageai-3-without-torch")
def imageai_3_without_torch(cage: Cage) -> Scene:
    env = cage.venv("3.10")
    cage.install(
        env, "imageai==3.0.3", *AROUND[:1], "scipy", "pillow", "opencv-python==4.11.0.86", "tqdm", "matplotlib"
    )
    return scene(env, DETECTION)


@animal("torch 2.1.0 beside torchvision 0.15.2: their metadata only, the wheels take gigabytes", "torchvision-mismatch")
def torchvision_of_another_torch(cage: Cage) -> Scene:
    env = cage.venv("3.10")
    cage.install(env, "imageai==3.0.3", *AROUND[:1], "scipy", "pillow", "opencv-python==4.11.0.86", "tqdm")
    metadata(cage.site(env), "torch", "2.1.0")
    metadata(cage.site(env), "torchvision", "0.15.2", "torch==2.0.1")
    return Scene((env,))


@animal("torch 1.12.1 beside numpy 2 with ImageAI 3: the metadata of torch only", "numpy-2-torch")
def torch_beside_numpy_2(cage: Cage) -> Scene:
    env = cage.venv("3.10")
    cage.install(env, "imageai==3.0.3", "numpy==2.0.2", "scipy", "pillow", "opencv-python", "tqdm")
    metadata(cage.site(env), "torch", "1.12.1")
    metadata(cage.site(env), "torchvision", "0.13.1", "torch==1.12.1")
    return Scene((env,))


@animal("h5py 3.8.0 put beside TensorFlow 1.15.5 (Python 3.7); weights are loaded", "h5py-3", "h5py-3-with-old-keras")
def h5py_3_with_tensorflow_1(cage: Cage) -> Scene:
    env = cage.venv("3.7")
    around = ("keras==2.3.1", "protobuf<4", "h5py==2.10.0", "scipy", "pillow", "matplotlib", "opencv-python")
    cage.install(env, "tensorflow==1.15.5", *around)
    cage.put(env, "imageai==2.1.5", "h5py==3.8.0")
    return scene(env, H5)


@animal("flatbuffers uninstalled from a set that works", "missing-requirement", UNKNOWN)
def requirement_uninstalled(cage: Cage) -> Scene:
    env = healthy(cage)
    cage.build(env / "bin/python", "-m", "pip", "uninstall", "-q", "-y", "flatbuffers")
    return scene(env, TENSORFLOW)


@animal("half of the files of tensorflow deleted, __init__.py among them", "file-missing", "tensorflow-folder-empty")
def tensorflow_half_deleted(cage: Cage) -> Scene:
    env = healthy(cage)
    package = cage.site(env) / "tensorflow"
    for file in (*package.glob("*.py"), *(package / "python").rglob("*.py")):
        file.unlink()
    return scene(env, "import tensorflow\nprint(tensorflow.__version__)")


@animal("tensorflow's dist-info deleted, its files are there", "module-without-distribution", RUNS, severity="warning")
def dist_info_deleted(cage: Cage) -> Scene:
    env = healthy(cage)
    cage.build("rm", "-r", cage.site(env) / "tensorflow_cpu-2.10.1.dist-info")
    return scene(env, TENSORFLOW)


@animal("numpy's compiled core cut to its first half: a full disk", "file-altered", UNKNOWN)
def numpy_truncated(cage: Cage) -> Scene:
    env = healthy(cage)
    cut(next((cage.site(env) / "numpy/core").glob("_multiarray_umath*.so")), 0.5)
    return scene(env, "import numpy")


@animal("numpy's compiled core emptied", "file-altered", "numpy-damaged")
def numpy_emptied(cage: Cage) -> Scene:
    env = healthy(cage)
    cut(next((cage.site(env) / "numpy/core").glob("_multiarray_umath*.so")), 0)
    return scene(env, "import numpy")


@animal("site-packages of Python 3.9 copied into an environment of 3.10", "other-python", "numpy-damaged")
def packages_of_another_python(cage: Cage) -> Scene:
    env = cage.venv("3.10", "env", "--without-pip")
    other = cage.venv("3.9", "other")
    cage.install(
        other, "numpy==1.23.5", "h5py", "matplotlib==3.5.3", "opencv-python==4.11.0.86", "tensorflow-cpu==2.10.1"
    )
    cage.build("cp", "-rl", f"{cage.site(other)}/.", cage.site(env))
    return scene(env, "import numpy")


@animal("numpy 1.19.5's dist-info left beside numpy 1.23.5's", "duplicate", RUNS)
def two_numpy_records(cage: Cage) -> Scene:
    env = healthy(cage)
    metadata(cage.site(env), "numpy", "1.19.5")
    return scene(env, TENSORFLOW)


@animal("the GPU wheel of TensorFlow 2.10.1 with nvidia-cudnn-cu11 9 (its metadata only), on a machine without a GPU",
        "cudnn-version", RUNS, severity="note")  # fmt: skip
def cudnn_9(cage: Cage) -> Scene:
    env = healthy(cage, base=("tensorflow==2.10.1", *AROUND))
    metadata(cage.site(env), "nvidia-cudnn-cu11", "9.10.2.21")
    return scene(env, TENSORFLOW)
