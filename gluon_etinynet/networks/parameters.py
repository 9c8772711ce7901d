"""Checkpoints: loading ours and the authors' so that every array is accounted for, saving all of a network or none.
"""

import errno
from collections import namedtuple

import numpy as np

from .._mxnet import mx
from ..files import InputError
from .params_file import read_params

__all__ = ["save_net", "save_arrays", "load_parameters", "load_features", "read_checkpoint", "structural_names",
           "Contents", "contents_of", "check_finite"]

# Arrays of a whole network that its backbone has no use for.
HEADS = ("output.", "class_predictors.", "box_predictors.", "anchor_generators.")


def save_net(net, path):
    """`net.save_parameters`, with a failed or short write turned into OSError.

    Parameters
    ----------
    net : HybridBlock
    path : str or Path
        As `atomic_path` yields it.

    Raises
    ------
    OSError
        If the file did not get whole onto the disk.
    InputError
        If a parameter is not finite; it is named.
    """
    check_finite(net)
    _saved(path, lambda: net.save_parameters(str(path)))


def save_arrays(path, arrays):
    """`mx.nd.save` of a dict from str to NDArray; for the rest as `save_net`."""
    _require_finite((name, array.asnumpy()) for name, array in arrays.items())
    _saved(path, lambda: mx.nd.save(str(path), arrays))


def _saved(path, save):
    try:
        save()
        read_params(path)  # on a full disk MXNet leaves half a file and says nothing
    except (mx.base.MXNetError, InputError) as error:
        raise OSError(errno.EIO, "the weights did not get whole onto the disk, which may be full") from error


def load_parameters(net, path, ctx=None):
    """Load a checkpoint into a network; every array of both must have its counterpart.

    Parameters
    ----------
    net : EtinyNet or another HybridBlock whose shapes are known
    path : str or Path
        A file saved by ``net.save_parameters``, or the released classifier.
    ctx : Context or list of Context
        Where the parameters go; the CPU by default.

    Raises
    ------
    InputError
        If the file is damaged, or an array is missing, extra or of another shape, or a constant is another
        one (it is named). The network is not touched then.
    """
    _assign(net, read_checkpoint(path), path, ctx)


def load_features(net, path, ctx=None):
    """Load all of a checkpoint but its classifier or detector heads.

    For fine-tuning to other classes and for detectors: takes any EtinyNet classifier checkpoint and
    the released detector backbone. The parameters of ``net.features`` are set, no others.

    Parameters, errors
    ------------------
    As for `load_parameters`.
    """
    arrays = read_checkpoint(path)
    arrays = {name[len("features."):] if name.startswith("features.") else name: array
              for name, array in arrays.items() if not name.startswith(HEADS)}
    _assign(net.features, arrays, path, ctx)


def _assign(net, arrays, path, ctx):
    parameters = net._collect_params_with_prefix()
    problems = [f"{name} is missing" for name in parameters if name not in arrays]
    problems += [f"{name} is extra" for name in arrays if name not in parameters]
    problems += [f"{name} has shape {arrays[name].shape} where the network has {parameter.shape}"
                 for name, parameter in parameters.items()
                 if name in arrays and arrays[name].shape != parameter.shape]
    problems += [f"{name} holds other numbers than the network, whose constants these are"
                 + (f" ({arrays[name].item():g}, not {parameter.value.asscalar():g})" if arrays[name].size == 1 else "")
                 for name, parameter in parameters.items() if hasattr(parameter, "value")  # a constant
                 and name in arrays and arrays[name].tolist() != parameter.value.asnumpy().tolist()]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"{path} does not fit the network: {problems[0]}{more}; "
                         "check the model's name, its width, its number of classes and the bits of its weights")
    net.initialize(ctx=ctx or mx.cpu(), force_reinit=True)
    for name, parameter in parameters.items():
        parameter.set_data(mx.nd.array(arrays[name], dtype=arrays[name].dtype))


def read_checkpoint(path):
    """Read a checkpoint, ours or a released one.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of str to numpy.ndarray
        By our parameters' names.

    Raises
    ------
    InputError
        If it cannot be read; if its names are flat, as ``HybridBlock.export`` and ``collect_params().save`` write
        them: these depend on how many networks the process made before.
    """
    arrays = read_params(path)
    flat = [name for name in arrays if name.endswith("_weight") and "." not in name]
    if flat:
        raise InputError(f"{path} holds {flat[0]} and other flat names, as HybridBlock.export and "
                         "collect_params().save write them; write it with net.save_parameters")
    return structural_names(arrays)


