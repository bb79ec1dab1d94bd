"""The stages of every probe: what ImageAI is asked, and in which order.

ImageAI hides errors behind bare ``except:`` and returns empty answers, so each stage compares ImageAI's *result* with
what the network itself answers. How a generation of ImageAI calls things, and how its networks are made, is said by a
subclass of :class:`Stages`.
"""

import importlib
import os
from functools import partial

from probe_judgements import check_array, check_percentages, check_video, compare_classes
from probe_pictures import NAMES, blue_first, check_drawing, picture, strip, write_video
from quick_probe import Wrong

COUNT = 5  # of classes that are asked for
# Where a stage leaves what it trained, by whether that is a whole network, and its name.
TRAINED = {
    False: ("classifier", "train_classification"),
    True: ("full classifier", "train_classification_full"),
}


class Stages(object):
    """What every generation of ImageAI is asked.

    A subclass has the attributes below and these methods:

    - ``limit_threads(number)`` holds the framework to so many threads, before it makes any.
    - ``make_classifier(kind, image, weights)`` writes weights that tell classes apart, and returns the probabilities
      that they give for an RGB picture. ``class_names(kind)`` returns the names of the classes, by number.
    - ``make_yolo(kind, images, weights)`` writes weights that give clear answers, and returns what they answer for each
      of these pictures; so does ``make_retinanet(image, weights)`` for one BGR picture.
    - ``train_classification(whole, place, facts)`` trains for one epoch and keeps the weights or the whole network.
      ``trained_probabilities(path, whole, image)`` returns what that gives for an RGB picture.
    - ``train_detection(place, facts)`` trains YOLOv3 and measures the learning rate that is really used.
      ``evaluate_detection(place, facts)`` evaluates that, and ``trained_answers(place, images)`` returns what it
      answers for each of these BGR pictures.

    An answer is a ``probe_judgements.Answer`` with a method ``compare(facts, found)``, which raises Wrong.

    Attributes:
        libraries: what is imported before ImageAI, in this order; the short probe tells their versions.
        framework: the one of them whose threads are limited.
        told: modules whose versions the full probe tells.
        quick: network, size of the picture and options of loading for the short probe.
        classifiers: names of the networks that classify, and what ``make_classifier`` needs for each.
        called: ImageAI's names of networks that it calls otherwise.
        trained: name of the network that is trained to classify.
        prediction: ImageAI's module that classifies; ``.Custom`` below it trains.
        predictor: its class that classifies.
        custom_predictor: its class that classifies with what was trained.
        predict: the method of both.
        classification_options: for loading a network that classifies.
        custom_options: for loading a network that was trained to classify.
        detection_options: for loading networks that detect, by their names.
        array_options: for detection in an array.
        size: of a picture that is classified, in pixels.
        frames: of a video.
        rounding: how far ImageAI's percentages may be off because it rounds them.
        tolerance: how far those of a trained network may be off.
        suffix: of files of weights.
        lacks: stages that this ImageAI has no call for.
    """

    called = {}
    prediction = "imageai.Classification"
    predictor = "ImageClassification"
    custom_predictor = "CustomImageClassification"
    predict = "classifyImage"
    trained = "MobileNetV2"
    classification_options = {}
    custom_options = {}
    detection_options = {}
    array_options = {}
    lacks = ()

    def modules(self):
        """Return what is imported, in this order."""
        imageai = (self.prediction, self.prediction + ".Custom", "imageai.Detection", "imageai.Detection.Custom")
        return self.libraries + imageai

    def table(self):
        """Return pairs of a stage's name and its function of a ``Place`` and a dict for facts, in their order.

        Importing imageai.Detection.Custom switches all of TensorFlow 2 to eager functions, so what does not need it
        runs before, as it does for people.
        """
        stages = [("classify_" + kind.lower(), partial(self.classify, kind)) for kind in self.classifiers]
        stages += [
            ("detect_retinanet", self.detect_retinanet),
            ("detect_yolov3", partial(self.detect_yolo, "YOLOv3")),
            ("detect_tinyyolov3", partial(self.detect_yolo, "TinyYOLOv3")),
            ("detect_video", self.detect_video),
            ("train_classification", partial(self.train_classification, False)),
            ("classify_custom", partial(self.classify_custom, False)),
            ("train_classification_full", partial(self.train_classification, True)),
            ("classify_custom_full", partial(self.classify_custom, True)),
            ("import_custom_detection", self.import_custom_detection),
            ("train_detection", self.train_detection),
            ("evaluate_detection", getattr(self, "evaluate_detection", None)),
            ("detect_custom", self.detect_custom),
            ("detect_custom_video", self.detect_custom_video),
        ]
        return [stage for stage in stages if stage[0] not in self.lacks]

    def tidy(self):
        """Give back what a stage's networks hold."""

    # Pictures ---------------------------------------------------------------------------------------------------------

    def street(self):
        """Return the picture in which YOLO detects, BGR."""
        return blue_first(picture(1))

    def retinanet_picture(self):
        """Return the picture in which RetinaNet detects, BGR."""
        return strip()

    def custom_picture(self, place):
        """Return the picture in which the detector that was trained detects, BGR."""
        return blue_first(picture(70))

    def as_array(self, image):
        """Return a BGR picture in the order of colours in which ImageAI takes an array and writes a video."""
        return image

    # Classification ---------------------------------------------------------------------------------------------------

    def load(self, module, owner, kind, path, names=None, **options):
        """Return an object of ImageAI with a network loaded; without ``kind`` the file has the whole network."""
        loaded = getattr(importlib.import_module(module), owner)()
        if kind:
            getattr(loaded, "setModelTypeAs" + self.called.get(kind, kind))()
        loaded.setModelPath(path)
        if names:
            loaded.setJsonPath(names)
        getattr(loaded, "loadModel" if kind else "loadFullModel")(**options)
        return loaded

    def classify(self, kind, place, facts):
        """Classify with a network of random weights."""
        self.classify_one(kind, self.size, self.classification_options, place, facts)

    def classify_quickly(self, place, facts):
        """Classify as the short probe does."""
        self.classify_one(*self.quick, place=place, facts=facts)

    def classify_one(self, kind, size, options, place, facts):
        """Let ImageAI classify a picture and check its answer; return what classified, and the picture."""
        from PIL import Image

        place.step = "draw a picture"
        image, path, weights = picture(size=size), place.path("picture.png"), place.path(kind + self.suffix)
        Image.fromarray(image).save(path)
        place.step = "build " + kind
        expected = self.make_classifier(kind, image, weights)
        place.step = "classify with ImageAI"
        classifier = self.load(self.prediction, self.predictor, kind, weights, **options)
        labels, probabilities = getattr(classifier, self.predict)(path, result_count=COUNT)
        place.step = "check ImageAI's answer"
        values = [float(value) for value in probabilities]
        facts["labels"] = list(labels)
        facts["probabilities"] = [round(value, 4) for value in values]
        compare_classes(list(labels), values, COUNT, expected, self.class_names(kind), self.rounding)
        os.remove(weights)
        return classifier, image

    def classify_custom(self, whole, place, facts):
        """Classify with the weights, or the whole network, that were trained."""
        path, names = place.need(*TRAINED[whole])
        from PIL import Image

        shown, image = place.path("custom.png"), picture(40, self.size)
        Image.fromarray(image).save(shown)
        expected = dict(zip(NAMES, (self.trained_probabilities(path, whole, image) * 100).tolist()))
        kind = None if whole else self.trained
        module = self.prediction + ".Custom"
        classifier = self.load(module, self.custom_predictor, kind, path, names, **self.custom_options)
        labels, probabilities = getattr(classifier, self.predict)(shown, result_count=len(NAMES))

        values = [float(value) for value in probabilities]
        facts["said"] = {label: round(value, 4) for label, value in zip(labels, values)}
        check_percentages(values, len(NAMES))
        if set(labels) != set(NAMES) or abs(sum(values) - 100) > 0.1:
            raise Wrong("ImageAI said %r about the classes %r" % (facts["said"], NAMES))
        if not all(abs(value - expected[label]) < self.tolerance for label, value in zip(labels, values)):
            raise Wrong("ImageAI said %r, the network itself %r" % (facts["said"], expected))

    # Detection --------------------------------------------------------------------------------------------------------

    def load_detector(self, owner, kind, weights):
        """Return ImageAI's detector of this class, in pictures or in videos."""
        return self.load("imageai.Detection", owner, kind, weights, **self.detection_options.get(kind, {}))

    def detect(self, place, facts, detector, image, answer, name):
        """Let ImageAI detect in a picture and compare what it finds; return that."""
        import cv2

        path, drawn = place.path(name + ".png"), place.path(name + "-drawn.png")
        cv2.imwrite(path, image)
        found = detector.detectObjectsFromImage(
            input_image=path, output_image_path=drawn, minimum_percentage_probability=answer.least
        )
        answer.compare(facts, found)
        check_drawing(drawn, image, found)
        return found

    def detect_yolo(self, kind, place, facts):
        """Detect in a file and in an array.

        The parts are not cut out into files: ImageAI fails on a box that has sunk below the picture, for there is
        nothing to write.
        """
        image, weights = self.street(), place.path(kind + self.suffix)
        array = self.as_array(image)
        (answer,) = self.make_yolo(kind, [array], weights)
        detector = self.load_detector("ObjectDetection", kind, weights)
        found = self.detect(place, facts, detector, image, answer, kind)
        least = answer.least_again(found)
        again = detector.detectObjectsFromImage(
            input_image=array.copy(),
            output_type="array",
            minimum_percentage_probability=least,
            extract_detected_objects=True,
            **self.array_options,
        )
        check_array(again, array, found, least)
        os.remove(weights)

    def detect_retinanet(self, place, facts):
        """Detect with RetinaNet."""
        image, weights = self.retinanet_picture(), place.path("retinanet" + self.suffix)
        answer = self.make_retinanet(image, weights)
        detector = self.load_detector("ObjectDetection", "RetinaNet", weights)
        self.detect(place, facts, detector, image, answer, "retinanet")
        os.remove(weights)

    def detect_video(self, place, facts):
        """Detect in a video; ImageAI swallows what goes wrong in a frame and writes it without boxes."""
        source, weights, ended = place.path("video.avi"), place.path("TinyYOLOv3" + self.suffix), []
        frames = write_video(source, self.frames)
        answers = self.make_yolo("TinyYOLOv3", frames, weights)
        detector = self.load_detector("VideoObjectDetection", "TinyYOLOv3", weights)
        shown = [self.as_array(frame) for frame in frames]
        ends = {"video_complete_function": lambda *values: ended.append(values)}
        self.detect_frames(facts, detector, (source, shown), answers, ends)
        if len(ended) != 1:
            raise Wrong("ImageAI said %d times that the video is complete" % len(ended))
        os.remove(weights)

    def detect_frames(self, facts, detector, video, answers, more):
        """Let ImageAI detect in a video, whose path and frames are given, and compare each frame."""
        (source, frames), seen = video, {}
        written = detector.detectObjectsFromVideo(
            input_file_path=source,
            output_file_path=os.path.splitext(source)[0] + "-detected",
            frames_per_second=10,
            minimum_percentage_probability=min(answer.least for answer in answers),
            per_frame_function=lambda number, objects, counts: seen.update({number: objects}),
            log_progress=False,
            **more,
        )
        check_video(facts, written, frames, seen, answers)

    # Detection with what was trained ----------------------------------------------------------------------------------

    def import_custom_detection(self, place, facts):
        """Import what trains detection."""
        facts["trainer"] = importlib.import_module("imageai.Detection.Custom").DetectionModelTrainer.__name__

    def load_trained(self, place, owner):
        """Return ImageAI's detector of this class with what was trained."""
        path, configuration = place.need("detector", "train_detection")
        return self.load("imageai.Detection.Custom", owner, "YOLOv3", path, configuration)

    def detect_custom(self, place, facts):
        """Detect with the network that was trained."""
        place.need("detector", "train_detection")
        image = self.custom_picture(place)
        (answer,) = self.trained_answers(place, [image])
        self.detect(place, facts, self.load_trained(place, "CustomObjectDetection"), image, answer, "custom")

    def detect_custom_video(self, place, facts):
        """Detect in a video with the network that was trained."""
        place.need("detector", "train_detection")
        source = place.path("custom-video.avi")
        frames = write_video(source, 2)
        answers = self.trained_answers(place, frames)
        detector = self.load_trained(place, "CustomVideoObjectDetection")
        self.detect_frames(facts, detector, (source, frames), answers, {})
