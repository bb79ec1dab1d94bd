"""Stages of the full probe: training of classification and detection, and what was trained put to use.

One epoch on a few generated pictures teaches a network nothing. Proved is that training changes the network by the
learning rate that ImageAI means, that the files it leaves can be loaded, and that ImageAI then says what they say.
"""

import os

from imageai_stages_classification import SIZE, check_percentages, picture, seed
from imageai_stages_detection import (
    check_drawing,
    check_video,
    compare_boxes,
    stand_out,
    write_video,
    yolo_candidates,
)
from quick_probe import Wrong

NAMES = ("lake", "road")
MEANT = 1e-4  # ImageAI 2.1.x, DetectionModelTrainer: the learning rate that its code passes to Adam
NET = 96  # pixels of a picture in detection training; ImageAI's own are 288 to 448


# Classification -----------------------------------------------------------------------------------------------------


def classification(place, facts):
    """Train MobileNetV2 for one epoch and keep its weights."""
    place.made["classifier"] = _train_classification(place, facts, "weights", False)


def full_model(place, facts):
    """Train MobileNetV2 for one epoch and keep the whole network."""
    place.made["full classifier"] = _train_classification(place, facts, "whole", True)


def custom_classification(place, facts):
    """Classify with the weights that were trained."""
    trained = place.need("classifier", "train_classification")

    def load(classifier):
        classifier.setModelTypeAsMobileNetV2()
        classifier.loadModel(classification_speed="fastest", num_objects=len(NAMES))

    _custom_classification(place, facts, trained, False, load)


def custom_full_model(place, facts):
    """Classify with the whole network that was trained."""
    trained = place.need("full classifier", "train_classification_full")

    def load(classifier):
        classifier.loadFullModel(classification_speed="fastest", num_objects=len(NAMES))

    _custom_classification(place, facts, trained, True, load)


def _train_classification(place, facts, directory, whole):
    import tensorflow
    from imageai.Classification.Custom import ClassificationModelTrainer
    from PIL import Image

    data = place.path("classes-" + directory)
    for number, (part, name) in enumerate((part, name) for part in ("train", "test") for name in NAMES):
        os.makedirs(os.path.join(data, part, name))
        for index in range(2):
            Image.fromarray(picture(20 + 2 * number + index)).save(os.path.join(data, part, name, "%d.png" % index))

    class Trainer(ClassificationModelTrainer):
        def lr_schedule(self, epoch):
            rate = ClassificationModelTrainer.lr_schedule(self, epoch)
            facts.setdefault("learning_rates", []).append(rate)
            return rate

    facts["optimizer"] = _kind(tensorflow.keras.optimizers.Adam)
    trainer = Trainer()
    trainer.setModelTypeAsMobileNetV2()
    trainer.setDataDirectory(data)
    seed()
    trainer.trainModel(
        num_objects=len(NAMES), num_experiments=1, batch_size=4, training_image_size=SIZE, save_full_model=whole
    )
    files = sorted(os.listdir(os.path.join(data, "models")))
    facts["files"] = files
    if len(files) != 1:
        raise Wrong("one epoch left %d model files" % len(files))
    path = os.path.join(data, "models", files[0])
    _check_trained(tensorflow, path, whole)
    return path, os.path.join(data, "json", "model_class.json")


