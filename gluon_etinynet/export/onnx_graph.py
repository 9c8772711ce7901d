"""A Graph as ONNX: integers between QuantizeLinear and DequantizeLinear, and real numbers where it computes.

Weights and feature maps have the integers' very values. What a runtime computes between them are floats, rounded to
nearest, halves to even, where docs/numerics.md has floors of 48 bits: an output differs by one step where the two fall
on either side of a half, and what follows differs accordingly.
"""

import numpy as np

from .onnx_file import Model

__all__ = ["save"]


def save(graph, path):
    """Write a Graph as ONNX.

    Its input is the image as `pixel - 128`, float32. Its outputs are the logits, (N, classes), or the maps of a
    detector's predictors, by their names, in real numbers.

    Parameters
    ----------
    graph : Graph
    path : str or Path

    Raises
    ------
    InputError
        If the package onnx is not installed, or the file cannot be written.
    """
    graph.validate()
    model = Model(graph.name, graph.image.shape, graph.image.name)
    names = {graph.image.name: _rounded(model, graph.image.name, graph.image)}  # tensor -> its real values
    for node in graph.nodes:
        out, inputs = graph.tensors[node.output], [names[name] for name in node.inputs]
        if node.op == "maxpool":
            size, stride = [node.attrs["kernel"]] * 2, [node.attrs["stride"]] * 2
            real = model.add("MaxPool", inputs, f"{out.name}.real", kernel_shape=size, strides=stride)
        elif node.op == "avgpool":
            real = _scaled(model, graph, node, model.add("GlobalAveragePool", inputs, f"{out.name}.mean"),
                           *_of_average(graph, node))
        else:
            real = _convolution(model, graph, node, inputs)
        names[out.name] = _rounded(model, real, out) if out.quant.bits == 8 else _given(model, graph, real, out)
    model.save(path, graph.labels, sha256=graph.sha256())


def _rounded(model, real, tensor):
    """Round real values to a tensor's integers and read them again."""
    scale = model.constant(f"{tensor.name}.scale", np.float32(tensor.quant.scale))
    zero = model.constant(f"{tensor.name}.zero_point", np.int8(tensor.quant.zero_point))
    integers = model.add("QuantizeLinear", [real, scale, zero], f"{tensor.name}.integers")
    return model.add("DequantizeLinear", [integers, scale, zero], f"{tensor.name}.rounded")


def _given(model, graph, real, tensor):
    """Make real values an output: logits without rows and columns."""
    if graph.detection is None and tensor.shape[1:] == (1, 1):
        model.give(model.add("Flatten", [real], tensor.name), tensor.shape[:1])
    else:
        model.give(model.add("Identity", [real], tensor.name), tensor.shape)
    return tensor.name


def _convolution(model, graph, node, inputs):
    attrs, name = node.attrs, node.output
    quant = attrs["weight_quant"]
    keep = model.nibbles if quant.bits == 4 else model.constant
    weight = model.add("DequantizeLinear", [
        keep(f"{name}.weight", attrs["weight"]), model.constant(f"{name}.weight_scale", np.float32(quant.scale))],
        f"{name}.real_weight", axis=0)
    operands = [inputs[0], weight]
    real_bias = _real_bias(graph, node)
    if real_bias.any():
        operands.append(model.constant(f"{name}.bias", real_bias.astype(np.float32)))
    real = model.add("Conv", operands, f"{name}.conv", kernel_shape=attrs["weight"].shape[2:],
                     strides=[attrs["stride"]] * 2, pads=[attrs["pad"]] * 4, group=attrs["groups"])
    if attrs["relu"] == "before":
        real = model.add("Relu", [real], f"{name}.relu")
    real = _scaled(model, graph, node, real, *_of_convolution(graph, node))
    if len(inputs) == 2:
        out, shortcut = graph.tensors[name], graph.tensors[node.inputs[1]]
        factor = attrs["shortcut_multiplier"] * 2.0 ** -10 * out.quant.scale / shortcut.quant.scale
        scaled = model.add("Mul", [inputs[1], model.constant(f"{name}.shortcut_factor", np.float32(factor))],
                           f"{name}.shortcut")
        real = model.add("Add", [real, scaled], f"{name}.sum")
    return model.add("Relu", [real], f"{name}.relu") if attrs["relu"] == "after" else real


def _scaled(model, graph, node, real, factor, offset):
    """`real` by a factor and an offset for each channel."""
    column = (-1, 1, 1)
    factor, offset = (model.constant(f"{node.output}.{name}", values.astype(np.float32).reshape(column))
                      for name, values in (("factor", factor), ("offset", offset)))
    return model.add("Add", [model.add("Mul", [real, factor], f"{node.output}.scaled"), offset], f"{node.output}.real")


def _real_bias(graph, node):
    """What is left of a bias when a real 0 is the input's zero point: real, by channel."""
    attrs, source = node.attrs, graph.tensors[node.inputs[0]].quant
    bias = 0 if attrs["bias"] is None else attrs["bias"].astype(np.int64)
    sums = attrs["weight"].reshape(len(attrs["weight"]), -1).astype(np.int64).sum(axis=1)
    return (bias + source.zero_point * sums) * source.scale * np.array(attrs["weight_quant"].scale)


def _of_convolution(graph, node):
    """Factor and offset that take the real sum of a convolution to the real value of its output."""
    attrs, out = node.attrs, graph.tensors[node.output].quant
    unit = graph.tensors[node.inputs[0]].quant.scale * np.array(attrs["weight_quant"].scale)
    slope, offset = _requantisation(attrs, out)
    if len(node.inputs) == 2:
        offset = offset + attrs["shortcut_multiplier"] * 2.0 ** -10 * graph.tensors[node.inputs[1]].quant.zero_point
    return slope * out.scale / unit, (offset - out.zero_point) * out.scale


def _of_average(graph, node):
    source, out = graph.tensors[node.inputs[0]], graph.tensors[node.output].quant
    count = source.shape[1] * source.shape[2]
    slope, offset = _requantisation(node.attrs, out)
    return (slope * count * out.scale / source.quant.scale,
            (slope * count * source.quant.zero_point + offset - out.zero_point) * out.scale)


def _requantisation(attrs, out):
    """Steps of the output for one of the accumulator, and where 0 lies, without the constant that rounds."""
    bits, half = (26, 512) if out.bits == 8 else (16, 0)
    slope = attrs["multiplier"].astype(np.float64) * 2.0 ** (attrs["shift"] - bits)
    return slope, (attrs["offset"].astype(np.float64) - half) * (2.0 ** -10 if out.bits == 8 else 1)
