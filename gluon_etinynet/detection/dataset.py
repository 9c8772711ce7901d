"""Pictures with boxes in the folder layout of Pascal VOC: reading, checking, batches.

    ROOT/JPEGImages/ID.jpg  ROOT/Annotations/ID.xml  ROOT/ImageSets/Main/SPLIT.txt

Boxes are rows of left, top, right, bottom (pixels from 0: one less than in the files, as GluonCV has them),
class and `difficult`. Difficult objects are trained on, as SSD's authors do; in evaluation they
count neither as found nor as missed, as in VOC 2007.
"""

import collections
import xml.etree.ElementTree as ElementTree

import numpy as np

from .._mxnet import mx  # noqa: F401, before GluonCV, which loads MXNet itself

# isort: split
from gluoncv.data.transforms import bbox as transform

from ..data.images import EXTENSIONS, class_name, read_image, read_split, resize_square
from ..data.sources import FolderSource, seed_of
from ..reading import LARGEST_TREE, InputError, expand, is_file, parsing, read_bytes
from .augment import augment_detection

__all__ = ["Annotated", "read_voc", "classes_of", "require_objects", "DetectionSource", "SPLITS"]

# As GluonCV: trained on 2007 and 2012, tested on 2007.
SPLITS = {"voc": {"train": "VOC2007/trainval,VOC2012/trainval", "val": "VOC2007/test"},
          "custom": {"train": "train", "val": "val"}}

Annotated = collections.namedtuple("Annotated", "path width height boxes")
Annotated.__doc__ = """One picture: path, its size in pixels by the annotation, and boxes, float32 (n, 6)."""


def read_voc(root, splits, classes):
    """Read and check the annotations of one or more splits.

    Parameters
    ----------
    root : str or Path
    splits : str
        Names of files in ImageSets/Main without ``.txt``, parted by commas, each with its folder within
        `root` if there are several, for example "VOC2007/trainval,VOC2012/trainval".
    classes : sequence of str
        Their order gives the labels.

    Returns
    -------
    list of Annotated

    Raises
    ------
    InputError
        Naming the file: a folder, list, annotation or picture is missing; a split is empty; an annotation is
        no such XML; a class is not among `classes`; a box is inverted, empty, or outside its picture; no picture
        has an object. A single picture may have none: all of it is background.
    """
    position = {name: index for index, name in enumerate(classes)}
    found = []
    for folder, identifier in _items(root, splits):
        annotation = folder / "Annotations" / f"{identifier}.xml"
        width, height, objects = _parse(annotation)
        rows = []
        for name, difficult, box in objects:
            if name not in position:
                raise InputError(f"{annotation}: {name} is not one of the {len(classes)} classes "
                                 f"({', '.join(list(classes)[:4])}, ...); correct it, or name the classes")
            left, top, right, bottom = box = [value - 1 for value in box]
            # GluonCV's limits; VOC itself has boxes that end one pixel beyond the picture.
            if not (0 <= left < right <= width and 0 <= top < bottom <= height):
                numbers = " ".join(f"{value + 1:g}" for value in box)
                fault = ("is inverted or empty; correct or remove it" if right <= left or bottom <= top else
                         f"is outside the picture of {width:g} x {height:g}, whose pixels VOC counts from 1; "
                         "correct it, adding 1 to all where a tool counted from 0")
                raise InputError(f"{annotation}: the box of {name}, xmin ymin xmax ymax = {numbers}, {fault}")
            rows.append([*box, position[name], difficult])
        path = _picture(folder, identifier, annotation)
        found.append(Annotated(path, width, height, np.array(rows, np.float32).reshape(-1, 6)))
    if not any(len(item.boxes) for item in found):
        raise InputError(f"no picture of {expand(root)}, {splits}, has an object; annotate them")
    return found


def classes_of(root, splits):
    """Return the names of the classes that occur in the annotations of these splits, sorted."""
    return sorted({name for folder, identifier in _items(root, splits)
                   for name, _, _ in _parse(folder / "Annotations" / f"{identifier}.xml")[2]})