def structural_names(arrays):
    """Return a released checkpoint's arrays under our parameters' names; others stay as they are."""
    if "features1.0.weight" not in arrays:
        return arrays
    # The detector backbone has one more parameterless layer in the stem and in each block.
    shift = int("features1.12.out1.0.weight" in arrays)
    layers = {"features1.0": "features.0.conv", "features1.2": "features.0.bn", "output.0": "output"}
    blocks = [f"features1.{index + shift}" for index in range(4, 12)]
    blocks += [f"features{part}.{index}" for part in (2, 3) for index in range(3)]
    ours = [f"features.{stage}.{index}" for stage, count in ((1, 4), (2, 4), (3, 3), (4, 3)) for index in range(count)]
    inside = {"out1.0": "dw1", "out1.1": "bn1", f"out1.{2 + shift}": "pw", f"out1.{4 + shift}": "bn2",
              "out2.0": "dw2", "out2.2": "bn3"}
    for released_block, our_block in zip(blocks, ours):
        for released_layer, our_layer in inside.items():
            layers[f"{released_block}.{released_layer}"] = f"{our_block}.{our_layer}"

    def rename(name):
        layer, _, array = name.rpartition(".")
        return f"{layers[layer]}.{array}" if layer in layers else name

    arrays = {rename(name): array for name, array in arrays.items()}
    heads = [name for name in arrays if name.startswith(("class_predictors.", "box_predictors."))]
    # The authors' predictors have no bias, which is one of 0.
    return {**arrays, **{name.replace("weight", "bias"): np.zeros(len(arrays[name]), np.float32) for name in heads}}


Contents = namedtuple("Contents", "detector classes scheme bits per_channel has_ranges")
Contents.__doc__ = """What a checkpoint is of.

detector : bool; classes : int, without the background, or None of a checkpoint without classifier; scheme : of its
weights, "asq", "dorefa", "linear", or None in float; bits : of a weight, or None; per_channel : bool, of ASQ;
has_ranges : bool, whether it rounds its feature maps.
"""


def contents_of(arrays, path):
    """Tell what a checkpoint is of, by the names and shapes of its arrays.

    Parameters
    ----------
    arrays : dict of str to numpy.ndarray
        Under our names, as of `read_checkpoint`.
    path : str or Path
        For messages.

    Returns
    -------
    Contents

    Raises
    ------
    InputError
        If its layers have weights of different bits, or of none that there are.
    """
    def found(end):
        return [array for name, array in arrays.items() if name.endswith(end)]

    lambdas, classes = found(".weight_quantiser.lam"), None
    bits = {int(value) for array in found(".weight_quantiser.bits") for value in array.flat}
    if len(bits) > 1 or not bits <= set(range(2, 9)) or lambdas and not bits:
        raise InputError(f"{path} does not say how many bits its weights were trained for (2 to 8, the same in every "
                         "layer); save the network that prepare_qat made anew")
    detector = "class_predictors.0.weight" in arrays and len(arrays.get("box_predictors.0.weight", ())) >= 4
    if detector:
        anchors = len(arrays["box_predictors.0.weight"]) // 4
        classes = len(arrays["class_predictors.0.weight"]) // anchors - 1
    elif "output.weight" in arrays:
        classes = len(arrays["output.weight"])
    scheme = "asq" if lambdas else "linear" if found(".weight_quantiser.limit") else "dorefa" if bits else None
    return Contents(detector, classes, scheme, min(bits, default=None), any(array.size > 1 for array in lambdas),
                    bool(found("quantiser.scale")))


def check_finite(net):
    """Refuse a network with parameters that are not finite; InputError names the first."""
    _require_finite((name, parameter.list_data()[0].asnumpy())
                    for name, parameter in net._collect_params_with_prefix().items())


def _require_finite(arrays):
    for name, array in arrays:
        if not np.isfinite(array).all():
            raise InputError(f"{name} holds values that are not finite; the network is damaged, or its "
                             "training diverged")
