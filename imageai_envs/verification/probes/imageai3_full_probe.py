"""Prove what of ImageAI works here. Usage: imageai3_full_probe.py DIRECTORY [--only STAGE,STAGE] [--threads N].

For ImageAI 3 with PyTorch. It swallows errors and returns empty answers, so each stage compares ImageAI's *result* with
what the network itself answers. Nothing of torch is replaced: what fails here fails for people too.
"""

import gc
import os
import sys
import time

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
import imageai3_probe  # noqa: E402
import imageai3_stages as stages  # noqa: E402
import imageai3_stages_training as training  # noqa: E402
import staged_probe  # noqa: E402

sys.dont_write_bytecode = _keep

# ImageAI 3 keeps weights only, and has no call that evaluates a detector: training does it after each epoch.
STAGES = (
    ("classify_mobilenetv2", stages.mobilenet_v2),
    ("classify_resnet50", stages.resnet50),
    ("classify_inceptionv3", stages.inception_v3),
    ("classify_densenet121", stages.densenet121),
    ("detect_retinanet", stages.retinanet),
    ("detect_yolov3", stages.yolo_v3),
    ("detect_tinyyolov3", stages.tiny_yolo_v3),
    ("detect_video", stages.video),
    ("train_classification", training.classification),
    ("classify_custom", training.custom_classification),
    ("import_custom_detection", training.import_custom),
    ("train_detection", training.detection),
    ("detect_custom", training.custom_detection),
    ("detect_custom_video", training.custom_video),
)
TOLD = ("torch", "torchvision", "numpy", "cv2", "PIL", "scipy", "tqdm")


def import_all(place, facts):
    """Import what ImageAI needs and all of ImageAI but what trains detection, which alone needs SciPy."""
    import importlib

    seconds = facts.setdefault("seconds", {})
    for name in imageai3_probe.MODULES:
        if name == "imageai.Detection.Custom":
            continue
        start = time.time()
        importlib.import_module(name)
        seconds[name] = round(time.time() - start, 2)
        if name == "torch" and place.made.get("threads"):
            sys.modules["torch"].set_num_threads(place.made["threads"])


if __name__ == "__main__":
    sys.exit(staged_probe.main(STAGES, import_all, gc.collect, TOLD))
