"""Prove that ImageAI 3 runs here. Usage: imageai3_probe.py imports|inference DIRECTORY.

ImageAI prints an error of loading and goes on, so the *result* is checked against what the network itself says.
"""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
from quick_probe import Wrong, main  # noqa: E402

sys.dont_write_bytecode = _keep

# torch and torchvision before ImageAI, and torchvision by itself: it is what fails first when the two do not match.
MODULES = (
    "numpy",
    "cv2",
    "torch",
    "torchvision",
    "imageai.Classification",
    "imageai.Classification.Custom",
    "imageai.Detection",
    "imageai.Detection.Custom",
)
SEED = 303
SIZE = 256  # ImageAI scales the shorter side of a picture to this, and takes a square from its middle
EDGE = 16  # what is left out around that square


def classify(answer, directory):
    """Let ImageAI classify a generated picture with a MobileNetV2 of random weights, and check its answer."""
    import numpy
    import torch
    import torchvision
    from imageai.Classification import ImageClassification
    from PIL import Image

    answer["stage"] = "draw a picture"
    ramp = numpy.linspace(0, 255, SIZE, dtype="uint8")
    flat = numpy.full((SIZE, SIZE), 99, "uint8")
    image = numpy.stack([numpy.tile(ramp, (SIZE, 1)), numpy.tile(ramp[:, None], (1, SIZE)), flat], -1)
    path = os.path.join(directory, "picture.png")
    Image.fromarray(image).save(path)

    answer["stage"] = "build MobileNetV2"
    torch.manual_seed(SEED)
    network = torchvision.models.mobilenet_v2()
    inputs = prepared(image)
    give_clear_answers(network, network.classifier[1], inputs)
    weights = os.path.join(directory, "mobilenet_v2.pth")
    torch.save(network.state_dict(), weights)
    expected = probabilities_of(network, inputs)

    answer["stage"] = "classify with ImageAI"
    classifier = ImageClassification()
    classifier.setModelTypeAsMobileNetV2()
    classifier.setModelPath(weights)
    classifier.loadModel()
    labels, probabilities = classifier.classifyImage(path, result_count=5)

    answer["stage"] = "check ImageAI's answer"
    values = [float(value) for value in probabilities]
    answer["result"] = {"labels": list(labels), "probabilities": [round(value, 4) for value in values]}
    compare(list(labels), values, expected, class_names())


def prepared(image):
    """Return a picture of SIZE x SIZE, RGB, as the networks get it: written from the numbers of ImageNet's networks."""
    import numpy
    import torch

    middle = image[EDGE : SIZE - EDGE, EDGE : SIZE - EDGE] / 255.0
    scaled = (middle - numpy.array([0.485, 0.456, 0.406])) / numpy.array([0.229, 0.224, 0.225])
    return torch.from_numpy(scaled.transpose(2, 0, 1)[None].astype("float32"))


def give_clear_answers(network, last, inputs):
    """Give a fresh network weights that tell classes apart: as it is made, every class gets nearly the same."""
    import torch

    settle(network, inputs)
    with torch.no_grad():
        last.weight.normal_()
        last.bias.zero_()
        deviation = float(network(inputs).std())
        if not 0 < deviation < float("inf"):
            raise Wrong("the network's answers differ by %r" % deviation)
        last.weight.mul_(2.0 / deviation)


def settle(network, inputs):
    """Set what the network's normalizations think is the usual to what these inputs give, and end its training."""
    import torch

    network.eval()
    normalizations = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in normalizations:
        module.train()
        module.momentum = 1.0
    with torch.no_grad():
        network(inputs)
    network.eval()


def probabilities_of(network, inputs):
    """Return the probabilities of the classes, on the device that ImageAI takes."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device)
    with torch.no_grad():
        return torch.softmax(network(inputs.to(device)), dim=1)[0].cpu().numpy()


def class_names():
    """Return the names of the classes in the file that comes with ImageAI."""
    import imageai.Classification

    directory = os.path.dirname(os.path.abspath(imageai.Classification.__file__))
    with open(os.path.join(directory, "imagenet_classes.txt")) as stream:
        names = [line.strip() for line in stream]
    if len(names) != 1000:
        raise Wrong("ImageAI's file of names has %d lines, the networks have 1000 classes" % len(names))
    return names


def compare(labels, values, expected, names):
    """Raise Wrong unless ImageAI's names and percentages are the best ones of the network itself."""
    import numpy

    top = expected.argsort()[::-1][: len(values)]
    wanted = (expected[top] * 100).tolist()
    if not values or labels != [names[number] for number in top]:
        raise Wrong("ImageAI named %r, the network itself %r" % (labels, [names[number] for number in top]))
    if not numpy.isfinite(values).all() or not 0 < min(values) <= max(values) <= 100:
        raise Wrong("ImageAI's probabilities are not percentages: %r" % (values,))
    if not numpy.allclose(values, wanted, rtol=1e-3, atol=1e-4):  # ImageAI rounds to four digits
        raise Wrong("ImageAI says %r, the network itself %r" % (values, wanted))
    if abs(float(expected.sum()) - 1) > 1e-3:
        raise Wrong("the network's probabilities add up to %r" % float(expected.sum()))


if __name__ == "__main__":
    sys.exit(main(MODULES, ("numpy", "cv2", "torch", "torchvision"), classify))
