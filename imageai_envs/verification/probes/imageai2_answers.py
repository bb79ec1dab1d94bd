"""What networks of ImageAI 2 answer, worked out again, and how ImageAI's objects are compared with it.

The networks have random weights. Their last layers are scaled, so that a few boxes stand out of the noise; which ones
is worked out here from the network's raw answer and then looked for in what ImageAI says.
"""

from probe_judgements import Answer, plain, same, sigmoid
from quick_probe import Wrong

CLASSES = 80  # of COCO
MOST = 12  # boxes that stand out


def scale_heads(network, batch):
    """Give what a YOLO network says of a picture a spread that we choose."""
    import numpy

    heads = [layer for layer in network.model.layers if type(layer).__name__ == "Conv2D" and layer.use_bias]
    # Wanted in each of the three boxes of a cell: place, size, whether there is something, and what.
    deviation = numpy.tile(numpy.array([1.0, 1.0, 0.3, 0.3, 2.0] + [2.0] * CLASSES), 3)
    mean = numpy.tile(numpy.array([0.0] * 4 + [-1.0] + [-3.0] * CLASSES), 3)
    outputs = network.answer(batch)
    for head in heads:
        (output,) = [item for item, tensor in zip(outputs, network.model.outputs) if _made_by(tensor, head)]
        values = output.reshape(-1, output.shape[-1]).astype("float64")
        scale = deviation / numpy.maximum(values.std(axis=0), 1e-30)
        network.change(head, network.kernel(head) * scale, mean - values.mean(axis=0) * scale)


def _made_by(tensor, layer):
    # Names of tensors begin with their layer's; Keras 2 and 3 keep the rest of the history in different places.
    return tensor is layer.output or tensor.name.split("/")[0] == layer.name


def scale_scores(network, head, kernel, scores):
    """Make about fifty of RetinaNet's scores higher than one half: enough to find, few enough for a quick end.

    ``scores`` are what the network gives with ``kernel``, and no bias, in the layer that classifies.
    """
    import numpy

    values = scores.astype("float64").reshape(-1)
    if not (numpy.isfinite(values).all() and values.min() > 0 and values.max() < 1):
        raise Wrong("RetinaNet's fresh weights give scores that are not between 0 and 1")
    logits = numpy.log(values / (1 - values))
    grow = 6.0 / max(float(logits.std()), 1e-30)
    network.change(head, kernel * grow, numpy.full(kernel.shape[-1], -numpy.partition(logits * grow, -50)[-50]))


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


class BestBoxes(Answer):
    """The boxes of a network that stand out, and a percentage that parts them from the rest."""

    def __init__(self, scores, boxes, names):
        """Take scores, n x classes, and boxes, n x 4.

        Raises:
            Wrong: the network's answer is not finite, or all its boxes are alike.
        """
        import numpy

        if not (numpy.isfinite(scores).all() and numpy.isfinite(boxes).all()):
            raise Wrong("the network's answer has infinite numbers or none")
        order = numpy.argsort(scores, axis=None)[::-1][: MOST + 1]
        best = scores.reshape(-1)[order]
        gaps = best[:-1] - best[1:]
        count = 2 + int(gaps[1:].argmax())
        if gaps[count - 1] < 1e-6:
            raise Wrong("no box stands out: the best scores are %r" % best.tolist())
        self.expected = []
        for index in order[:count]:
            box, number = numpy.unravel_index(index, scores.shape)
            self.expected.append((names[int(number)], float(scores[box, number]), boxes[box]))
        self.least = float(best[count - 1] + best[count]) / 2 * 100

    def compare(self, facts, found):
        """Raise Wrong unless ImageAI's objects are among the expected ones, and the best is one of them.

        Weaker ones may be missing: ImageAI leaves out boxes that overlap a better one of the same name.
        """
        self.note(facts, found)
        for item in found:
            if not any(same(item, other) for other in self.expected):
                raise Wrong("ImageAI found %r, which the network does not give: %r" % (plain(item), self.expected[:3]))
        if not any(same(item, self.expected[0]) for item in found):
            raise Wrong("ImageAI misses the best box: %r" % (self.expected[0],))


class RetinaNetAnswer(BestBoxes):
    """The boxes of a RetinaNet that stand out, and the scores of its anchors; ImageAI must find all of the boxes."""

    def __init__(self, scores, boxes, names, anchors, ordered):
        """Take scores and boxes as before, the score of every anchor, and whether the best object must be the first."""
        BestBoxes.__init__(self, scores, boxes, names)
        self._ordered = ordered
        self._best, self._high = float(anchors.max()), int((anchors > 0.5).sum())

    def compare(self, facts, found):
        """Raise Wrong unless ImageAI found all that is expected, the best with the score of the best anchor."""
        # These boxes may begin outside of the picture.
        inside = [dict(item, box_points=[max(value, 0) for value in item["box_points"]]) for item in found]
        BestBoxes.compare(self, facts, inside)
        facts["scores_above_half"] = self._high
        if len(found) != len(self.expected):
            raise Wrong("ImageAI found %d objects, the network itself %d" % (len(found), len(self.expected)))
        first = found[:1] if self._ordered else found
        if abs(max(float(item["percentage_probability"]) for item in first) - self._best * 100) > 0.05:
            raise Wrong("the best object has another probability than the best anchor, %r" % (self._best * 100))