def _check_trained(tensorflow, path, whole):
    """Raise Wrong unless the file holds a network that has seen pictures: its running means are no longer all zero."""
    import numpy

    model = _trained_classifier(tensorflow, path, whole)
    means = [layer.moving_mean for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    if not all(numpy.isfinite(numpy.asarray(value)).all() for value in model.get_weights()):
        raise Wrong("training left numbers that are infinite or none")
    if not all(numpy.abs(numpy.asarray(mean)).max() > 0 for mean in means):
        raise Wrong("training left the network as it was")


def _trained_classifier(tensorflow, path, whole):
    if whole:
        return tensorflow.keras.models.load_model(path, compile=False)
    model = tensorflow.keras.applications.MobileNetV2(input_shape=(SIZE, SIZE, 3), weights=None, classes=len(NAMES))
    model.load_weights(path)
    return model


def _custom_classification(place, facts, trained, whole, load):
    import numpy
    import tensorflow
    from imageai.Classification.Custom import CustomImageClassification
    from PIL import Image

    path, names = trained
    shown = place.path("custom.png")
    image = picture(40)
    Image.fromarray(image).save(shown)
    model = _trained_classifier(tensorflow, path, whole)
    prepared = tensorflow.keras.applications.mobilenet_v2.preprocess_input(image[None].astype("float32"))
    expected = dict(zip(NAMES, (numpy.asarray(model(prepared, training=False))[0] * 100).tolist()))

    classifier = CustomImageClassification()
    classifier.setModelPath(path)
    classifier.setJsonPath(names)
    load(classifier)
    labels, probabilities = classifier.classifyImage(shown, result_count=len(NAMES))

    values = [float(value) for value in probabilities]
    facts["said"] = {label: round(value, 4) for label, value in zip(labels, values)}
    check_percentages(values, len(NAMES))
    if set(labels) != set(NAMES) or abs(sum(values) - 100) > 0.1:
        raise Wrong("ImageAI said %r about the classes %r" % (facts["said"], NAMES))
    if not all(abs(value - expected[label]) < 0.05 for label, value in zip(labels, values)):
        raise Wrong("ImageAI said %r, the network itself %r" % (facts["said"], expected))


# Detection ----------------------------------------------------------------------------------------------------------


def detection(place, facts):
    """Train YOLOv3 for one warm-up and one proper epoch, and measure the learning rate that is really used.

    TensorFlow 2.11 to 2.15 drop the argument ``lr`` of Adam with no more than a line in the log, and train with ten
    times the rate that ImageAI means. Adam's first step moves a weight by nearly its learning rate: the weights tell.
    """
    from imageai.Detection.Custom import Adam, DetectionModelTrainer

    data = place.path("objects")
    boxes = _write_objects(data, "train", 2, 50) + _write_objects(data, "validation", 2, 60)
    facts["learning_rate_meant"] = MEANT
    facts["optimizer"] = _kind(Adam)
    made = []

    class Trainer(DetectionModelTrainer):
        def _create_model(self, *values, **named):
            models = DetectionModelTrainer._create_model(self, *values, **named)
            made.append(models[0])
            return models

        def _create_callbacks(self, *values, **named):
            return DetectionModelTrainer._create_callbacks(self, *values, **named) + [_step_watch(facts)]

    seed()
    trainer = Trainer()
    trainer.setModelTypeAsYOLOv3()
    trainer.setDataDirectory(data)
    _make_small(trainer, facts)
    trainer.setTrainConfig(object_names_array=list(NAMES), batch_size=2, num_experiments=1)
    trainer.trainModel()

    facts["learning_rate_set"] = _rate(made[0].optimizer)
    files = sorted(name for name in os.listdir(os.path.join(data, "models")) if name.endswith(".h5"))
    facts["files"] = files
    facts["objects"] = boxes
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


def _make_small(trainer, facts):
    """Set ImageAI's private numbers so that an epoch takes seconds: small pictures, each seen once."""
    private = "_DetectionModelTrainer__"
    facts["learning_rate_of_trainer"] = getattr(trainer, private + "train_learning_rate")
    for name, value in (
        ("model_min_input_size", NET),
        ("model_max_input_size", NET),
        ("train_times", 1),
        ("train_warmup_epochs", 1),
    ):
        if not hasattr(trainer, private + name):
            raise Wrong("this ImageAI has no %s: the probe does not know its training" % name)
        setattr(trainer, private + name, value)


def _step_watch(facts):
    """Return a callback that measures how far the first step moves the weights."""
    import numpy
    import tensorflow

    class Watch(tensorflow.keras.callbacks.Callback):
        before = None

        def _weights(self):
            last = [layer for layer in self.model.layers if layer.name in ("last1", "last2", "last3")]
            return numpy.concatenate([value.reshape(-1) for layer in last for value in layer.get_weights()])

        def on_train_batch_begin(self, *_):
            if self.before is None:
                self.before = self._weights()

        def on_train_batch_end(self, *_):
            if "first_step" not in facts:
                facts["first_step"] = float(numpy.abs(self._weights() - self.before).max())

    return Watch()


def _check_rate(facts):
    told, step = facts["learning_rate_set"], facts.get("first_step")
    if facts["learning_rate_of_trainer"] != MEANT:
        raise Wrong("this ImageAI trains with %r" % facts["learning_rate_of_trainer"])
    if not 0.95 * MEANT < told < 1.05 * MEANT:
        raise Wrong(
            "detection training uses the learning rate %g, ImageAI means %g: this Keras drops Adam's argument lr"
            % (told, MEANT)
        )
    if step is None or not 0.5 * MEANT < step < 1.1 * MEANT:
        raise Wrong("the first step of training moved the weights by %r, ImageAI means %g" % (step, MEANT))


def _rate(optimizer):
    import numpy

    rate = getattr(optimizer, "learning_rate", None)
    return float(numpy.asarray(optimizer.lr if rate is None else rate))


def _kind(kind):
    return "%s.%s" % (kind.__module__, kind.__name__)


def _write_objects(data, part, pictures, first):
    """Write pictures with rectangles in them, and where these are in Pascal VOC's format; return how many."""
    import cv2
    import numpy

    draw = numpy.random.RandomState(first)
    for kind in ("images", "annotations"):
        os.makedirs(os.path.join(data, part, kind))
    count = 0
    for number in range(pictures):
        image, objects = picture(first + number, 128)[..., ::-1].copy(), []
        for _ in range(12):  # nine anchors are made of the sizes of these
            left, top = draw.randint(0, 60, 2)
            right, bottom = (left, top) + draw.randint(20, 64, 2)
            name = NAMES[count % len(NAMES)]
            cv2.rectangle(image, (int(left), int(top)), (int(right), int(bottom)), (0, 0, 255 * (count % 2)), -1)
            values = tuple(zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom)))
            box = "".join("<%s>%d</%s>" % (key, value, key) for key, value in values)
            objects.append("<object><name>%s</name><bndbox>%s</bndbox></object>" % (name, box))
            count += 1
        cv2.imwrite(os.path.join(data, part, "images", "%d.png" % number), image)
        text = (
            "<annotation><filename>%d.png</filename><size><width>128</width><height>128</height></size>%s</annotation>"
        )
        with open(os.path.join(data, part, "annotations", "%d.xml" % number), "w") as stream:
            stream.write(text % (number, "".join(objects)))
    return count


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
    if set(facts["average_precision"]) != set(NAMES) or results[0]["evaluation_samples"] != 2:
        raise Wrong("ImageAI evaluated something else: %r" % (results,))
    if not (numpy.isfinite(facts["map"]) and 0 <= facts["map"] <= 1):
        raise Wrong("the mean average precision is %r" % facts["map"])


