"""Stages of the full probe for ImageAI 2.1.5: its four classifiers, and training of one, each by what it answers.

Its code carries the names of ImageNet's classes, so nothing is downloaded and nothing has to be replaced for that.
"""

import importlib
import os

from imageai215_networks import Network, fresh, read
from imageai_stages_classification import COUNT, SEED, SIZE, check_percentages, picture
from quick_probe import Wrong

NAMES = ("lake", "road")
RATE = 1e-3  # ImageAI's own, for the training of classification
BLUE_GREEN_RED = (103.939, 116.779, 123.68)  # the mean picture of ImageNet


def squeezenet(place, facts):
    """Classify with SqueezeNet."""
    _classify(place, facts, "SqueezeNet", "imageai.Prediction.SqueezeNet.squeezenet", "SqueezeNet", _centred)


def resnet50(place, facts):
    """Classify with ResNet50."""
    _classify(place, facts, "ResNet", "imageai.Prediction.ResNet.resnet50", "ResNet50", _centred)


def inception_v3(place, facts):
    """Classify with InceptionV3."""
    _classify(
        place,
        facts,
        "InceptionV3",
        "imageai.Prediction.InceptionV3.inceptionv3",
        "InceptionV3",
        lambda image: image / 127.5 - 1.0,
    )


def densenet121(place, facts):
    """Classify with DenseNet121."""
    _classify(
        place,
        facts,
        "DenseNet",
        "imageai.Prediction.DenseNet.densenet",
        "DenseNetImageNet121",
        lambda image: _centred(image) * 0.017,
    )


def _centred(image):
    import numpy

    return image[..., ::-1] - numpy.array(BLUE_GREEN_RED, "float32")


def _classify(place, facts, name, where, builder, prepare):
    import numpy
    from imageai.Prediction import ImagePrediction
    from PIL import Image

    image = picture()
    path = place.path("picture.png")
    Image.fromarray(image).save(path)
    weights, expected = _weights(place, name, where, builder, prepare(image[None].astype("float32")))

    classifier = ImagePrediction()
    getattr(classifier, "setModelTypeAs" + name)()
    classifier.setModelPath(weights)
    classifier.loadModel(prediction_speed="fastest")
    labels, probabilities = classifier.predictImage(path, result_count=COUNT)

    values = [float(value) for value in probabilities]
    facts["labels"] = list(labels)
    facts["probabilities"] = [round(value, 4) for value in values]
    top = expected.argsort()[::-1][:COUNT].tolist()
    names = _class_names(where)
    if list(labels) != [names[number] for number in top]:
        raise Wrong("ImageAI named %r, the network itself classes %r" % (list(labels), top))
    check_percentages(values, COUNT)
    if not numpy.allclose(values, expected[top] * 100, rtol=1e-3):
        raise Wrong("ImageAI says %r, the network itself %r" % (values, (expected[top] * 100).tolist()))
    if abs(float(expected.sum()) - 1) > 1e-3:
        raise Wrong("the network's probabilities add up to %r" % float(expected.sum()))
    os.remove(weights)


def _class_names(where):
    """Return the names in ImageAI's table, which is filled when a picture was classified."""
    place = "imageai.Prediction.imagenet_utils"
    if where.endswith(("inceptionv3", "densenet")):
        place = where.rpartition(".")[0] + ".imagenet_utils"
    table = importlib.import_module(place).CLASS_INDEX
    if not table or len(table) != 1000:
        raise Wrong("ImageAI knows %d of the 1000 classes of ImageNet" % len(table or ()))
    return [table[str(number)][1] for number in range(1000)]


def _weights(place, name, where, builder, prepared):
    """Write weights that tell classes apart; return their path and the probabilities that the network gives."""
    import numpy
    import tensorflow

    fresh(SEED)
    backend = tensorflow.keras.backend
    build = getattr(importlib.import_module(where), builder)
    model = build(model_input=tensorflow.keras.layers.Input(shape=(SIZE, SIZE, 3)), weights="custom")
    network = Network(model, backend, SEED)
    # Spread what goes into the last function, or one class has all. It grows as the last kernel does.
    (last,) = [operation for operation in [model.output.op] if operation.type == "Softmax"]
    deviation = float(network.tensor(last.inputs[0], prepared).std())
    if not numpy.isfinite(deviation) or deviation == 0:
        raise Wrong("the network's answers spread by %r" % deviation)
    head = [layer for layer in model.layers if layer.weights][-1]
    network.change(head, network.kernel(head) * (2.0 / deviation))
    path = place.path(name + ".h5")
    network.save(path)
    (expected,) = network.answer(prepared)
    fresh(SEED)
    return path, numpy.asarray(expected)[0]


