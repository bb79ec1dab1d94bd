"""Networks with random weights that give clear answers, and what YOLO answers, worked out again. For ImageAI 3.

YOLO's raw outputs are caught where they leave the last convolutions. What follows is written here from YOLOv3's
formulas and not taken from ImageAI, whose code is what is to be proved.
"""

import collections

from probe_judgements import sigmoid
from quick_probe import Wrong

SEED = 303
SIZE = 256  # ImageAI scales the shorter side of a picture to this, and takes a square from its middle
EDGE = 16  # what is left out around that square

NET = 416  # pixels; ImageAI 3 has no other size
CLASSES = 80  # of COCO
ANCHORS = {
    "YOLOv3": (10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326),
    "TinyYOLOv3": (10, 14, 23, 27, 37, 58, 81, 82, 135, 169, 344, 319),
}
# The last convolutions, and which of the anchors their outputs are for.
HEADS = {
    "YOLOv3": (("conv59", (6, 7, 8)), ("conv67", (3, 4, 5)), ("conv75", (0, 1, 2))),
    "TinyYOLOv3": (("conv10", (3, 4, 5)), ("conv13", (0, 1, 2))),
}

# ``number`` of the class, its ``score``, how ``sure`` the network is that something is there, and the ``corners`` in
# pixels of the picture and of the ``square`` that the network sees.
Box = collections.namedtuple("Box", "number score sure corners square")  # noqa: PYI024 - Python 3.7, and plain as the rest


class Yolo(object):
    """A YOLO network of ImageAI 3 and its answers.

    Attributes:
        network: the network itself, on the device that ImageAI takes.
    """

    def __init__(self, kind, anchors=None, classes=CLASSES):
        import torch
        from imageai.yolov3.tiny_yolov3 import YoloV3Tiny
        from imageai.yolov3.yolov3 import YoloV3

        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._anchors, self._heads = list(anchors or ANCHORS[kind]), HEADS[kind]
        torch.manual_seed(SEED)
        build = YoloV3 if kind == "YOLOv3" else YoloV3Tiny
        self.network = build(anchors=self._anchors, num_classes=classes, device=self._device)
        self.network.to(self._device).eval()

    def load(self, path):
        """Take weights from a file."""
        import torch

        self.network.load_state_dict(torch.load(path, map_location=self._device))
        return self

    def save(self, path):
        """Write the weights in the format in which ImageAI reads them."""
        import torch

        torch.save(self.network.state_dict(), path)

    def give_clear_answers(self, images, clear=8):
        """Scale the last convolutions so that in each of these BGR pictures each gives so many boxes."""
        import torch

        inputs = torch.cat([letterboxed(image) for image in images]).to(self._device)
        settle(self.network, inputs)
        for (name, _), output in zip(self._heads, self._raw(inputs)):
            head = getattr(self.network, name).conv
            channels = output.transpose(0, 1).reshape(output.shape[1], -1)
            # Wanted in each of the three boxes of a cell: place, size, whether there is something, and what.
            names = output.shape[1] // 3 - 5
            wanted = torch.tensor(([1.0, 1.0, 0.3, 0.3, 3.0] + [2.0] * names) * 3, device=self._device)
            middle = torch.tensor(([0.0] * 5 + [-2.0] * names) * 3, device=self._device)
            deviation, mean = channels.std(dim=1), channels.mean(dim=1)
            if not bool((deviation > 0).all() and torch.isfinite(deviation).all()):
                raise Wrong("what %s gives differs by %r" % (name, deviation.tolist()[:5]))
            scale = wanted / deviation
            there = [4 + index * (5 + names) for index in range(3)]
            scores = ((output - mean[:, None, None]) * scale[:, None, None])[:, there].reshape(len(images), -1)
            best = scores.sort(dim=1, descending=True)[0]
            # Between two boxes, so that rounding moves none of the picture with the weakest ones.
            middle[there] = -float((best[:, clear - 1] + best[:, clear]).min()) / 2
            with torch.no_grad():
                head.weight.mul_(scale[:, None, None, None])
                head.bias.copy_((head.bias - mean) * scale + middle)

    def _raw(self, inputs):
        import torch

        caught, hooks = {}, []
        for name, _ in self._heads:

            def catch(_module, _inputs, output, name=name):
                caught[name] = output.detach().clone()

            hooks.append(getattr(self.network, name).register_forward_hook(catch))
        with torch.no_grad():
            self.network(inputs)
        for hook in hooks:
            hook.remove()
        return [caught[name] for name, _ in self._heads]

    def boxes(self, image, there):
        """Return each :class:`Box` of a BGR picture, the surest first.

        Args:
            image: the picture.
            there: only boxes in which something is, as the network says, with at least this probability.

        Raises:
            Wrong: the network's answer is not finite.
        """
        import numpy

        height, width = image.shape[:2]
        scale = min(NET / float(width), NET / float(height))
        border = numpy.array([(NET - width * scale) / 2, (NET - height * scale) / 2] * 2)
        sizes = numpy.array(self._anchors, "float64").reshape(-1, 2)
        found = []
        for (_, members), output in zip(self._heads, self._raw(letterboxed(image).to(self._device))):
            cells = output.shape[2]
            values = output[0].cpu().numpy().astype("float64").reshape(3, -1, cells, cells)
            if not numpy.isfinite(values).all():
                raise Wrong("the network's answer has infinite numbers or none")
            x = (numpy.arange(cells)[None, None, :] + sigmoid(values[:, 0])) * NET / cells
            y = (numpy.arange(cells)[None, :, None] + sigmoid(values[:, 1])) * NET / cells
            half = numpy.exp(values[:, 2:4]) * sizes[list(members)][:, :, None, None] / 2
            corners = numpy.stack([x - half[:, 0], y - half[:, 1], x + half[:, 0], y + half[:, 1]], -1)
            sure, names = sigmoid(values[:, 4]), sigmoid(values[:, 5:])
            for index in zip(*numpy.nonzero(sure > there)):
                scores = names[index[0], :, index[1], index[2]]
                number = int(scores.argmax())
                square = corners[index]
                found.append(Box(number, float(scores[number]), float(sure[index]), (square - border) / scale, square))
        return sorted(found, key=lambda box: -box.sure)


