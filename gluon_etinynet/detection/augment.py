"""SSD's augmentation of pictures with boxes (Liu et al. 2016, section 2.2). NumPy and OpenCV only.

The steps and their numbers are those of GluonCV's `SSDDefaultTrainTransform`: colours, expansion, a
crop that keeps boxes, resizing by a random interpolation, mirroring. But the picture stays uint8 and is not
standardised, and all chance comes from one generator, so that a sample can be made again.

Boxes are rows of left, top, right, bottom in pixels and further columns that are kept.
"""

import cv2
import numpy as np

__all__ = ["AUGMENTATIONS", "augment_detection", "fit", "resize_square"]

AUGMENTATIONS = ("ssd", "mirror", "none")

BRIGHTNESS = 32  # added, of 255
CONTRAST = SATURATION = (0.5, 1.5)  # factors
HUE = 18  # in OpenCV's steps of two degrees
EXPANSION = 4  # largest side of the canvas around a picture, in sides of the picture
FILL = 128  # of that canvas; 0 in the network's input
# Least and largest intersection over union that the crop may have with every box.
OVERLAPS = ((0.1, np.inf), (0.3, np.inf), (0.5, np.inf), (0.7, np.inf), (0.9, np.inf), (-np.inf, 1))
CROP_SCALE = (0.3, 1)
CROP_ASPECT = 2
TRIALS = 50  # for each of these
INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
SMALLEST = 2  # pixels of the network's input: a smaller rest of a box teaches nothing


def resize_square(image, size, interpolation=None):
    """Resize a picture to a square of `size` pixels; proportions are not kept.

    The interpolation is GluonCV's of evaluation unless given: by area when reducing, else bicubic.
    """
    if interpolation is None:
        interpolation = cv2.INTER_AREA if max(image.shape[:2]) > size else cv2.INTER_CUBIC
    return image if image.shape[:2] == (size, size) else cv2.resize(image, (size, size), interpolation=interpolation)


def fit(image, boxes, size, interpolation=None):
    """As `resize_square`, boxes with the picture."""
    height, width = image.shape[:2]
    boxes = np.array(boxes, np.float32)
    boxes[:, 0:4:2] *= size / width
    boxes[:, 1:4:2] *= size / height
    return resize_square(image, size, interpolation), boxes


def augment_detection(image, boxes, size, random, augmentation="ssd"):
    """Make a training sample.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB.
    boxes : numpy.ndarray
        float, shape (n, 4 or more).
    size : int
        Side of the result in pixels.
    random : numpy.random.RandomState
    augmentation : {"ssd", "mirror", "none"}
        All of SSD's; mirroring half of the time and nothing else; none, to see a network overfit.

    Returns
    -------
    image : numpy.ndarray
        uint8, shape (size, size, 3).
    boxes : numpy.ndarray
        float32, of those whose centres are in the picture; there may be none.
    """
    interpolation = None
    if augmentation == "ssd":
        image = _distort(image, random)
        if random.randint(2):
            image, boxes = _expand(image, boxes, random)
        image, boxes = _crop(image, boxes, random)
        interpolation = INTERPOLATIONS[random.randint(len(INTERPOLATIONS))]
    image, boxes = fit(image, boxes, size, interpolation)
    if augmentation != "none" and random.randint(2):
        image = image[:, ::-1]
        boxes[:, [0, 2]] = size - boxes[:, [2, 0]]
    large = (boxes[:, 2:4] - boxes[:, :2]).min(axis=1, initial=np.inf) >= SMALLEST
    return image, boxes[large]


def _distort(image, random):
    """Brightness, contrast, saturation and hue, each half of the time; contrast first or last."""
    image = image.astype(np.float32)
    if random.randint(2):
        image += random.uniform(-BRIGHTNESS, BRIGHTNESS)
    contrast = random.uniform(*CONTRAST) if random.randint(2) else 1
    contrast_first = random.randint(2)
    if contrast_first:
        image *= contrast
    saturation = random.uniform(*SATURATION) if random.randint(2) else 1
    hue = random.randint(-HUE, HUE + 1) if random.randint(2) else 0
    if saturation != 1 or hue:
        hsv = cv2.cvtColor(_uint8(image), cv2.COLOR_RGB2HSV).astype(np.float32)
        hsv[..., 0] = (hsv[..., 0] + hue) % 180
        hsv[..., 1] *= saturation
        image = cv2.cvtColor(_uint8(hsv), cv2.COLOR_HSV2RGB).astype(np.float32)
    if not contrast_first:
        image *= contrast
    return _uint8(image)


def _uint8(values):
    return np.rint(values.clip(0, 255)).astype(np.uint8)


def _expand(image, boxes, random):
    """Put the picture somewhere on a larger grey canvas, which makes its objects smaller."""
    height, width = image.shape[:2]
    scale = random.uniform(1, EXPANSION)
    canvas = np.full((int(height * scale), int(width * scale), 3), FILL, np.uint8)
    top, left = (random.randint(canvas.shape[axis] - image.shape[axis] + 1) for axis in (0, 1))
    canvas[top:top + height, left:left + width] = image
    return canvas, _moved(boxes, left, top)


def _moved(boxes, x, y):
    boxes = np.array(boxes, np.float32)
    boxes[:, 0:4:2] += x
    boxes[:, 1:4:2] += y
    return boxes


def _crop(image, boxes, random):
    """One of the crops that SSD's constraints allow, the whole picture among them."""
    height, width = image.shape[:2]
    candidates = [(0, 0, width, height)]
    for least, largest in OVERLAPS:
        for _ in range(TRIALS):
            crop = _random_part(width, height, random)
            overlaps = _overlaps(crop, boxes)
            if least <= overlaps.min(initial=np.inf) and overlaps.max(initial=0) <= largest:
                candidates.append(crop)
                break
    for index in random.permutation(len(candidates)):
        left, top, right, bottom = candidates[index]
        centres = (boxes[:, :2] + boxes[:, 2:4]) / 2
        inside = ((centres > (left, top)) & (centres < (right, bottom))).all(axis=1)
        if inside.any():
            kept = _moved(boxes[inside], -left, -top)
            kept[:, 0:4:2] = kept[:, 0:4:2].clip(0, right - left)
            kept[:, 1:4:2] = kept[:, 1:4:2].clip(0, bottom - top)
            return image[top:bottom, left:right], kept
    return image, boxes


def _random_part(width, height, random):
    scale = random.uniform(*CROP_SCALE)
    aspect = random.uniform(max(1 / CROP_ASPECT, scale ** 2), min(CROP_ASPECT, 1 / scale ** 2))
    part_width, part_height = int(width * scale * aspect ** 0.5), int(height * scale / aspect ** 0.5)
    left, top = random.randint(width - part_width + 1), random.randint(height - part_height + 1)
    return left, top, left + max(part_width, 1), top + max(part_height, 1)


def _overlaps(crop, boxes):
    """Intersection over union of one box with many."""
    sides = np.minimum(boxes[:, 2:4], crop[2:]) - np.maximum(boxes[:, :2], crop[:2])
    shared = sides.clip(0).prod(axis=1)
    areas = (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1)
    return shared / (areas + (crop[2] - crop[0]) * (crop[3] - crop[1]) - shared)
