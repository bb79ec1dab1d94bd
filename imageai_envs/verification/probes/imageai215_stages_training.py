"""Stages of the full probe for ImageAI 2.1.5: training of detection, and what was trained put to use.

One epoch on a few generated pictures teaches a network nothing. Proved is that training changes the network by the
learning rate that ImageAI means, that the files it leaves can be loaded, and that ImageAI then says what they say.
"""

import json
import os

from imageai215_networks import fresh
from imageai_stages_classification import SEED, picture
from imageai_stages_detection import check_drawing, check_video, compare_boxes, stand_out, write_video, yolo_candidates
from imageai_stages_training import MEANT, NAMES, _make_small, _write_objects
from quick_probe import Wrong

SMALL = 100000  # numbers in a kernel


def train_detection(place, facts):
    """Train YOLOv3 for one warm-up and one proper epoch, and measure the learning rate that is really used."""
    import keras
    from imageai.Detection.Custom import DetectionModelTrainer

    data = place.path("objects")
    facts["objects"] = _write_objects(data, "train", 2, 50) + _write_objects(data, "validation", 2, 60)
    facts["learning_rate_meant"] = MEANT
    made = []

    class Trainer(DetectionModelTrainer):
        def _create_model(self, *values, **named):
            made[:] = DetectionModelTrainer._create_model(self, *values, **named)
            return tuple(made)

        def _create_callbacks(self, *values, **named):
            return DetectionModelTrainer._create_callbacks(self, *values, **named) + [_step_watch(made[1], facts)]

    fresh(SEED)
    trainer = Trainer()
    trainer.setModelTypeAsYOLOv3()
    trainer.setDataDirectory(data)
    _make_small(trainer, facts)
    trainer.setTrainConfig(object_names_array=list(NAMES), batch_size=2, num_experiments=1)
    trainer.trainModel()

    facts["learning_rate_set"] = float(keras.backend.get_value(made[0].optimizer.lr))
    files = sorted(name for name in os.listdir(os.path.join(data, "models")) if name.endswith(".h5"))
    facts["files"] = files
    if not files:
        raise Wrong("training left no model file")
    for name in files[:-1]:  # 240 MB each
        os.remove(os.path.join(data, "models", name))
    # The proof of the rate comes last: what was trained can be used, whatever the rate was.
    place.made["detector"] = (
        os.path.join(data, "models", files[-1]),
        os.path.join(data, "json", "detection_config.json"),
    )
    place.made["trainer"] = trainer
    _check_rate(facts)


def _check_rate(facts):
    told, step = facts["learning_rate_set"], facts.get("first_step")
    if facts["learning_rate_of_trainer"] != MEANT or not 0.95 * MEANT < told < 1.05 * MEANT:
        raise Wrong("detection training uses the learning rate %g, ImageAI means %g" % (told, MEANT))
    if step is None or not 0.5 * MEANT < step < 1.1 * MEANT:  # 0.92 is usual
        raise Wrong("the first step of training moved the weights by %r, ImageAI means %g" % (step, MEANT))


def _step_watch(network, facts):
    """Return a callback that measures how far the first step moves the weights, but for the largest kernels.

    This Keras clips the gradients of all layers together, to a length of 0.001. What is left of one of the millions of
    a large kernel is next to nothing, and Adam moves it by less than its rate.
    """
    import keras
    import numpy

    weights = [weight for weight in network.trainable_weights if numpy.prod(weight.shape.as_list()) < SMALL]

    class Watch(keras.callbacks.Callback):
        before = None

        def _values(self):
            return numpy.concatenate([value.reshape(-1) for value in keras.backend.batch_get_value(weights)])

        def on_batch_begin(self, *_, **__):
            if self.before is None:
                self.before = self._values()

        def on_batch_end(self, *_, **__):
            if "first_step" not in facts:
                facts["first_step"] = float(numpy.abs(self._values() - self.before).max())

    return Watch()


def evaluate_detection(place, facts):
    """Evaluate what was trained; ImageAI prints and skips a model whose evaluation fails."""
    import numpy

    path, configuration = place.need("detector", "train_detection")
    results = place.need("trainer", "train_detection").evaluateModel(
        model_path=path, json_path=configuration, batch_size=2, iou_threshold=0.5, object_threshold=0.5
    )
    if len(results) != 1:
        raise Wrong("ImageAI evaluated %d of 1 models" % len(results))
    facts["map"] = float(results[0]["map"])
    facts["average_precision"] = {name: float(value) for name, value in results[0]["average_precision"].items()}
    if set(facts["average_precision"]) != set(NAMES) or results[0]["model_file"] != path:
        raise Wrong("ImageAI evaluated something else: %r" % (results,))
    if not (numpy.isfinite(facts["map"]) and 0 <= facts["map"] <= 1):
        raise Wrong("the mean average precision is %r" % facts["map"])


def custom_detection(place, facts):
    """Detect with the network that was trained."""
    import cv2

    image = picture(70, 192)[..., ::-1].copy()
    shown, drawn = place.path("custom-street.png"), place.path("custom-drawn.png")
    cv2.imwrite(shown, image)
    ((expected, threshold),) = _trained_boxes(place, [image])
    found = _load(place, "CustomObjectDetection").detectObjectsFromImage(
        input_image=shown, output_image_path=drawn, minimum_percentage_probability=threshold * 100
    )
    compare_boxes(facts, found, expected)
    check_drawing(drawn, image, found)


def custom_video(place, facts):
    """Detect in a video with the network that was trained."""
    source = place.path("custom-video.avi")
    frames = write_video(source, 2)
    expected = _trained_boxes(place, frames)
    seen = {}
    written = _load(place, "CustomVideoObjectDetection").detectObjectsFromVideo(
        input_file_path=source,
        output_file_path=place.path("custom-video-detected"),
        frames_per_second=10,
        minimum_percentage_probability=min(threshold for _, threshold in expected) * 100,
        per_frame_function=lambda number, objects, counts: seen.update({number: objects}),
        log_progress=False,
    )
    check_video(facts, written, frames, seen, expected)


def _load(place, kind):
    import imageai.Detection.Custom

    path, configuration = place.need("detector", "train_detection")
    detector = getattr(imageai.Detection.Custom, kind)()
    detector.setModelTypeAsYOLOv3()
    detector.setModelPath(path)
    detector.setJsonPath(configuration)
    detector.loadModel()
    return detector


def _trained_boxes(place, images):
    """Return for each BGR picture the boxes that the trained network itself gives, and a threshold."""
    import cv2
    import keras

    path, configuration = place.need("detector", "train_detection")
    with open(configuration) as stream:
        told = json.load(stream)
    if told["labels"] != sorted(NAMES):
        raise Wrong("the configuration names %r" % told["labels"])
    fresh(SEED)
    model = keras.models.load_model(path, compile=False)
    found = []
    for image in images:
        prepared = cv2.cvtColor(cv2.resize(image, (416, 416)), cv2.COLOR_BGR2RGB).astype("float32") / 255.0
        candidates = yolo_candidates(model.predict_on_batch(prepared[None]), told["anchors"], 416, image.shape, False)
        found.append(stand_out(candidates, told["labels"]))
    fresh(SEED)
    return found
