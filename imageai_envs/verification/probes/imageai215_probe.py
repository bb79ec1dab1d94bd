"""Prove what of ImageAI 2.1.5 works here. Usage: imageai215_probe.py imports|inference|features DIRECTORY.

With TensorFlow 1.15; its code carries the names of ImageNet's classes, and nothing has to be replaced for these.
"""

import importlib
import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
from imageai2_answers import CLASSES, RetinaNetAnswer, scale_scores  # noqa: E402
from imageai2_stages import SEED, ImageAI2  # noqa: E402
from imageai215_networks import Network, read  # noqa: E402
from probe_pictures import NAMES, blue_first, picture  # noqa: E402
from quick_probe import Wrong  # noqa: E402
from staged_probe import main  # noqa: E402

sys.dont_write_bytecode = _keep

RATE = 1e-3  # ImageAI's own, for the training of classification
SMALL = 100000  # numbers in a kernel
BLUE_GREEN_RED = (103.939, 116.779, 123.68)  # the mean picture of ImageNet
# Which anchors each output has; TinyYOLOv3 has been trained so, without the first.
ANCHORS = {"YOLOv3": ((6, 7, 8), (3, 4, 5), (0, 1, 2)), "TinyYOLOv3": ((3, 4, 5), (1, 2, 3))}


def _centred(image):
    import numpy

    return image[..., ::-1] - numpy.array(BLUE_GREEN_RED, "float32")


def _scaled(image):
    return _centred(image) * 0.017


def _around_zero(image):
    return image / 127.5 - 1.0


