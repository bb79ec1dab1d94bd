"""Stages of the full probe: ImageAI's four classifiers, each against what the model itself answers."""

import os

from imageai_probe import imagenet_modules
from quick_probe import Wrong

SIZE = 100  # the smallest that ImageAI offers: classification_speed="fastest"
COUNT = 5
# Also for detection training: ImageAI draws the anchors to begin with, and from this none ends as a box without size.
SEED = 7


def mobilenet_v2(place, facts):
    """Classify with MobileNetV2."""
    _classify(place, facts, "MobileNetV2", "mobilenet_v2")


def resnet50(place, facts):
    """Classify with ResNet50; ImageAI gives it the picture without preparation."""
    _classify(place, facts, "ResNet50", None)


def inception_v3(place, facts):
    """Classify with InceptionV3."""
    _classify(place, facts, "InceptionV3", "inception_v3")


def densenet121(place, facts):
    """Classify with DenseNet121."""
    _classify(place, facts, "DenseNet121", "densenet")


def picture(number=0, size=SIZE):
    """Return a generated picture with slopes, edges and some noise, RGB."""
    import numpy

    random = numpy.random.RandomState(number)
    across = numpy.linspace(0, 255, size)
    image = numpy.stack(
        [numpy.tile(across, (size, 1)), numpy.tile(across[::-1, None], (1, size)), numpy.full((size, size), 99.0)], -1
    )
    for _ in range(6):
        left, top = random.randint(0, size * 3 // 4, 2)
        image[top : top + size // 4, left : left + size // 4] = random.randint(0, 256, 3)
    return numpy.clip(image + random.normal(0, 8, image.shape), 0, 255).astype("uint8")


def seed():
    """Make a stage the same in each run: Keras draws its seeds from Python, NumPy or TensorFlow, by version."""
    import random

    import numpy
    import tensorflow

    random.seed(SEED)
    numpy.random.seed(SEED)
    tensorflow.random.set_seed(SEED)


def _classify(place, facts, name, preparation):
    import numpy
    import tensorflow
    from imageai.Classification import ImageClassification
    from PIL import Image

    applications = tensorflow.keras.applications
    seed()
    model = getattr(applications, name)(input_shape=(SIZE, SIZE, 3), weights=None, classes=1000)
    image = picture()
    path = place.path("picture.png")
    Image.fromarray(image).save(path)
    prepared = image[None].astype("float32")
    if preparation:
        prepared = getattr(applications, preparation).preprocess_input(prepared)
    _spread(tensorflow, model, prepared)
    weights = place.path(name + ".h5")
    model.save_weights(weights)
    expected = numpy.asarray(model(prepared, training=False))[0]
    _name_classes()

    classifier = ImageClassification()
    getattr(classifier, "setModelTypeAs" + name)()
    classifier.setModelPath(weights)
    classifier.loadModel(classification_speed="fastest")
    labels, probabilities = classifier.classifyImage(path, result_count=COUNT)

    values = [float(value) for value in probabilities]
    facts["labels"] = list(labels)
    facts["probabilities"] = [round(value, 4) for value in values]
    top = expected.argsort()[::-1][:COUNT]
    if list(labels) != ["class_%d" % number for number in top]:
        raise Wrong("ImageAI named %r, the model itself classes %r" % (list(labels), top.tolist()))
    check_percentages(values, COUNT)
    if not numpy.allclose(values, expected[top] * 100, rtol=1e-3):
        raise Wrong("ImageAI says %r, the model itself %r" % (values, (expected[top] * 100).tolist()))
    if abs(float(expected.sum()) - 1) > 1e-3:
        raise Wrong("the model's probabilities add up to %r" % float(expected.sum()))
    os.remove(weights)


def check_percentages(values, count):
    """Raise Wrong unless these are ``count`` percentages, the largest first."""
    import numpy

    if len(values) != count:
        raise Wrong("ImageAI gave %d probabilities, %d were asked for" % (len(values), count))
    if not numpy.isfinite(values).all() or not 0 < min(values) <= max(values) <= 100.001:
        raise Wrong("ImageAI's probabilities are not percentages: %r" % (values,))
    if sorted(values, reverse=True) != values:
        raise Wrong("ImageAI's probabilities are not in order: %r" % (values,))


def _spread(tensorflow, model, prepared):
    """Make the last layer tell classes apart: fresh weights give every class 0.1 %."""
    import numpy

    kernel, bias = model.layers[-1].get_weights()
    features = tensorflow.keras.Model(model.input, model.layers[-2].output)
    values = numpy.asarray(features(prepared, training=False))[0]
    spread = numpy.random.RandomState(SEED).normal(size=kernel.shape)
    deviation = float(values.dot(spread).std())
    if not numpy.isfinite(deviation) or deviation == 0:
        raise Wrong("the network's features are %r" % values[:5].tolist())
    model.layers[-1].set_weights([spread * 2.0 / deviation, bias])


def _name_classes():
    """Put names of classes into memory: Keras would download ImageNet's, and random weights need no real ones."""
    names = {str(number): ["n%08d" % number, "class_%d" % number] for number in range(1000)}
    for module in imagenet_modules():
        module.CLASS_INDEX = names