# Training -----------------------------------------------------------------------------------------------------------


def train_weights(place, facts):
    """Train SqueezeNet for one epoch and keep its weights."""
    place.made["classifier"] = _train(place, facts, "weights", False)


def train_whole(place, facts):
    """Train SqueezeNet for one epoch and keep the whole network."""
    place.made["full classifier"] = _train(place, facts, "whole", True)


def custom_weights(place, facts):
    """Classify with the weights that were trained."""

    def load(classifier):
        classifier.setModelTypeAsSqueezeNet()
        classifier.loadModel(prediction_speed="fastest", num_objects=len(NAMES))

    _custom(place, facts, place.need("classifier", "train_classification"), load)


def custom_whole(place, facts):
    """Classify with the whole network that was trained."""

    def load(classifier):
        classifier.loadFullModel(prediction_speed="fastest", num_objects=len(NAMES))

    _custom(place, facts, place.need("full classifier", "train_classification_full"), load)


def _train(place, facts, directory, whole):
    from imageai.Prediction.Custom import ModelTraining
    from PIL import Image

    data = place.path("classes-" + directory)
    for number, (part, name) in enumerate((part, name) for part in ("train", "test") for name in NAMES):
        os.makedirs(os.path.join(data, part, name))
        for index in range(2):
            Image.fromarray(picture(20 + 2 * number + index)).save(os.path.join(data, part, name, "%d.png" % index))

    class Trainer(ModelTraining):
        def lr_schedule(self, epoch):
            rate = ModelTraining.lr_schedule(self, epoch)
            facts.setdefault("learning_rates", []).append(rate)
            return rate

    fresh(SEED)
    trainer = Trainer()
    trainer.setModelTypeAsSqueezeNet()
    trainer.setDataDirectory(data)
    trainer.trainModel(
        num_objects=len(NAMES), num_experiments=1, batch_size=4, training_image_size=SIZE, save_full_model=whole
    )
    files = sorted(os.listdir(os.path.join(data, "models")))
    facts["files"] = files
    if len(files) != 1:
        raise Wrong("one epoch left %d model files" % len(files))
    path = os.path.join(data, "models", files[0])
    _check_step(facts, read(path))
    return path, os.path.join(data, "json", "model_class.json")


def _check_step(facts, values):
    """Raise Wrong unless the first step of training moved the network by the learning rate.

    The epoch is one step, and Adam's first step moves a weight by nearly its learning rate. Keras begins every bias
    at zero: what the biases hold is how far they moved.
    """
    import numpy

    if not all(numpy.isfinite(value).all() for value in values):
        raise Wrong("training left numbers that are infinite or none")
    facts["first_step"] = max(float(numpy.abs(value).max()) for value in values if value.ndim == 1)
    if facts.get("learning_rates") != [RATE]:
        raise Wrong("this ImageAI trains with %r" % facts.get("learning_rates"))
    if not 0.9 * RATE < facts["first_step"] < 1.1 * RATE:
        raise Wrong("the first step moved the biases by %r, ImageAI means %g" % (facts["first_step"], RATE))


def _custom(place, facts, trained, load):
    import tensorflow
    from imageai.Prediction.Custom import CustomImagePrediction
    from imageai.Prediction.SqueezeNet.squeezenet import SqueezeNet
    from PIL import Image

    path, names = trained
    shown = place.path("custom.png")
    image = picture(40)
    Image.fromarray(image).save(shown)
    fresh(SEED)
    layer = tensorflow.keras.layers.Input(shape=(SIZE, SIZE, 3))
    model = SqueezeNet(model_input=layer, weights="custom", num_classes=len(NAMES))
    model.set_weights(read(path))
    answer = model.predict_on_batch(image[None].astype("float32") / 255.0)[0] * 100
    expected = dict(zip(NAMES, answer.tolist()))
    fresh(SEED)

    classifier = CustomImagePrediction()
    classifier.setModelPath(path)
    classifier.setJsonPath(names)
    load(classifier)
    labels, probabilities = classifier.predictImage(shown, result_count=len(NAMES))

    values = [float(value) for value in probabilities]
    facts["said"] = {label: round(value, 4) for label, value in zip(labels, values)}
    check_percentages(values, len(NAMES))
    if set(labels) != set(NAMES) or abs(sum(values) - 100) > 0.1:
        raise Wrong("ImageAI said %r about the classes %r" % (facts["said"], NAMES))
    if not all(abs(value - expected[label]) < 0.001 for label, value in zip(labels, values)):
        raise Wrong("ImageAI said %r, the network itself %r" % (facts["said"], expected))
