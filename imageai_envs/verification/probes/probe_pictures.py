"""The pictures, videos and training data that every probe draws for itself, and how drawings are looked at."""

import os

from quick_probe import Wrong

NAMES = ("lake", "road")  # of the classes and the objects that are trained


def picture(number=0, size=192):
    """Return a generated picture with slopes, edges and some noise, RGB."""
    import numpy

    random = numpy.random.RandomState(number)
    across = numpy.linspace(0, 255, size)
    image = numpy.stack(
        [numpy.tile(across, (size, 1)), numpy.tile(across[::-1, None], (1, size)), numpy.full((size, size), 99.0)], -1
    )
    for _ in range(6):
        left, top = random.randint(0, size * 3 // 4, 2)
        image[top : top + size // 4, left : left + size // 4] = random.randint(0, 256, 3)
    return numpy.clip(image + random.normal(0, 8, image.shape), 0, 255).astype("uint8")


def blue_first(image):
    """Return a picture with red and blue exchanged: OpenCV's order from Pillow's, and back."""
    return image[..., ::-1].copy()


def strip():
    """Return a picture much wider than high, BGR: RetinaNet enlarges to 800 x 1333 pixels, and this is a tenth."""
    import numpy

    return blue_first(numpy.concatenate([picture(number, 64) for number in range(8)], axis=1)[::2])


def write_classes(data, size):
    """Write pictures of two classes, for training and for tests of it."""
    from PIL import Image

    for number, (part, name) in enumerate((part, name) for part in ("train", "test") for name in NAMES):
        os.makedirs(os.path.join(data, part, name))
        for index in range(2):
            image = picture(20 + 2 * number + index, size)
            Image.fromarray(image).save(os.path.join(data, part, name, "%d.png" % index))


def write_objects(data, part, first, suffix, describe):
    """Write two pictures of 128 x 128 pixels with twelve rectangles in each; return the pictures, BGR.

    Args:
        data: the directory of all training data.
        part: ``train`` or ``validation``.
        first: what the pictures are drawn from.
        suffix: of the files that say where the rectangles are.
        describe: gives the text of such a file, for the picture's name and the name and the corners of each.
    """
    import cv2
    import numpy

    draw, images = numpy.random.RandomState(first), []
    for kind in ("images", "annotations"):
        os.makedirs(os.path.join(data, part, kind))
    for number in range(2):
        image, objects = blue_first(picture(first + number, 128)), []
        for count in range(12):  # nine anchors are made of the sizes of these
            left, top = (int(value) for value in draw.randint(0, 60, 2))
            wide, high = (int(value) for value in draw.randint(20, 64, 2))
            cv2.rectangle(image, (left, top), (left + wide, top + high), (0, 0, 255 * (count % 2)), -1)
            objects.append((NAMES[count % 2], left, top, left + wide, top + high))
        cv2.imwrite(os.path.join(data, part, "images", "%d.png" % number), image)
        with open(os.path.join(data, part, "annotations", "%d%s" % (number, suffix)), "w") as stream:
            stream.write(describe("%d.png" % number, objects))
        images.append(image)
    return images


def write_video(path, frames):
    """Write a video of generated pictures and return it as it is read back: Motion JPEG changes pixels.

    Raises:
        Wrong: OpenCV cannot write or read it.
    """
    import cv2

    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, (192, 192))
    for number in range(frames):
        writer.write(blue_first(picture(10 + number)))
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
