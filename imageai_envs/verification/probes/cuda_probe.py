"""Open the CUDA libraries that TensorFlow opens, and compute on the GPU. Run inside an environment, Python 3.6 syntax.

    python -I cuda_probe.py libraries links|rpath SONAME...     opens each library, in the order given
    python -I cuda_probe.py devices list|compute                what TensorFlow sees; a product and a training step

One line `@@imageai-env@@` + JSON on standard output.
"""

import contextlib
import ctypes
import glob
import importlib.util
import json
import mmap
import os
import sys
import time

MARK = "@@imageai-env@@"


def directories(finder):
    """Return where this TensorFlow's own search path leads, in its order."""
    site = next(entry for entry in sys.path if os.path.isdir(os.path.join(entry, "tensorflow")))
    found = [os.path.join(site, "tensorflow")]
    if finder == "rpath":
        found += [
            place for place in sorted(glob.glob(os.path.join(site, "nvidia", "*", "lib"))) if is_searched(site, place)
        ]
    return found


def is_searched(site, place):
    """Tell whether the library of TensorFlow that opens the others has a directory of ``nvidia`` in its RUNPATH."""
    name, words = os.path.join(site, "tensorflow", "libtensorflow_framework.so.2"), os.path.relpath(place, site)
    if not os.path.isfile(name):
        return True
    with open(name, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as contents:
        return contents.find(b"/" + words.encode()) != -1


def loaded(soname):
    """Return the path of a library that is loaded already, whoever did that: TensorFlow takes it by its name."""
    with open("/proc/self/maps") as maps:
        return next((line.split(None, 5)[5].strip() for line in maps if line.rstrip().endswith("/" + soname)), None)


def open_libraries(finder, sonames):
    """Open every library for real; one that is nowhere in TensorFlow's directories is looked for in the system."""
    importlib.util.find_spec("tensorflow")  # the runtime hook does what it would do before an import
    answer = {}
    places = directories(finder)
    for soname in sonames:
        paths = [os.path.join(place, soname) for place in places]
        path = loaded(soname) or next((path for path in paths if os.path.exists(path)), soname)
        try:
            ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
            answer[soname] = {"path": path, "error": None}
        except OSError as error:
            answer[soname] = {"path": None, "error": str(error)}
    return {"ok": all(item["error"] is None for item in answer.values()), "libraries": answer}


def has_driver():
    """Tell whether the driver's library is there; without it TensorFlow looks for no device."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def keep_kernels():
    """Make the directory where the driver keeps what it compiles; without one it compiles again at every start."""
    place = os.environ.get("CUDA_CACHE_PATH")
    if place and os.environ.get("CUDA_CACHE_DISABLE") != "1":
        with contextlib.suppress(OSError):
            os.makedirs(place, 0o700, exist_ok=True)


def use_devices(how):
    """List the GPUs, and with `compute` multiply two matrices and train a small convolution on the first."""
    if not has_driver():
        return {"ok": True, "driver": False, "devices": []}
    keep_kernels()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    answer = {"ok": True, "driver": True, "devices": [], "tensorflow": tf.__version__}
    for gpu in gpus:
        details = getattr(tf.config.experimental, "get_device_details", lambda _gpu: {})(gpu)
        capability = details.get("compute_capability")
        answer["devices"].append(
            {
                "name": gpu.name,
                "model": details.get("device_name", ""),
                "capability": ".".join(map(str, capability)) if capability else "",
            }
        )
    if gpus and how == "compute":
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        answer["computed"] = compute(tf)
        answer["ok"] = answer["computed"]["right"]
    return answer


def compute(tf):
    """Return what came out, with its times; `right` when the product is right and training lowered the loss."""
    import numpy as np

    random = np.random.RandomState(0)
    a, b = (random.rand(256, 256).astype("float32") for _ in range(2))
    start = time.time()
    with tf.device("/GPU:0"):
        product = tf.linalg.matmul(tf.constant(a), tf.constant(b))
    difference = float(np.max(np.abs(product.numpy() - a @ b)) / np.max(a @ b))
    matmul_seconds = time.time() - start
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(8, 3, activation="relu", input_shape=(32, 32, 3)),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.Flatten(),
            tf.keras.layers.Dense(2, activation="softmax"),
        ]
    )
    # Adam compiles itself with XLA on a GPU from 2.11 on: what ImageAI trains with, and what needs libdevice.
    model.compile(tf.keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    pictures = random.rand(16, 32, 32, 3).astype("float32")
    classes = np.arange(16) % 2
    start = time.time()
    losses = model.fit(pictures, classes, epochs=3, batch_size=16, verbose=0).history["loss"]
    return {
        "device": product.device,
        "matmul_difference": difference,
        "matmul_seconds": round(matmul_seconds, 2),
        "losses": [float(loss) for loss in losses],
        "training_seconds": round(time.time() - start, 2),
        # TensorFloat-32 of Ampere and later has ten bits of mantissa.
        "right": "GPU" in product.device and difference < 5e-3 and bool(np.all(np.isfinite(losses)))
        and losses[-1] < losses[0],
    }  # fmt: skip


def main(argv):
    """Run the stage that is asked for."""
    answer = open_libraries(argv[1], argv[2:]) if argv[0] == "libraries" else use_devices(argv[1])
    print("\n" + MARK + json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
