"""Data sets by name: ImageNet's classes, handwritten digits, archives in the form of CIFAR-10."""

import collections
import re

import cv2
import numpy as np

from ..npz import read_npz
from ..reading import InputError, classes_beside, parsing

__all__ = ["LabelledArrays", "imagenet_classes", "labels_of", "names_of", "digits", "cifar_npz"]

LabelledArrays = collections.namedtuple("LabelledArrays", "x_train y_train x_test y_test classes")
LabelledArrays.__doc__ = "uint8 RGB pictures (n, height, width, 3), int64 labels (n,), and the class names."


def imagenet_classes():
    """The 1000 classes of ImageNet, in the order of the networks' outputs.

    Returns
    -------
    wnids, names : list of str
    """
    from gluoncv.data import ImageNet1kAttr
    classes = ImageNet1kAttr()
    return list(classes.synset), list(classes.classes)


def labels_of(path, count, usual=None):
    """Return the names of a network's classes, in the order of its outputs.

    Parameters
    ----------
    path : str or Path
        Its checkpoint or Graph: the names are those of the ``classes.txt`` beside it.
    count : int
        How many classes the network has.
    usual : sequence of str, optional
        The names where there is no ``classes.txt``, if they are as many: by default ImageNet's wnids.

    Returns
    -------
    list of str, or None
        None where nothing tells them.

    Raises
    ------
    InputError
        If ``classes.txt`` names more or fewer classes.
    """
    names = classes_beside(path)
    if names is None:
        names = imagenet_classes()[0] if usual is None else list(usual)
        return names if len(names) == count else None
    if len(names) != count:
        raise InputError(f"{path} has {count} classes, and the classes.txt beside it names {len(names)}; correct it, "
                         "or put the right one there")
    return names


def names_of(labels):
    """Return labels as a person reads them: for ImageNet's wnids what they stand for, others as they are."""
    if labels is None or not re.fullmatch(r"n\d{8}", labels[0]):
        return labels
    names = dict(zip(*imagenet_classes()))
    return [names.get(label, label) for label in labels]


def digits(size=64):
    """scikit-learn's handwritten digits, 1437 for training and 360 for testing.

    Parameters
    ----------
    size : int
        Side in pixels, to which the 8x8 pictures are enlarged bilinearly.

    Returns
    -------
    LabelledArrays
        Grey values 0..16 stretched to 0..255, in three equal channels. The split is fixed and
        has the classes in proportion.

    Raises
    ------
    InputError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError("the handwritten digits come with scikit-learn: "
                         "pip install 'gluon_etinynet[demo]'") from error
    pictures, labels = load_digits(return_X_y=True)
    grey = np.rint(pictures.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.stack([cv2.cvtColor(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR),
                                    cv2.COLOR_GRAY2RGB) for image in grey])
    # Every fifth of the shuffled digits sorted by class: a fifth of each class.
    order = np.random.RandomState(0).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    test, train = order[::5], np.delete(order, np.s_[::5])
    return LabelledArrays(images[train], labels[train], images[test], labels[test], list("0123456789"))


def cifar_npz(path):
    """Read CIFAR-10, or any set of its form, from a NumPy archive.

    Parameters
    ----------
    path : str or Path
        ``.npz`` with x_train, x_test (uint8 RGB, n x height x width x 3), y_train, y_test (integers) and
        classes (the names). Nothing in it is unpickled.

    Returns
    -------
    LabelledArrays

    Raises
    ------
    InputError
        If the file is missing, damaged, or not of that form.
    """
    remedy = f"it must be an .npz archive of {', '.join(LabelledArrays._fields)}"
    arrays = read_npz(path, remedy)
    with parsing(path, remedy):
        return _labelled(path, arrays)


def _labelled(path, arrays):
    missing = [key for key in LabelledArrays._fields if key not in arrays]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; "
                         f"it must hold {', '.join(LabelledArrays._fields)}")
    classes = [str(name) for name in arrays["classes"].ravel()]
    for part in ("train", "test"):
        images, labels = arrays["x_" + part], arrays["y_" + part]
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape[1:]:
            raise InputError(f"{path}: x_{part} must be uint8 (n, height, width, 3), "
                             f"not {images.dtype} {images.shape}")
        if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise InputError(f"{path}: y_{part} must be integers ({len(images)},), "
                             f"not {labels.dtype} {labels.shape}")
        if len(labels) and not (0 <= labels.min() and labels.max() < len(classes)):
            raise InputError(f"{path}: y_{part} has labels from {labels.min()} to {labels.max()}, "
                             f"but there are {len(classes)} classes")
    return LabelledArrays(arrays["x_train"], arrays["y_train"].astype(np.int64),
                          arrays["x_test"], arrays["y_test"].astype(np.int64), classes)
