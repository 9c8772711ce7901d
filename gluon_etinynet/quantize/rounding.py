"""Rounding a network's weights and fitting it to its own rounding: layer by layer, in closed form.

Each layer is run twice, on the feature maps of the network as it was and on those of the rounded one so far.
Then, before the next layer's turn,

- float weights are rounded to 8 bits by channel so that the error of a weight is made up for by those that
  follow (Frantar et al. 2022, "GPTQ", equations 2 and 3), with the second moments of the rounded inputs;
- gamma and beta of BN become those that bring the rounded layer nearest to the original, shortcut
  included (least squares by channel). That mends shifts of the mean, and it keeps a nearly dead channel,
  whose slope may be a hundred times its neighbours', from blowing up rounding errors;
- the feature map gets its range.

docs/fidelity.md tells what each of these brings.
"""

import numpy as np

from .._mxnet import mx
from ..integer import weight_limit
from ..networks.batch_norm import set_affine, slope_and_offset
from ..networks.blocks import imperative
from ..networks.layers import IMAGE, read_last
from .qat import QuantisedConvolution, quantise_convolution
from .ranges import set_best_range

__all__ = ["fit_to_rounding", "round_weights"]

LIMIT = weight_limit(8)
MOMENT_VALUES = 60_000_000  # of a layer's inputs, from which second moments are taken
MOMENT_RIDGE = 0.01  # of second moments: their mean is added to the diagonal, times this
FEW_MOMENT_RIDGE = 0.1  # where a layer sees a single position of each picture
SLOPE_RIDGE = 1e-6  # of least squares, in terms of the mean variance: what hardly varies keeps its slope


def fit_to_rounding(net, images, batch_size=32):
    """Round a network with 8-bit feature maps and adapt it to that, in place.

    Parameters
    ----------
    net : EtinyNet or EtinyNetSSD
        Prepared with ``act_bits=8``. Float weights are rounded to 8 bits by channel, and their convolutions get the
        linear quantiser; weights that are quantised already stay as they are.
    images : numpy.ndarray, shape (N, 3, rows, columns)
        Pictures minus 128. Two feature maps of every picture are held in memory, as float32.
    batch_size : int
    """
    layers = list(net.layers())
    spent, maps = read_last(layers), {IMAGE: (images, images)}
    limits = {}
    with imperative(net):
        for layer in layers:
            if layer.conv is None:
                exact, rounded = (x.mean(axis=(2, 3), keepdims=True) for x in maps[layer.source])
                maps[layer.name] = exact, _round_map(layer.quantiser, rounded)
            elif layer.norm is None:
                _fit_predictor(layer.conv, maps[layer.source], batch_size, limits)
            else:
                maps[layer.name] = _fit_layer(layer, maps[layer.source], maps.get(layer.shortcut), batch_size, limits)
            for name in spent[layer.name]:
                maps.pop(name, None)
        for conv, limit in limits.items():
            quantise_convolution(conv)
            conv.weight_quantiser.limit.set_data(mx.nd.array(limit))


def _fit_predictor(conv, maps, batch_size, limits):
    """Round a layer whose output is not rounded. A bias takes up what the rounding shifts."""
    exact, rounded = maps
    ridge = FEW_MOMENT_RIDGE if rounded.shape[2:] == (1, 1) else MOMENT_RIDGE
    if conv.bias is None:
        _round_if_float(conv, rounded, False, ridge, limits)
        return
    wanted = _run(conv, exact, batch_size)
    _round_if_float(conv, rounded, True, ridge, limits)
    shift = (wanted - _run(conv, rounded, batch_size)).mean(axis=(0, 2, 3))
    conv.bias.set_data(conv.bias.data() + mx.nd.array(shift))


def _fit_layer(layer, maps, shortcut, batch_size, limits):
    """Fit convolution, ReLU, BN and quantiser; return the map that they make, exact and rounded."""
    conv, bn, relu = layer.conv, layer.norm, layer.relu
    slope, offset = slope_and_offset(bn)
    exact = _by_channel(_run(conv, maps[0], batch_size, relu), slope, offset)
    _round_if_float(conv, maps[1], not relu, MOMENT_RIDGE, limits)
    made = _run(conv, maps[1], batch_size, relu)
    if shortcut:
        exact += shortcut[0]
    slope, offset = _least_squares(made, exact - shortcut[1] if shortcut else exact, slope)
    set_affine(bn, slope, offset)
    made = _by_channel(made, slope, offset)
    if shortcut:
        made += shortcut[1]
    if layer.pool is not None:
        exact, made = (mx.nd.Pooling(mx.nd.array(x), **layer.pool._kwargs).asnumpy() for x in (exact, made))
    return exact, _round_map(layer.quantiser, made)


def _run(layer, maps, batch_size, relu=False):
    parts = []
    for start in range(0, len(maps), batch_size):
        y = layer(mx.nd.array(maps[start:start + batch_size], dtype="float32"))
        parts.append((mx.nd.relu(y) if relu else y).asnumpy())
    return np.concatenate(parts)


