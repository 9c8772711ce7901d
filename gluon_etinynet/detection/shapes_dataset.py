"""A small detection set that anybody can make: shapes drawn over photographs, in Pascal VOC's layout.

One to four circles, squares, triangles and stars of any colour, size and turn lie on parts of the two
photographs that come with scikit-learn. A picture depends on the seed and its own number alone.
"""

from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np

from ..files import InputError, atomic_folder
from ..quantities import COUNT, SEED
from ..reading import is_file, is_folder

__all__ = ["SHAPES", "write_shapes"]

SHAPES = ("circle", "square", "star", "triangle")
SIDE = 256  # of a picture, in pixels
RADII = (28, 72)  # of the circle around a shape
MOST_OBJECTS = 4
TRIALS = 20  # to find a free place for one
GAP = 4  # pixels between two objects' boxes, at least
JPEG_QUALITY = 92


def write_shapes(folder, train=480, val=160, seed=0):
    """Write a data set with the splits ``train`` and ``val``.

    Parameters
    ----------
    folder : str or Path
        Must not exist yet; it appears when it is whole.
    train, val : int
        Pictures in each split.
    seed : int

    Raises
    ------
    InputError
        If `folder` exists or cannot be written, a split would be empty, or scikit-learn is missing.
    """
    folder = Path(folder)
    for name, quantity, value in (("train", COUNT, train), ("val", COUNT, val), ("seed", SEED, seed)):
        quantity.check(name, value)
    if is_folder(folder) or is_file(folder):
        raise InputError(f"{folder} exists already; remove it, or choose another folder")
    photographs = _photographs()
    names = [f"{number:06d}" for number in range(train + val)]
    with atomic_folder(folder) as whole:
        for within in ("JPEGImages", "Annotations", "ImageSets/Main"):
            (whole / within).mkdir(parents=True)
        for number, name in enumerate(names):
            image, objects = draw(photographs, np.random.RandomState([seed, number]))
            _, encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            (whole / "JPEGImages" / f"{name}.jpg").write_bytes(encoded.tobytes())
            text = annotation(f"{name}.jpg", image.shape, objects)
            (whole / "Annotations" / f"{name}.xml").write_text(text)
        for split, part in (("train", names[:train]), ("val", names[train:])):
            (whole / f"ImageSets/Main/{split}.txt").write_text("".join(f"{name}\n" for name in part))


def _photographs():
    try:
        from sklearn.datasets import load_sample_images
    except ImportError as error:
        raise InputError("the photographs behind the shapes come with scikit-learn: "
                         "pip install 'gluon_etinynet[demo]'") from error
    return load_sample_images().images


def draw(photographs, random):
    """One picture, uint8 RGB, and its objects.

    These are [(name, (left, top, right, bottom))], pixels from 0, the ends included.
    """
    image = _part(photographs, random)
    objects = []
    for _ in range(random.randint(1, MOST_OBJECTS + 1)):
        name = SHAPES[random.randint(len(SHAPES))]
        outline = _outline(name, random.uniform(*RADII), random.uniform(2 * np.pi))
        for _ in range(TRIALS):
            low, high = outline.min(axis=0), outline.max(axis=0)
            outline += random.uniform(1 - low, SIDE - 2 - high)
            box = (*np.floor(outline.min(axis=0)).astype(int), *np.ceil(outline.max(axis=0)).astype(int))
            if not any(_near(box, other) for _, other in objects):
                break
        else:
            continue
        shift = 8  # binary places of OpenCV's coordinates
        points = np.rint(outline * (1 << shift)).astype(np.int32)
        mask = cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), [points], 255, cv2.LINE_AA, shift)
        # The photograph stays visible: one colour would be too easy.
        opacity = mask[:, :, None] / 255 * random.uniform(0.7, 1)
        image = np.rint(image * (1 - opacity) + random.randint(0, 256, 3) * opacity).astype(np.uint8)
        objects.append((name, tuple(map(int, box))))
    return image, objects


def _part(photographs, random):
    """A square part of one of the photographs, mirrored half of the time."""
    photograph = photographs[random.randint(len(photographs))]
    side = random.randint(SIDE // 2, min(photograph.shape[:2]) + 1)
    top, left = (random.randint(extent - side + 1) for extent in photograph.shape[:2])
    part = cv2.resize(photograph[top:top + side, left:left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return part[:, ::-1] if random.randint(2) else part


def _outline(name, radius, turn):
    """Corners (n, 2) around (0, 0); a circle has 90."""
    corners = {"circle": 90, "square": 4, "star": 10, "triangle": 3}[name]
    radii = np.full(corners, radius)
    if name == "star":
        radii[1::2] *= 0.4
    angles = turn + np.arange(corners) * 2 * np.pi / corners
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _near(box, other):
    return (max(box[0], other[0]) - GAP < min(box[2], other[2])
            and max(box[1], other[1]) - GAP < min(box[3], other[3]))


def annotation(filename, shape, objects):
    """The text of a Pascal VOC annotation; objects as of `draw`."""
    lines = ["<annotation>", f"  <filename>{escape(filename)}</filename>",
             f"  <size><width>{shape[1]}</width><height>{shape[0]}</height><depth>3</depth></size>"]
    for name, (left, top, right, bottom) in objects:
        lines += ["  <object>", f"    <name>{escape(name)}</name>", "    <difficult>0</difficult>",
                  f"    <bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right + 1}</xmax>"
                  f"<ymax>{bottom + 1}</ymax></bndbox>", "  </object>"]
    return "\n".join(lines + ["</annotation>", ""])
