"""Stages of the full probe: object detection in pictures and videos with RetinaNet, YOLOv3 and TinyYOLOv3.

The networks have random weights. Their last layers are scaled, so that a few boxes stand out of the noise; which ones
is worked out here from the network's raw answer and then looked for in what ImageAI says.
"""

import os

from imageai_stages_classification import SEED, picture, seed
from quick_probe import Wrong

FRAMES = 5
CLASSES = 80  # of COCO


def import_custom(place, facts):
    """Import what trains detection; it switches all of TensorFlow to eager functions."""
    import imageai.Detection.Custom
    import tensorflow

    facts["trainer"] = imageai.Detection.Custom.DetectionModelTrainer.__name__
    facts["runs_eagerly"] = bool(tensorflow.config.functions_run_eagerly())


def yolo_v3(place, facts):
    """Detect with YOLOv3."""
    from imageai.Detection.YOLO.yolov3 import yolov3_main

    _detect_yolo(place, facts, "YOLOv3", yolov3_main, "flash", 96)


def tiny_yolo_v3(place, facts):
    """Detect with TinyYOLOv3, whose own fastest setting (272 pixels, no multiple of 32) fails in every TensorFlow."""
    from imageai.Detection.YOLO.yolov3 import tiny_yolov3_main

    _detect_yolo(place, facts, "TinyYOLOv3", tiny_yolov3_main, "fastest", 320)


def _detect_yolo(place, facts, name, build, speed, net):
    import cv2

    weights, predict = _yolo_weights(place, name, build, net)
    detector = _load(name, weights, speed)
    image = picture(1, 192)[..., ::-1].copy()
    path, drawn = place.path("street.png"), place.path(name + "-drawn.png")
    cv2.imwrite(path, image)
    candidates = yolo_candidates(predict(image), detector._ObjectDetection__yolo_anchors, net, image.shape, True)
    expected, threshold = stand_out(candidates, detector.numbers_to_names)

    found = detector.detectObjectsFromImage(
        input_image=path, output_image_path=drawn, minimum_percentage_probability=threshold * 100
    )
    compare_boxes(facts, found, expected)
    check_drawing(drawn, image, found)
    # Not into files: ImageAI fails on a box that has sunk below the picture, for there is nothing to write.
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


def _load(name, weights, speed):
    from imageai.Detection import ObjectDetection

    detector = ObjectDetection()
    getattr(detector, "setModelTypeAs" + name)()
    detector.setModelPath(weights)
    detector.loadModel(detection_speed=speed)
    return detector


def _yolo_weights(place, name, build, net):
    """Write weights that give clear answers; return their path and the network's own answer to a BGR picture."""
    import cv2
    import numpy
    import tensorflow

    seed()
    model = build(tensorflow.keras.layers.Input(shape=(None, None, 3)), 3, CLASSES)

    def predict(image):
        prepared = cv2.resize(image[..., ::-1] / 255.0, (net, net)).astype("float32")[None]
        return [numpy.asarray(output) for output in model(prepared, training=False)]

    heads = [layer for layer in model.layers if type(layer).__name__ == "Conv2D" and layer.use_bias]
    outputs = predict(picture(1, 192)[..., ::-1])
    # Wanted in each of the three boxes of a cell: place, size, whether there is something, and what.
    deviation = numpy.tile(numpy.array([1.0, 1.0, 0.3, 0.3, 2.0] + [2.0] * CLASSES), 3)
    mean = numpy.tile(numpy.array([0.0] * 4 + [-1.0] + [-3.0] * CLASSES), 3)
    for head in heads:
        (output,) = [item for item, tensor in zip(outputs, model.outputs) if _made_by(tensor, head)]
        kernel, bias = head.get_weights()
        values = output.reshape(-1, output.shape[-1]).astype("float64")
        scale = deviation / numpy.maximum(values.std(axis=0), 1e-30)
        head.set_weights([kernel * scale, mean - values.mean(axis=0) * scale])
    path = place.path(name + ".h5")
    model.save_weights(path)
    return path, predict


def _made_by(tensor, layer):
    # Names of tensors begin with their layer's; Keras 2 and 3 keep the rest of the history in different places.
    return tensor is layer.output or tensor.name.split("/")[0] == layer.name