class ImageAI215(ImageAI2):
    """What is asked of ImageAI 2.1.5. It classifies with TensorFlow's Keras and detects with the other one."""

    libraries = ("numpy", "cv2", "tensorflow", "keras")
    classification_options = {"prediction_speed": "fastest"}
    quick = ("SqueezeNet", ImageAI2.size, classification_options)
    # The module and the function that build each, the module with its table of names, and how pictures are prepared.
    classifiers = {
        "SqueezeNet": ("SqueezeNet.squeezenet", "SqueezeNet", "imagenet_utils", _centred),
        "ResNet50": ("ResNet.resnet50", "ResNet50", "imagenet_utils", _centred),
        "InceptionV3": ("InceptionV3.inceptionv3", "InceptionV3", "InceptionV3.imagenet_utils", _around_zero),
        "DenseNet121": ("DenseNet.densenet", "DenseNetImageNet121", "DenseNet.imagenet_utils", _scaled),
    }
    called = {"ResNet50": "ResNet", "DenseNet121": "DenseNet"}
    prediction = "imageai.Prediction"
    predictor = "ImagePrediction"
    custom_predictor = "CustomImagePrediction"
    predict = "predictImage"
    trained = "SqueezeNet"
    trainer = "ModelTraining"
    custom_options = {"prediction_speed": "fastest", "num_objects": len(NAMES)}
    detection_options = {
        "RetinaNet": {"detection_speed": "fastest"},
        "YOLOv3": {"detection_speed": "flash"},
        "TinyYOLOv3": {"detection_speed": "fastest"},
    }
    array_options = {"input_type": "array"}
    tolerance = 0.001
    slanted = False

    def keras(self):
        """Return the Keras that is no part of TensorFlow."""
        import keras

        return keras

    def tidy(self):
        """Give back what a stage's networks hold."""
        if "tensorflow" in sys.modules:
            self.fresh()

    def fresh(self):
        """Begin with an empty graph, as a process of its own would, and make what follows the same in each run."""
        import tensorflow

        tensorflow.keras.backend.clear_session()
        if "keras" in sys.modules:
            sys.modules["keras"].backend.clear_session()
        ImageAI2.fresh(self)
        tensorflow.compat.v1.set_random_seed(SEED)

    def outputs(self, model, batch):
        """Return the outputs of a model for a batch of prepared pictures, as a list of arrays."""
        return model.predict_on_batch(batch)

    def retinanet_picture(self):
        """Return a square: this ImageAI's fastest RetinaNet enlarges to 200 pixels."""
        return blue_first(picture(2))

    def as_array(self, image):
        """Return the picture with red first; of a video, what ImageAI writes when it takes BGR for that."""
        return blue_first(image)

    def make_classifier(self, kind, image, weights):
        """Write weights that tell classes apart; return the probabilities that they give for an RGB picture."""
        import numpy
        import tensorflow

        self.fresh()
        module, builder, _, prepare = self.classifiers[kind]
        prepared = prepare(image[None].astype("float32"))
        build = getattr(importlib.import_module("imageai.Prediction." + module), builder)
        model = build(model_input=tensorflow.keras.layers.Input(shape=image.shape), weights="custom")
        network = Network(model, tensorflow.keras.backend, SEED)
        # Spread what goes into the last function, or one class has all. It grows as the last kernel does.
        (last,) = [operation for operation in [model.output.op] if operation.type == "Softmax"]
        deviation = float(network.tensor(last.inputs[0], prepared).std())
        if not numpy.isfinite(deviation) or deviation == 0:
            raise Wrong("the network's answers spread by %r" % deviation)
        head = [layer for layer in model.layers if layer.weights][-1]
        network.change(head, network.kernel(head) * (2.0 / deviation))
        network.save(weights)
        (expected,) = network.answer(prepared)
        self.fresh()
        return numpy.asarray(expected)[0]

    def class_names(self, kind):
        """Return the names in ImageAI's table, which is filled when a picture was classified."""
        table = importlib.import_module("imageai.Prediction." + self.classifiers[kind][2]).CLASS_INDEX
        if not table or len(table) != 1000:
            raise Wrong("ImageAI knows %d of the 1000 classes of ImageNet" % len(table or ()))
        return [table[str(number)][1] for number in range(1000)]

    def yolo_network(self, kind):
        """Return a YOLO network with random weights."""
        import keras
        from imageai.Detection.YOLOv3.models import tiny_yolo_main, yolo_main

        build = tiny_yolo_main if kind == "TinyYOLOv3" else yolo_main
        return Network(build(keras.layers.Input(shape=(None, None, 3)), 3, CLASSES), keras.backend, SEED)

    def yolo_input(self, image, net):
        """Return a batch of one picture: ImageAI takes it as it is, and who gives it BGR has it look in BGR."""
        import numpy
        from PIL import Image

        small = Image.fromarray(image).resize((net, net), Image.BICUBIC)
        return (numpy.asarray(small) / 255.0).astype("float32")[None]

    def yolo_anchors(self, detector, kind):
        """Return the anchors of each output."""
        name = "tiny_yolo_anchors" if kind == "TinyYOLOv3" else "yolo_anchors"
        sizes = getattr(detector, "_ObjectDetection__" + name)
        return [sizes[list(numbers)].reshape(-1) for numbers in ANCHORS[kind]]

    def make_retinanet(self, image, weights):
        """Write weights; return what they answer for a BGR picture."""
        import cv2
        import keras
        import numpy
        from imageai.Detection import ObjectDetection
        from imageai.Detection.keras_retinanet.models.resnet import resnet50_retinanet

        self.fresh()
        network = Network(resnet50_retinanet(num_classes=CLASSES), keras.backend, SEED)
        scale = 200.0 / image.shape[0]
        prepared = cv2.resize((image - numpy.array(BLUE_GREEN_RED)).astype("float32"), None, fx=scale, fy=scale)[None]
        # The shift of a box against its anchor: fresh weights may give thousands of pixels.
        shifts, scores, _ = network.model.outputs
        spread = float(network.tensor(shifts, prepared).std())
        if not numpy.isfinite(spread):
            raise Wrong("RetinaNet's fresh weights shift boxes by infinite numbers or none")
        head = network.model.get_layer("regression_submodel").get_layer("pyramid_regression")
        network.change(head, network.kernel(head) / max(spread, 1e-30))
        head = network.model.get_layer("classification_submodel").get_layer("pyramid_classification")
        kernel = network.kernel(head) / max(spread, 1e-30)
        network.change(head, kernel)
        scale_scores(network, head, kernel, network.tensor(scores, prepared))
        network.save(weights)
        _, scores, detections = network.answer(prepared)
        boxes, table = detections[0, :, :4] / scale, detections[0, :, 4:]
        table = numpy.where(table == table.max(axis=1, keepdims=True), table, 0.0)  # one class of each anchor
        names = ObjectDetection().numbers_to_names
        self.fresh()
        return RetinaNetAnswer(table, boxes, names, scores, False)

    def check_trained(self, facts, path, whole):
        """Raise Wrong unless the first step of training moved the network by the learning rate.

        The epoch is one step, and Adam's first step moves a weight by nearly its learning rate. Keras begins every bias
        at zero: what the biases hold is how far they moved.
        """
        import numpy

        values = read(path)
        if not all(numpy.isfinite(value).all() for value in values):
            raise Wrong("training left numbers that are infinite or none")
        facts["first_step"] = max(float(numpy.abs(value).max()) for value in values if value.ndim == 1)
        if facts.get("learning_rates") != [RATE]:
            raise Wrong("this ImageAI trains with %r" % facts.get("learning_rates"))
        if not 0.9 * RATE < facts["first_step"] < 1.1 * RATE:
            raise Wrong("the first step moved the biases by %r, ImageAI means %g" % (facts["first_step"], RATE))

    def trained_probabilities(self, path, whole, image):
        """Return the probabilities that the network that was trained gives for an RGB picture."""
        import tensorflow
        from imageai.Prediction.SqueezeNet.squeezenet import SqueezeNet

        self.fresh()
        layer = tensorflow.keras.layers.Input(shape=image.shape)
        model = SqueezeNet(model_input=layer, weights="custom", num_classes=len(NAMES))
        model.set_weights(read(path))
        answer = model.predict_on_batch(image[None].astype("float32") / 255.0)[0]
        self.fresh()
        return answer

    def watched(self, model):
        """Return the weights but for the largest kernels.

        This Keras clips the gradients of all layers together, to a length of 0.001. What is left of one of the millions
        of a large kernel is next to nothing, and Adam moves it by less than its rate.
        """
        import keras
        import numpy

        weights = [weight for weight in model.trainable_weights if numpy.prod(weight.shape.as_list()) < SMALL]
        return numpy.concatenate([value.reshape(-1) for value in keras.backend.batch_get_value(weights)])

    def rate(self, optimizer):
        """Return an optimizer's learning rate."""
        return float(self.keras().backend.get_value(optimizer.lr))

    def is_ours(self, result, path):
        """Tell whether a result of an evaluation is of our model."""
        return result["model_file"] == path


STAGES = ImageAI215()

if __name__ == "__main__":
    sys.exit(main(STAGES))
