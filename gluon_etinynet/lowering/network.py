"""From a Gluon network with 8-bit feature maps to the integer Graph: the bridge between the two halves.

The weights are either quantised by ASQ already, or float: then each output channel gets 127 levels on
either side of zero, the outermost at its largest weight (before fit.py adapts it). The feature maps' ranges
are those of the quantisers that `qat.prepare_qat` adds and `calibrate` or fit.py sets. Tensors of the
Graph are called as the layers of the network that make them. The formulas are those of docs/numerics.md, sections 2 to 4.
"""

import numpy as np

from .._mxnet import mx
from ..files import InputError
from ..integer import Graph, Node, QuantParams, Tensor, accumulator_bound, requantise_params, weight_limit
from ..networks.etinynet import DLB, LB, EtinyNet, Stem
from ..quantize.equalise import equalise
from ..quantize.qat import (
    QuantisedConvolution,
    feature_map_quantisers,
    original_class,
    prepare_qat,
    quantised_convolutions,
)
from ..quantize.rounding import FLOAT_WEIGHT_BITS, fit_to_rounding

__all__ = ["lower", "calibrate_and_lower", "check_layers"]

nn = mx.gluon.nn

STORED_BITS = (2, 3, 4, 8)  # of a weight; 5, 6 and 7 bits are kept in 8
MAX_LOGIT = 1 << 22  # in steps: half of what the offset, which holds the classifier's bias, can be


def calibrate_and_lower(net, images, name="etinynet", batch_size=32):
    """Round a network's feature maps to 8 bits with ranges taken from pictures, and lower it.

    Parameters
    ----------
    net : EtinyNet or EtinyNetSSD
        Float, or with weights quantised by ASQ. Changed in place: it gains quantisers of its feature maps,
        if it has none, and their ranges; a float network is equalised (equalise.py) and its weights become
        those of the Graph; BN and the final bias are fitted to the rounding (fit.py).
    images : numpy.ndarray of int8, shape (N, 3, rows, columns)
        Pictures minus 128, of the size that the integer network is to take; a few hundred.
    name : str
    batch_size : int

    Returns
    -------
    Graph

    Raises
    ------
    InputError
        As `lower`.
    """
    check_layers(net)
    _check_numbers(net)
    if not feature_map_quantisers(net):
        prepare_qat(net, scheme=None, act_bits=8)
    starts = range(0, len(images), batch_size)
    batches = [mx.nd.array(images[start:start + batch_size], dtype="float32") for start in starts]
    if not quantised_convolutions(net):
        equalise(net, batches)
    fit_to_rounding(net, images, batch_size)
    return lower(net, images.shape[2:], name)


def lower(net, image_size, name="etinynet"):
    """Turn a network into integers.

    Parameters
    ----------
    net : EtinyNet or EtinyNetSSD
        With 8-bit feature maps, calibrated; weights float or quantised by ASQ.
    image_size : (int, int)
        Rows and columns of the pictures.
    name : str
        Of the Graph.

    Returns
    -------
    Graph
        Its output tensor holds the logits, int32; of a detector, `detection` says what follows.

    Raises
    ------
    InputError
        Naming the layer: one that the integer network does not have (another block than LB and DLB, a limit
        of the outputs), weights quantised by DoReFa, parameters that are not finite or beyond the integers'
        range, feature maps without quantiser or range.
    """
    check_layers(net)
    _check_numbers(net)
    graph = Graph(name, Tensor("image", (3, *map(int, image_size)), QuantParams(1.0)))
    if original_class(net) is not EtinyNet:
        from .detector import lower_detector
        return lower_detector(net, graph)
    for x in _lower_features(graph, net.features):
        pass
    x = _lower_average(graph, x, net.pool)
    _lower_final(graph, x, net.output)
    return graph


# ---- What can be lowered ----

def check_layers(net):
    """Refuse a network with a layer that has no integer form.

    Every layer must be of the class whose arithmetic is written here, not of one derived from it.

    Raises
    ------
    InputError
        Naming the layer.
    """
    if original_class(net) is not EtinyNet:
        from .detector import check_detector
        check_detector(net)
        return
    _check_features(net.features)


def _check_features(features):
    stem, *stages = features
    _require(stem, Stem, "features.0")
    _check_parts(stem, "features.0", conv=nn.Conv2D, bn=nn.BatchNorm)
    for s, stage in enumerate(stages, start=1):
        for b, block in enumerate(stage):
            label = f"features.{s}.{b}"
            if original_class(block) is not DLB:
                _require(block, LB, label)
            _check_parts(block, label, dw1=nn.Conv2D, bn1=nn.BatchNorm, pw=nn.Conv2D, bn2=nn.BatchNorm,
                         dw2=nn.Conv2D, bn3=nn.BatchNorm)


def _check_parts(block, label, **classes):
    for part, cls in classes.items():
        _require(getattr(block, part), cls, f"{label}.{part}")


def _require(block, cls, label):
    found = original_class(block)
    if found is not cls:
        raise InputError(f"{label} is of class {found.__name__}, which has no integer form: only EtinyNet "
                         "and EtinyNet-SSD with LB and DLB and without clip can be exported")


def _check_numbers(net):
    for name, parameter in net._collect_params_with_prefix().items():
        if not np.isfinite(parameter.data().asnumpy()).all():
            raise InputError(f"{name} holds values that are not finite; the network is damaged, or its "
                             "training diverged")
    for name, conv in quantised_convolutions(net).items():
        _integer_weight(conv, name)


# ---- The blocks ----

def _lower_features(graph, features):
    """Append the stem and the stages; yields the Tensor after each."""
    stem, *stages = features
    x = _lower_stem(graph, stem)
    yield x
    for s, stage in enumerate(stages, start=1):
        for b, block in enumerate(stage):
            x = _lower_block(graph, x, block, f"features.{s}.{b}")
        yield x


