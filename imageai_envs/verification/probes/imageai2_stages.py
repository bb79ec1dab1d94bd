"""What the generations of ImageAI 2 share: how Keras's networks are trained, and what YOLO is made to answer.

One epoch on a few generated pictures teaches a network nothing. Proved is that training changes the network by the
learning rate that ImageAI means, that the files it leaves can be loaded, and that ImageAI then says what they say.
"""

import importlib
import json
import os
import random

from imageai2_answers import BestBoxes, scale_heads, yolo_candidates
from probe_pictures import NAMES, write_classes, write_objects
from probe_stages import TRAINED, Stages
from quick_probe import Wrong

# Also for detection training: ImageAI draws the anchors to begin with, and from this none ends as a box without size.
SEED = 7
MEANT = 1e-4  # ImageAI 2.1.x, DetectionModelTrainer: the learning rate that its code passes to Adam
NET = 96  # pixels of a picture in detection training; ImageAI's own are 288 to 448
PRIVATE = "_DetectionModelTrainer__"


class ImageAI2(Stages):
    """What is asked of ImageAI 2.

    A subclass has these methods, besides those of Stages:

    - ``keras()`` returns the Keras that detects.
    - ``fresh()`` makes what follows the same in each run, with what is here.
    - ``outputs(model, batch)`` returns the outputs of a model for a batch of prepared pictures, as a list of arrays.
    - ``yolo_network(kind)`` returns a YOLO network with random weights, ``yolo_anchors(detector, kind)`` the anchors of
      each output, ``yolo_input(image, net)`` a batch of one picture, as ImageAI gives it to YOLO.
    - ``check_trained(facts, path, whole)`` raises Wrong unless training changed the network that classifies.
    - ``watched(model)`` returns the weights that tell of the first step of training, in one row.
    - ``rate(optimizer)`` returns its learning rate.
    - ``is_ours(result, path)`` tells whether a result of an evaluation is of our model.

    Attributes:
        trainer: ImageAI's class that trains networks that classify.
        nets: pixels of the pictures that a YOLO network gets, by its name.
        slanted: whether boxes sink to the right, and are not cut off at the picture's edges.
        hint: what to say of a wrong learning rate.
    """

    framework = "tensorflow"
    told = ("tensorflow", "keras", "numpy", "cv2", "h5py", "PIL", "matplotlib", "scipy")
    trainer = "ClassificationModelTrainer"
    nets = {"YOLOv3": 96, "TinyYOLOv3": 320}
    size = 100  # the smallest that ImageAI offers: "fastest"
    frames = 5
    rounding = 0.0
    suffix = ".h5"
    hint = ""

    def fresh(self):
        """Make what Python and NumPy draw the same in each run."""
        import numpy

        random.seed(SEED)
        numpy.random.seed(SEED)

    def limit_threads(self, number):
        """Hold TensorFlow to so many threads, before it makes any."""
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(number)
        tensorflow.config.threading.set_inter_op_parallelism_threads(number)

    def make_yolo(self, kind, images, weights):
        """Write weights that give clear answers; return what they answer for each of these square pictures."""
        from imageai.Detection import ObjectDetection

        own, net = ObjectDetection(), self.nets[kind]
        self.fresh()
        network = self.yolo_network(kind)
        scale_heads(network, self.yolo_input(self.as_array(self.street()), net))
        network.save(weights)
        anchors, answers = self.yolo_anchors(own, kind), []
        for image in images:
            outputs = network.answer(self.yolo_input(image, net))
            scores, boxes = yolo_candidates(outputs, anchors, net, image.shape, self.slanted)
            boxes = boxes if self.slanted else boxes.clip(0, image.shape[0])
            answers.append(BestBoxes(scores, boxes, own.numbers_to_names))
        self.fresh()
        return answers

    # Training of classification ---------------------------------------------------------------------------------------

    def train_classification(self, whole, place, facts):
        """Train for one epoch and keep the weights or the whole network."""
        data = place.path("classes-whole" if whole else "classes-weights")
        write_classes(data, self.size)
        base = getattr(importlib.import_module(self.prediction + ".Custom"), self.trainer)

        class Trainer(base):
            def lr_schedule(self, epoch):
                rate = base.lr_schedule(self, epoch)
                facts.setdefault("learning_rates", []).append(rate)
                return rate

        self.fresh()
        trainer = Trainer()
        getattr(trainer, "setModelTypeAs" + self.trained)()
        trainer.setDataDirectory(data)
        options = {"num_objects": len(NAMES), "num_experiments": 1, "batch_size": 4, "training_image_size": self.size}
        trainer.trainModel(save_full_model=whole, **options)
        facts["files"] = sorted(os.listdir(os.path.join(data, "models")))
        if len(facts["files"]) != 1:
            raise Wrong("one epoch left %d model files" % len(facts["files"]))
        path = os.path.join(data, "models", facts["files"][0])
        self.check_trained(facts, path, whole)
        place.made[TRAINED[whole][0]] = (path, os.path.join(data, "json", "model_class.json"))

    # Training of detection --------------------------------------------------------------------------------------------

    def train_detection(self, place, facts):
        """Train YOLOv3 for one warm-up and one proper epoch, and measure the learning rate that is really used.

        TensorFlow 2.11 to 2.15 drop the argument ``lr`` of Adam with no more than a line in the log, and train with ten
        times the rate that ImageAI means. Adam's first step moves a weight by nearly its learning rate: the weights
        tell.
        """
        base = importlib.import_module("imageai.Detection.Custom").DetectionModelTrainer
        data = place.path("objects")
        parts = (("train", 50), ("validation", 60))
        images = [image for part, first in parts for image in write_objects(data, part, first, ".xml", _pascal_voc)]
        facts["objects"] = 12 * len(images)
        facts["learning_rate_meant"] = MEANT
        made, watch = [], _first_step(self.keras(), facts, self.watched)

        class Trainer(base):
            def _create_model(self, *values, **named):
                models = base._create_model(self, *values, **named)
                made.append(models[0])
                return models

            def _create_callbacks(self, *values, **named):
                return base._create_callbacks(self, *values, **named) + [watch]

        self.fresh()
        trainer = Trainer()
        trainer.setModelTypeAsYOLOv3()
        trainer.setDataDirectory(data)
        _make_small(trainer, facts)
        trainer.setTrainConfig(object_names_array=list(NAMES), batch_size=2, num_experiments=1)
        trainer.trainModel()

        facts["learning_rate_set"] = self.rate(made[0].optimizer)
        models = os.path.join(data, "models")
        files = sorted(name for name in os.listdir(models) if name.endswith(".h5"))
        facts["files"] = files
        if not files:
            raise Wrong("training left no model file")
        for name in files[:-1]:  # 240 MB each
            os.remove(os.path.join(models, name))
        # The proof of the rate comes last: what was trained can be used, whatever the rate was.
        place.made["detector"] = (os.path.join(models, files[-1]), os.path.join(data, "json", "detection_config.json"))
        place.made["trainer"] = trainer
        _check_rate(facts, self.hint)

    def evaluate_detection(self, place, facts):
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
        if set(facts["average_precision"]) != set(NAMES) or not self.is_ours(results[0], path):
            raise Wrong("ImageAI evaluated something else: %r" % (results,))
        if not (numpy.isfinite(facts["map"]) and 0 <= facts["map"] <= 1):
            raise Wrong("the mean average precision is %r" % facts["map"])

    def trained_answers(self, place, images):
        """Return what the detector that was trained answers for each of these BGR pictures."""
        import cv2

        path, configuration = place.need("detector", "train_detection")
        with open(configuration) as stream:
            told = json.load(stream)
        if told["labels"] != sorted(NAMES):
            raise Wrong("the configuration names %r" % told["labels"])
        self.fresh()
        model, answers = self.keras().models.load_model(path, compile=False), []
        for image in images:
            prepared = cv2.cvtColor(cv2.resize(image, (416, 416)), cv2.COLOR_BGR2RGB).astype("float32") / 255.0
            outputs = self.outputs(model, prepared[None])
            scores, boxes = yolo_candidates(outputs, told["anchors"], 416, image.shape, False)
            answers.append(BestBoxes(scores, boxes, told["labels"]))
        self.fresh()
        return answers


