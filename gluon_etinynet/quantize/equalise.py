"""Channels of alike range in every feature map, without a change of what the network computes.

All channels of a map share one 8-bit scale, and their ranges differ many times over. A channel of a BN's
output may be multiplied by any number if the weights that read it are divided by it. Where a depthwise
convolution reads it, that costs nothing, because each of its channels has a weight scale of its own:
there every channel gets the same range, and its longer side made positive. Where a pointwise convolution
reads it, range and weights share the burden (Nagel et al. 2019, "Data-free quantization through weight
equalization and bias correction").

Weights that are quantised already stay as they are. Behind a depthwise convolution it is then its own BN that divides,
with any positive factor, and with a negative one where no ReLU stands between; what a pointwise convolution reads
is left alone.

Maps that a shortcut adds to others share their factors, half of what would suit them on average (in
logarithms). The range of a channel is the 16th root of the mean of its 16th powers, a maximum that single
outliers do not move much (docs/fidelity.md tells what was tried beside it).
"""

from collections import namedtuple

import numpy as np

from .._mxnet import mx
from ..networks.batch_norm import set_affine, slope_and_offset
from .qat import QuantisedConvolution
from .ranges import observe_feature_maps

__all__ = ["equalise"]

TINY = 1e-12
SMALLEST = 1e-3  # of the largest range of a map: what is smaller counts as that
SQUARINGS = 4  # the reach of a channel is a mean of powers of 16
SHARED_EXPONENT = 0.5


# Feature maps with one factor per channel: the BNs that make them, what rounds them and what reads them.
_Group = namedtuple("_Group", "norms quantisers readers may_flip")  # readers: Layers


def equalise(net, batches):
    """Rescale the channels of an EtinyNet's feature maps, in place; its output stays the same.

    Parameters
    ----------
    net : EtinyNet or EtinyNetSSD
        Of LBs and DLBs, prepared with ``act_bits=8``. Calibrate it afterwards.
    batches : iterable of NDArray
        Inputs of `net`.
    """
    sums = {}

    def see(quantiser, x):
        peak = sums.setdefault(quantiser, [np.abs(x).max() + TINY, np.zeros((2, x.shape[1])), 0])[0]
        for sign, side in enumerate((x, -x)):
            power = (np.maximum(side, 0) / peak).astype(np.float64)
            for _ in range(SQUARINGS):
                power *= power
            sums[quantiser][1][sign] += power.mean(axis=(2, 3)).sum(axis=0)
        sums[quantiser][2] += len(x)

    observe_feature_maps(net, batches, see)
    reaches = {q: peak * (total / count) ** 0.5 ** SQUARINGS for q, (peak, total, count) in sums.items()}
    for group in _groups(net):
        _rescale(group, [reaches[quantiser] for quantiser in group.quantisers])


def _groups(net):
    """The groups of maps that share a factor. A map that nothing but a detector's predictors reads is left alone."""
    group_of, read = {}, {}
    for layer in net.layers():
        source = group_of.get(layer.source)
        if layer.conv is None:  # an average scales its channels as they are
            group_of[layer.name] = source
        elif source is not None:
            source.readers.append(layer)
        if source is not None and (layer.norm is not None or layer.conv is None):
            read[id(source)] = source
        if layer.norm is None:
            continue
        if layer.shortcut:
            group_of[layer.name] = group_of[layer.shortcut]
        else:
            # Max pooling knows what is up.
            group_of[layer.name] = _Group([], [], [], may_flip=layer.pool is None)
        group_of[layer.name].norms.append(layer.norm)
        group_of[layer.name].quantisers.append(layer.quantiser)
    return list(read.values())


def _rescale(group, reaches):
    """Multiply the channels of a group's maps; `reaches` holds (upper, lower) by channel for each of them."""
    peaks = np.max(reaches, axis=1) + TINY
    logs = np.log(np.maximum(peaks, SMALLEST * peaks.max(axis=1, keepdims=True)))
    logs -= logs.mean(axis=1, keepdims=True)
    shared = len(group.quantisers) > 1
    burden = logs.mean(axis=0) * (SHARED_EXPONENT if shared else 1)
    quantised = [layer for layer in group.readers if isinstance(layer.conv, QuantisedConvolution)]
    if any(_is_pointwise(layer) for layer in quantised):
        return
    if _is_pointwise(group.readers[0]):
        weight = group.readers[0].conv.weight.data().asnumpy()
        burden = (burden - np.log(np.maximum(np.abs(weight).max(axis=(0, 2, 3)), TINY))) / 2
        burden -= burden.mean()
    factor = np.exp(-burden)
    if group.may_flip and not shared and not any(layer.relu for layer in quantised):
        upper, lower = reaches[0]
        factor = np.where(lower > upper, -factor, factor)
    for bn in group.norms:
        for parameter in (bn.gamma, bn.beta):
            parameter.set_data(mx.nd.array(parameter.data().asnumpy() * factor))
    for layer in group.readers:
        if layer in quantised:
            slope, offset = slope_and_offset(layer.norm)
            set_affine(layer.norm, slope / factor, offset)
            continue
        weight = layer.conv.weight.data().asnumpy()
        columns = (1, -1, 1, 1) if _is_pointwise(layer) else (-1, 1, 1, 1)
        layer.conv.weight.set_data(mx.nd.array(weight / factor.reshape(columns)))


def _is_pointwise(layer):
    return layer.conv.weight.shape[1] > 1
