"""A fake-quantised Gluon network beside its integer Graph, layer by layer."""

import numpy as np

from .._mxnet import mx
from ..integer import run, trace
from ..integer.requantise import FRACTION_BITS

__all__ = ["with_integer_constants", "same_class", "feature_maps", "compare_layers"]


def with_integer_constants(net, graph):
    """Round the BN behind each convolution to the multipliers and offsets that the Graph holds.

    What is left to differ is float32, ties, and the shortcuts' multipliers and the average, which are no
    parameters of the Gluon network.
    """
    nodes = {node.output: node for node in graph.nodes}
    for layer in net.layers():
        if layer.norm is None:
            continue
        name = layer.name if layer.pool is None else f"{layer.name}.conv"
        node, out = nodes[name], graph.tensors[name].quant
        attrs = node.attrs
        step = graph.tensors[node.inputs[0]].quant.scale * np.array(attrs["weight_quant"].scale)
        slope = np.ldexp(attrs["multiplier"].astype(np.float64), attrs["shift"] - 16 - FRACTION_BITS)
        offset = attrs["offset"].astype(np.float64) - (1 << FRACTION_BITS >> 1)
        if len(node.inputs) == 2:
            offset += attrs["shortcut_multiplier"] * graph.tensors[node.inputs[1]].quant.zero_point
        values = {"gamma": slope * out.scale / step * np.sqrt(1 + layer.norm._kwargs["eps"]),
                  "beta": (np.ldexp(offset, -FRACTION_BITS) - out.zero_point) * out.scale,
                  "running_mean": np.zeros_like(slope), "running_var": np.ones_like(slope)}
        for key, value in values.items():
            getattr(layer.norm, key).set_data(mx.nd.array(value))


def same_class(net, graph, images):
    """Whether both networks say the same, for each picture (int8, NCHW)."""
    ours = net(mx.nd.array(images, dtype="float32")).asnumpy()
    return ours.argmax(axis=1) == run(graph, images).argmax(axis=1)


def feature_maps(net, images, feed=None):
    """Run the Gluon network, seeing the integers that its layers make.

    Parameters
    ----------
    net : HybridBlock
    images : array of int8
    feed : dict from tensor name to array, optional
        The interpreter's trace: each layer goes on with these integers and not with its own.

    Returns
    -------
    logits : array
    made : dict from tensor name to array of int
    """
    made = {}

    def replacement(name, quantiser):
        scale, zero_point = (p.data().asscalar() for p in (quantiser.scale, quantiser.zero_point))

        def forward(x):
            rounded = type(quantiser).forward(quantiser, x)
            made[name] = np.rint(rounded.asnumpy() / scale + zero_point).astype(int)
            if feed is None:
                return rounded
            return mx.nd.array((feed[name].astype(np.float64) - zero_point) * scale)
        return forward

    quantisers = {layer.name: layer.quantiser for layer in net.layers() if layer.rounded}
    for name, quantiser in quantisers.items():
        quantiser.forward = replacement(name, quantiser)
    try:
        logits = net(mx.nd.array(images, dtype="float32")).asnumpy()
    finally:
        for quantiser in quantisers.values():
            del quantiser.forward
    return logits, made


def compare_layers(net, graph, parts, fed):
    """Compare tensor by tensor, on some batches: {name: (per cent equal, most steps)}."""
    equal, most = {}, {}
    for images in parts:
        maps = trace(graph, images)
        _, made = feature_maps(net, images, maps if fed else None)
        for name, values in made.items():
            steps = np.abs(maps[name].astype(int) - values)
            equal.setdefault(name, []).append(np.mean(steps == 0))
            most[name] = max(most.get(name, 0), int(steps.max()))
    return {name: (round(100 * float(np.mean(equal[name])), 3), most[name]) for name in equal}
