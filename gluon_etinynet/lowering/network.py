"""From a fake-quantised Gluon network to the integer Graph: one loop over the network's layers.

Nothing is changed and nothing estimated here: weights, and the ranges of the feature maps, are those that the
network's quantisers have (gluon_etinynet.quantize). Tensors of the Graph are called as the layers of the network
that make them. The formulas are those of docs/numerics.md, sections 2 to 4.
"""

import numpy as np

from ..files import InputError
from ..integer import Graph, Node, QuantParams, Tensor, accumulator_bound, requantise_params
from ..networks.batch_norm import slope_and_offset
from ..networks.parameters import check_finite
from ..quantize.qat import QuantisedConvolution
from .checks import check_network, is_detector

__all__ = ["lower"]

STORED_BITS = (2, 3, 4, 8)  # of a weight; 5, 6 and 7 bits are kept in 8
MAX_LOGIT = 1 << 22  # in steps: half of what the offset, which holds the classifier's bias, can be


def lower(net, image_size, name="etinynet", labels=None):
    """Turn a network into integers.

    Parameters
    ----------
    net : EtinyNet or EtinyNetSSD
        With quantised weights and 8-bit feature maps, as `quantise` makes it.
    image_size : (int, int)
        Rows and columns of the pictures.
    name : str
        Of the Graph.
    labels : sequence of str, optional
        Names of the classes, in the order of the outputs.

    Returns
    -------
    Graph
        Its output tensor holds the logits, int32; of a detector, `detection` says what follows.

    Raises
    ------
    InputError
        Naming the layer: one that the integer network does not have (another block than LB and DLB, a limit
        of the outputs), weights in float or quantised by DoReFa, parameters that are not finite or beyond the
        integers' range, feature maps without quantiser or range.
    """
    check_network(net)
    check_finite(net)
    graph = Graph(name, Tensor("image", (3, *map(int, image_size)), QuantParams(1.0)),
                  labels=None if labels is None else list(labels))
    detector = None
    if is_detector(net):
        from .detector import Detector  # which loads GluonCV

        detector = Detector(net, graph)
    for layer in net.layers():
        if layer.conv is None:
            _append_average(graph, layer)
        elif layer.norm is not None:
            _append_layer(graph, layer)
        elif detector:
            detector.append_predictor(layer)
        else:
            _append_final(graph, layer)
    if detector:
        graph.detection = detector.detection()
    graph.validate()
    return graph


def _append_layer(graph, layer):
    """Convolution, ReLU (if any), BN and shortcut (if any), rounded; and max pooling (if any)."""
    source, quant = graph.tensors[layer.source], _feature_map(layer)
    weight = integer_weight(layer)
    slope, offset = slope_and_offset(layer.norm)
    multiplier = slope * source.quant.scale * weight[1] / quant.scale
    offset = offset / quant.scale + quant.zero_point
    name = layer.name if layer.pool is None else f"{layer.name}.conv"
    made = append_convolution(graph, source, name, layer.conv, weight, multiplier, offset, quant,
                              "before" if layer.relu else "none", graph.tensors.get(layer.shortcut))
    if layer.pool is not None:
        # Rounding and taking the maximum commute: the convolution's map has the scale of the pooled one.
        kernel, stride = (int(layer.pool._kwargs[key][0]) for key in ("kernel", "stride"))
        graph.append(Node("maxpool", [made.name], layer.name, {"kernel": kernel, "stride": stride}), quant)


def _append_average(graph, layer):
    x, quant = graph.tensors[layer.source], _feature_map(layer)
    count = x.shape[1] * x.shape[2]
    multiplier = x.quant.scale / (count * quant.scale)
    offset = quant.zero_point - multiplier * count * x.quant.zero_point
    params = _requantise_params(layer.name, [multiplier], [offset], 128 * count)
    attrs = {"multiplier": params.multiplier, "shift": params.shift, "offset": params.offset}
    graph.append(Node("avgpool", [x.name], layer.name, attrs), quant)


def _append_final(graph, layer):
    """The classifier. One scale for all classes, so that logits compare as integers; fine enough for few bits."""
    x, weight = graph.tensors[layer.source], integer_weight(layer)
    levels, scales, _ = weight
    bias = bias_of(layer.conv)
    largest = accumulator_bound(levels, _zero_point_bias(levels, x)) * x.quant.scale * scales + np.abs(bias)
    step = largest.max() / MAX_LOGIT or 1.0
    append_convolution(graph, x, layer.name, layer.conv, weight, x.quant.scale * scales / step, bias / step,
                       QuantParams(float(step), 0, 32))


def append_convolution(graph, source, name, conv, weight, multiplier, offset, quant, relu="none", shortcut=None):
    """Append a convolution: ``multiplier * sum(levels * (x - zero point)) + offset``, rounded to `quant`.

    `weight` is what `integer_weight` returns; multiplier and offset are float64, one for each output channel.
    """
    levels, scales, bits = weight
    bias = _zero_point_bias(levels, source)
    # Without weights the accumulator is always 0: the huge multiplier of such a nearly dead channel would
    # only take bits of precision from the others.
    multiplier = np.where(levels.reshape(len(levels), -1).any(axis=1), multiplier, 0)
    term = (shortcut.quant.scale / quant.scale, shortcut.quant.zero_point) if shortcut else None
    params = _requantise_params(name, multiplier, offset, accumulator_bound(levels, bias), term, quant.bits)
    kwargs = conv._kwargs
    attrs = {"weight": levels, "weight_quant": QuantParams(tuple(map(float, scales)), 0, bits, 0),
             "bias": bias.astype(np.int32), "stride": int(kwargs["stride"][0]), "pad": int(kwargs["pad"][0]),
             "groups": int(kwargs["num_group"]), "relu": relu, "multiplier": params.multiplier,
             "shift": params.shift, "offset": params.offset, "shortcut_multiplier": params.shortcut_multiplier}
    inputs = [source.name] + ([shortcut.name] if shortcut else [])
    return graph.append(Node("conv2d", inputs, name, attrs), quant)


# ---- Numbers of a layer ----

def integer_weight(layer):
    """Return levels (int8, the weight's shape), one positive scale per output channel, and the bits of storage."""
    if not isinstance(layer.conv, QuantisedConvolution):
        raise InputError(f"{layer.name}: its weights are in float; quantise the network first")
    try:
        levels, scales, bits = layer.conv.integer_weight()
    except ValueError as error:
        raise InputError(f"{layer.name}: {error}") from error
    return levels, scales, next(stored for stored in STORED_BITS if stored >= bits)


def bias_of(conv):
    """The bias of a convolution, float64, shape (channels,); zeros where it has none."""
    return np.zeros(conv._channels) if conv.bias is None else conv.bias.data().asnumpy().astype(np.float64)


def _zero_point_bias(levels, source):
    return -source.quant.zero_point * levels.astype(np.int64).reshape(len(levels), -1).sum(axis=1)


def _feature_map(layer):
    if layer.quantiser is None:
        raise InputError(f"{layer.name}: its feature map is not quantised; quantise the network first")
    scale, zero_point = (float(p.data().asscalar()) for p in (layer.quantiser.scale, layer.quantiser.zero_point))
    if not scale > 0:
        raise InputError(f"{layer.name}: its feature map has no range yet; calibrate the network first")
    return QuantParams(scale, int(zero_point))


def _requantise_params(label, multiplier, offset, bound, shortcut=None, bits=8):
    try:
        return requantise_params(multiplier, offset, bound, shortcut, bits)
    except ValueError as error:
        raise InputError(f"{label}: {error}") from error
