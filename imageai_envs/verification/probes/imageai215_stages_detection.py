"""Stages of the full probe for ImageAI 2.1.5: RetinaNet, YOLOv3 and TinyYOLOv3 in pictures and videos.

The networks have random weights whose last layers are scaled, so that a few boxes stand out of the noise. Which ones is
worked out here from the network's raw answer, and then looked for in what ImageAI says.
"""

import os

from imageai215_networks import Network, fresh
from imageai_stages_classification import SEED, picture
from imageai_stages_detection import (
    CLASSES,
    FRAMES,
    check_drawing,
    check_video,
    compare_boxes,
    plain,
    stand_out,
    write_video,
    yolo_candidates,
)
from quick_probe import Wrong

SIDE = 192  # of the pictures
THREE = ((6, 7, 8), (3, 4, 5), (0, 1, 2))  # which anchors each output has
TWO = ((3, 4, 5), (1, 2, 3))  # so has TinyYOLOv3 been trained, without the first


def import_custom(place, facts):
    """Import what trains detection."""
    import imageai.Detection.Custom

    facts["trainer"] = imageai.Detection.Custom.DetectionModelTrainer.__name__


def yolo_v3(place, facts):
    """Detect with YOLOv3."""
    _detect_yolo(place, facts, "YOLOv3", "flash", 96)


def tiny_yolo_v3(place, facts):
    """Detect with TinyYOLOv3."""
    _detect_yolo(place, facts, "TinyYOLOv3", "fastest", 320)


def _detect_yolo(place, facts, name, speed, net):
    import cv2

    image = picture(1, SIDE)
    weights, ((expected, threshold),) = _yolo(place, name, net, [image])
    path, drawn = place.path("street.png"), place.path(name + "-drawn.png")
    blue_first = image[..., ::-1].copy()
    cv2.imwrite(path, blue_first)
    detector = _load("ObjectDetection", name, weights, speed)
    found = detector.detectObjectsFromImage(
        input_image=path, output_image_path=drawn, minimum_percentage_probability=threshold * 100
    )
    compare_boxes(facts, found, expected)
    check_drawing(drawn, blue_first, found)
    _, again, crops = detector.detectObjectsFromImage(
        input_image=image.copy(),
        input_type="array",
        output_type="array",
        minimum_percentage_probability=threshold * 100,
        extract_detected_objects=True,
    )
    if [plain(item) for item in again] != [plain(item) for item in found]:
        raise Wrong("ImageAI finds other objects in an array than in a file: %r" % [plain(item) for item in again])
    wanted = [image[box[1] : box[3], box[0] : box[2]].shape for box in (item["box_points"] for item in found)]
    if [crop.shape for crop in crops] != wanted:
        raise Wrong("ImageAI cut out pictures of the sizes %r" % [crop.shape for crop in crops])
    os.remove(weights)


def _load(kind, name, weights, speed):
    import imageai.Detection

    detector = getattr(imageai.Detection, kind)()
    getattr(detector, "setModelTypeAs" + name)()
    detector.setModelPath(weights)
    detector.loadModel(detection_speed=speed)
    return detector


def _yolo(place, name, net, images):
    """Write weights that give clear answers; return their path, and what stands out in each of the square pictures.

    ImageAI takes the pictures as they are: whoever gives it BGR has it look for objects in BGR.
    """
    import keras
    from imageai.Detection import ObjectDetection
    from imageai.Detection.YOLOv3.models import tiny_yolo_main, yolo_main
    from PIL import Image

    fresh(SEED)
    own = ObjectDetection()
    tiny = name == "TinyYOLOv3"
    sizes = own._ObjectDetection__tiny_yolo_anchors if tiny else own._ObjectDetection__yolo_anchors
    anchors = [sizes[list(numbers)].reshape(-1) for numbers in (TWO if tiny else THREE)]
    build = tiny_yolo_main if tiny else yolo_main
    network = Network(build(keras.layers.Input(shape=(None, None, 3)), 3, CLASSES), keras.backend, SEED)
    prepared = [
        (_array(Image.fromarray(image).resize((net, net), Image.BICUBIC)) / 255.0).astype("float32")[None]
        for image in images
    ]
    _scale_heads(network, prepared[0])
    path = place.path(name + ".h5")
    network.save(path)
    answers = []
    for image, batch in zip(images, prepared):
        scores, boxes = yolo_candidates(network.answer(batch), anchors, net, image.shape, False)
        answers.append(stand_out((scores, boxes.clip(0, image.shape[0])), own.numbers_to_names))
    fresh(SEED)
    return path, answers


def _array(image):
    import numpy

    return numpy.asarray(image)


def _scale_heads(network, batch):
    """Give what the network says a spread that we choose."""
    import numpy

    heads = [layer for layer in network.model.layers if type(layer).__name__ == "Conv2D" and layer.use_bias]
    # Wanted in each of the three boxes of a cell: place, size, whether there is something, and what.
    deviation = numpy.tile(numpy.array([1.0, 1.0, 0.3, 0.3, 2.0] + [2.0] * CLASSES), 3)
    mean = numpy.tile(numpy.array([0.0] * 4 + [-1.0] + [-3.0] * CLASSES), 3)
    outputs = network.answer(batch)
    for head in heads:
        (output,) = [item for item, tensor in zip(outputs, network.model.outputs) if tensor is head.output]
        values = output.reshape(-1, output.shape[-1]).astype("float64")
        scale = deviation / numpy.maximum(values.std(axis=0), 1e-30)
        network.change(head, network.kernel(head) * scale, mean - values.mean(axis=0) * scale)


