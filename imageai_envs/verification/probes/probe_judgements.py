"""How ImageAI's answers are judged, in every generation: against what the network itself answers."""

from probe_pictures import is_drawn, read_video
from quick_probe import Wrong


def compare_classes(labels, values, count, expected, names, rounding):
    """Raise Wrong unless ImageAI's names and percentages are the ``count`` best of what the network itself expects.

    ``names`` are of the classes; ``rounding`` is how far a percentage may be off because ImageAI rounds it.
    """
    import numpy

    top = expected.argsort()[::-1][: len(values)]
    wanted = expected[top] * 100
    if labels != [names[number] for number in top]:
        raise Wrong("ImageAI named %r, the network itself %r" % (labels, [names[number] for number in top]))
    check_percentages(values, count)
    if not numpy.allclose(values, wanted, rtol=1e-3, atol=rounding):
        raise Wrong("ImageAI says %r, the network itself %r" % (values, wanted.tolist()))
    if abs(float(expected.sum()) - 1) > 1e-3:
        raise Wrong("the network's probabilities add up to %r" % float(expected.sum()))


def check_percentages(values, count):
    """Raise Wrong unless these are ``count`` percentages, the largest first."""
    import numpy

    if len(values) != count:
        raise Wrong("ImageAI gave %d probabilities, %d were asked for" % (len(values), count))
    if not numpy.isfinite(values).all() or not 0 < min(values) <= max(values) <= 100.001:
        raise Wrong("ImageAI's probabilities are not percentages: %r" % (values,))
    if sorted(values, reverse=True) != values:
        raise Wrong("ImageAI's probabilities are not in order: %r" % (values,))


def plain(item):
    """Return an object that ImageAI found, as JSON can hold it."""
    return {
        "name": str(item["name"]),
        "percentage_probability": round(float(item["percentage_probability"]), 3),
        "box_points": [int(value) for value in item["box_points"]],
    }


def same(item, other, percent=0.05, pixels=1.5):
    """Tell whether ImageAI's object is this name, score and box; it cuts off what is behind the point."""
    name, score, box = other
    wanted = [max(box[0], 0.0), max(box[1], 0.0), box[2], box[3]]
    return (
        item["name"] == name
        and abs(float(item["percentage_probability"]) - score * 100) < percent
        and all(abs(float(have) - want) < pixels for have, want in zip(item["box_points"], wanted))
    )


class Answer(object):
    """What a network itself answers for a picture in which ImageAI detects.

    Attributes:
        expected: the boxes as ``(name, score, corners)``, the best first.
        least: the percentage that ImageAI is asked for.
    """

    least = 0
    key = "expected"

    def note(self, facts, found):
        """Keep what ImageAI found; raise Wrong if that is nothing."""
        facts["objects"] = len(found)
        facts[self.key] = len(self.expected)
        facts["first"] = plain(found[0]) if found else None
        if not found:
            raise Wrong("ImageAI found nothing; the network itself gives %d boxes" % len(self.expected))

    def compare_frame(self, found):
        """Raise Wrong unless ImageAI found in a frame what it must, besides the best box."""

    def least_again(self, found):
        """Return the percentage that ImageAI is asked for in an array."""
        return self.least


def sigmoid(values):
    """Return the logistic function."""
    import numpy

    return 1.0 / (1.0 + numpy.exp(-values))


def check_array(said, image, found, least):
    """Raise Wrong unless ImageAI says of an array what it found in a file, cuts it out and draws it.

    ``said`` is the drawing, the objects, and the parts that were cut out; ``least`` is the percentage that was asked
    for.
    """
    drawn, again, crops = said
    wanted = [item for item in found if float(item["percentage_probability"]) >= least]
    if [plain(item) for item in again] != [plain(item) for item in wanted]:
        raise Wrong("ImageAI finds other objects in an array than in a file: %r" % [plain(item) for item in again])
    shapes = [image[box[1] : box[3], box[0] : box[2]].shape for box in (item["box_points"] for item in wanted)]
    if [crop.shape for crop in crops] != shapes:
        raise Wrong("ImageAI cut out pictures of the sizes %r" % [crop.shape for crop in crops])
    if drawn.shape != image.shape or not is_drawn(image, drawn, again):
        raise Wrong("ImageAI drew nothing into the array")


def check_video(facts, written, frames, seen, answers):
    """Raise Wrong unless the best box of each frame was found, and the video has all frames with boxes drawn into each.

    ``seen`` is what ImageAI found, by the number of the frame; ``answers`` are of the network itself.
    """
    facts["objects"] = [len(seen.get(number + 1, ())) for number in range(len(frames))]
    if not all(facts["objects"]):
        raise Wrong("ImageAI found these numbers of objects in the frames: %r" % facts["objects"])
    for number, answer in enumerate(answers, 1):
        if not any(same(item, answer.expected[0]) for item in seen[number]):
            raise Wrong("ImageAI misses the best box of frame %d: %r" % (number, answer.expected[0]))
    back = read_video(written)
    facts["frames"] = len(back)
    if len(back) != len(frames):
        raise Wrong("ImageAI wrote %d of %d frames" % (len(back), len(frames)))
    for number, (before, after) in enumerate(zip(frames, back)):
        if before.shape != after.shape or not is_drawn(before, after, seen[number + 1]):
            raise Wrong("frame %d of ImageAI's video has no boxes drawn into it" % (number + 1))
    facts["first"] = plain(seen[1][0])
    for number, answer in enumerate(answers, 1):
        answer.compare_frame(seen[number])
