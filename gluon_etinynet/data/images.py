"""Pictures: reading them, preprocessing as the released network expects it, and labels beside them.

NumPy and OpenCV only. What `preprocess` gives equals ``mx.io.ImageRecordIter(resize=256, mean_*=128, std_*=1)``
to the bit.
"""

import csv
import io
import math
import re
from pathlib import Path

import cv2
import numpy as np

from ..integer import pixels_to_input
from ..quantities import CROP_RATIO, SIDE
from ..reading import InputError, is_file, is_folder, list_folder, parsing, read_bytes, read_lines, read_text
from .decoders import decode_and_hear
from .headers import size_of

__all__ = ["read_image", "read_crop", "read_inputs", "read_whole", "use_picture", "decode", "sides", "resize_short",
           "resize_square", "center_crop", "frame_seen", "preprocess", "pictures_below", "read_split", "class_name",
           "index_folder"]

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".webp")

# Of a picture, as it is stored and with its short side resized; a BMP of so many pixels has fewer bytes.
LARGEST_PIXELS, LARGEST_BYTES = 100_000_000, 1 << 29

GREY = 114  # of what is beside a picture that a camera sees

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
        If the file is missing, no picture, too large, or damaged as far as its decoder can tell.
    """
    return use_picture(read_bytes(path, LARGEST_BYTES), path)


def read_crop(path, size, crop_ratio=0.875):
    """Read a picture and cut its centre: parameters as of `center_crop`, result and errors as of `read_image`."""
    content = read_bytes(path, LARGEST_BYTES)
    return use_picture(content, path, lambda image: center_crop(image, size, crop_ratio))


def use_picture(content, name, use=lambda image: image):
    """Decode an encoded picture (bytes) and return `use` of it; an InputError, with its name, if either fails."""
    with parsing(name, "replace or remove it", "is not a picture that can be used"):
        return use(decode(content))


def decode(content):
    """Decode an encoded picture (bytes) to uint8 RGB, shape (height, width, 3).

    Raises
    ------
    ValueError
        If it is no picture, a truncated one, one whose data are damaged, or one of more than 100 million pixels.
    """
    _check_pixels(*size_of(content))
    # OpenCV fills the missing part of a truncated JPEG with grey and says nothing. Within the
    # compressed data 0xff is always escaped, so the last markers are real ones.
    if content[:2] == b"\xff\xd8" and content.rfind(EOI) < content.rfind(SOS):
        raise ValueError("it is a truncated JPEG")
    image, complaint = decode_and_hear(content)
    if image is None:
        raise ValueError("OpenCV cannot decode it" + (f": {complaint}" if complaint else ""))
    if complaint:
        raise ValueError(f"it is damaged: {complaint}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _too_many(width, height):
    return width * height > LARGEST_PIXELS


def _check_pixels(width, height, what="it has"):
    if _too_many(width, height):
        raise ValueError(f"{what} {width} x {height} pixels, more than {LARGEST_PIXELS}")


def sides(width, height, size):
    """Width and height of a picture whose shorter side is made `size` pixels, the longer in proportion, rounded down.

    Raises
    ------
    ValueError
        If that has more than 100 million pixels, as of a strip: the crop of a classifier leaves little of it.
    """
    resized = _sides(width, height, size)
    _check_pixels(*resized, f"it has {width} x {height} pixels and, with a short side of {size},")
    return resized


def _sides(width, height, size):
    return (size, int(height * size / width)) if height > width else (int(width * size / height), size)


def resize_short(image, size):
    """Resize bilinearly to `sides`; errors as of these."""
    width, height = sides(image.shape[1], image.shape[0], size)
    if (height, width) == image.shape[:2]:
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def resize_square(image, size):
    """Resize a picture to a square of `size` pixels, not in proportion, as GluonCV does to evaluate detectors.

    By area when reducing, else bicubic.
    """
    interpolation = cv2.INTER_AREA if max(image.shape[:2]) > size else cv2.INTER_CUBIC
    return image if image.shape[:2] == (size, size) else cv2.resize(image, (size, size), interpolation=interpolation)


def center_crop(image, size, crop_ratio):
    """Resize the short side to `size` / `crop_ratio` pixels and cut the `size` x `size` ones in the centre.

    Of a strip too long to be resized whole, the middle is resized.

    Raises
    ------
    ValueError
        As of `sides`, of the middle of a strip; or InputError, if a number is not possible.
    """
    SIDE.check("size", size)
    CROP_RATIO.check("crop_ratio", crop_ratio)
    short = math.ceil(size / crop_ratio)
    # Only where it must be: OpenCV rounds otherwise in another place of the picture.
    if _too_many(*_sides(image.shape[1], image.shape[0], short)):
        image = _middle(image)
    image = resize_short(image, short)
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top:top + size, left:left + size]


def _middle(image):
    """The middle of a strip, twice as long as wide, as near to its centre as pixels allow."""
    height, width = image.shape[:2]
    short = min(height, width)
    top, left = (max(0, side // 2 - short) for side in (height, width))
    return image[top:height - top, left:width - left]


def frame_seen(image, width, height):
    """What a camera of `width` x `height` pixels sees of a picture: short sides are made equal, the rest cut or grey.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB, shape (any, any, 3).
    width, height : int

    Returns
    -------
    numpy.ndarray
        uint8 RGB, shape (height, width, 3).
    """
    scale = min(width, height) / min(image.shape[:2])
    to = [max(min(width, height), round(side * scale)) for side in image.shape[1::-1]]
    image = cv2.resize(image, to, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    pad = [max(0, side - have) for side, have in zip((height, width), image.shape)]
    image = np.pad(image, [(each // 2, each - each // 2) for each in pad] + [(0, 0)], constant_values=GREY)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top:top + height, left:left + width]


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
    return pixels_to_input(np.stack([read_crop(path, size, crop_ratio) for path in files]))


def read_whole(files, size):
    """Read picture files as a detector's input: whole, not in proportion; otherwise as `read_inputs`."""
    return pixels_to_input(np.stack([resize_square(read_image(path), size) for path in files]))


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
    folder = Path(folder)
    if folder.suffix == ".txt" and not is_folder(folder):
        named = set(read_split(folder))
        found = [path for path in _pictures(folder.parent.parent.parent / "JPEGImages") if path.stem in named]
    else:
        found, folders = [], [folder]
        while folders:
            within = folders.pop()
            found += _pictures(within)
            folders += [path for path in list_folder(within) if is_folder(path) and not path.is_symlink()]
    if not found:
        raise InputError(f"{folder} holds no pictures ({', '.join(EXTENSIONS)})")
    return sorted(found)


