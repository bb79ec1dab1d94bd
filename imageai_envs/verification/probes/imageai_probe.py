"""Prove that ImageAI 2.1.6 runs here. Usage: imageai_probe.py imports|inference DIRECTORY.

ImageAI hides errors behind bare ``except:``, so the *result* is checked against what the model itself says.
"""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
from quick_probe import Wrong, main  # noqa: E402

sys.dont_write_bytecode = _keep

MODULES = (
    "numpy",
    "cv2",
    "tensorflow",
    "imageai.Classification",
    "imageai.Classification.Custom",
    "imageai.Detection",
    "imageai.Detection.Custom",
)


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


if __name__ == "__main__":
    sys.exit(main(MODULES, ("numpy", "cv2", "tensorflow"), classify))
