"""From a checkpoint and a folder of photographs to the integer Graph: what the export tools share.

MXNet is loaded when a checkpoint is read, not before: a Graph that is there already can be exported
without it.
"""

from pathlib import Path

import numpy as np

from .files import InputError
from .images import EXTENSIONS, preprocess, read_image

__all__ = ["add_checkpoint_arguments", "graph_of_checkpoint", "calibration_pictures"]


def add_checkpoint_arguments(parser):
    """Give a parser the flags that are the parameters of `graph_of_checkpoint`; returns their names."""
    actions = [
        parser.add_argument("--model", help="network (default: etinynet1.0)"),
        parser.add_argument("--params", metavar="FILE",
                            help="checkpoint, float or quantised by ASQ (default: the released one)"),
        parser.add_argument("--calib-dir", metavar="DIR",
                            help="folder of photographs, labelled or not, from which the feature maps' ranges "
                                 "are taken; a few hundred are enough"),
        parser.add_argument("--num-images", type=int, help="how many of them to look at (default: 256)"),
        parser.add_argument("--weight-bits", type=int, choices=range(2, 9),
                            help="8 for a float checkpoint, its own bits for one quantised by ASQ (default: 8)"),
        parser.add_argument("--input-size", type=int,
                            help="side of the picture in pixels (default: 224; a detector's own)"),
    ]
    return [action.dest for action in actions]


def graph_of_checkpoint(model="etinynet1.0", params=None, calib_dir=None, num_images=256, weight_bits=8,
                        input_size=None):
    """Make the integer network of a checkpoint.

    Parameters
    ----------
    model : str
        A name that `get_model` knows.
    params : str or Path, optional
        Checkpoint, float or quantised by ASQ; the released one by default.
    calib_dir : str or Path, optional
        Folder of photographs; can be left out if the checkpoint holds the feature maps' ranges.
    num_images : int
        Photographs taken from it, evenly.
    weight_bits : int
        8 for a float checkpoint, else those that the checkpoint was trained for, which it does not hold.
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

    if input_size is not None and input_size < 3:
        raise InputError(f"--input-size {input_size} is too small; EtinyNet needs 3 pixels")
    net, has_ranges = _load(model, params, weight_bits)
    input_size = input_size or getattr(net, "size", 224)
    name = f"{model}_int{weight_bits}"
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
    folder = Path(folder)
    if count < 2:
        raise InputError(f"--num-images {count}: ranges need at least two photographs, better a few hundred")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
    if len(found) < 2:
        have = "one photograph" if found else "no photographs"
        raise InputError(f"{folder} holds {have} ({', '.join(EXTENSIONS)}); the ranges of feature maps need at least "
                         "two, better a few hundred")
    picked = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).astype(int))
    images = (read_image(found[index]) for index in picked)
    pictures = np.stack([_squeeze(image, size) if whole else preprocess(image, size) for image in images])
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


def _squeeze(image, size):
    from .detection_augment import fit

    return (fit(image, np.zeros((0, 4)), size)[0] ^ 0x80).view(np.int8)


def _load(model, params, weight_bits):
    """Return the network of a checkpoint, and whether it holds ranges of feature maps."""
    from .lower import check_layers
    from .model_zoo import detector_names, get_model, load_parameters, released_checkpoint, structural_names
    from .params_file import read_params
    from .qat import prepare_qat

    path = params or released_checkpoint(model)
    if model.lower() in detector_names():
        return _load_detector(model, path, weight_bits)
    arrays = structural_names(read_params(path))
    lambdas = [array for name, array in arrays.items() if name.endswith(".lam")]
    has_ranges = any(name.endswith("quantiser.scale") for name in arrays)
    if not lambdas and "output.scale" in arrays:
        raise InputError(f"{path} is quantised by DoReFa, a baseline whose levels are not whole numbers of a step; "
                         "quantise the float network by ASQ for export")
    if not lambdas and weight_bits != 8:
        raise InputError(f"{path} holds float weights; --weight-bits {weight_bits} needs a checkpoint quantised by "
                         f"ASQ: gluon_etinynet.qat.prepare_qat(net, 'asq', {weight_bits}), trained and saved")
    net = get_model(model, classes=len(arrays["output.weight"]) if "output.weight" in arrays else 1000)
    check_layers(net)
    if lambdas:
        per_channel = any(array.size > 1 for array in lambdas)
        prepare_qat(net, "asq", weight_bits, per_channel=per_channel)
    if has_ranges:
        prepare_qat(net, scheme=None, act_bits=8)
    load_parameters(net, path)
    return net, has_ranges


def _load_detector(model, path, weight_bits):
    """The same of a detector; how many classes it has is read from the file."""
    from .detection import load_detector
    from .model_zoo import get_model
    from .params_file import read_params
    from .qat import feature_map_quantisers

    if weight_bits != 8:
        raise InputError(f"--weight-bits {weight_bits}: detectors have 8-bit weights")
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
    return net, bool(feature_map_quantisers(net))
