"""Prove what of ImageAI works here. Usage: imageai215_full_probe.py DIRECTORY [--only STAGE,STAGE] [--threads N].

For ImageAI 2.1.5 with TensorFlow 1.15. ImageAI hides errors behind bare ``except:`` and returns empty
answers, so each stage compares ImageAI's *result* with what the network itself answers.
"""

import gc
import os
import sys
import time

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
import imageai215_networks  # noqa: E402
import imageai215_probe  # noqa: E402
import imageai215_stages_classification as classification  # noqa: E402
import imageai215_stages_detection as detection  # noqa: E402
import imageai215_stages_training as training  # noqa: E402
import staged_probe  # noqa: E402
from imageai_stages_classification import SEED  # noqa: E402

sys.dont_write_bytecode = _keep

STAGES = (
    ("classify_squeezenet", classification.squeezenet),
    ("classify_resnet50", classification.resnet50),
    ("classify_inceptionv3", classification.inception_v3),
    ("classify_densenet121", classification.densenet121),
    ("detect_retinanet", detection.retinanet),
    ("detect_yolov3", detection.yolo_v3),
    ("detect_tinyyolov3", detection.tiny_yolo_v3),
    ("detect_video", detection.video),
    ("train_classification", classification.train_weights),
    ("classify_custom", classification.custom_weights),
    ("train_classification_full", classification.train_whole),
    ("classify_custom_full", classification.custom_whole),
    ("import_custom_detection", detection.import_custom),
    ("train_detection", training.train_detection),
    ("evaluate_detection", training.evaluate_detection),
    ("detect_custom", training.custom_detection),
    ("detect_custom_video", training.custom_video),
)
TOLD = ("tensorflow", "keras", "numpy", "cv2", "h5py", "PIL", "matplotlib", "scipy")


def import_all(place, facts):
    """Import what ImageAI needs and all of ImageAI but what trains detection."""
    import importlib

    seconds = facts.setdefault("seconds", {})
    for name in imageai215_probe.MODULES:
        if name == "imageai.Detection.Custom":
            continue
        start = time.time()
        importlib.import_module(name)
        seconds[name] = round(time.time() - start, 2)
        if name == "tensorflow":
            limit_threads(place.made.get("threads"))


def limit_threads(number):
    """Hold TensorFlow to so many threads, before it makes a session."""
    if number:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(number)
        tensorflow.config.threading.set_inter_op_parallelism_threads(number)


def tidy():
    """Give back what a stage's networks hold."""
    if "tensorflow" in sys.modules:
        imageai215_networks.fresh(SEED)
    gc.collect()


if __name__ == "__main__":
    sys.exit(staged_probe.main(STAGES, import_all, tidy, TOLD))
