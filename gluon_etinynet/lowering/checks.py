"""What can be lowered: networks of the very blocks whose integer arithmetic is known."""

from .._mxnet import mx
from ..files import InputError
from ..networks.etinynet import DLB, LB, EtinyNet, Stem
from ..networks.layers import chain
from ..quantize.qat import original_class

__all__ = ["check_network", "is_detector"]

nn = mx.gluon.nn

BLOCKS = (Stem, LB, DLB)


def is_detector(net):
    """Whether a network is an EtinyNet-SSD; GluonCV is loaded for nothing else."""
    return hasattr(net, "class_predictors")


def check_network(net):
    """Refuse a network with a layer that has no integer form.

    Every block and layer must be of the class whose arithmetic is written here, not of one derived from it.

    Raises
    ------
    InputError
        Naming the layer.
    """
    if is_detector(net):
        from ..detection.ssd import EtinyNetSSD, SSDAnchorGenerator  # which load GluonCV

        _require(net, (EtinyNetSSD,), "the network")
        for i, generator in enumerate(net.anchor_generators):
            _require(generator, (SSDAnchorGenerator,), f"anchor_generators.{i}")
    else:
        _require(net, (EtinyNet,), "the network")
    for name, block in chain(net.features, "features"):
        _require(block, BLOCKS, name)
        for part, layer in block._children.items():
            if not part.endswith(("pool", "quantiser")):
                _require(layer, (nn.BatchNorm if part.startswith("bn") else nn.Conv2D,), f"{name}.{part}")
    for layer in net.layers():
        if layer.norm is None and layer.conv is not None:
            _require(layer.conv, (nn.Conv2D,), layer.name)
            kwargs = layer.conv._kwargs
            if kwargs["kernel"] != (1, 1) or kwargs["stride"] != (1, 1) or layer.conv.act is not None:
                raise InputError(f"{layer.name} is not a 1x1 convolution of stride 1 without activation, and so "
                                 "has no integer form")


def _require(block, classes, label):
    found = original_class(block)
    if found not in classes:
        raise InputError(f"{label} is of class {found.__name__}, which has no integer form: only EtinyNet "
                         "and EtinyNet-SSD with LB and DLB and without clip can be exported")