def require_objects(annotated, what):
    """Refuse pictures in which no object counts, by an InputError that tells `what` they are: they have no mAP."""
    if not any((item.boxes[:, 5] == 0).any() for item in annotated):
        raise InputError(f"{what}: no object counts in these {len(annotated)} pictures, there are none or all are "
                         "difficult; take more or other pictures")


def _items(root, splits):
    """Folder and identifier of every picture."""
    items = []
    for split in splits.split(","):
        within, _, name = split.strip().rpartition("/")
        folder = expand(root) / within
        listing = folder / "ImageSets" / "Main" / f"{name}.txt"
        identifiers = read_split(listing, "the layout is that of Pascal VOC: JPEGImages, Annotations, ImageSets/Main")
        if not identifiers:
            raise InputError(f"{listing} names no picture; put one identifier on each line")
        items += [(folder, identifier) for identifier in identifiers]
    return items


def _parse(path):
    """Width, height and [(class, difficult, [xmin, ymin, xmax, ymax])] of an annotation."""
    content = read_bytes(path, LARGEST_TREE, "every picture needs its annotation")
    with parsing(path, "correct it", "is not a Pascal VOC annotation"):
        if b"<!ENTITY" in content.replace(b"\0", b""):
            raise ValueError("it declares entities, which may grow without end")
        root = ElementTree.fromstring(content)
        width, height = (_number(root, f"size/{side}") for side in ("width", "height"))
        objects = [(class_name(_text(element, "name"), path).lower(), _is_difficult(element),
                    [_number(element, f"bndbox/{end}") for end in ("xmin", "ymin", "xmax", "ymax")])
                   for element in root.iter("object")]
    return width, height, objects


def _text(element, name):
    text = element.findtext(name)
    if text is None:
        raise ValueError(f"it lacks {name} in {element.tag}")
    return text


def _number(element, name):
    text = _text(element, name)
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r} and no number") from None


def _is_difficult(element):
    """1 or 0; what is missing or no number, as tools write that do not know of it, is 0."""
    try:
        return int(float(element.findtext("difficult", "0")) > 0)
    except ValueError:
        return 0


def _picture(folder, identifier, annotation):
    for case in (str.lower, str.upper, str.title):
        for extension in EXTENSIONS:
            path = folder / "JPEGImages" / (identifier + case(extension))
            if is_file(path):
                return path
    raise InputError(f"{annotation} has no picture {folder / 'JPEGImages' / identifier}.jpg; restore it, or "
                     f"remove {identifier} from the split")


class DetectionSource(FolderSource):
    """Batches of pictures with boxes, for `gluon_etinynet.training`.

    The data is as that of the other sources, (n, 3, size, size). The labels are (n, boxes, 6): left,
    top, right and bottom in pixels of the input, class, difficult; rows of -1 fill up. In training the
    pictures are augmented as SSD does; in evaluation only resized, not in proportion.

    Parameters
    ----------
    annotated : list of Annotated
    loading : gluon_etinynet.data.Loading
        With a size and the number of classes, without the background.
    augmentation : str
        In training: see `augment_detection`.
    """

    def __init__(self, annotated, loading, augmentation="ssd"):
        loading.require("classes")
        super().__init__([(item.path, item) for item in annotated], loading, strict=True)
        self.augmentation = self.settings["augmentation"] = augmentation

    def sample(self, index, number):
        """As of `FolderSource`; the label is float, (boxes, 6)."""
        path, item = self.files[index]
        image = read_image(path)
        height, width = image.shape[:2]
        if (height, width) != (item.height, item.width):
            raise InputError(f"{path} has {width} x {height} pixels, its annotation says "
                             f"{item.width:g} x {item.height:g}; correct the annotation")
        if self.loading.train:
            random = np.random.RandomState(seed_of(self.loading.seed, number, index))
            return augment_detection(image, item.boxes, self.size, random, self.augmentation)
        return (resize_square(image, self.size),
                transform.resize(item.boxes, (width, height), (self.size, self.size)))

    def _batch(self, indices, number):
        data, boxes, complaints = super()._batch(indices, number)
        # No more rows than the batch needs: matching takes time for each, 20 ms a picture for 40.
        labels = np.full((len(boxes), max(map(len, boxes), default=1) or 1, 6), -1, np.float32)
        for label, found in zip(labels, boxes):
            label[:len(found)] = found
        return data, labels, complaints
