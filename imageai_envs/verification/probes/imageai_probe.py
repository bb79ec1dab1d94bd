"""Prove what of ImageAI 2.1.6 works here. Usage: imageai_probe.py imports|inference|features DIRECTORY."""

import importlib
import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
from imageai2_answers import CLASSES, RetinaNetAnswer, scale_scores  # noqa: E402
from imageai2_stages import SEED, ImageAI2  # noqa: E402
from probe_pictures import NAMES  # noqa: E402
from quick_probe import Wrong  # noqa: E402
from staged_probe import main  # noqa: E402

sys.dont_write_bytecode = _keep


class Network(object):
    """A network of Keras, with what is asked of it and changed in it."""

    def __init__(self, model):
        self.model = model
        self.save = model.save_weights

    def answer(self, batch):
        """Return the outputs for a batch of prepared pictures, as a list."""
        import numpy

        return [numpy.asarray(output) for output in self.model(batch, training=False)]

    def kernel(self, layer):
        """Return a layer's kernel."""
        return layer.get_weights()[0]

    def change(self, layer, kernel, bias):
        """Give a layer another kernel and another bias."""
        layer.set_weights([kernel, bias])


class ImageAI216(ImageAI2):
    """What is asked of ImageAI 2.1.6."""

    libraries = ("numpy", "cv2", "tensorflow")
    quick = ("MobileNetV2", 224, {})
    # The module that prepares pictures for each; ImageAI gives ResNet50 the picture as it is.
    classifiers = {
        "MobileNetV2": "mobilenet_v2",
        "ResNet50": None,
        "InceptionV3": "inception_v3",
        "DenseNet121": "densenet",
    }
    classification_options = {"classification_speed": "fastest"}
    custom_options = {"classification_speed": "fastest", "num_objects": len(NAMES)}
    # TinyYOLOv3's own fastest setting (272 pixels, no multiple of 32) fails in every TensorFlow. RetinaNet enlarges to
    # 800 x 1333 pixels, whatever speed is asked for.
    detection_options = {"YOLOv3": {"detection_speed": "flash"}, "TinyYOLOv3": {"detection_speed": "fastest"}}
    array_options = {"input_type": "array"}
    tolerance = 0.05
    slanted = True
    hint = ": this Keras drops Adam's argument lr"

    def keras(self):
        """Return the Keras that ImageAI sees: TensorFlow's, from 2.16 on tf_keras."""
        return importlib.import_module("imageai.Classification").tf.keras

    def tidy(self):
        """Give back what a stage's models hold."""
        if "imageai.Classification" in sys.modules:
            self.keras().backend.clear_session()

    def fresh(self):
        """Make what follows the same in each run: Keras draws from Python, NumPy or TensorFlow, by its version."""
        import tensorflow

        ImageAI2.fresh(self)
        tensorflow.random.set_seed(SEED)

    def outputs(self, model, batch):
        """Return the outputs of a model for a batch of prepared pictures, as a list of arrays."""
        return Network(model).answer(batch)

    def make_classifier(self, kind, image, weights):
        """Write weights that tell classes apart; return the probabilities that they give for an RGB picture."""
        import numpy

        applications = self.keras().applications
        self.fresh()
        model = getattr(applications, kind)(input_shape=image.shape, weights=None, classes=1000)
        prepared = image[None].astype("float32")
        if self.classifiers[kind]:
            prepared = getattr(applications, self.classifiers[kind]).preprocess_input(prepared)
        # Make the last layer tell classes apart: fresh weights give every class 0.1 %.
        kernel, bias = model.layers[-1].get_weights()
        features = self.keras().Model(model.input, model.layers[-2].output)
        values = numpy.asarray(features(prepared, training=False))[0]
        spread = numpy.random.RandomState(SEED).normal(size=kernel.shape)
        deviation = float(values.dot(spread).std())
        if not numpy.isfinite(deviation) or deviation == 0:
            raise Wrong("the network's features are %r" % values[:5].tolist())
        model.layers[-1].set_weights([spread * 2.0 / deviation, bias])
        model.save_weights(weights)
        # Put names of classes into memory: Keras would download ImageNet's, and random weights need no real ones.
        names = {str(number): ["n%08d" % number, name] for number, name in enumerate(self.class_names(kind))}
        for module in _imagenet_modules():
            module.CLASS_INDEX = names
        return numpy.asarray(model(prepared, training=False))[0]

    def class_names(self, kind):
        """Return names of our own."""
        return ["class_%d" % number for number in range(1000)]

    def yolo_network(self, kind):
        """Return a YOLO network with Keras's random weights."""
        from imageai.Detection.YOLO import yolov3

        build = yolov3.tiny_yolov3_main if kind == "TinyYOLOv3" else yolov3.yolov3_main
        return Network(build(self.keras().layers.Input(shape=(None, None, 3)), 3, CLASSES))

    def yolo_input(self, image, net):
        """Return a batch of one BGR picture, as ImageAI gives it to YOLO."""
        import cv2

        return cv2.resize(image[..., ::-1] / 255.0, (net, net)).astype("float32")[None]

    def yolo_anchors(self, detector, kind):
        """Return the anchors of each output; TinyYOLOv3 has the first two of YOLOv3's."""
        return detector._ObjectDetection__yolo_anchors

    def make_retinanet(self, image, weights):
        """Write the whole network, layers of ImageAI's own among it; return what it answers for a BGR picture."""
        import cv2
        import numpy
        from imageai.Detection import ObjectDetection
        from imageai.Detection.keras_retinanet import models
        from imageai.Detection.keras_retinanet.models.retinanet import retinanet_bbox

        self.fresh()
        network = Network(models.backbone("resnet50").retinanet(num_classes=CLASSES))
        scale = 1333.0 / max(image.shape)
        means = numpy.array([103.939, 116.779, 123.68])  # of ImageNet, BGR
        prepared = cv2.resize((image - means).astype("float32"), None, fx=scale, fy=scale)[None]
        head = network.model.get_layer("classification_submodel").get_layer("pyramid_classification")
        shape = network.kernel(head).shape
        kernel = numpy.random.RandomState(SEED).normal(size=shape) * 1e-6
        network.change(head, kernel, numpy.zeros(shape[-1]))
        shifts, scores = network.answer(prepared)
        if not numpy.isfinite(shifts).all():
            raise Wrong("RetinaNet's fresh weights shift boxes by infinite numbers or none")
        scale_scores(network, head, kernel, scores)
        # The shift of a box against its anchor: fresh weights may give thousands of pixels.
        head = network.model.get_layer("regression_submodel").get_layer("pyramid_regression")
        deviation = float(shifts.astype("float64").std())
        network.change(head, network.kernel(head) / max(deviation, 1e-30), head.get_weights()[1])
        scores = network.answer(prepared)[1]
        whole = retinanet_bbox(network.model)
        whole.save(weights)
        boxes, values, labels = [item[0] for item in Network(whole).answer(prepared)]
        table = numpy.zeros((len(values), CLASSES))
        kept = values > 0
        table[kept, labels[kept]] = values[kept]
        return RetinaNetAnswer(table, boxes / scale, ObjectDetection().numbers_to_names, scores, True)

    def train_classification(self, whole, place, facts):
        """Train MobileNetV2 for one epoch and keep its weights or the whole network."""
        facts["optimizer"] = _kind(self.keras().optimizers.Adam)
        ImageAI2.train_classification(self, whole, place, facts)

    def check_trained(self, facts, path, whole):
        """Raise Wrong unless the network has seen pictures: its running means are no longer all zero."""
        import numpy

        model = self._trained_classifier(path, whole)
        means = [layer.moving_mean for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
        if not all(numpy.isfinite(numpy.asarray(value)).all() for value in model.get_weights()):
            raise Wrong("training left numbers that are infinite or none")
        if not all(numpy.abs(numpy.asarray(mean)).max() > 0 for mean in means):
            raise Wrong("training left the network as it was")

    def _trained_classifier(self, path, whole):
        if whole:
            return self.keras().models.load_model(path, compile=False)
        shape = (self.size, self.size, 3)
        model = self.keras().applications.MobileNetV2(input_shape=shape, weights=None, classes=len(NAMES))
        model.load_weights(path)
        return model

    def trained_probabilities(self, path, whole, image):
        """Return the probabilities that the network that was trained gives for an RGB picture."""
        import numpy

        prepared = self.keras().applications.mobilenet_v2.preprocess_input(image[None].astype("float32"))
        return numpy.asarray(self._trained_classifier(path, whole)(prepared, training=False))[0]

    def import_custom_detection(self, place, facts):
        """Import what trains detection; it switches all of TensorFlow to eager functions."""
        ImageAI2.import_custom_detection(self, place, facts)
        facts["runs_eagerly"] = bool(sys.modules["tensorflow"].config.functions_run_eagerly())

    def train_detection(self, place, facts):
        """Train YOLOv3, and measure the learning rate that is really used."""
        facts["optimizer"] = _kind(importlib.import_module("imageai.Detection.Custom").Adam)
        ImageAI2.train_detection(self, place, facts)

    def watched(self, model):
        """Return the weights of the last layers."""
        import numpy

        last = [layer for layer in model.layers if layer.name in ("last1", "last2", "last3")]
        return numpy.concatenate([value.reshape(-1) for layer in last for value in layer.get_weights()])

    def rate(self, optimizer):
        """Return an optimizer's learning rate."""
        import numpy

        rate = getattr(optimizer, "learning_rate", None)
        return float(numpy.asarray(optimizer.lr if rate is None else rate))

    def is_ours(self, result, path):
        """Tell whether a result of an evaluation is of our two pictures."""
        return result["evaluation_samples"] == 2


def _kind(kind):
    return "%s.%s" % (kind.__module__, kind.__name__)


def _imagenet_modules():
    """Return the module that holds Keras's class names: its place moved between versions."""
    found = []
    for name in (
        "keras.applications.imagenet_utils",
        "keras.src.applications.imagenet_utils",
        "tf_keras.src.applications.imagenet_utils",
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


STAGES = ImageAI216()

if __name__ == "__main__":
    sys.exit(main(STAGES))
