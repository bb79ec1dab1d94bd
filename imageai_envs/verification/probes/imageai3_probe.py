"""Prove what of ImageAI 3 works here, with PyTorch. Usage: imageai3_probe.py imports|inference|features DIRECTORY."""

import importlib
import json
import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
import imageai3_networks as networks  # noqa: E402
import imageai3_training as training  # noqa: E402
from imageai3_answers import RetinaNetAnswer, YoloAnswer  # noqa: E402
from probe_pictures import NAMES, blue_first  # noqa: E402
from probe_stages import COUNT, Stages  # noqa: E402
from quick_probe import Wrong  # noqa: E402
from staged_probe import main  # noqa: E402

sys.dont_write_bytecode = _keep

# ImageAI shows a box in which something is, as the network says, with at least this probability.
THERE = 0.5
THERE_CUSTOM = 0.4


class ImageAI3(Stages):
    """What is asked of ImageAI 3."""

    # torch and torchvision before ImageAI, and torchvision by itself: it is what fails first when the two do not match.
    libraries = ("numpy", "cv2", "torch", "torchvision")
    framework = "torch"
    told = ("torch", "torchvision", "numpy", "cv2", "PIL", "scipy", "tqdm")
    quick = ("MobileNetV2", networks.SIZE, {})
    # torchvision's name and options for each, and its last layer. ImageAI gives InceptionV3 pictures of 224 pixels as
    # the others, not of 299.
    classifiers = {
        "MobileNetV2": ("mobilenet_v2", {}, lambda network: network.classifier[1]),
        "ResNet50": ("resnet50", {}, lambda network: network.fc),
        "InceptionV3": ("inception_v3", {"init_weights": False}, lambda network: network.fc),
        "DenseNet121": ("densenet121", {}, lambda network: network.classifier),
    }
    size = networks.SIZE
    frames = 3
    rounding = 1e-4  # to four digits
    tolerance = 0.01
    suffix = ".pth"
    # It keeps weights only, and has no call that evaluates a detector: training does it after each epoch.
    lacks = ("train_classification_full", "classify_custom_full", "evaluate_detection")

    def limit_threads(self, number):
        """Hold torch to so many threads."""
        sys.modules["torch"].set_num_threads(number)

    def street(self):
        """Return a picture that is not square: ImageAI puts grey above and below."""
        return Stages.street(self)[:144].copy()

    def custom_picture(self, place):
        """Return a picture of the validation, BGR."""
        import cv2

        return cv2.imread(place.path("objects", "validation", "images", "0.png"))

    def make_classifier(self, kind, image, weights):
        """Write weights that tell classes apart; return the probabilities that they give for an RGB picture."""
        import torch
        import torchvision

        name, options, last = self.classifiers[kind]
        torch.manual_seed(networks.SEED)
        network = getattr(torchvision.models, name)(**options)
        inputs = networks.prepared(image)
        networks.give_clear_answers(network, last(network), inputs)
        torch.save(network.state_dict(), weights)
        return networks.probabilities_of(network, inputs)

    def class_names(self, kind):
        """Return the names of the classes in the file that comes with ImageAI."""
        names = _lines("imageai.Classification", "imagenet_classes.txt")
        if len(names) != 1000:
            raise Wrong("ImageAI's file of names has %d lines, the networks have 1000 classes" % len(names))
        return names

    def classify(self, kind, place, facts):
        """Classify with a network of random weights, in a file and in an array."""
        classifier, image = self.classify_one(kind, self.size, self.classification_options, place, facts)
        labels, values = classifier.classifyImage(image, result_count=COUNT)
        if list(labels) != facts["labels"] or [round(float(value), 4) for value in values] != facts["probabilities"]:
            raise Wrong("ImageAI says something else of an array than of a file: %r" % ((labels, values),))

    def make_yolo(self, kind, images, weights):
        """Write weights that give clear answers; return what they answer for each of these BGR pictures."""
        yolo = networks.Yolo(kind)
        yolo.give_clear_answers(images)
        yolo.save(weights)
        names = _lines("imageai.Detection", "coco_classes.txt")
        return [YoloAnswer(yolo.boxes(image, THERE), names, image.shape) for image in images]

    def make_retinanet(self, image, weights):
        """Write a RetinaNet that gives clear answers; return what it answers for a BGR picture."""
        import numpy
        import torch

        network, inputs = networks.make_retinanet(blue_first(image))
        torch.save(network.state_dict(), weights)
        with torch.no_grad():
            answer = {name: value.cpu().numpy() for name, value in network([inputs])[0].items()}
        if not numpy.isfinite(answer["boxes"]).all():
            raise Wrong("the network's answer has infinite numbers or none")
        names = _lines("imageai.Detection", "coco91_classes.txt")
        found = zip(answer["labels"], answer["scores"], answer["boxes"])
        return RetinaNetAnswer(
            [
                (names[int(label)], float(score), [int(value) for value in box])
                for label, score, box in found
                if score >= THERE
            ]
        )

    def train_classification(self, whole, place, facts):
        """Train MobileNetV2 for one step."""
        place.made["classifier"] = training.train_classification(place, facts)

    def trained_probabilities(self, path, whole, image):
        """Return the probabilities that the network that was trained gives for an RGB picture."""
        return networks.probabilities_of(training.trained_classifier(path), networks.prepared(image))

    def train_detection(self, place, facts):
        """Train YOLOv3 twice over two pictures."""
        place.made["detector"] = training.train_detection(place, facts)

    def trained_answers(self, place, images):
        """Return what the detector that was trained answers for each of these BGR pictures."""
        path, configuration = place.need("detector", "train_detection")
        with open(configuration) as stream:
            told = json.load(stream)
        if told["labels"] != list(NAMES) or len(told["anchors"]) != 18 or not all(size > 0 for size in told["anchors"]):
            raise Wrong("the configuration says %r" % (told,))
        yolo = networks.Yolo("YOLOv3", told["anchors"], len(NAMES)).load(path)
        return [YoloAnswer(yolo.boxes(image, THERE_CUSTOM), NAMES, image.shape) for image in images]


def _lines(module, name):
    """Return the names of the classes in a file that comes with a module of ImageAI."""
    directory = os.path.dirname(os.path.abspath(importlib.import_module(module).__file__))
    with open(os.path.join(directory, name)) as stream:
        return [line.strip() for line in stream]


STAGES = ImageAI3()

if __name__ == "__main__":
    sys.exit(main(STAGES))
