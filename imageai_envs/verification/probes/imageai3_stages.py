"""Stages of the full probe for ImageAI 3: its classifiers and detectors, each against what the network itself answers.

The networks have random weights that are made to give clear answers.
"""

import os

from imageai3_networks import ANCHORS, Yolo, check_found, named
from imageai3_probe import (
    SEED,
    SIZE,
    class_names,
    compare,
    give_clear_answers,
    prepared,
    probabilities_of,
    settle,
)
from imageai_stages_classification import picture
from imageai_stages_detection import check_drawing, check_video, is_drawn, plain, write_video
from quick_probe import Wrong

FRAMES = 3
THERE = 0.5  # ImageAI shows a box in which something is, as the network says, with at least this probability


# Classification -----------------------------------------------------------------------------------------------------


def mobilenet_v2(place, facts):
    """Classify with MobileNetV2."""
    _classify(place, facts, "MobileNetV2", "mobilenet_v2", lambda network: network.classifier[1])


def resnet50(place, facts):
    """Classify with ResNet50."""
    _classify(place, facts, "ResNet50", "resnet50", lambda network: network.fc)


def inception_v3(place, facts):
    """Classify with InceptionV3; ImageAI gives it pictures of 224 pixels as the others, not of 299."""
    _classify(place, facts, "InceptionV3", "inception_v3", lambda network: network.fc, init_weights=False)


def densenet121(place, facts):
    """Classify with DenseNet121."""
    _classify(place, facts, "DenseNet121", "densenet121", lambda network: network.classifier)


def _classify(place, facts, kind, build, last, **options):
    import torch
    import torchvision
    from imageai.Classification import ImageClassification
    from PIL import Image

    torch.manual_seed(SEED)
    network = getattr(torchvision.models, build)(**options)
    image = picture(size=SIZE)
    path = place.path("picture.png")
    Image.fromarray(image).save(path)
    inputs = prepared(image)
    give_clear_answers(network, last(network), inputs)
    weights = place.path(kind + ".pth")
    torch.save(network.state_dict(), weights)
    expected = probabilities_of(network, inputs)

    classifier = ImageClassification()
    getattr(classifier, "setModelTypeAs" + kind)()
    classifier.setModelPath(weights)
    classifier.loadModel()
    labels, probabilities = classifier.classifyImage(path, result_count=5)
    facts["labels"] = list(labels)
    facts["probabilities"] = [round(float(value), 4) for value in probabilities]
    compare(list(labels), [float(value) for value in probabilities], expected, class_names())
    again = classifier.classifyImage(image, result_count=5)
    if list(again[0]) != list(labels) or list(again[1]) != list(probabilities):
        raise Wrong("ImageAI says something else of an array than of a file: %r" % (again,))
    os.remove(weights)


# Detection ----------------------------------------------------------------------------------------------------------


def yolo_v3(place, facts):
    """Detect with YOLOv3."""
    _detect_yolo(place, facts, "YOLOv3")


def tiny_yolo_v3(place, facts):
    """Detect with TinyYOLOv3."""
    _detect_yolo(place, facts, "TinyYOLOv3")


def _detect_yolo(place, facts, kind):
    import cv2

    image = picture(1, 192)[:144, :, ::-1].copy()  # not square: ImageAI puts grey above and below
    path, drawn, weights = (place.path(name) for name in ("street.png", kind + "-drawn.png", kind + ".pth"))
    cv2.imwrite(path, image)
    yolo = Yolo(kind)
    yolo.give_clear_answers([image])
    yolo.save(weights)
    boxes = yolo.boxes(image, THERE)
    detector = _load(kind, weights)
    found = detector.detectObjectsFromImage(input_image=path, output_image_path=drawn, minimum_percentage_probability=0)
    check_objects(facts, found, boxes, names_of("coco_classes.txt"), image.shape)
    check_drawing(drawn, image, found)
    _check_array(detector, image, found)
    os.remove(weights)


def check_objects(facts, found, boxes, names, shape):
    """Raise Wrong unless ImageAI found what the network gives; keep in facts what it was."""
    facts["objects"] = len(found)
    facts["boxes"] = len(boxes)
    facts["first"] = plain(found[0]) if found else None
    if not found:
        raise Wrong("ImageAI found nothing; the network itself gives %d boxes" % len(boxes))
    check_found(found, boxes, names, shape)


def _check_array(detector, image, found):
    """Ask again for the better half of the objects, of an array and into arrays."""
    scores = sorted(float(item["percentage_probability"]) for item in found)
    least = (scores[0] + scores[-1]) / 2
    drawn, again, crops = detector.detectObjectsFromImage(
        input_image=image.copy(),
        output_type="array",
        minimum_percentage_probability=least,
        extract_detected_objects=True,
    )
    wanted = [item for item in found if float(item["percentage_probability"]) >= least]
    if [plain(item) for item in again] != [plain(item) for item in wanted]:
        raise Wrong("ImageAI finds other objects in an array than in a file: %r" % [plain(item) for item in again])
    shapes = [image[box[1] : box[3], box[0] : box[2]].shape for box in (item["box_points"] for item in wanted)]
    if [crop.shape for crop in crops] != shapes:
        raise Wrong("ImageAI cut out pictures of the sizes %r" % [crop.shape for crop in crops])
    if drawn.shape != image.shape or not is_drawn(image, drawn, again):
        raise Wrong("ImageAI drew nothing into the array")


def _load(kind, weights):
    from imageai.Detection import ObjectDetection

    detector = ObjectDetection()
    getattr(detector, "setModelTypeAs" + kind)()
    detector.setModelPath(weights)
    detector.loadModel()
    return detector


