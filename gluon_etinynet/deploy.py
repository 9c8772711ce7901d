"""From a checkpoint and a folder of photographs to the integer Graph: what the export tools share.

MXNet is loaded when a checkpoint is read, not before: a Graph that is there already can be exported
without it.
"""

from collections import namedtuple

import numpy as np

from .files import InputError
from .images import photographs_below, preprocess, read_image
from .integer import pixels_to_input

__all__ = ["add_checkpoint_arguments", "graph_of_checkpoint", "calibration_pictures", "load_checkpoint",
           "Checkpoint"]

Checkpoint = namedtuple("Checkpoint", "net weight_bits has_ranges")


def add_checkpoint_arguments(parser):
    """Give a parser the flags that are the parameters of `graph_of_checkpoint`; returns their names."""
    actions = [
        parser.add_argument("--model", help="network (default: etinynet1.0)"),
        parser.add_argument("--params", metavar="FILE",
                            help="checkpoint, float or quantised by ASQ (default: the released one)"),
        parser.add_argument("--calib-dir", metavar="DIR",
                            help="folder of photographs, labelled or not, from which the feature maps' ranges "
                                 "are taken; a few hundred are enough"),
        parser.add_argument("--calib-digits", action="store_const", const=True,
                            help="take them from scikit-learn's handwritten digits, for a network trained on these"),
        parser.add_argument("--num-images", type=int, help="how many pictures to look at (default: 128)"),
        parser.add_argument("--weight-bits", type=int, choices=range(2, 9),
                            help="those of the result; a checkpoint of others is refused (default: 8 for a float "
                                 "checkpoint, its own for one quantised by ASQ)"),
        parser.add_argument("--input-size", type=int,
                            help="side of the picture in pixels (default: 224; a detector's own)"),
    ]
    return [action.dest for action in actions]


