"""Pictures: reading them, preprocessing as the released network expects it, and labels beside them.

NumPy and OpenCV only. What `preprocess` gives equals ``mx.io.ImageRecordIter(resize=256, mean_*=128, std_*=1)``
to the bit.
"""

import csv
import math
from pathlib import Path

import cv2
import numpy as np

from ..files import InputError
from ..integer import pixels_to_input
from ..quantities import CROP_RATIO, SIDE

__all__ = ["read_image", "read_inputs", "decode", "resize_short", "center_crop", "preprocess", "pictures_below",
           "index_folder"]

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp")

# JPEG markers: end of image, start of scan.
EOI, SOS = b"\xff\xd9", b"\xff\xda"


def read_image(path):
    """Read a picture as RGB.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    numpy.ndarray
        uint8, shape (height, width, 3), RGB.

    Raises
    ------
    InputError
        If the file is missing, no picture, or a JPEG whose end is missing.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    try:
        return decode(content)
    except ValueError as error:
        raise InputError(f"{path} {error}; replace or remove it") from error


def decode(content):
    """Decode an encoded picture (bytes) to uint8 RGB, shape (height, width, 3).

    Raises
    ------
    ValueError
        If it is no picture, or a truncated one.
    """
    # OpenCV fills the missing part of a truncated JPEG with grey and says nothing. Within the
    # compressed data 0xff is always escaped, so the last markers are real ones.
    if content[:2] == b"\xff\xd8" and content.rfind(EOI) < content.rfind(SOS):
        raise ValueError("is a truncated JPEG")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if image is None:
        raise ValueError("is not a picture that OpenCV can decode")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def resize_short(image, size):
    """Resize bilinearly so that the shorter side is `size` pixels, the longer in proportion, rounded down."""
    height, width = image.shape[:2]
    if height > width:
        width, height = size, int(height * size / width)
    else:
        width, height = int(width * size / height), size
    if (height, width) == image.shape[:2]:
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def center_crop(image, size, crop_ratio):
    """Resize the short side to `size` / `crop_ratio` pixels and cut the `size` x `size` ones in the centre."""
    SIDE.check("size", size)
    CROP_RATIO.check("crop_ratio", crop_ratio)
    image = resize_short(image, math.ceil(size / crop_ratio))
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top:top + size, left:left + size]


def preprocess(image, size=224, crop_ratio=0.875):
    """Make a classifier's input of a picture: its centre, minus 128.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB, shape (height, width, 3).
    size : int
        Side of the crop, in pixels.
    crop_ratio : float
        Side of the crop as a part of the resized short side, as in GluonCV.

    Returns
    -------
    numpy.ndarray
        int8, shape (3, size, size), as `pixels_to_input` makes it.
    """
    return pixels_to_input(center_crop(image, size, crop_ratio))


def read_inputs(files, size, crop_ratio=0.875):
    """Read picture files as a classifier's input.

    Parameters
    ----------
    files : iterable of Path
    size, crop_ratio
        As for `preprocess`.

    Returns
    -------
    numpy.ndarray
        int8, shape (files, 3, size, size).

    Raises
    ------
    InputError
        If a file is no picture.
    """
    return np.stack([preprocess(read_image(path), size, crop_ratio) for path in files])


def pictures_below(folder):
    """List picture files, sorted.

    Parameters
    ----------
    folder : str or Path
        Every picture in it and the folders in it; or a list in Pascal VOC's layout, ROOT/ImageSets/Main/NAME.txt: the
        pictures that it names.

    Raises
    ------
    InputError
        If there is none, or the list cannot be read.
    """
    folder, named = Path(folder), None
    found = folder.rglob("*")
    if folder.suffix == ".txt":
        try:
            named = {line.split()[0] for line in folder.read_text().splitlines() if line.strip()}
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {folder}: {getattr(error, 'strerror', None) or error}") from error
        found = (folder.parent.parent.parent / "JPEGImages").glob("*")
    found = sorted(path for path in found if path.suffix.lower() in EXTENSIONS and path.is_file()
                   and (named is None or path.stem in named))
    if not found:
        raise InputError(f"{folder} holds no pictures ({', '.join(EXTENSIONS)})")
    return found


def index_folder(folder, classes=None):
    """List the labelled pictures of a folder.

    Parameters
    ----------
    folder : str or Path
        Either with a ``labels.csv`` (columns file, relative to the folder, and wnid; others, such as
        class_index, follow from the wnid and are not read), or with one subfolder of pictures for each
        class, called by the class.
    classes : sequence of str, optional
        The classes in the order of the network's outputs, for example the 1000 sorted wnids. By default
        those that occur, sorted.

    Returns
    -------
    items : list of (Path, int)
        Each picture and the index of its class, in a fixed order.
    classes : list of str

    Raises
    ------
    InputError
        If there are no pictures, or a class is not among `classes`, or ``labels.csv`` is not as described
        or names a missing file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    named = _from_labels(folder) if (folder / "labels.csv").is_file() else _from_subfolders(folder)
    if not named:
        raise InputError(f"{folder} holds no labelled pictures: it needs a labels.csv (file,wnid,class_index) "
                         "or a subfolder of pictures for each class")
    classes = list(classes) if classes is not None else sorted({name for _, name, _ in named})
    position = {name: index for index, name in enumerate(classes)}
    for _, name, source in named:
        if name not in position:
            raise InputError(f"{source}: {name} is not one of the {len(classes)} classes of the network; "
                             "correct or remove it")
    return [(path, position[name]) for path, name, _ in named], classes


def _from_labels(folder):
    table = folder / "labels.csv"
    try:
        with open(table, newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {table}: {error}") from error
    named = []
    for number, row in enumerate(rows, start=2):
        source = f"{table} line {number}"
        if not row.get("file") or not row.get("wnid"):
            raise InputError(f"{source} lacks a file or a wnid; the columns are file,wnid,class_index")
        if not (folder / row["file"]).is_file():
            raise InputError(f"{source} names {row['file']}, which is not in {folder}")
        named.append((folder / row["file"], row["wnid"], source))
    return named


def _from_subfolders(folder):
    return [(path, path.parent.name, str(path.parent))
            for path in sorted(folder.glob("*/*")) if path.suffix.lower() in EXTENSIONS and path.is_file()]
