"""Training on parts of pictures: random resized crop, mirroring, colour jitter. NumPy and OpenCV only."""

import math

import cv2
import numpy as np

from ..cli import progress
from ..integer import pixels_to_input
from .images import read_crop, read_image

__all__ = ["CROP_AREA", "CROP_RATIO", "augment", "random_part", "turn", "views"]

# "The standard data augmentations provided by MXNet" for ImageNet.
CROP_AREA = (0.08, 1.0)
CROP_RATIO = (3 / 4, 4 / 3)


def augment(image, size, random, jitter=0.0):
    """A random part of a picture, resized, mirrored half of the time, its colours changed.

    The part has 0.08 to 1 of the area and an aspect ratio of 3/4 to 4/3.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB.
    size : int
        Side of the result, in pixels.
    random : numpy.random.RandomState
    jitter : float
        Brightness, contrast and saturation are each multiplied by 1 - jitter to 1 + jitter.

    Returns
    -------
    numpy.ndarray
        uint8, shape (size, size, 3).
    """
    top, left, height, width = random_part(*image.shape[:2], random)
    image = image[top:top + height, left:left + width]
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    if random.randint(2):
        image = image[:, ::-1]
    if jitter:
        brightness, contrast, saturation = 1 + random.uniform(-jitter, jitter, 3)
        luminance = np.array([0.299, 0.587, 0.114], np.float32)
        colours = image * np.float32(brightness)
        mean = (colours @ luminance).mean()
        colours = mean + (colours - mean) * np.float32(contrast)
        grey = (colours @ luminance)[:, :, None]
        colours = grey + (colours - grey) * np.float32(saturation)
        image = np.rint(colours.clip(0, 255)).astype(np.uint8)
    return image


def turn(image, degrees, zoom):
    """Turn a picture (uint8, any size) about its centre and enlarge it by `zoom`; the border is repeated."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, zoom)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def views(files, size, parts):
    """The centre of every picture as `preprocess` cuts it, and random parts of each as `augment` does.

    Parameters
    ----------
    files : sequence of Path
    size : int
        Side of the results, in pixels.
    parts : int
        Random parts of each picture, the same in every call.

    Returns
    -------
    numpy.ndarray
        int8, ``pixel - 128``, shape ((1 + parts) * files, 3, size, size): all centres, then one part of every
        picture, and so on. Neighbours are different pictures, so that a batch is a fair sample for BN.

    Raises
    ------
    InputError
        If a file is no picture.
    """
    found = np.empty((1 + parts, len(files), 3, size, size), np.int8)
    for index, path in enumerate(progress(files, desc="pictures")):
        image, random = read_image(path), np.random.RandomState(index)
        found[0, index] = pixels_to_input(read_crop(path, size))
        for part in found[1:]:
            part[index] = pixels_to_input(augment(image, size, random))
    return found.reshape(-1, 3, size, size)


def random_part(height, width, random):
    """Top, left, height, width of a part of random area and aspect ratio that lies in the picture."""
    for _ in range(10):
        area = height * width * random.uniform(*CROP_AREA)
        ratio = math.exp(random.uniform(*np.log(CROP_RATIO)))
        part_width, part_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < part_width <= width and 0 < part_height <= height:
            return (random.randint(height - part_height + 1), random.randint(width - part_width + 1),
                    part_height, part_width)
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side, side