def graph_of_checkpoint(model="etinynet1.0", params=None, calib_dir=None, calib_digits=False,
                        num_images=128, weight_bits=None, input_size=None):
    """Make the integer network of a checkpoint.

    Parameters
    ----------
    model : str
        A name that `get_model` knows.
    params : str or Path, optional
        Checkpoint, float or quantised by ASQ; the released one by default.
    calib_dir : str or Path, optional
        Folder of photographs; can be left out if the checkpoint holds the feature maps' ranges.
    calib_digits : bool
        Take scikit-learn's handwritten training digits instead.
    num_images : int
        Pictures taken of them, evenly.
    weight_bits : int, optional
        Those that the result is to have, to be held against the checkpoint: 8 for a float one, else those
        that it was trained for.
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
    from .lower import calibrate_and_lower, lower
    from .qat import quantised_convolutions

    if input_size is not None and input_size < 3:
        raise InputError(f"--input-size {input_size} is too small; EtinyNet needs 3 pixels")
    if calib_dir is not None and calib_digits:
        raise InputError("--calib-dir and --calib-digits name two sets of pictures; give one")
    net, bits, has_ranges = load_checkpoint(model, params)
    if weight_bits not in (None, bits):
        kind = f"weights of {bits} bits" if quantised_convolutions(net) else "float weights, which become 8 bits"
        raise InputError(f"{params or 'the released checkpoint'} holds {kind}; for --weight-bits {weight_bits} it "
                         f"must be trained so: gluon_etinynet.qat.prepare_qat(net, 'asq', {weight_bits})")
    input_size = input_size or getattr(net, "size", 224)
    name = f"{model}_int{bits}"
    if calib_digits:
        from .data import digits
        pictures = pixels_to_input(digits(input_size).x_train)
        return calibrate_and_lower(net, pictures[_evenly(len(pictures), num_images)], name)
    if calib_dir is not None:
        pictures = calibration_pictures(calib_dir, num_images, input_size, whole=hasattr(net, "size"))
        return calibrate_and_lower(net, pictures, name)
    if not has_ranges:
        raise InputError(f"{params or 'the released checkpoint'} does not hold the ranges of 8-bit feature maps; "
                         "give --calib-dir, a folder of photographs like those that the network will see")
    return lower(net, (input_size, input_size), name)


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
    found = photographs_below(folder)
    if len(found) < 2:
        raise InputError(f"{folder} holds one photograph; the ranges of feature maps need at least two, better a few "
                         "hundred")
    images = (read_image(found[index]) for index in _evenly(len(found), count))
    pictures = np.stack([_squeeze(image, size) if whole else preprocess(image, size) for image in images])
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


def _squeeze(image, size):
    from .detection_augment import fit

    return (fit(image, np.zeros((0, 4)), size)[0] ^ 0x80).view(np.int8)


def _evenly(total, count):
    """Indices of at most `count` of `total` pictures."""
    if count < 2:
        raise InputError(f"--num-images {count}: ranges need at least two pictures, better a few hundred")
    return np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))


def load_checkpoint(model="etinynet1.0", params=None):
    """Load a checkpoint, float or quantised by ASQ, as what it is.

    Parameters
    ----------
    model : str
        A name that `get_model` knows.
    params : str or Path, optional
        The released one by default.

    Returns
    -------
    Checkpoint
        net; weight_bits, 8 of a float one; has_ranges, whether it rounds its feature maps.

    Raises
    ------
    InputError
        If the file does not serve, or the network has no integer form.
    """
    from .fit import FLOAT_WEIGHT_BITS
    from .lower import check_layers
    from .model_zoo import detector_names, get_model, load_parameters, released_checkpoint, structural_names
    from .params_file import read_params
    from .qat import prepare_qat

    path = params or released_checkpoint(model)
    if model.lower() in detector_names():
        return _load_detector(model, path)
    arrays = structural_names(read_params(path))
    lambdas = [array for name, array in arrays.items() if name.endswith(".lam")]
    bits = {int(value) for name, array in arrays.items() if name.endswith(".weight_bits") for value in array.flat}
    has_ranges = any(name.endswith("quantiser.scale") for name in arrays)
    if bits and not lambdas:
        raise InputError(f"{path} is quantised by DoReFa, a baseline whose levels are not whole numbers of a step; "
                         "quantise the float network by ASQ for export")
    if lambdas and not (len(bits) == 1 and bits <= set(range(2, 9))):
        raise InputError(f"{path} does not say how many bits its weights were trained for (2 to 8, the same in every "
                         "layer); save the network that prepare_qat made anew")
    net = get_model(model, classes=len(arrays["output.weight"]) if "output.weight" in arrays else 1000)
    check_layers(net)
    if lambdas:
        per_channel = any(array.size > 1 for array in lambdas)
        prepare_qat(net, "asq", min(bits), per_channel=per_channel)
    if has_ranges:
        prepare_qat(net, scheme=None, act_bits=8)
    load_parameters(net, path)
    return Checkpoint(net, min(bits or {FLOAT_WEIGHT_BITS}), has_ranges)


def _load_detector(model, path):
    """Load a detector's checkpoint; how many classes it has is read from it."""
    from .detection import load_detector
    from .fit import FLOAT_WEIGHT_BITS
    from .model_zoo import get_model
    from .params_file import read_params
    from .qat import feature_map_quantisers

    arrays = read_params(path)
    try:
        anchors = len(arrays["box_predictors.0.weight"]) // 4
        classes = len(arrays["class_predictors.0.weight"]) // anchors - 1
    except (KeyError, ZeroDivisionError):
        raise InputError(f"{path} is no detector's checkpoint; tools/train_ssd.py makes one") from None
    net = load_detector(path, list(map(str, range(classes))))
    shape, wanted = (each.features[0].conv.weight.shape for each in (net, get_model(model)))
    if shape != wanted:
        raise InputError(f"{path} has {shape[0]} channels in its first convolution, {model} has {wanted[0]}; "
                         "check --model")
    return Checkpoint(net, FLOAT_WEIGHT_BITS, bool(feature_map_quantisers(net)))
