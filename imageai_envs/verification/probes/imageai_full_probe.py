"""Prove what of ImageAI works here. Usage: imageai_full_probe.py DIRECTORY [--only STAGE,STAGE] [--threads N].

For ImageAI 2.1.6. It hides errors behind bare ``except:`` and returns empty answers, so each stage compares ImageAI's
*result* with what the model itself answers.

TensorFlow is imported in the normal way and nothing of it is replaced: what fails here fails for people too.
"""

import gc
import os
import sys
import time

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # -I leaves it out; last, so that it hides nothing
_keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # this directory is not the environment's
import imageai_probe  # noqa: E402
import imageai_stages_classification as classification  # noqa: E402
import imageai_stages_detection as detection  # noqa: E402
import imageai_stages_training as training  # noqa: E402
import staged_probe  # noqa: E402

sys.dont_write_bytecode = _keep

# In this order: importing imageai.Detection.Custom switches all of TensorFlow to eager functions, so what does not need
# it runs before, as it does for people.
STAGES = (
    ("classify_mobilenetv2", classification.mobilenet_v2),
    ("classify_resnet50", classification.resnet50),
    ("classify_inceptionv3", classification.inception_v3),
    ("classify_densenet121", classification.densenet121),
    ("detect_retinanet", detection.retinanet),
    ("detect_yolov3", detection.yolo_v3),
    ("detect_tinyyolov3", detection.tiny_yolo_v3),
    ("detect_video", detection.video),
    ("train_classification", training.classification),
    ("classify_custom", training.custom_classification),
    ("train_classification_full", training.full_model),
    ("classify_custom_full", training.custom_full_model),
    ("import_custom_detection", detection.import_custom),
    ("train_detection", training.detection),
    ("evaluate_detection", training.evaluate_detection),
    ("detect_custom", training.custom_detection),
    ("detect_custom_video", training.custom_video),
)
TOLD = ("tensorflow", "keras", "numpy", "cv2", "h5py", "PIL", "matplotlib", "scipy")


def import_all(place, facts):
    """Import what ImageAI needs and all of ImageAI but what changes TensorFlow for everybody."""
    import importlib

    seconds = facts.setdefault("seconds", {})
    for name in imageai_probe.MODULES:
        if name == "imageai.Detection.Custom":
            continue
        start = time.time()
        importlib.import_module(name)
        seconds[name] = round(time.time() - start, 2)
        if name == "tensorflow":
            limit_threads(place.made.get("threads"))


def limit_threads(number):
    """Hold TensorFlow to so many threads, before it makes any."""
    if number:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(number)
        tensorflow.config.threading.set_inter_op_parallelism_threads(number)


def tidy():
    """Give back what a stage's models hold."""
    keras = getattr(sys.modules.get("tensorflow"), "keras", None)
    if keras is not None:
        keras.backend.clear_session()
    gc.collect()


if __name__ == "__main__":
    sys.exit(staged_probe.main(STAGES, import_all, tidy, TOLD))
