"""`get_model`, the released checkpoints, and loading that accounts for every array."""

import os
from collections import namedtuple
from pathlib import Path

from . import ablations, etinynet
from ._mxnet import mx
from .files import InputError, download
from .params_file import read_params

__all__ = ["get_model", "model_names", "detector_names", "load_parameters", "load_features",
           "released_checkpoint", "structural_names"]

MODELS = {
    "etinynet1.0": etinynet.etinynet1_0,
    "etinynet0.75": etinynet.etinynet0_75,
    "etinynet1.0_bottleneck": ablations.etinynet1_0_bottleneck,
    "etinynet0.75_bottleneck": ablations.etinynet0_75_bottleneck,
    "etinynet1.0_nonlinear": ablations.etinynet1_0_nonlinear,
    "etinynet0.75_nonlinear": ablations.etinynet0_75_nonlinear,
}

# The detectors of ssd.py, by the name of the function that builds them; GluonCV is loaded with the first.
DETECTORS = {
    "ssd_256_etinynet1.0_voc": "ssd_256_etinynet1_0",
    "ssd_256_etinynet0.75_voc": "ssd_256_etinynet0_75",
}

Release = namedtuple("Release", "url sha256")
REPOSITORY = "https://raw.githubusercontent.com/aztc/EtinyNet"
RELEASES = {
    # The classifier was deleted from the authors' repository later: hence the older commit.
    "etinynet1.0": Release(
        f"{REPOSITORY}/6a9176e1317c085db7ede3051992f46944a18d8c/"
        "0.6553-imagenet-mobilenet_lite313_477k_nownorm_4433_224-293-best.params",
        "b70e621c4b25016de9a46dccc0c4ed931cb48c0c95280e7fcd3b21f5ad0204d1"),
    "etinynet1.0_ssd_backbone": Release(
        f"{REPOSITORY}/d3270389fb09057bbcd9006520e6307ec4984518/"
        "0.6662_imagenet_etinynet_477k-294-best.params",
        "7a2b2b87a9276bba13d8b45f9f5036902d630add70ca4147319816fdc81aa662"),
}
RELEASED_CLASSES = 1000

# Arrays of a whole network that its backbone has no use for.
HEADS = ("output.", "extra.", "class_predictors.", "box_predictors.", "anchor_generators.")


def model_names():
    """Return the names of the classifiers that `get_model` knows."""
    return sorted(MODELS)


def detector_names():
    """Return the names of the detectors that `get_model` knows."""
    return sorted(DETECTORS)


def get_model(name, classes=None, pretrained=False, ctx=None, root=os.path.join("~", ".mxnet", "models"),
              **kwargs):
    """Build a network by name, as GluonCV does.

    Parameters
    ----------
    name : str
        One of `model_names()`: the two networks of table 1, and the two variants of "Effectiveness
        of the proposed building blocks". Or one of `detector_names()`: EtinyNet-SSD of table 5, and the
        same on EtinyNet-0.75.
    classes : int or sequence of str, optional
        Of a classifier, the number of classes (1000 by default); of a detector, their names, without the
        background (by default the 20 of Pascal VOC).
    pretrained : bool or str or Path
        True: the authors' released weights (only EtinyNet-1.0 with 1000 classes has some), taken
        from `root` or downloaded. A path: that checkpoint, ours or the released one.
        False: nothing is initialised, as in GluonCV.
    ctx : Context or list of Context
        Where loaded parameters go; the CPU by default.
    root : str
        Folder in which downloads are kept.
    **kwargs
        Passed to the network, for example ``clip=12``.

    Returns
    -------
    HybridBlock

    Raises
    ------
    InputError
        For an unknown name, a network without released weights, or a checkpoint that does not fit.
    """
    name = name.lower()
    if name in DETECTORS:
        from . import ssd
        net = getattr(ssd, DETECTORS[name])(classes=classes or ssd.VOC_CLASSES, **kwargs)
    elif name in MODELS:
        classes = RELEASED_CLASSES if classes is None else classes
        net = MODELS[name](classes=classes, **kwargs)
    else:
        raise InputError(f"no model is called {name}; there are: {', '.join(model_names() + detector_names())}")
    if pretrained is False or pretrained is None:
        return net
    if pretrained is True:
        if name in MODELS and classes != RELEASED_CLASSES:
            raise InputError(f"the released weights have {RELEASED_CLASSES} classes, not {classes}; load_features() "
                             "takes over all of them but the final layer")
        pretrained = released_checkpoint(name, root)
    load_parameters(net, pretrained, ctx)
    return net


def released_checkpoint(name="etinynet1.0", root=os.path.join("~", ".mxnet", "models")):
    """Return the path of a released checkpoint, downloading it when it is not in `root` yet.

    Parameters
    ----------
    name : str
        ``etinynet1.0`` (the ImageNet classifier) or ``etinynet1.0_ssd_backbone`` (prepared for a
        one-class detector; made for ``clip=12``).
    root : str
        Cache folder. The file is called as GluonCV would call it: name, eight digits of its checksum.

    Raises
    ------
    InputError
        If nothing was released under that name, or the file can neither be found nor downloaded.
    """
    if name not in RELEASES:
        raise InputError(f"the authors released no weights for {name}; train it, and give the checkpoint's path")
    release = RELEASES[name]
    path = Path(root).expanduser() / f"{name}-{release.sha256[:8]}.params"
    return download(release.url, path, release.sha256)


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
