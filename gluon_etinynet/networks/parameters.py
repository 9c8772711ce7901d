"""Loading checkpoints, ours and the authors', so that every array is accounted for."""

from .._mxnet import mx
from ..files import InputError
from .params_file import read_params

__all__ = ["load_parameters", "load_features", "structural_names"]

# Arrays of a whole network that its backbone has no use for.
HEADS = ("output.", "extra.", "class_predictors.", "box_predictors.", "anchor_generators.")


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
    _assign(net, structural_names(read_params(path)), path, ctx)


def load_features(net, path, ctx=None):
    """Load all of a checkpoint but its classifier or detector heads.

    For fine-tuning to other classes and for detectors: takes any EtinyNet classifier checkpoint and
    the released detector backbone. The parameters of ``net.features`` are set, no others.

    Parameters, errors
    ------------------
    As for `load_parameters`.
    """
    arrays = structural_names(read_params(path))
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
    problems += [f"{name} is {arrays[name].item():g} where the network has {parameter.value.asscalar():g}"
                 for name, parameter in parameters.items() if isinstance(parameter, mx.gluon.Constant)
                 and name in arrays and arrays[name].tolist() != parameter.value.asnumpy().tolist()]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"{path} does not fit the network: {problems[0]}{more}; "
                         "check the model's name, its width, its number of classes and the bits of its weights")
    net.initialize(ctx=ctx or mx.cpu(), force_reinit=True)
    for name, parameter in parameters.items():
        parameter.set_data(mx.nd.array(arrays[name], dtype=arrays[name].dtype))


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

    return {rename(name): array for name, array in arrays.items()}