def letterboxed(image):
    """Return a BGR picture as a YOLO network gets it: RGB, scaled to fit into a square, grey around it."""
    import cv2
    import numpy
    import torch

    height, width = image.shape[:2]
    scale = min(NET / float(width), NET / float(height))
    wide, high = int(round(width * scale)), int(round(height * scale))
    left, top = (NET - wide) // 2, (NET - high) // 2
    square = numpy.full((NET, NET, 3), 128, "uint8")
    square[top : top + high, left : left + wide] = cv2.resize(image, (wide, high), interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(square[..., ::-1].transpose(2, 0, 1)[None].astype("float32") / 255)


def settle(network, inputs):
    """Set what the network's normalizations think is the usual to what these inputs give, and end its training."""
    import torch

    network.eval()
    normalizations = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in normalizations:
        module.train()
        module.momentum = 1.0
    with torch.no_grad():
        network(inputs)
    network.eval()


def give_clear_answers(network, last, inputs):
    """Give a fresh network weights that tell classes apart: as it is made, every class gets nearly the same."""
    import torch

    settle(network, inputs)
    with torch.no_grad():
        last.weight.normal_()
        last.bias.zero_()
        deviation = float(network(inputs).std())
        if not 0 < deviation < float("inf"):
            raise Wrong("the network's answers differ by %r" % deviation)
        last.weight.mul_(2.0 / deviation)


def make_retinanet(picture):
    """Return a RetinaNet that finds some boxes in an RGB picture, and the picture as it gets it."""
    import torch
    from torchvision.models.detection import retinanet_resnet50_fpn

    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # The names of the arguments changed in torchvision 0.13, the old ones are what ImageAI uses.
    network = retinanet_resnet50_fpn(pretrained=False, num_classes=91, pretrained_backbone=False).to(device)
    image = torch.from_numpy(picture.transpose(2, 0, 1).copy()).float().div(255).to(device)
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


def prepared(image):
    """Return a picture of SIZE x SIZE, RGB, as the networks get it: written from the numbers of ImageNet's networks."""
    import numpy
    import torch

    middle = image[EDGE : SIZE - EDGE, EDGE : SIZE - EDGE] / 255.0
    scaled = (middle - numpy.array([0.485, 0.456, 0.406])) / numpy.array([0.229, 0.224, 0.225])
    return torch.from_numpy(scaled.transpose(2, 0, 1)[None].astype("float32"))


def probabilities_of(network, inputs):
    """Return the probabilities of the classes, on the device that ImageAI takes."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device)
    with torch.no_grad():
        return torch.softmax(network(inputs.to(device)), dim=1)[0].cpu().numpy()
