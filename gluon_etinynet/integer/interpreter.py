"""Running a Graph in numpy: the golden that C and Verilog are held against."""

from collections import namedtuple

import numpy as np

from ..files import InputError
from .detect import detect
from .ops import FAST, REFERENCE

__all__ = ["run", "trace", "pixels_to_input", "first_difference", "Difference"]

Difference = namedtuple("Difference", "tensor count index a b")


def pixels_to_input(pixels):
    """Turn RGB pixels into a network's input, exactly pixel - 128 ("8 bit signed integer with no standardization").

    Parameters
    ----------
    pixels : array of uint8, shape (..., rows, columns, 3)

    Returns
    -------
    array of int8, shape (..., 3, rows, columns)
    """
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim < 3 or pixels.shape[-1] != 3:
        raise InputError(f"pixels must be uint8 of shape (..., rows, columns, 3), not {pixels.dtype} {pixels.shape}")
    return np.ascontiguousarray(np.moveaxis((pixels ^ 128).view(np.int8), -1, -3))


def run(graph, images, reference=False):
    """Compute the network.

    Parameters
    ----------
    graph : Graph
        Valid, as `Graph.load`, `Graph.append` and `Graph.validate` assure.
    images : array of int8, shape (N, channels, rows, columns)
        As `pixels_to_input` makes it.
    reference : bool
        Use the plain int64 operators, thousands of times slower, instead of the fast ones.

    Returns
    -------
    array of int32, shape (N, classes); of a detector, list of N structured arrays
        Logits; of shape (N, channels, rows, columns) if the network ends in a map. Detections as
        `detect.detect` returns them.

    Raises
    ------
    InputError
        If the images do not fit the network.
    """
    results = _compute(graph, images, graph.outputs, reference)
    if graph.detection is not None:
        return [detect(graph.detection, {name: results[name][n] for name in graph.outputs})
                for n in range(len(images))]
    logits = results[graph.output.name]
    return logits[:, :, 0, 0] if logits.shape[2:] == (1, 1) else logits


def trace(graph, images, reference=False):
    """Compute every tensor of the network.

    Parameters
    ----------
    graph, images, reference
        As of `run`.

    Returns
    -------
    dict from str to array of int8 or int32, shape (N, channels, rows, columns)
        By the tensor's name, in order of execution, the images first.

    Raises
    ------
    InputError
        As `run`.
    """
    return _compute(graph, images, graph.tensors, reference)


def _compute(graph, images, names, reference):
    """The tensors of these names: name -> array (N, channels, rows, columns)."""
    images = np.asarray(images)
    if images.dtype != np.int8 or images.ndim != 4 or images.shape[1:] != graph.image.shape:
        raise InputError(f"network {graph.name} takes int8 images of shape (N, "
                         f"{', '.join(map(str, graph.image.shape))}), not {images.dtype} {images.shape}")
    ops = REFERENCE if reference else FAST
    last_use = {name: node for node in graph.nodes for name in node.inputs}
    results = {name: np.empty((len(images),) + graph.tensors[name].shape, _dtype(graph.tensors[name]))
               for name in names}
    for n, image in enumerate(images):
        maps = {graph.image.name: image}
        for node in graph.nodes:
            maps[node.output] = ops[node.op](node, graph.tensors, *(maps[name] for name in node.inputs))
            for name in set(node.inputs):
                if last_use[name] is node and name not in results:
                    del maps[name]
        for name, result in results.items():
            result[n] = maps[name]
    return results


def _dtype(tensor):
    return np.int32 if tensor.quant.bits == 32 else np.int8


def first_difference(a, b):
    """Find the first tensor in which two traces differ.

    Parameters
    ----------
    a, b : dict from tensor name to array, in order of execution
        Such as `trace` returns. They must name the same tensors.

    Returns
    -------
    Difference or None
        tensor (name), count (of differing elements), index of the first (in row-major order) and its value in
        both; where shape or dtype differ, those, with count and index None. None if all are equal.
    """
    if list(a) != list(b):
        raise InputError("the traces name different tensors: "
                         f"{sorted(set(a) ^ set(b)) or 'their order differs'}")
    for name in a:
        forms = [(trace[name].dtype.name, trace[name].shape) for trace in (a, b)]
        if forms[0] != forms[1]:
            return Difference(name, None, None, *forms)
        differs = np.argwhere(a[name] != b[name])
        if len(differs):
            index = tuple(int(i) for i in differs[0])
            return Difference(name, len(differs), index, int(a[name][index]), int(b[name][index]))
    return None
