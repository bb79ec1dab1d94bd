"""Prove that ImageAI runs here. Usage: imageai_probe.py imports|inference DIRECTORY.

Runs offline on purpose: sockets are closed to anything but this machine, so a probe that passes needs no network.
ImageAI hides errors behind bare ``except:``, so the *result* is checked against what the model itself says.
"""

import json
import os
import sys
import time
import traceback

MARK = "@@imageai-env@@"
MODULES = (
    "numpy",
    "cv2",
    "tensorflow",
    "imageai.Classification",
    "imageai.Classification.Custom",
    "imageai.Detection",
    "imageai.Detection.Custom",
)


class Wrong(Exception):
    """The environment runs and gives a wrong result."""


def close_network():
    """Refuse every connection that leaves this machine."""
    import socket

    connect = socket.socket.connect

    def guarded(self, address):
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("localhost", "127.0.0.1", "::1"):
            raise OSError("the probe is offline on purpose; something asked for " + str(host))
        return connect(self, address)

    socket.socket.connect = guarded


def import_all(answer):
    """Import every module, recording how long each took."""
    import importlib

    answer["imports"] = {}
    for name in MODULES:
        answer["stage"] = "import " + name
        start = time.time()
        importlib.import_module(name)
        answer["imports"][name] = round(time.time() - start, 2)
    for name in ("numpy", "cv2", "tensorflow"):
        answer["versions"][name] = str(getattr(sys.modules[name], "__version__", ""))


def classify(answer, directory):
    """Let ImageAI classify a generated picture with a MobileNetV2 of random weights, and check its answer."""
    import numpy
    import tensorflow
    from imageai.Classification import ImageClassification
    from PIL import Image

    answer["stage"] = "build MobileNetV2"
    tensorflow.random.set_seed(2106)
    model = tensorflow.keras.applications.MobileNetV2(input_shape=(224, 224, 3), weights=None, classes=1000)
    # Fresh weights give every class 0.1 %. Spread the last layer, so that the order of the classes means something.
    kernel, bias = model.layers[-1].get_weights()
    spread = numpy.random.RandomState(2106).normal(size=kernel.shape)
    features = tensorflow.keras.Model(model.input, model.layers[-2].output)
    answer["stage"] = "draw a picture"
    ramp = numpy.linspace(0, 255, 224, dtype="uint8")
    flat = numpy.full((224, 224), 99, "uint8")
    picture = numpy.stack([numpy.tile(ramp, (224, 1)), numpy.tile(ramp[:, None], (1, 224)), flat], -1)
    prepared = tensorflow.keras.applications.mobilenet_v2.preprocess_input(picture[None].astype("float32"))
    logits = features.predict(prepared)[0].dot(spread)
    model.layers[-1].set_weights([spread * 2.0 / logits.std(), bias])
    weights = os.path.join(directory, "mobilenet_v2.h5")
    model.save_weights(weights)

    path = os.path.join(directory, "picture.png")
    Image.fromarray(picture).save(path)

    # Keras would download the names of ImageNet's classes; random weights need no real names.
    answer["stage"] = "set class names"
    names = {str(number): ["n%08d" % number, "class_%d" % number] for number in range(1000)}
    for module in imagenet_modules():
        module.CLASS_INDEX = names

    answer["stage"] = "classify with ImageAI"
    classifier = ImageClassification()
    classifier.setModelTypeAsMobileNetV2()
    classifier.setModelPath(weights)
    classifier.loadModel()
    labels, probabilities = classifier.classifyImage(path, result_count=5)

    answer["stage"] = "check ImageAI's answer"
    expected = model.predict(prepared)[0]
    top = expected.argsort()[::-1][:5]
    values = [float(value) for value in probabilities]
    answer["result"] = {"labels": list(labels), "probabilities": [round(value, 5) for value in values]}
    if list(labels) != ["class_%d" % number for number in top]:
        raise Wrong("ImageAI named %r, the model itself classes %r" % (labels, top.tolist()))
    if not numpy.isfinite(values).all() or not 0 < min(values) <= max(values) <= 100:
        raise Wrong("ImageAI's probabilities are not percentages: %r" % (values,))
    if not numpy.allclose(values, expected[top] * 100, rtol=1e-3):
        raise Wrong("ImageAI says %r, the model itself %r" % (values, (expected[top] * 100).tolist()))
    if abs(float(expected.sum()) - 1) > 1e-3:
        raise Wrong("the model's probabilities add up to %r" % float(expected.sum()))


def imagenet_modules():
    """Return the module that holds Keras's class names: its place moved between versions."""
    import importlib

    found = []
    for name in (
        "keras.applications.imagenet_utils",
        "keras.src.applications.imagenet_utils",
        "tensorflow.python.keras.applications.imagenet_utils",
    ):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if hasattr(module, "CLASS_INDEX"):
            found.append(module)
    if not found:
        raise Wrong("no Keras module holds the class names")
    return found


def main(level, directory):
    """Run the probe and print its answer; return the exit status."""
    answer = {"level": level, "ok": False, "stage": "start", "versions": {"python": sys.version.split()[0]}}
    start = time.time()
    try:
        close_network()
        import_all(answer)
        if level == "inference":
            classify(answer, directory)
        answer["ok"] = True
        answer["stage"] = "done"
    except BaseException as error:
        answer["error"] = {
            "type": type(error).__name__,
            "text": str(error)[:2000],
            "traceback": traceback.format_exc()[-6000:],
        }
    answer["seconds"] = round(time.time() - start, 2)
    try:
        import resource

        answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    except ImportError:
        pass
    print(MARK + json.dumps(answer))
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