def sigmoid(values):
    """Return the logistic function."""
    import numpy

    return 1.0 / (1.0 + numpy.exp(-values))


def yolo_candidates(outputs, anchors, net, shape, slanted):
    """Return ``(scores, boxes)`` of every box of a YOLO network: n x classes, and n x 4 in pixels of the picture.

    Written from YOLOv3's formulas, not from ImageAI's loops; right for pictures as wide as high only. ``slanted``
    follows a slip of ImageAI 2.1.6 (Detection/YOLO/utils.py: ``row = i / grid_w``), whose boxes sink by up to one
    cell, the more the further to the right. Its custom detection does not have it.
    """
    import numpy

    scores, boxes = [], []
    for output, sizes in zip(outputs, anchors):
        rows, columns = output.shape[1:3]
        values = output[0].astype("float64").reshape(rows, columns, 3, -1)
        there = sigmoid(values[..., 4:5])
        scores.append((there * sigmoid(values[..., 5:])).reshape(rows * columns * 3, -1))
        x = (numpy.arange(columns)[None, :, None] + sigmoid(values[..., 0])) / columns
        y = (numpy.arange(rows)[:, None, None] + sigmoid(values[..., 1])) / rows
        if slanted:
            y = y + numpy.arange(columns)[None, :, None] / columns / rows
        half_width = numpy.array(sizes[0::2]) * numpy.exp(values[..., 2]) / net / 2
        half_height = numpy.array(sizes[1::2]) * numpy.exp(values[..., 3]) / net / 2
        box = numpy.stack([x - half_width, y - half_height, x + half_width, y + half_height], -1)
        boxes.append((box * [shape[1], shape[0], shape[1], shape[0]]).reshape(-1, 4))
    return numpy.concatenate(scores), numpy.concatenate(boxes)


def stand_out(candidates, names, least=2, most=12):
    """Return the best boxes as ``(name, score, box)``, best first, and a threshold that parts them from the rest.

    Raises:
        Wrong: the network's answer is not finite, or all its boxes are alike.
    """
    import numpy

    scores, boxes = candidates
    if not (numpy.isfinite(scores).all() and numpy.isfinite(boxes).all()):
        raise Wrong("the network's answer has infinite numbers or none")
    order = numpy.argsort(scores, axis=None)[::-1][: most + 1]
    best = scores.reshape(-1)[order]
    gaps = best[:-1] - best[1:]
    count = least + int(gaps[least - 1 :].argmax())
    if gaps[count - 1] < 1e-6:
        raise Wrong("no box stands out: the best scores are %r" % best.tolist())
    expected = []
    for index in order[:count]:
        box, number = numpy.unravel_index(index, scores.shape)
        expected.append((names[int(number)], float(scores[box, number]), boxes[box]))
    return expected, float(best[count - 1] + best[count]) / 2


def compare_boxes(facts, found, expected):
    """Raise Wrong unless ImageAI's objects are among the expected ones, and the best is one of them.

    Weaker ones may be missing: ImageAI leaves out boxes that overlap a better one of the same name.
    """
    facts["objects"] = len(found)
    facts["expected"] = len(expected)
    facts["first"] = plain(found[0]) if found else None
    if not found:
        raise Wrong("ImageAI found nothing; the network itself gives %d boxes" % len(expected))
    for item in found:
        if not any(_same(item, other) for other in expected):
            raise Wrong("ImageAI found %r, which the network does not give: %r" % (plain(item), expected[:3]))
    if not any(_same(item, expected[0]) for item in found):
        raise Wrong("ImageAI misses the best box: %r" % (expected[0],))


def _same(item, other):
    name, score, box = other
    return (
        item["name"] == name
        and abs(float(item["percentage_probability"]) - score * 100) < 0.05
        and all(abs(float(have) - max(want, 0.0)) < 1.5 for have, want in zip(item["box_points"][:2], box[:2]))
        and all(abs(float(have) - want) < 1.5 for have, want in zip(item["box_points"][2:], box[2:]))
    )


def plain(item):
    """Return an object that ImageAI found, as JSON can hold it."""
    return {
        "name": str(item["name"]),
        "percentage_probability": round(float(item["percentage_probability"]), 3),
        "box_points": [int(value) for value in item["box_points"]],
    }