def _pascal_voc(name, objects):
    """Return what Pascal VOC's format says of a picture."""
    text = "".join(
        "<object><name>%s</name><bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax></bndbox></object>"
        % item
        for item in objects
    )
    size = "<size><width>128</width><height>128</height></size>"
    return "<annotation><filename>%s</filename>%s%s</annotation>" % (name, size, text)


def _make_small(trainer, facts):
    """Set ImageAI's private numbers so that an epoch takes seconds: small pictures, each seen once."""
    facts["learning_rate_of_trainer"] = getattr(trainer, PRIVATE + "train_learning_rate")
    for name, value in (
        ("model_min_input_size", NET),
        ("model_max_input_size", NET),
        ("train_times", 1),
        ("train_warmup_epochs", 1),
    ):
        if not hasattr(trainer, PRIVATE + name):
            raise Wrong("this ImageAI has no %s: the probe does not know its training" % name)
        setattr(trainer, PRIVATE + name, value)


def _first_step(keras, facts, watched):
    """Return a callback that measures how far the first step moves the weights."""
    import numpy

    class Watch(keras.callbacks.Callback):
        before = None

        def on_train_batch_begin(self, *_, **__):
            if self.before is None:
                self.before = watched(self.model)

        def on_train_batch_end(self, *_, **__):
            if "first_step" not in facts:
                facts["first_step"] = float(numpy.abs(watched(self.model) - self.before).max())

    return Watch()


def _check_rate(facts, hint):
    told, step = facts["learning_rate_set"], facts.get("first_step")
    if facts["learning_rate_of_trainer"] != MEANT:
        raise Wrong("this ImageAI trains with %r" % facts["learning_rate_of_trainer"])
    if not 0.95 * MEANT < told < 1.05 * MEANT:
        raise Wrong("detection training uses the learning rate %g, ImageAI means %g%s" % (told, MEANT, hint))
    if step is None or not 0.5 * MEANT < step < 1.1 * MEANT:
        raise Wrong("the first step of training moved the weights by %r, ImageAI means %g" % (step, MEANT))