def names_of(name):
    """Return the names of the classes in a file that comes with ImageAI."""
    import imageai.Detection

    with open(os.path.join(os.path.dirname(os.path.abspath(imageai.Detection.__file__)), name)) as stream:
        return [line.strip() for line in stream]


def retinanet(place, facts):
    """Detect with torchvision's RetinaNet.

    It enlarges to 800 x 1333 pixels; a strip costs a tenth of a square.
    """
    import cv2
    import numpy
    import torch

    strip = numpy.concatenate([picture(number, 64) for number in range(8)], axis=1)[::2].copy()
    path, drawn, weights = (place.path(name) for name in ("strip.png", "retinanet-drawn.png", "retinanet.pth"))
    cv2.imwrite(path, strip[..., ::-1])
    network, image = _retinanet(strip)
    torch.save(network.state_dict(), weights)
    with torch.no_grad():
        answer = {name: value.cpu().numpy() for name, value in network([image])[0].items()}
    names = names_of("coco91_classes.txt")
    expected = [
        (names[int(label)], float(score), [int(value) for value in box])
        for label, score, box in zip(answer["labels"], answer["scores"], answer["boxes"])
        if score >= THERE
    ]
    detector = _load("RetinaNet", weights)
    found = detector.detectObjectsFromImage(input_image=path, output_image_path=drawn, minimum_percentage_probability=0)
    facts["objects"] = len(found)
    facts["expected"] = len(expected)
    facts["first"] = plain(found[0]) if found else None
    if not expected or not numpy.isfinite(answer["boxes"]).all():
        raise Wrong("the network itself gives %d boxes" % len(expected))
    if len(found) != len(expected):
        raise Wrong("ImageAI found %d objects, the network itself %d" % (len(found), len(expected)))
    for item, (name, score, box) in zip(found, expected):
        away = max(abs(have - want) for have, want in zip(item["box_points"], box))
        if item["name"] != name or abs(item["percentage_probability"] - score * 100) > 0.02 or away > 1:
            raise Wrong("ImageAI found %r, the network itself %r" % (plain(item), (name, score, box)))
    check_drawing(drawn, strip[..., ::-1], found)
    os.remove(weights)


def _retinanet(strip):
    """Return a RetinaNet that finds some boxes in an RGB picture, and the picture as it gets it."""
    import torch
    from torchvision.models.detection import retinanet_resnet50_fpn

    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # The names of the arguments changed in torchvision 0.13, the old ones are what ImageAI uses.
    network = retinanet_resnet50_fpn(pretrained=False, num_classes=91, pretrained_backbone=False).to(device)
    image = torch.from_numpy(strip.transpose(2, 0, 1).copy()).float().div(255).to(device)
    settle(network, [image])
    head = network.head.classification_head.cls_logits
    shifts = network.head.regression_head.bbox_reg
    with torch.no_grad():
        head.weight.normal_()
        head.bias.zero_()
        batch, _ = network.transform([image])
        answer = network.head(list(network.backbone(batch.tensors).values()))
        logits = answer["cls_logits"].flatten()
        deviation, moved = float(logits.std()), float(answer["bbox_regression"].std())
        if not (0 < deviation < float("inf") and 0 < moved < float("inf")):
            raise Wrong("RetinaNet's fresh weights give answers that differ by %r and %r" % (deviation, moved))
        # So that about forty of all scores are above one half: enough to find, few enough for a quick end.
        best = logits.mul(4.0 / deviation).sort(descending=True)[0]
        head.weight.mul_(4.0 / deviation)
        head.bias.fill_(-float(best[39] + best[40]) / 2)
        shifts.weight.mul_(0.2 / moved)
    return network, image


# Video --------------------------------------------------------------------------------------------------------------


def video(place, facts):
    """Detect in a video with TinyYOLOv3; ImageAI swallows what goes wrong in a frame and writes it without boxes."""
    from imageai.Detection import VideoObjectDetection

    source, weights = place.path("video.avi"), place.path("TinyYOLOv3.pth")
    frames = write_video(source, FRAMES)
    yolo = Yolo("TinyYOLOv3", ANCHORS["TinyYOLOv3"])
    yolo.give_clear_answers(frames)
    yolo.save(weights)
    detector = VideoObjectDetection()
    detector.setModelTypeAsTinyYOLOv3()
    detector.setModelPath(weights)
    detector.loadModel()
    ended = []
    detect_video(
        place,
        facts,
        detector,
        (source, frames),
        [yolo.boxes(frame, THERE) for frame in frames],
        names_of("coco_classes.txt"),
        video_complete_function=lambda *values: ended.append(values),
    )
    if len(ended) != 1:
        raise Wrong("ImageAI said %d times that the video is complete" % len(ended))
    os.remove(weights)


def detect_video(place, facts, detector, video, boxes, names, **more):
    """Let ImageAI detect in a video and compare each frame: its boxes, and whether they were drawn into it.

    Args:
        place: of this run.
        facts: get what was found.
        detector: of videos, with its network loaded.
        video: path and frames.
        boxes: of each frame.
        names: of the classes.
        more: arguments for ImageAI.
    """
    source, frames = video
    seen = {}
    written = detector.detectObjectsFromVideo(
        input_file_path=source,
        output_file_path=os.path.splitext(source)[0] + "-detected",
        frames_per_second=10,
        minimum_percentage_probability=0,
        per_frame_function=lambda number, objects, counts: seen.update({number: objects}),
        log_progress=False,
        **more,
    )
    check_video(
        facts, written, frames, seen, [(named(box, names, frame.shape), 0) for box, frame in zip(boxes, frames)]
    )
    for number, (box, frame) in enumerate(zip(boxes, frames), 1):
        check_found(seen[number], box, names, frame.shape)