def check_drawing(path, image, found):
    """Raise Wrong unless the file is the picture with the boxes drawn into it."""
    import cv2

    drawn = cv2.imread(path)
    if drawn is None or drawn.shape != image.shape:
        raise Wrong("ImageAI wrote no picture of the size of the original to " + os.path.basename(path))
    if not is_drawn(image, drawn, found):
        raise Wrong("ImageAI drew nothing into " + os.path.basename(path))


def is_drawn(before, after, found):
    """Tell whether the picture changed, if any of the boxes begins inside it: some lie below."""
    height, width = before.shape[:2]
    if not any(item["box_points"][0] < width and item["box_points"][1] < height for item in found):
        return True
    return int(abs(after.astype(int) - before.astype(int)).max()) >= 50


# RetinaNet ----------------------------------------------------------------------------------------------------------


def retinanet(place, facts):
    """Detect with RetinaNet: a file with the whole network, layers of ImageAI's own among it.

    ImageAI always enlarges to 800 x 1333 pixels, whatever speed is asked for; a strip costs a tenth of a square.
    """
    import cv2
    import numpy

    strip = numpy.concatenate([picture(number, 64) for number in range(8)], axis=1)[::2, :, ::-1].copy()
    path, drawn = place.path("strip.png"), place.path("retinanet-drawn.png")
    cv2.imwrite(path, strip)
    weights, expected, best, count = _retinanet_file(place, strip)
    detector = _load("RetinaNet", weights, "normal")
    found = detector.detectObjectsFromImage(
        input_image=path, output_image_path=drawn, minimum_percentage_probability=expected[1] * 100
    )
    named = [(detector.numbers_to_names[label], score, box) for label, score, box in expected[0]]
    compare_boxes(facts, found, named)
    facts["scores_above_half"] = count
    if len(found) != len(named):
        raise Wrong("ImageAI found %d objects, the network itself %d" % (len(found), len(named)))
    if abs(float(found[0]["percentage_probability"]) - best * 100) > 0.05:
        raise Wrong("the best object has %r, the best anchor %r" % (facts["first"], best * 100))
    check_drawing(drawn, strip, found)
    os.remove(weights)


def _retinanet_file(place, strip):
    """Write a RetinaNet; return its path, the boxes it gives with a threshold, its best score and how many are high."""
    import cv2
    import numpy
    from imageai.Detection.keras_retinanet import models
    from imageai.Detection.keras_retinanet.models.retinanet import retinanet_bbox

    seed()
    model = models.backbone("resnet50").retinanet(num_classes=CLASSES)
    scale = 1333.0 / max(strip.shape)
    means = numpy.array([103.939, 116.779, 123.68])  # of ImageNet, BGR
    prepared = cv2.resize((strip - means).astype("float32"), None, fx=scale, fy=scale)[None]
    head = model.get_layer("classification_submodel").get_layer("pyramid_classification")
    kernel = numpy.random.RandomState(SEED).normal(size=head.get_weights()[0].shape) * 1e-6
    shifts, logits = _raw_answer(model, head, prepared, kernel)
    # So that about fifty of a million scores are above one half: enough to find, few enough for a quick end.
    grow = 6.0 / max(float(logits.std()), 1e-30)
    head.set_weights([kernel * grow, numpy.full(kernel.shape[-1], -numpy.partition(logits * grow, -50)[-50])])
    # The shift of a box against its anchor: fresh weights may give thousands of pixels.
    head = model.get_layer("regression_submodel").get_layer("pyramid_regression")
    head.set_weights([head.get_weights()[0] / max(float(shifts.std()), 1e-30), head.get_weights()[1]])
    scores = numpy.asarray(model(prepared, training=False)[1])
    whole = retinanet_bbox(model)
    path = place.path("retinanet.h5")
    whole.save(path)
    boxes, values, labels = [numpy.asarray(item)[0] for item in whole(prepared, training=False)]
    table = numpy.zeros((len(values), CLASSES))
    kept = values > 0
    table[kept, labels[kept]] = values[kept]
    best, threshold = stand_out((table, boxes / scale), list(range(CLASSES)))
    return path, (best, threshold), float(scores.max()), int((scores > 0.5).sum())


