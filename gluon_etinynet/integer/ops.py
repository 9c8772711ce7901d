"""The closed set of operators on one image, each twice: as plainly as possible in int64, and fast.

Maps are int8 arrays of shape (channels, rows, columns). `REFERENCE` and `FAST` hold one function per
operator, `op(node, tensors, *inputs) -> output`, with `tensors` the Graph's, for zero points and bits. Both
give the same bytes; the tests hold them against each other.
"""

import numpy as np

from .graph import accumulator_bound
from .requantise import requantise, requantise_reference

__all__ = ["REFERENCE", "FAST", "exact_float"]


# ---- Reference: docs/numerics.md read aloud ----

def conv2d_reference(node, tensors, x, shortcut=None):
    """Convolution with requantisation (numerics.md section 2), one output position at a time."""
    attrs = node.attrs
    weight, stride, groups = attrs["weight"].astype(np.int64), attrs["stride"], attrs["groups"]
    _, rows, columns = tensors[node.output].shape
    outputs, inputs, height, width = weight.shape
    padded = _pad(x, attrs["pad"], tensors[node.inputs[0]].quant.zero_point, np.int64)
    acc = np.zeros((outputs, rows, columns), np.int64)
    for c in range(outputs):
        first = c // (outputs // groups) * inputs
        for i in range(rows):
            for j in range(columns):
                top, left = i * stride, j * stride
                window = padded[first:first + inputs, top:top + height, left:left + width]
                acc[c, i, j] = (window * weight[c]).sum()
    if attrs["bias"] is not None:
        acc += attrs["bias"].astype(np.int64)[:, None, None]
    if attrs["relu"] == "before":
        acc = np.maximum(acc, 0)
    return requantise_reference(acc, *_requantisation(node, tensors, shortcut))


def maxpool_reference(node, tensors, x):
    """The largest value in each window (numerics.md section 4)."""
    kernel, stride = node.attrs["kernel"], node.attrs["stride"]
    out = np.empty(tensors[node.output].shape, np.int8)
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            window = x[:, i * stride:i * stride + kernel, j * stride:j * stride + kernel]
            out[:, i, j] = window.max(axis=(1, 2))
    return out


def avgpool_reference(node, tensors, x):
    """The mean over rows and columns, through the requantisation of their sum (numerics.md section 4)."""
    acc = x.astype(np.int64).sum(axis=(1, 2))[:, None, None]
    attrs = node.attrs
    every = np.ones(len(x), np.int64)
    return requantise_reference(acc, every * attrs["multiplier"], attrs["shift"], every * attrs["offset"])


# ---- Fast: float32 where sums are below 2^24, so that BLAS and vector units do the work ----

def conv2d(node, tensors, x, shortcut=None):
    """The same as `conv2d_reference`."""
    attrs = node.attrs
    weight = attrs["weight"]
    dtype = exact_float(weight, attrs["bias"])
    padded = _pad(x, attrs["pad"], tensors[node.inputs[0]].quant.zero_point, dtype)
    shape = tensors[node.output].shape
    if attrs["groups"] == len(x) == len(weight):
        acc = _depthwise(padded, weight, attrs["stride"], shape, dtype)
    else:
        acc = _grouped(padded, weight, attrs["stride"], attrs["groups"], shape, dtype)
    if attrs["bias"] is not None:
        acc += attrs["bias"].astype(dtype)[:, None, None]
    if attrs["relu"] == "before":
        np.maximum(acc, 0, out=acc)
    return requantise(acc, *_requantisation(node, tensors, shortcut))


def exact_float(weight, bias=None):
    """The float type in which a convolution's sums are exact: float32 up to 2^24, else float64."""
    return np.float32 if accumulator_bound(weight, bias).max() <= 1 << 24 else np.float64


def _depthwise(padded, weight, stride, shape, dtype):
    """One multiply-accumulate of a whole plane per kernel tap."""
    channels, rows, columns = shape
    taps = [(i, j, weight[:, 0, i, j].astype(dtype)) for i, j in np.ndindex(weight.shape[2:])]
    if stride > 1:
        views = [(_strided(padded, i, j, stride, rows, columns), w[:, None, None]) for i, j, w in taps]
        return _accumulate(views, shape, dtype)
    # Planes as one line each, so that a tap is a shift: the ends of rows compute rubbish that is dropped.
    pitch = padded.shape[2]
    lines, length = padded.reshape(channels, -1), (rows - 1) * pitch + columns
    acc = np.empty((channels, rows * pitch), dtype)
    _accumulate([(lines[:, i * pitch + j:i * pitch + j + length], w[:, None]) for i, j, w in taps],
                (channels, length), dtype, acc[:, :length])
    return np.ascontiguousarray(acc.reshape(channels, rows, pitch)[:, :, :columns])


def _accumulate(terms, shape, dtype, out=None):
    out = np.empty(shape, dtype) if out is None else out
    product = np.empty(shape, dtype)
    np.multiply(*terms[0], out=out)
    for view, w in terms[1:]:
        np.multiply(view, w, out=product)
        out += product
    return out


def _grouped(padded, weight, stride, groups, shape, dtype):
    """A matrix product per group, over the columns of the kernel's windows."""
    outputs, inputs, height, width = weight.shape
    _, rows, columns = shape
    matrices = weight.reshape(groups, outputs // groups, -1).astype(dtype)
    acc = np.empty((groups, outputs // groups, rows * columns), dtype)
    for g in range(groups):
        source = padded[g * inputs:(g + 1) * inputs]
        windows = np.stack([_strided(source, i, j, stride, rows, columns)
                            for i, j in np.ndindex(height, width)], axis=1)
        np.matmul(matrices[g], windows.reshape(-1, rows * columns), out=acc[g])
    return acc.reshape(shape)


def maxpool(node, tensors, x):
    """The same as `maxpool_reference`."""
    kernel, stride = node.attrs["kernel"], node.attrs["stride"]
    _, rows, columns = tensors[node.output].shape
    out = None
    for i, j in np.ndindex(kernel, kernel):
        view = _strided(x, i, j, stride, rows, columns)
        out = view.copy() if out is None else np.maximum(out, view, out=out)
    return out


def avgpool(node, tensors, x):
    """The same as `avgpool_reference`."""
    acc = x.sum(axis=(1, 2), dtype=np.int32)[:, None, None]
    attrs, channels = node.attrs, len(x)
    return requantise(acc, attrs["multiplier"].repeat(channels), attrs["shift"],
                      attrs["offset"].repeat(channels))


def _strided(x, i, j, stride, rows, columns):
    """What kernel tap (i, j) sees at each output position."""
    return x[:, i:i + (rows - 1) * stride + 1:stride, j:j + (columns - 1) * stride + 1:stride]


def _pad(x, pad, value, dtype):
    channels, rows, columns = x.shape
    padded = np.full((channels, rows + 2 * pad, columns + 2 * pad), value, dtype)
    padded[:, pad:pad + rows, pad:pad + columns] = x
    return padded


def _requantisation(node, tensors, shortcut):
    """The arguments of `requantise` after the accumulator."""
    attrs, quant = node.attrs, tensors[node.output].quant
    low = quant.zero_point if attrs["relu"] == "after" else -128
    return (attrs["multiplier"], attrs["shift"], attrs["offset"], attrs["shortcut_multiplier"], shortcut, low,
            quant.bits)


REFERENCE = {"conv2d": conv2d_reference, "maxpool": maxpool_reference, "avgpool": avgpool_reference}
FAST = {"conv2d": conv2d, "maxpool": maxpool, "avgpool": avgpool}