def custom_detection(place, facts):
    """Detect with the network that was trained."""
    import cv2
    from imageai.Detection.Custom import CustomObjectDetection

    path, configuration = place.need("detector", "train_detection")
    image = picture(70, 192)[..., ::-1].copy()
    shown, drawn = place.path("custom-street.png"), place.path("custom-drawn.png")
    cv2.imwrite(shown, image)
    expected, threshold = _trained_boxes(path, configuration, [image])[0]
    detector = CustomObjectDetection()
    detector.setModelTypeAsYOLOv3()
    detector.setModelPath(path)
    detector.setJsonPath(configuration)
    detector.loadModel()
    found = detector.detectObjectsFromImage(
        input_image=shown, output_image_path=drawn, minimum_percentage_probability=threshold * 100
    )
    compare_boxes(facts, found, expected)
    check_drawing(drawn, image, found)


def custom_video(place, facts):
    """Detect in a video with the network that was trained."""
    from imageai.Detection.Custom import CustomVideoObjectDetection

    path, configuration = place.need("detector", "train_detection")
    source = place.path("custom-video.avi")
    frames = write_video(source, 2)
    expected = _trained_boxes(path, configuration, frames)
    seen = {}
    detector = CustomVideoObjectDetection()
    detector.setModelTypeAsYOLOv3()
    detector.setModelPath(path)
    detector.setJsonPath(configuration)
    detector.loadModel()
    written = detector.detectObjectsFromVideo(
        input_file_path=source,
        output_file_path=place.path("custom-video-detected"),
        frames_per_second=10,
        minimum_percentage_probability=min(threshold for _, threshold in expected) * 100,
        per_frame_function=lambda number, objects, counts: seen.update({number: objects}),
        log_progress=False,
    )
    check_video(facts, written, frames, seen, expected)


def _trained_boxes(path, configuration, images):
    """Return for each BGR picture the boxes that the trained network itself gives, and a threshold."""
    import json

    import cv2
    import numpy
    import tensorflow

    with open(configuration) as stream:
        told = json.load(stream)
    if told["labels"] != sorted(NAMES):
        raise Wrong("the configuration names %r" % told["labels"])
    model = tensorflow.keras.models.load_model(path, compile=False)
    found = []
    for image in images:
        prepared = cv2.cvtColor(cv2.resize(image, (416, 416)), cv2.COLOR_BGR2RGB).astype("float32") / 255.0
        outputs = [numpy.asarray(output) for output in model(prepared[None], training=False)]
        candidates = yolo_candidates(outputs, told["anchors"], 416, image.shape, False)
        found.append(stand_out(candidates, told["labels"]))
    return found
