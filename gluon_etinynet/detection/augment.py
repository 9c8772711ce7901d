"""SSD's augmentation of pictures with boxes (Liu et al. 2016, section 2.2), as GluonCV's `SSDDefaultTrainTransform`.

Boxes are moved by GluonCV's functions. What it does to pixels takes 25 ms a picture of 256 x 340, half of a training
step, and its chance comes from two global generators. Here the same takes 2 ms, and its chance from one generator:

* colours: its steps are linear in a pixel's three numbers, and so one matrix (5 ms);
* expansion: only the part of the large canvas that the crop shows is ever made (4 ms);
* crop: all trials are drawn at once (13 ms).

The picture stays uint8. Boxes are rows of left, top, right, bottom in pixels and further columns that are kept.
"""

import cv2
import numpy as np

from .._mxnet import mx  # noqa: F401, before GluonCV, which loads MXNet itself

# isort: split
from gluoncv.data.transforms import bbox as transform
from gluoncv.utils.bbox import bbox_iou

from ..data.images import resize_square

__all__ = ["AUGMENTATIONS", "augment_detection"]

AUGMENTATIONS = ("ssd", "mirror", "none")

# The numbers of `random_color_distort`, `random_expand` and `random_crop_with_constraints`.
BRIGHTNESS = 32  # added, of 255
CONTRAST = SATURATION = (0.5, 1.5)  # factors
HUE = 0.1  # half turns: the 18 degrees of SSD's authors, where GluonCV turns by 18 half turns: to any hue
GREY = np.array([0.299, 0.587, 0.114])
YIQ = np.array([GREY, [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
RGB = np.array([[1, 0.956, 0.621], [1, -0.272, -0.647], [1, -1.107, 1.705]])
EXPANSION = 4  # largest side of the canvas around a picture, in sides of the picture
FILL = 128  # of that canvas; 0 in the network's input
# Least and largest intersection over union that the crop may have with every box.
OVERLAPS = np.array([(0.1, np.inf), (0.3, np.inf), (0.5, np.inf), (0.7, np.inf), (0.9, np.inf), (-np.inf, 1)])
CROP_SCALE = (0.3, 1)
CROP_ASPECT = 2
TRIALS = 50  # for each of these
INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
SMALLEST = 2  # pixels of the network's input: a smaller rest of a box teaches nothing


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
        float, of those whose centres are in the picture; there may be none.
    """
    height, width = image.shape[:2]
    if augmentation == "ssd":
        image = cv2.transform(image, random_colours(random))
        x = y = 0
        if random.randint(2):
            scale = random.uniform(1, EXPANSION)
            canvas = int(width * scale), int(height * scale)
            x, y = random.randint(canvas[0] - width + 1), random.randint(canvas[1] - height + 1)
            boxes, width, height = transform.translate(boxes, x, y), *canvas
        boxes, (left, top, width, height) = random_crop(boxes, width, height, random)
        interpolation = INTERPOLATIONS[random.randint(len(INTERPOLATIONS))]
        image = _shown(image, left - x, top - y, width, height, size, interpolation)
    else:
        image = resize_square(image, size)
    boxes = transform.resize(boxes, (width, height), (size, size))
    if augmentation != "none" and random.randint(2):
        image, boxes = image[:, ::-1], transform.flip(boxes, (size, size), flip_x=True)
    return image, boxes[(boxes[:, 2:4] - boxes[:, :2]).min(axis=1, initial=np.inf) >= SMALLEST]


def random_colours(random):
    """Draw what GluonCV's `random_color_distort` does, as a matrix (3, 4) to multiply (R, G, B, 1) with.

    It has contrast, a plain factor, first or last, which is the same where nothing is cut off in between.
    """
    brightness = random.uniform(-BRIGHTNESS, BRIGHTNESS) if random.randint(2) else 0
    contrast = random.uniform(*CONTRAST) if random.randint(2) else 1
    saturation = random.uniform(*SATURATION) if random.randint(2) else 1
    turn = np.pi * random.uniform(-HUE, HUE) if random.randint(2) else None
    matrix = contrast * (saturation * np.eye(3) + (1 - saturation) * GREY)
    if turn is not None:
        cos, sin = np.cos(turn), np.sin(turn)
        matrix = RGB @ [[1, 0, 0], [0, cos, -sin], [0, sin, cos]] @ YIQ @ matrix
    return np.hstack([matrix, matrix.sum(axis=1, keepdims=True) * brightness])


def random_crop(boxes, width, height, random):
    """Take one of the crops that SSD's constraints allow, the whole among them.

    As GluonCV's `random_crop_with_constraints`; returns the boxes that are left, and x, y, width and height.
    """
    scale = random.uniform(*CROP_SCALE, size=(len(OVERLAPS), TRIALS))
    aspect = np.sqrt(random.uniform(np.maximum(1 / CROP_ASPECT, scale ** 2), np.minimum(CROP_ASPECT, 1 / scale ** 2)))
    whole = np.array([width, height])
    sides = np.maximum((whole * np.stack([scale * aspect, scale / aspect], axis=-1)).astype(int), 1)
    corners = (random.uniform(size=sides.shape) * (whole - sides)).astype(int)
    if not len(boxes):
        return boxes, (*corners[0, 0], *sides[0, 0])
    overlaps = bbox_iou(np.concatenate([corners, corners + sides], axis=-1).reshape(-1, 4), boxes[:, :4])
    overlaps = overlaps.reshape(*scale.shape, len(boxes))
    fits = (overlaps.min(axis=2) >= OVERLAPS[:, :1]) & (overlaps.max(axis=2) <= OVERLAPS[:, 1:])
    crops = [(0, 0, width, height)] + [(*corners[row, fits[row].argmax()], *sides[row, fits[row].argmax()])
                                       for row in np.flatnonzero(fits.any(axis=1))]
    for index in random.permutation(len(crops)):
        kept = transform.crop(boxes, crops[index], allow_outside_center=False)
        if len(kept):
            return kept, crops[index]
    return boxes, crops[0]


def _shown(image, left, top, width, height, size, interpolation):
    """A part of the plane in which the picture lies, as a square of `size` pixels; grey where there is no picture."""
    starts = np.maximum([left, top], 0)
    ends = np.minimum([left + width, top + height], image.shape[1::-1])
    shown = np.full((size, size, 3), FILL, np.uint8)
    scale = size / np.array([width, height])
    (x0, y0), (x1, y1) = (np.rint((corner - (left, top)) * scale).astype(int) for corner in (starts, ends))
    if x1 > x0 and y1 > y0:
        part = image[starts[1]:ends[1], starts[0]:ends[0]]
        shown[y0:y1, x0:x1] = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=interpolation)
    return shown
