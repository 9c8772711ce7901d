"""Pictures with labelled boxes, and contact sheets of them. NumPy and OpenCV only."""

import colorsys
import math

import cv2
import numpy as np

from ..files import atomic_path

__all__ = ["draw_detections", "contact_sheet", "write_image"]

FONT = cv2.FONT_HERSHEY_SIMPLEX
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue
SMALLEST = 480  # pixels of the longer side: labels on a smaller picture could not be read


def colour(index, count):
    """One of `count` colours that differ as far as hues can, RGB."""
    return tuple(int(255 * value) for value in colorsys.hsv_to_rgb(index / max(count, 1), 0.85, 1))


def draw_detections(image, detections, classes):
    """Draw boxes with class and score.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB.
    detections : list of dict
        As of `gluon_etinynet.detection.detect`.
    classes : sequence of str
        All classes: each has its colour.

    Returns
    -------
    numpy.ndarray
        uint8 RGB; a small picture comes back enlarged.
    """
    enlarged = max(1.0, SMALLEST / max(image.shape[:2]))
    image = cv2.resize(image, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_CUBIC).copy()
    size = max(image.shape[:2]) / SMALLEST
    width, scale = max(2, round(2 * size)), 0.45 * size
    boxes = [[int(round(value * enlarged)) for value in found["box"]] for found in detections]
    colours = [colour(list(classes).index(found["class"]), len(classes)) for found in detections]
    for (left, top, right, bottom), rgb in reversed(list(zip(boxes, colours))):  # the best on top
        cv2.rectangle(image, (left, top), (right, bottom), rgb, width)
    for found, (left, top, *_), rgb in reversed(list(zip(detections, boxes, colours))):
        text = f"{found['class']} {100 * found['score']:.0f}"
        (text_width, text_height), base = cv2.getTextSize(text, FONT, scale, 1)
        x = max(0, min(left, image.shape[1] - text_width - 4))
        y = top if top >= text_height + base + 4 else top + text_height + base + 4
        ink = (0, 0, 0) if np.dot(rgb, LUMINANCE) > 100 else (255, 255, 255)
        cv2.rectangle(image, (x, y - text_height - base - 4), (x + text_width + 4, y), rgb, -1)
        cv2.putText(image, text, (x + 2, y - base - 1), FONT, scale, ink, max(1, round(size)), cv2.LINE_AA)
    return image


def contact_sheet(pictures, captions, columns=4, side=400):
    """Put pictures side by side, each fitted into a square of `side` pixels, its caption below."""
    strip, gap = 26, 6
    rows = math.ceil(len(pictures) / columns)
    sheet = np.full((rows * (side + strip + gap) + gap, columns * (side + gap) + gap, 3), 255, np.uint8)
    for index, (picture, caption) in enumerate(zip(pictures, captions)):
        factor = side / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)[:side, :side]
        top = gap + index // columns * (side + strip + gap) + (side - small.shape[0])
        left = gap + index % columns * (side + gap) + (side - small.shape[1]) // 2
        sheet[top:top + small.shape[0], left:left + small.shape[1]] = small
        corner = gap + index % columns * (side + gap) + 2, top + small.shape[0] + strip - 8
        scale = min(0.5, 0.5 * (side - 4) / cv2.getTextSize(caption, FONT, 0.5, 1)[0][0])  # a long one would run over
        cv2.putText(sheet, caption, corner, FONT, scale, (60, 60, 60), 1, cv2.LINE_AA)
    return sheet


def write_image(path, image):
    """Write uint8 RGB as a picture, whole or not at all; the extension names the format."""
    with atomic_path(path) as temporary:
        # OpenCV's own writing says nothing of a full disk.
        temporary.write_bytes(cv2.imencode(temporary.suffix, image[:, :, ::-1])[1].tobytes())