def _by_channel(x, slope, offset):
    x *= slope.astype(np.float32)[:, None, None]
    x += offset.astype(np.float32)[:, None, None]
    return x


def _least_squares(x, target, slope):
    """Slope and offset that bring x nearest to the target; `slope` where x hardly varies."""
    mean, target_mean = (y.mean(axis=(0, 2, 3), dtype=np.float64) for y in (x, target))
    count = x.size / len(mean)
    variance = np.maximum(np.einsum("nchw,nchw->c", x, x, dtype=np.float64) / count - mean ** 2, 0)
    covariance = np.einsum("nchw,nchw->c", x, target, dtype=np.float64) / count - mean * target_mean
    ridge = SLOPE_RIDGE * variance.mean() + np.finfo(np.float32).tiny
    slope = (covariance + ridge * slope) / (variance + ridge)
    return slope, target_mean - slope * mean


def _round_map(quantiser, x):
    set_best_range(quantiser, x)
    scale, zero_point = (np.float32(p.data().asscalar()) for p in (quantiser.scale, quantiser.zero_point))
    x /= scale
    x += zero_point
    np.rint(x, out=x)
    np.clip(x, -128, 127, out=x)
    x -= zero_point
    x *= scale
    return x


# ---- Weights ----

def _round_if_float(conv, inputs, centred, ridge, limits):
    """Round the weights, and enter the largest of every channel in `limits`.

    `centred`: the mean of the layer's output is free, because what follows without a ReLU restores it.
    """
    if isinstance(conv, QuantisedConvolution):
        return
    depthwise = conv._kwargs["num_group"] > 1
    patches = _patches(inputs, conv._kwargs, depthwise)
    if centred:
        patches -= patches.mean(axis=2, keepdims=True)
    moments = np.matmul(patches, patches.transpose(0, 2, 1)).astype(np.float64) / patches.shape[2]
    weight = conv.weight.data().asnumpy().astype(np.float64)
    # A depthwise convolution has one row for each matrix of moments, others all rows for a single one.
    rows = weight.reshape((len(weight), 1, -1) if depthwise else (1, len(weight), -1))
    levels, scale = round_weights(rows, moments, ridge)
    conv.weight.set_data(mx.nd.array((levels * scale).reshape(weight.shape)))
    limits[conv] = scale.ravel() * LIMIT


def round_weights(weight, moments, ridge=MOMENT_RIDGE):
    """Round rows of weights so that their products with the inputs change little.

    Parameters
    ----------
    weight : numpy.ndarray, shape (groups, rows, inputs)
    moments : numpy.ndarray, shape (groups, inputs, inputs)
        Means of products of two inputs.
    ridge : float
        Added to the diagonal, in terms of its mean: how far the moments are mistrusted.

    Returns
    -------
    levels : numpy.ndarray, shape of weight
        Whole numbers from -127 to 127.
    scale : numpy.ndarray, shape (groups, rows, 1)
        Of a row: its largest weight is level 127 before the errors of others are added to it.
    """
    weight = weight.copy()
    inputs = weight.shape[2]
    largest = np.abs(weight).max(axis=2, keepdims=True)
    scale = np.where(largest > 0, largest / LIMIT, 1.0)
    size = np.trace(moments, axis1=1, axis2=2)[:, None, None] / inputs
    damped = moments + np.where(size > 0, ridge * size, 1.0) * np.eye(inputs)
    # Row j of `upper`: how the inputs after j best stand in for input j.
    upper = np.linalg.cholesky(np.linalg.inv(damped)).transpose(0, 2, 1)
    levels = np.empty_like(weight)
    for j in range(inputs):
        levels[..., j] = np.clip(np.rint(weight[..., j] / scale[..., 0]), -LIMIT, LIMIT)
        error = (weight[..., j] - levels[..., j] * scale[..., 0]) / upper[:, None, j, j]
        weight[..., j:] -= error[..., None] * upper[:, None, j, j:]
    return levels, scale


def _patches(maps, kwargs, depthwise):
    """What the kernel sees at each position: shape (groups, inputs, positions)."""
    kernel, stride, pad = (int(kwargs[name][0]) for name in ("kernel", "stride", "pad"))
    channels = maps.shape[1]
    rows, columns = ((size + 2 * pad - kernel) // stride + 1 for size in maps.shape[2:])
    count = np.clip(MOMENT_VALUES // (channels * kernel * kernel * rows * columns), 1, len(maps))
    picked = maps[np.linspace(0, len(maps) - 1, count).astype(int)].astype(np.float32)
    padded = np.pad(picked, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    height, width = stride * (rows - 1) + 1, stride * (columns - 1) + 1
    taps = np.stack([padded[:, :, i:i + height:stride, j:j + width:stride]
                     for i in range(kernel) for j in range(kernel)], axis=2)
    taps = taps.transpose(1, 2, 0, 3, 4).reshape(channels, kernel * kernel, -1)
    return taps if depthwise else taps.reshape(1, -1, taps.shape[2])
