"""Prove that ImageAI 2.1.5 runs here. Usage: imageai215_probe.py imports|inference DIRECTORY.

ImageAI hides errors behind bare ``except:``, so the *result* is checked against what the network itself says.
"""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
import imageai215_stages_classification  # noqa: E402
from quick_probe import main  # noqa: E402
from staged_probe import Place  # noqa: E402

sys.dont_write_bytecode = _keep

MODULES = (
    "numpy",
    "cv2",
    "tensorflow",
    "keras",
    "imageai.Prediction",
    "imageai.Prediction.Custom",
    "imageai.Detection",
    "imageai.Detection.Custom",
)


def classify(answer, directory):
    """Let ImageAI classify a generated picture with a SqueezeNet of random weights, and check its answer."""
    answer["stage"] = "classify with SqueezeNet"
    imageai215_stages_classification.squeezenet(Place(directory), answer.setdefault("result", {}))


if __name__ == "__main__":
    sys.exit(main(MODULES, ("numpy", "cv2", "tensorflow", "keras"), classify))