def _lower_stem(graph, stem):
    # Rounding and taking the maximum commute: the convolution's map has the scale of the pooled one.
    quant = _feature_map(stem.pool, "quantiser", "features.0.pool")
    x = _convolve(graph, graph.image, "features.0.conv", stem.conv, stem.bn, quant, relu="before")
    pool = stem.pool._kwargs
    attrs = {"kernel": int(pool["kernel"][0]), "stride": int(pool["stride"][0])}
    return graph.append(Node("maxpool", [x.name], "features.0", attrs), quant)


def _lower_block(graph, x, block, label):
    """An LB or DLB: depthwise, pointwise, depthwise."""
    dense = isinstance(block, DLB)
    if dense:
        middle, out = _feature_map(block, "middle_quantiser", label), _feature_map(block, "quantiser", label)
    else:
        middle = _feature_map(block.bn2, "quantiser", f"{label}.bn2")
        out = _feature_map(block.bn3, "quantiser", f"{label}.bn3")
    d = _convolve(graph, x, f"{label}.dw1", block.dw1, block.bn1,
                  _feature_map(block.bn1, "quantiser", f"{label}.bn1"))
    p = _convolve(graph, d, f"{label}.pw", block.pw, block.bn2, middle, relu="before",
                  shortcut=x if dense and block.has_input_shortcut else None)
    return _convolve(graph, p, label, block.dw2, block.bn3, out, relu="before", shortcut=p if dense else None)


def _lower_average(graph, x, pool):
    quant = _feature_map(pool, "quantiser", "pool")
    count = x.shape[1] * x.shape[2]
    multiplier = x.quant.scale / (count * quant.scale)
    offset = quant.zero_point - multiplier * count * x.quant.zero_point
    params = _requantise_params("pool", [multiplier], [offset], 128 * count)
    attrs = {"multiplier": params.multiplier, "shift": params.shift, "offset": params.offset}
    return graph.append(Node("avgpool", [x.name], "pool", attrs), quant)


def _lower_final(graph, x, conv):
    levels, scales, bits = _integer_weight(conv, "output")
    bias = conv.bias.data().asnumpy().astype(np.float64)
    # One scale for all classes, so that logits compare as integers; fine enough for few steps of few bits.
    largest = accumulator_bound(levels, _zero_point_bias(levels, x)) * x.quant.scale * scales + np.abs(bias)
    step = largest.max() / MAX_LOGIT or 1.0
    _append_convolution(graph, x, "output", conv, (levels, scales, bits), x.quant.scale * scales / step,
                        bias / step, QuantParams(float(step), 0, 32))


def _convolve(graph, source, name, conv, bn, quant, relu="none", shortcut=None):
    """Append convolution, ReLU (if any), BN and shortcut (if any), rounded to `quant`."""
    levels, scales, bits = _integer_weight(conv, name)
    gamma, beta, mean, variance = (parameter.data().asnumpy().astype(np.float64) for parameter in
                                   (bn.gamma, bn.beta, bn.running_mean, bn.running_var))
    slope = gamma / np.sqrt(variance + bn._kwargs["eps"])
    multiplier = slope * source.quant.scale * scales / quant.scale
    offset = (beta - mean * slope) / quant.scale + quant.zero_point
    return _append_convolution(graph, source, name, conv, (levels, scales, bits), multiplier, offset, quant,
                               relu, shortcut)


def _append_convolution(graph, source, name, conv, weight, multiplier, offset, quant, relu="none",
                        shortcut=None):
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

def _zero_point_bias(levels, source):
    return -source.quant.zero_point * levels.astype(np.int64).reshape(len(levels), -1).sum(axis=1)


def _integer_weight(conv, label):
    """Return levels (int8, the weight's shape), one positive scale per output channel, and bits."""
    if not isinstance(conv, QuantisedConvolution) or conv.scheme == "linear":
        weight = conv.weight.data().asnumpy().astype(np.float64)
        # Of float weights rounded already; those that were trained on since have others.
        scales = None if isinstance(conv, QuantisedConvolution) else getattr(conv, "weight_scale", None)
        if scales is None:
            largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
            scales = np.where(largest > 0, largest / weight_limit(FLOAT_WEIGHT_BITS), 1.0)
        return np.rint(weight / scales[:, None, None, None]).astype(np.int8), scales, FLOAT_WEIGHT_BITS
    try:
        levels, scale = conv.integer_weight()
    except ValueError as error:
        raise InputError(f"{label}: {error}") from error
    if scale == 0:
        raise InputError(f"{label}: its scale is 0, so that it ignores its input; train the network anew")
    if scale < 0:  # the trained scale of a layer without BN
        levels, scale = -levels, -scale
    return levels, np.full(len(levels), scale), next(bits for bits in STORED_BITS if bits >= conv.bits)


def _feature_map(block, attribute, label):
    quantiser = getattr(block, attribute, None)
    if quantiser is None:
        raise InputError(f"{label}: its feature map is not quantised; prepare_qat(net, scheme=None, act_bits=8) "
                         "and calibrate come first")
    scale, zero_point = (float(p.data().asscalar()) for p in (quantiser.scale, quantiser.zero_point))
    if not scale > 0:
        raise InputError(f"{label}: its feature map has no range yet; calibrate the network first")
    return QuantParams(scale, int(zero_point))


def _requantise_params(label, multiplier, offset, bound, shortcut=None, bits=8):
    try:
        return requantise_params(multiplier, offset, bound, shortcut, bits)
    except ValueError as error:
        raise InputError(f"{label}: {error}") from error
