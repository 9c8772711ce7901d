"""From a checkpoint and a folder of photographs to the integer Graph: what the export tools share.

MXNet is loaded when a checkpoint is read, not before: a Graph that is there already can be exported
without it.
"""

import numpy as np

from ..data.images import pictures_below, read_inputs, read_whole
from ..files import InputError
from ..integer import pixels_to_input
from ..quantities import SIDE

__all__ = ["graph_of_checkpoint", "calibration_pictures"]


def graph_of_checkpoint(model="etinynet1.0", params=None, calib_dir=None, calib_digits=False,
                        num_images=128, weight_bits=None, input_size=None):
    """Make the integer network of a checkpoint.

    Parameters
    ----------
    model : str
        A name that `get_model` knows.
    params : str or Path, optional
        Checkpoint, float or quantised by ASQ; as for `load_checkpoint`.
    calib_dir : str or Path, optional
        Folder of photographs; can be left out if the checkpoint holds the feature maps' ranges.
    calib_digits : bool
        Take scikit-learn's handwritten training digits instead.
    num_images : int
        Pictures taken of them, evenly.
    weight_bits : int, optional
        Those that the result is to have, to be held against the checkpoint: 8 for a float one, else its own.
    input_size : int, optional
        Rows and columns of the network's input: by default 224, or those that a detector was built for.

    Returns
    -------
    Graph

    Raises
    ------
    InputError
        If a file, a folder or a number does not serve, or the network cannot be lowered.
    """
    from ..loading import load_checkpoint
    from ..quantize.ptq import quantise
    from .checks import check_network
    from .network import lower

    if input_size is not None:
        SIDE.check("input_size", input_size)
    if calib_dir is not None and calib_digits:
        raise InputError("calib_dir and calib_digits name two sets of pictures; give one")
    net, contents, path, labels = load_checkpoint(model, params)
    if contents.scheme == "dorefa":
        raise InputError(f"{path} is quantised by DoReFa, a baseline whose levels are not whole numbers of a step; "
                         "quantise the float network by ASQ for export")
    bits = contents.bits or 8
    if weight_bits not in (None, bits):
        kind = f"weights of {bits} bits" if contents.bits else "float weights, which become 8 bits"
        raise InputError(f"{path} holds {kind}; for weights of {weight_bits} bits, quantise it first: "
                         f"tools/quantize.py --scheme asq --weight-bits {weight_bits}")
    check_network(net)
    input_size = input_size or getattr(net, "size", 224)
    pictures = None
    if calib_digits:
        from ..data.datasets import digits

        pictures = pixels_to_input(digits(input_size).x_train)
        pictures = pictures[evenly(range(len(pictures)), num_images)]
    elif calib_dir is not None:
        pictures = calibration_pictures(calib_dir, num_images, input_size, whole=contents.detector)
    elif not contents.has_ranges:
        raise InputError(f"{path} does not hold the ranges of 8-bit feature maps; give calib_dir, a folder of "
                         "photographs like those that the network will see")
    if pictures is not None:
        quantise(net, pictures)
    return lower(net, (input_size, input_size), f"{model}_int{bits}", labels)


def calibration_pictures(folder, count, size, whole=False):
    """Read photographs of a folder and the folders in it, spread evenly over their sorted names.

    Parameters
    ----------
    folder : str or Path
    count : int
        How many at most.
    size : int
        Side of the result, in pixels.
    whole : bool
        The whole picture, not in proportion, as detectors take it; else the centre crop of classifiers.

    Returns
    -------
    numpy.ndarray of int8, shape (count, 3, size, size)

    Raises
    ------
    InputError
        If there are fewer than two, or one cannot be read.
    """
    found = pictures_below(folder)
    if len(found) < 2:
        raise InputError(f"{folder} holds one photograph; the ranges of feature maps need at least two, better a few "
                         "hundred")
    return (read_whole if whole else read_inputs)(evenly(found, count), size)


def evenly(found, count):
    """At most `count` of a sequence, spread evenly; a list."""
    if count < 2:
        raise InputError(f"num_images {count}: ranges need at least two pictures, better a few hundred")
    return [found[index] for index in np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).astype(int))]
