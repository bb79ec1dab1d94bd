"""Let ImageAI find objects in photographs with a trained TinyYOLOv3. Runs inside environments, Python 3.6 and newer.

Usage: ``detect_with_real_model.py MODEL WEIGHTS DIRECTORY REPEATS PHOTOGRAPH...``. ``MODEL`` is what ImageAI loads; it
is made from Darknet's ``WEIGHTS`` where it is not there. All that is of Keras is taken from ImageAI's own modules:
which Keras it is differs by release, and what another one made is of no use to ImageAI.
"""

import importlib
import json
import os
import re
import struct
import sys
import time

MARK = "@@imageai-env@@"
CLASSES = 80  # of COCO
CONVOLUTIONS = 13
WITHOUT_NORMALIZATION = (9, 12)  # the two that answer; they have a bias instead
MINIMUM = 30  # per cent
COMMON = "416"  # pixels of the network: what it was trained with, and the only size of ImageAI 3


def read_darknet(path, shapes):
    """Return the arrays of each convolution in the order of the file; ``shapes`` are (out, in, height, width)."""
    import numpy

    with open(path, "rb") as stream:
        struct.unpack("<3i", stream.read(12))  # version
        stream.read(8)  # how many pictures it was trained with
        values = numpy.fromfile(stream, "<f4")
    place, found = 0, []
    for number, shape in enumerate(shapes):
        parts = ["bias"] if number in WITHOUT_NORMALIZATION else ["beta", "gamma", "mean", "variance"]
        arrays = {}
        for name in parts:
            arrays[name] = values[place : place + shape[0]]
            place += shape[0]
        size = int(numpy.prod(shape))
        arrays["kernel"] = values[place : place + size].reshape(shape)
        place += size
        found.append(arrays)
    if place != len(values):
        raise ValueError("%s has %d numbers, the network %d" % (path, len(values), place))
    return found


class ImageAI2(object):
    """ImageAI 2.1.5 and 2.1.6, with Keras: 832 pixels where nothing else is asked for."""

    sizes = (("832", {}), (COMMON, {"detection_speed": "faster"}))

    def write_model(self, weights, path):
        """Write the model file for the trained weights."""
        from imageai import Detection

        build = getattr(Detection, "tiny_yolov3_main", None) or Detection.tiny_yolo_main  # the second: 2.1.5
        network = build(Detection.Input(shape=(None, None, 3)), 3, CLASSES)
        convolutions = self._as_built(network, "conv2d")
        normalizations = iter(self._as_built(network, "batch_normalization"))
        shapes = [tuple(layer.get_weights()[0].shape) for layer in convolutions]
        arrays = read_darknet(weights, [(out, into, high, wide) for high, wide, into, out in shapes])
        for layer, one in zip(convolutions, arrays):
            kernel = one["kernel"].transpose(2, 3, 1, 0)
            layer.set_weights([kernel, one["bias"]] if "bias" in one else [kernel])
            if "bias" not in one:
                next(normalizations).set_weights([one[name] for name in ("gamma", "beta", "mean", "variance")])
        network.save_weights(path)

    @staticmethod
    def _as_built(network, kind):
        """Return the layers of a kind in the order in which they were made; Keras has them by depth."""
        numbers = {}
        for layer in network.layers:
            match = re.match(kind + r"(?:_(\d+))?$", layer.name)
            if match:
                numbers[int(match.group(1) or 0)] = layer
        return [numbers[number] for number in sorted(numbers)]


class ImageAI3(object):
    """ImageAI 3, with PyTorch."""

    sizes = ((COMMON, {}),)

    def write_model(self, weights, path):
        """Write the model file for the trained weights."""
        import torch
        from imageai.yolov3.tiny_yolov3 import YoloV3Tiny

        network = YoloV3Tiny(anchors=[1] * 12, num_classes=CLASSES)
        layers = [getattr(network, "conv%d" % (number + 1)) for number in range(CONVOLUTIONS)]
        arrays = read_darknet(weights, [tuple(layer.conv.weight.shape) for layer in layers])
        names = {"beta": "bias", "gamma": "weight", "mean": "running_mean", "variance": "running_var"}
        with torch.no_grad():
            for layer, one in zip(layers, arrays):
                layer.conv.weight.copy_(torch.tensor(one["kernel"]))
                if "bias" in one:
                    layer.conv.bias.copy_(torch.tensor(one["bias"]))
                    continue
                for name, ours in names.items():
                    getattr(layer.batch_norm, ours).copy_(torch.tensor(one[name]))
        torch.save(network.state_dict(), path)


def detect(model, directory, options, photographs, repeats):
    """Return the objects of each photograph, and the seconds of each repeated detection in the first."""
    from imageai.Detection import ObjectDetection

    detector = ObjectDetection()
    detector.setModelTypeAsTinyYOLOv3()
    detector.setModelPath(model)
    detector.loadModel(**options)
    result = os.path.join(directory, "with-boxes.jpg")

    def find(photograph):
        return detector.detectObjectsFromImage(
            input_image=photograph, output_image_path=result, minimum_percentage_probability=MINIMUM
        )

    objects = {}
    for photograph in photographs:
        objects[os.path.basename(photograph)] = [
            {
                "name": one["name"],
                "probability": float(one["percentage_probability"]),
                "box": [int(value) for value in one["box_points"]],
            }
            for one in find(photograph)
        ]
    seconds = []
    for _ in range(repeats):
        start = time.time()
        find(photographs[0])
        seconds.append(round(time.time() - start, 3))
    return objects, seconds


def main(model, weights, directory, repeats, photographs):
    """Print what ImageAI answers at each size of the network; seconds are told for the size that all of them have."""
    generation = ImageAI3() if model.endswith(".pt") else ImageAI2()
    start = time.time()
    importlib.import_module("imageai.Detection")
    answer = {"objects": {}, "import_seconds": round(time.time() - start, 2)}
    if not os.path.exists(model):
        made = model + ".unfinished" + os.path.splitext(model)[1]
        generation.write_model(weights, made)
        os.replace(made, model)
    for pixels, options in generation.sizes:
        times = repeats if pixels == COMMON else 0
        found, seconds = detect(model, directory, options, photographs, times)
        answer["objects"][pixels] = found
        if seconds:
            answer["seconds"] = seconds
    print("\n" + MARK + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:])
