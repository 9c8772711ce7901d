"""`get_model` and the released checkpoints."""

from collections import namedtuple

from .files import InputError, download
from .networks import ablations, etinynet
from .networks.parameters import load_features, load_parameters, structural_names
from .reading import expand

__all__ = ["get_model", "model_names", "detector_names", "released_checkpoint", "load_parameters", "load_features",
           "structural_names"]

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
MODELS_FOLDER = "~/.mxnet/models"  # GluonCV's



def model_names():
    """Return the names of the classifiers that `get_model` knows."""
    return sorted(MODELS)


def detector_names():
    """Return the names of the detectors that `get_model` knows."""
    return sorted(DETECTORS)


def get_model(name, classes=None, pretrained=False, ctx=None, root=MODELS_FOLDER,
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
        Passed to the network, for example ``norm``.

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
        from .detection import ssd
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


def released_checkpoint(name="etinynet1.0", root=MODELS_FOLDER):
    """Return the path of a released checkpoint, downloading it when it is not in `root` yet.

    Parameters
    ----------
    name : str
        ``etinynet1.0`` (the ImageNet classifier) or ``etinynet1.0_ssd_backbone`` (prepared for a
        one-class detector; made for ``norm=functools.partial(ClippedBatchNorm, 12)``).
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
    path = expand(root) / f"{name}-{release.sha256[:8]}.params"
    return download(release.url, path, release.sha256)