def _pictures(folder):
    return [path for path in list_folder(folder) if path.suffix.lower() in EXTENSIONS and not is_folder(path)]


def read_split(path, remedy=""):
    """Read a list in Pascal VOC's layout: one identifier a line.

    In a list for one class a second column says whether the class is on the picture: 1, 0 (difficult) or -1. Those
    of -1 are left out.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If it cannot be read, or an identifier is none: names of folders lead out of the layout.
    """
    columns = [re.fullmatch(r"(.*?)(?:\s+(-1|0|1))?", line).groups() for line in read_lines(path, remedy)]
    for identifier, _ in columns:
        if identifier == ".." or Path(identifier).name != identifier:
            raise InputError(f"{path}: {identifier!r} is not the identifier of a picture, its file's name without "
                             "folder and extension; correct it")
    return [identifier for identifier, present in columns if present != "-1"]


def class_name(text, source):
    """Return the name of a class without the spaces around it; InputError naming `source` if it is none."""
    name = (text or "").strip()
    if not name or not name.isprintable():
        raise InputError(f"{source}: {name!r} is not the name of a class, one line of text; correct it")
    return name


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
    within = list_folder(folder)
    named = _from_labels(folder) if folder / "labels.csv" in within else _from_subfolders(within)
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
    text = read_text(table)
    named = []
    with parsing(table, "save it as CSV anew"):
        rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
        if ";" in text.partition("\n")[0]:
            raise InputError(f"{table} has semicolons between its columns; save it with commas")
        for row in rows:
            source = f"{table} line {rows.line_num}"
            if not row.get("file") or not row.get("wnid"):
                raise InputError(f"{source} lacks a file or a wnid; the columns are file,wnid,class_index")
            if not is_file(folder / row["file"]):
                raise InputError(f"{source} names {row['file']}, which is not in {folder}")
            named.append((folder / row["file"], class_name(row["wnid"], source), source))
    return named


def _from_subfolders(within):
    return [(path, class_name(folder.name, folder.parent), str(folder))
            for folder in within if is_folder(folder) for path in _pictures(folder)]