def _raw_answer(model, head, prepared, kernel):
    """Return the shifts of the boxes, and what the classifying layer gives with this kernel before the sigmoid."""
    import numpy

    head.set_weights([kernel, numpy.zeros(kernel.shape[-1])])
    shifts, scores = [numpy.asarray(output).astype("float64").reshape(-1) for output in model(prepared, training=False)]
    if not (numpy.isfinite(scores).all() and numpy.isfinite(shifts).all() and scores.min() > 0 and scores.max() < 1):
        raise Wrong("RetinaNet's fresh weights give scores that are not between 0 and 1")
    return shifts, numpy.log(scores / (1 - scores))


# Video --------------------------------------------------------------------------------------------------------------


def write_video(path, frames):
    """Write a video of generated pictures and return it as it is read back: Motion JPEG changes pixels.

    Raises:
        Wrong: OpenCV cannot write or read it.
    """
    import cv2

    images = [picture(10 + number, 192)[..., ::-1].copy() for number in range(frames)]
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, (192, 192))
    for image in images:
        writer.write(image)
    writer.release()
    back = read_video(path)
    if len(back) != frames:
        raise Wrong("OpenCV wrote %d frames and reads %d" % (frames, len(back)))
    return back


def read_video(path):
    """Return the frames of a video."""
    import cv2

    capture, frames = cv2.VideoCapture(path), []
    while True:
        there, frame = capture.read()
        if not there:
            break
        frames.append(frame)
    capture.release()
    return frames


def video(place, facts):
    """Detect in a video with TinyYOLOv3; ImageAI swallows what goes wrong in a frame and writes it without boxes."""
    from imageai.Detection import VideoObjectDetection
    from imageai.Detection.YOLO.yolov3 import tiny_yolov3_main

    source = place.path("video.avi")
    frames = write_video(source, FRAMES)
    weights, predict = _yolo_weights(place, "TinyYOLOv3", tiny_yolov3_main, 320)
    still = _load("TinyYOLOv3", weights, "fastest")
    anchors, names = still._ObjectDetection__yolo_anchors, still.numbers_to_names
    candidates = [yolo_candidates(predict(frame), anchors, 320, frame.shape, True) for frame in frames]
    expected = [stand_out(candidate, names) for candidate in candidates]
    seen = {}
    detector = VideoObjectDetection()
    detector.setModelTypeAsTinyYOLOv3()
    detector.setModelPath(weights)
    detector.loadModel(detection_speed="fastest")
    ended = []
    written = detector.detectObjectsFromVideo(
        input_file_path=source,
        output_file_path=place.path("video-detected"),
        frames_per_second=10,
        minimum_percentage_probability=min(threshold for _, threshold in expected) * 100,
        per_frame_function=lambda number, objects, counts: seen.update({number: objects}),
        video_complete_function=lambda *values: ended.append(values),
        log_progress=False,
    )
    check_video(facts, written, frames, seen, expected)
    if len(ended) != 1:
        raise Wrong("ImageAI said %d times that the video is complete" % len(ended))


def check_video(facts, written, frames, seen, expected):
    """Raise Wrong unless the best box of each frame was found, and the video has all frames with boxes drawn into each.

    ``expected`` is what :func:`stand_out` returns for each frame.
    """
    facts["objects"] = [len(seen.get(number + 1, ())) for number in range(len(frames))]
    if not all(facts["objects"]):
        raise Wrong("ImageAI found these numbers of objects in the frames: %r" % facts["objects"])
    for number, (best, _) in enumerate(expected, 1):
        if not any(_same(item, best[0]) for item in seen[number]):
            raise Wrong("ImageAI misses the best box of frame %d: %r" % (number, best[0]))
    back = read_video(written)
    facts["frames"] = len(back)
    if len(back) != len(frames):
        raise Wrong("ImageAI wrote %d of %d frames" % (len(back), len(frames)))
    for number, (before, after) in enumerate(zip(frames, back)):
        if before.shape != after.shape or not is_drawn(before, after, seen[number + 1]):
            raise Wrong("frame %d of ImageAI's video has no boxes drawn into it" % (number + 1))
    facts["first"] = plain(seen[1][0])
