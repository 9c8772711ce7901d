"""What a network costs: parameters, multiply-adds, bytes, and feature-map memory.

Everything is read off the network itself: it is called once with a symbol in place of a picture,
and each layer reports what passes through it. Nothing is computed, and no parameters are needed.
"""

from collections import namedtuple
from math import prod

from .._mxnet import mx
from .blocks import all_blocks

__all__ = ["Layer", "Complexity", "measure"]

nn = mx.gluon.nn

COUNTED = (nn.Conv2D, nn.Dense, nn.BatchNorm, nn.MaxPool2D, nn.AvgPool2D, nn.GlobalAvgPool2D)

Layer = namedtuple("Layer", "name kind out_shape params macs norm_elements")
Layer.__doc__ = """One layer that has parameters or changes the size of the feature map.

name : the structural name of its parameters; kind : its class; out_shape : (C, H, W) or (C,);
params : number of parameters, BN's running statistics included; macs : multiply-adds of a convolution or
fully connected layer; norm_elements : output elements of a BN.
"""


class Complexity(namedtuple("Complexity", "layers parts input_bytes")):
    """Counts of one network at one input size.

    Attributes
    ----------
    layers : list of Layer
        In order of execution.
    parts : list of (str, int, int)
        Name, bytes in and bytes out (at 8 bits) of each part that the paper's schedule runs in one go.
    input_bytes : int
        Bytes of the picture at 8 bits.
    """

    @property
    def params(self):
        """Number of parameters as the paper counts: weights, biases, and four for each BN channel."""
        return sum(layer.params for layer in self.layers)

    @property
    def madds(self):
        """Multiply-adds as the paper counts: convolutions, the final layer, one for each output of a BN."""
        return self.madds_without_norm + sum(layer.norm_elements for layer in self.layers)

    @property
    def madds_without_norm(self):
        """Multiply-adds of the convolutions and the final layer."""
        return sum(layer.macs for layer in self.layers)

    def bytes_at(self, bits):
        """Bytes of all parameters at `bits` each, as table 2 counts sizes."""
        return self.params * bits / 8

    @property
    def feature_map_bytes(self):
        """Peak bytes of feature maps at 8 bits by the paper's schedule (table 1's asterisk).

        The schedule keeps what goes into a part of the network and what comes out of it; the maps
        within a part are never stored whole. The parts are the stem with its pooling, each block, and
        the final layer. Where they are plain layers, as in MobileNetV1, activation and BN work in place.
        A detector's taps and predictions wait for their use beside later parts, which is not counted:
        those parts are far from the peak, which is at the stem.
        """
        return max(bytes_in + bytes_out for _, bytes_in, bytes_out in self.parts)


def measure(net, size=224, channels=3):
    """Count what `net` costs for one picture.

    Parameters
    ----------
    net : HybridBlock
        One of ours, or any network of Gluon's or GluonCV's with convolutions, BN and fully connected
        layers. It is not changed and need not be initialised.
    size : int or (int, int)
        Height and width of the input in pixels.
    channels : int
        Channels of the input.

    Returns
    -------
    Complexity
    """
    height, width = (size, size) if isinstance(size, int) else size
    names, calls = {}, []
    _name_blocks(net, "", names)
    handles = [block.register_forward_hook(lambda block, inputs, output: calls.append((block, inputs[0], output)))
               for block in names]
    try:
        with mx.autograd.train_mode():  # a detector ends with its predictions then
            net(mx.sym.var("data"))
    finally:
        for handle in handles:
            handle.detach()
    calls = [(block, x, y) for block, x, y in calls if isinstance(y, mx.sym.Symbol)]
    maps = mx.sym.Group([symbol for _, x, y in calls for symbol in (x, y)])
    shapes = [shape[1:] for shape in maps.infer_shape(data=(1, channels, height, width))[1]]
    calls = [(block, shapes[2 * i], shapes[2 * i + 1]) for i, (block, _, _) in enumerate(calls)]

    found = list(_parts(net))
    parts = [(names[block], prod(x), 0 if _works_in_place(block, x, y) else prod(y))
             for block, x, y in calls if block in found]
    layers = [_layer(names[block], block, x, y) for block, x, y in calls if isinstance(block, COUNTED)]
    return Complexity(layers, parts, channels * height * width)


def _name_blocks(block, prefix, names):
    names[block] = prefix
    for name, child in block._children.items():
        _name_blocks(child, f"{prefix}.{name}" if prefix else name, names)


def _parts(block):
    """The parts of the paper's schedule: what is left when sequences are taken apart."""
    for child in block._children.values():
        if isinstance(child, nn.HybridSequential):
            yield from _parts(child)
        elif any(isinstance(layer, COUNTED) for layer in all_blocks(child)):
            yield child


def _works_in_place(block, shape_in, shape_out):
    """Whether a part is a plain element by element layer: BN, an activation, flattening."""
    return not block._children and "weight" not in block._reg_params and prod(shape_in) == prod(shape_out)


def _layer(name, block, shape_in, shape_out):
    params = macs = norm_elements = 0
    if isinstance(block, nn.BatchNorm):
        params, norm_elements = 4 * shape_out[0], prod(shape_out)
    elif isinstance(block, nn.Dense):
        macs = prod(shape_in) * prod(shape_out)
        params = macs + (prod(shape_out) if block.bias is not None else 0)
    elif isinstance(block, nn.Conv2D):
        per_output = prod(block._kwargs["kernel"]) * shape_in[0] // block._kwargs["num_group"]
        macs = per_output * prod(shape_out)
        params = per_output * shape_out[0] + (shape_out[0] if block.bias is not None else 0)
    return Layer(name, type(block).__name__, shape_out, params, macs, norm_elements)
