"""A network of Gluon, in float, as ONNX: one loop over its layers."""

import numpy as np

from ..export.onnx_file import Model
from ..files import InputError
from ..networks.layers import IMAGE
from ..quantize.qat import QuantisedConvolution
from .checks import check_network

__all__ = ["save"]


def save(net, path, size, name="etinynet", labels=None):
    """Write a float network as ONNX.

    Its input is the image as `pixel - 128`, float32. Its outputs are the logits, (N, classes), or a detector's raw
    predictions, the maps of its class and box predictors by their names.

    Parameters
    ----------
    net : EtinyNet or EtinyNetSSD
        With its parameters; quantised weights are refused, see `export.onnx_graph`.
    path : str or Path
    size : int
        Rows and columns of a picture.
    name : str
    labels : sequence of str, optional
        Names of the classes, for the metadata.

    Raises
    ------
    InputError
        Naming a layer that has no ONNX form here; if the package onnx is not installed.
    """
    check_network(net)
    model, layers = Model(name, (3, size, size)), list(net.layers())
    shapes, names = {IMAGE: (3, size, size)}, {IMAGE: IMAGE}
    for layer in layers:
        if isinstance(layer.conv, QuantisedConvolution) or layer.quantiser is not None:
            raise InputError(f"{layer.name} is quantised; make a Graph of the network, and export that")
        at, shape = names[layer.source], shapes[layer.source]
        if layer.conv is None:
            at, shape = model.add("GlobalAveragePool", [at], f"{layer.name}.mean"), (shape[0], 1, 1)
        else:
            at, shape = _convolution(model, layer, at, shape)
        if layer.norm is not None:
            at = _normalised(model, layer, at)
        if layer.shortcut:
            at = model.add("Add", [at, names[layer.shortcut]], f"{layer.name}.sum")
        if layer.pool is not None and layer.conv is not None:
            at, shape = _pooled(model, layer, at, shape)
        names[layer.name], shapes[layer.name] = at, shape
        if layer.conv is not None and layer.norm is None:
            flat = layer is layers[-1] and shape[1:] == (1, 1)
            model.give(model.add("Flatten" if flat else "Identity", [at], layer.name), shape[:1] if flat else shape)
    model.save(path, labels)


def _parameter(model, name, parameter):
    return model.constant(name, parameter.data().asnumpy().astype(np.float32))


def _sides(shape, kernel, stride, pad):
    return tuple((side + 2 * p - k) // s + 1 for side, k, s, p in zip(shape[1:], kernel, stride, pad))


def _convolution(model, layer, at, shape):
    kwargs, name = layer.conv._kwargs, layer.name
    kernel, stride, pad = (list(map(int, kwargs[key])) for key in ("kernel", "stride", "pad"))
    inputs = [at, _parameter(model, f"{name}.weight", layer.conv.weight)]
    if layer.conv.bias is not None:
        inputs.append(_parameter(model, f"{name}.bias", layer.conv.bias))
    at = model.add("Conv", inputs, f"{name}.conv", kernel_shape=kernel, strides=stride, pads=pad + pad,
                   group=int(kwargs["num_group"]))
    if layer.relu:
        at = model.add("Relu", [at], f"{name}.relu")
    return at, (layer.conv._channels, *_sides(shape, kernel, stride, pad))


def _normalised(model, layer, at):
    norm = layer.norm
    arrays = [_parameter(model, f"{layer.name}.{key}", parameter) for key, parameter in (
        ("gamma", norm.gamma), ("beta", norm.beta), ("mean", norm.running_mean), ("variance", norm.running_var))]
    return model.add("BatchNormalization", [at, *arrays], f"{layer.name}.norm", epsilon=float(norm._kwargs["eps"]))


def _pooled(model, layer, at, shape):
    kernel, stride = (list(map(int, layer.pool._kwargs[key])) for key in ("kernel", "stride"))
    at = model.add("MaxPool", [at], f"{layer.name}.pool", kernel_shape=kernel, strides=stride)
    return at, (shape[0], *_sides(shape, kernel, stride, (0, 0)))
