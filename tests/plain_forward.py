"""The released EtinyNet-1.0 in plain NumPy, written from the paper's table and the checkpoint's names.

Shares no code with the package: it is what the package is held against.
"""

import numpy as np

EPSILON = 1e-5


def convolve(x, weight, stride, groups=1):
    """Convolution of one picture (C, H, W) by weight (O, C/groups, k, k), padding k // 2, in float64."""
    kernel = weight.shape[-1]
    pad = kernel // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    height = (x.shape[1] + 2 * pad - kernel) // stride + 1
    width = (x.shape[2] + 2 * pad - kernel) // stride + 1
    out = np.zeros((weight.shape[0], height, width))
    for row in range(kernel):
        for column in range(kernel):
            patch = padded[:, row:row + stride * height:stride, column:column + stride * width:stride]
            patch = patch[:, :height, :width]
            if groups == 1:
                out += np.tensordot(weight[:, :, row, column], patch, axes=1)
            else:
                out += weight[:, 0, row, column][:, None, None] * patch
    return out


def normalise(x, arrays, name):
    gamma, beta, mean, variance = (arrays[f"{name}.{part}"].astype(np.float64)[:, None, None]
                                   for part in ("gamma", "beta", "running_mean", "running_var"))
    return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta


def block(x, arrays, name, stride, dense):
    weights = [arrays[f"{name}.{part}.weight"].astype(np.float64) for part in ("out1.0", "out1.2", "out2.0")]
    first = normalise(convolve(x, weights[0], stride, groups=len(x)), arrays, f"{name}.out1.1")
    middle = normalise(np.maximum(convolve(first, weights[1], 1), 0), arrays, f"{name}.out1.4")
    if dense and stride == 1 and middle.shape == x.shape:
        middle = middle + x
    last = normalise(np.maximum(convolve(middle, weights[2], 1, groups=len(middle)), 0), arrays, f"{name}.out2.2")
    return middle + last if dense else last


def logits(arrays, picture):
    """Logits (1000,) of the released classifier for one picture, float (3, H, W), pixel - 128."""
    x = convolve(picture.astype(np.float64), arrays["features1.0.weight"].astype(np.float64), 2)
    x = normalise(np.maximum(x, 0), arrays, "features1.2")
    channels, height, width = x.shape
    height, width = height // 2, width // 2
    x = x[:, :2 * height, :2 * width].reshape(channels, height, 2, width, 2).max((2, 4))
    for index in range(4, 12):
        x = block(x, arrays, f"features1.{index}", stride=2 if index == 8 else 1, dense=False)
    for part in (2, 3):
        for index in range(3):
            x = block(x, arrays, f"features{part}.{index}", stride=2 if index == 0 else 1, dense=True)
    weight, bias = (arrays[f"output.0.{part}"].astype(np.float64) for part in ("weight", "bias"))
    return weight[:, :, 0, 0] @ x.mean((1, 2)) + bias
