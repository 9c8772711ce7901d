"""Any checkpoint, loaded as what it is: float or quantised, a classifier or a detector."""

from collections import namedtuple

from .files import InputError

__all__ = ["load_checkpoint", "Checkpoint"]

Checkpoint = namedtuple("Checkpoint", "net weight_bits has_ranges")


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
    from .lowering.network import check_layers
    from .model_zoo import detector_names, get_model, released_checkpoint
    from .networks.parameters import load_parameters, structural_names
    from .networks.params_file import read_params
    from .quantize.qat import prepare_qat
    from .quantize.rounding import FLOAT_WEIGHT_BITS

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
    from .detection.training import load_detector
    from .model_zoo import get_model
    from .networks.params_file import read_params
    from .quantize.qat import feature_map_quantisers
    from .quantize.rounding import FLOAT_WEIGHT_BITS

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