# RetinaNet ----------------------------------------------------------------------------------------------------------


def retinanet(place, facts):
    """Detect with RetinaNet."""
    import cv2

    image = picture(2, SIDE)[..., ::-1].copy()
    path, drawn = place.path("square.png"), place.path("retinanet-drawn.png")
    cv2.imwrite(path, image)
    weights, (expected, threshold), best, count = _retinanet(place, image, 200)
    detector = _load("ObjectDetection", "RetinaNet", weights, "fastest")
    found = detector.detectObjectsFromImage(
        input_image=path, output_image_path=drawn, minimum_percentage_probability=threshold * 100
    )
    named = [(detector.numbers_to_names[label], score, box) for label, score, box in expected]
    # These boxes may begin outside of the picture.
    compare_boxes(facts, [dict(item, box_points=[max(x, 0) for x in item["box_points"]]) for item in found], named)
    facts["scores_above_half"] = count
    if len(found) != len(named):
        raise Wrong("ImageAI found %d objects, the network itself %d" % (len(found), len(named)))
    if abs(max(float(item["percentage_probability"]) for item in found) - best * 100) > 0.05:
        raise Wrong("the best object has another probability than the best anchor, %r" % (best * 100))
    check_drawing(drawn, image, found)
    os.remove(weights)


def _retinanet(place, image, side):
    """Write weights; return their path, the boxes they give with a threshold, the best score and how many are high."""
    import cv2
    import keras
    import numpy
    from imageai.Detection.keras_retinanet.models.resnet import resnet50_retinanet

    fresh(SEED)
    network = Network(resnet50_retinanet(num_classes=CLASSES), keras.backend, SEED)
    scale = float(side) / image.shape[0]
    means = numpy.array([103.939, 116.779, 123.68])  # of ImageNet, BGR
    prepared = cv2.resize((image - means).astype("float32"), None, fx=scale, fy=scale)[None]
    _scale_retinanet(network, prepared)
    path = place.path("retinanet.h5")
    network.save(path)
    _, scores, detections = network.answer(prepared)
    boxes, table = detections[0, :, :4] / scale, detections[0, :, 4:]
    table = numpy.where(table == table.max(axis=1, keepdims=True), table, 0.0)  # ImageAI takes one class of each anchor
    best, threshold = stand_out((table, boxes), list(range(CLASSES)))
    fresh(SEED)
    return path, (best, threshold), float(scores.max()), int((scores > 0.5).sum())


def _scale_retinanet(network, prepared):
    """Give the boxes' shifts and scores a spread that we choose; fresh weights may give thousands of pixels."""
    import numpy

    shifts, scores, _ = network.model.outputs
    spread = float(network.tensor(shifts, prepared).std())
    head = network.model.get_layer("regression_submodel").get_layer("pyramid_regression")
    network.change(head, network.kernel(head) / max(spread, 1e-30))
    head = network.model.get_layer("classification_submodel").get_layer("pyramid_classification")
    kernel = network.kernel(head) / max(spread, 1e-30)
    network.change(head, kernel)
    values = network.tensor(scores, prepared).astype("float64")
    if not (numpy.isfinite(values).all() and numpy.isfinite(spread) and values.min() > 0 and values.max() < 1):
        raise Wrong("RetinaNet's fresh weights give scores that are not between 0 and 1")
    logits = numpy.log(values / (1 - values)).reshape(-1)
    # So that about fifty scores are above one half: enough to find, few enough for a quick end.
    grow = 6.0 / max(float(logits.std()), 1e-30)
    network.change(head, kernel * grow, numpy.full(kernel.shape[-1], -numpy.partition(logits * grow, -50)[-50]))


# Video --------------------------------------------------------------------------------------------------------------


def video(place, facts):
    """Detect in a video with TinyYOLOv3; ImageAI swallows what goes wrong in a frame and writes it without boxes.

    ImageAI 2.1.5 hands OpenCV's frames to the network with red and blue exchanged, and writes them exchanged.
    """
    source = place.path("video.avi")
    frames = write_video(source, FRAMES)
    weights, expected = _yolo(place, "TinyYOLOv3", 320, frames)
    detector = _load("VideoObjectDetection", "TinyYOLOv3", weights, "fastest")
    seen, ended = {}, []
    written = detector.detectObjectsFromVideo(
        input_file_path=source,
        output_file_path=place.path("video-detected"),
        frames_per_second=10,
        minimum_percentage_probability=min(threshold for _, threshold in expected) * 100,
        per_frame_function=lambda number, objects, counts: seen.update({number: objects}),
        video_complete_function=lambda *values: ended.append(values),
        log_progress=False,
    )
    check_video(facts, written, [frame[..., ::-1] for frame in frames], seen, expected)
    if len(ended) != 1:
        raise Wrong("ImageAI said %d times that the video is complete" % len(ended))
    os.remove(weights)
