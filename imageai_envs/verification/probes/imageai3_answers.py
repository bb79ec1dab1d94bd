"""How objects that ImageAI 3 found are compared with what the network itself gives."""

from probe_judgements import Answer, plain, same
from quick_probe import Wrong

OVERLAP = 0.4  # ImageAI leaves out a box that overlaps a surer one of the same name by more


class YoloAnswer(Answer):
    """The boxes that a YOLO network itself gives; ImageAI has to find them all."""

    key = "boxes"

    def __init__(self, boxes, names, shape):
        """Take each :class:`Box`, the surest first, the names of the classes and the shape of the picture."""
        import numpy

        height, width = shape[:2]
        edges = [width, height, width, height]
        self.boxes = boxes
        self.expected = [(names[box.number], box.score, numpy.clip(box.corners, 0, edges)) for box in boxes]

    def least_again(self, found):
        """Return the percentage that parts the better half of ImageAI's objects from the rest."""
        scores = sorted(float(item["percentage_probability"]) for item in found)
        return (scores[0] + scores[-1]) / 2

    def compare(self, facts, found):
        """Raise Wrong unless ImageAI found what the network gives; keep in facts what it was."""
        self.note(facts, found)
        self.compare_frame(found)

    def compare_frame(self, found):
        """Raise Wrong unless ImageAI found the boxes, without those that a surer one of the same name overlaps.

        What is close to a limit is right both ways: ImageAI counts in other floating-point numbers.
        """
        kept = []
        for item in found:
            numbers = [number for number, other in enumerate(self.expected) if same(item, other, 0.02, 1.05)]
            if not numbers:
                raise Wrong("ImageAI found %r, which the network does not give: %r" % (plain(item), self.expected[:3]))
            kept.append(numbers[0])
        for number, box in enumerate(self.boxes):
            others = [self.boxes[other] for other in kept if other != number]
            surer = [other for other in others if other.number == box.number and other.sure > box.sure - 1e-5]
            most = max([overlap(box.square, other.square) for other in surer] or [0.0])
            if number in kept and most > OVERLAP + 0.01:
                raise Wrong("ImageAI found a box twice: they overlap by %.2f: %r" % (most, self.expected[number]))
            if number not in kept and most < OVERLAP - 0.01:
                raise Wrong("ImageAI misses a box: %r" % (self.expected[number],))


class RetinaNetAnswer(Answer):
    """The boxes that torchvision's RetinaNet itself gives; ImageAI has to find each of them, in their order."""

    def __init__(self, expected):
        self.expected = expected

    def compare(self, facts, found):
        """Raise Wrong unless ImageAI found what the network gives; keep in facts what it was."""
        self.note(facts, found)
        if len(found) != len(self.expected):
            raise Wrong("ImageAI found %d objects, the network itself %d" % (len(found), len(self.expected)))
        for item, other in zip(found, self.expected):
            if not same(item, other, 0.02, 1.05):
                raise Wrong("ImageAI found %r, the network itself %r" % (plain(item), other))


def overlap(one, other):
    """Return the part that two boxes share of what they cover; ImageAI counts the pixels at both edges."""
    wide = min(one[2], other[2]) - max(one[0], other[0]) + 1
    high = min(one[3], other[3]) - max(one[1], other[1]) + 1
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (one, other)]
    shared = max(wide, 0.0) * max(high, 0.0)
    return shared / (sum(areas) - shared)
