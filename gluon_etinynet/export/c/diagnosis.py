"""What a layer that computes something else than the interpreter may have done: hypotheses, tried one by one."""

from dataclasses import replace
from typing import List, NamedTuple

import numpy as np

from ...integer import Node, trace
from ...integer.ops import FAST

__all__ = ["Place", "causes", "place_of"]


class Place(NamedTuple):
    """Where a layer's output differs: elements on the border and inside it, channels, rows; by how much at most."""

    border: int
    inner: int
    channels: List[int]
    rows: List[int]
    most: int


def place_of(found, expected):
    """Return the Place of two outputs, integers of shape (channels, rows, columns), that differ."""
    apart = np.abs(found.astype(np.int64) - expected)
    inner = int(np.count_nonzero(apart[:, 1:-1, 1:-1]))
    channels, rows, _ = (sorted(set(indices.tolist())) for indices in np.nonzero(apart))
    return Place(int(np.count_nonzero(apart)) - inner, inner, channels, rows, int(apart.max()))


def causes(graph, name, found, expected):
    """Tell what would explain the first tensor that differs.

    Parameters
    ----------
    graph : Graph
    name : str
        Of that tensor.
    found, expected : dict from str to array, shape (channels, rows, columns)
        Every tensor as the device and as the interpreter have it; before `name` they are equal.

    Returns
    -------
    list of str
        Sentences. Those that give the device's values exactly come alone; otherwise what the place suggests.
    """
    node = next(node for node in graph.nodes if node.output == name)
    exact = [words for words, values in _hypotheses(graph, node, expected)
             if values.shape == found[name].shape and np.array_equal(values, found[name])]
    return exact or _by_place(graph, node, place_of(found[name], expected[name]))


def _hypotheses(graph, node, expected):
    """Yield sentences, and what the node's output would then be."""
    if node.inputs[0] == graph.image.name:
        for words, image in _images(expected[graph.image.name]):
            if image.shape == graph.image.shape:
                yield words, trace(graph, image[None])[node.output][0]
    if node.op == "conv2d":
        yield from _convolutions(graph, node, expected)
    own = expected[node.output]
    yield "the rows come in the reverse order", own[:, ::-1]
    yield "the channels come in the reverse order", own[::-1]
    yield "channels and columns are exchanged in memory", own.transpose(2, 1, 0)


def _images(image):
    """Yield sentences, and the image that was given instead."""
    yield "the image has its channels as blue, green, red: exchange the first and the third", image[::-1]
    yield "the image is pixel and not pixel - 128: subtract 128 from each value, or invert its upper bit", \
        (image.view(np.uint8) ^ 128).view(np.int8)
    yield "the image is upside down", image[:, ::-1]
    yield "the image is mirrored", image[:, :, ::-1]
    yield "the image has rows and columns exchanged", image.transpose(0, 2, 1)
    yield "the image is by planes; it must be rows, columns, RGB", image.reshape(-1).reshape(
        image.shape[1], image.shape[2], image.shape[0]).transpose(2, 0, 1)
    swapped = _with_swapped_bytes(image)
    yield "the bytes of RGB565 are exchanged: take rgb565be for rgb565le, or the reverse", swapped


def _with_swapped_bytes(image):
    """The image of a camera in RGB565 whose bytes were taken in the wrong order."""
    from ...data.camera import Camera

    pixels = (image.view(np.uint8) ^ 128).transpose(1, 2, 0)
    height, width, _ = pixels.shape
    encoded = Camera("rgb565le", width, height).encode(pixels)
    decoded = Camera("rgb565be", width, height).decode(encoded)
    return np.ascontiguousarray((decoded ^ 128).view(np.int8).transpose(2, 0, 1))


def _convolutions(graph, node, expected):
    attrs, tensors = node.attrs, graph.tensors
    inputs = [expected[name] for name in node.inputs]

    def computed(of=tensors, **changed):
        return FAST["conv2d"](Node(node.op, node.inputs, node.output, {**attrs, **changed}), of, *inputs)

    source = tensors[node.inputs[0]]
    if attrs["pad"] and source.quant.zero_point:
        zeros = {**tensors, source.name: replace(source, quant=replace(source.quant, zero_point=0))}
        yield (f"the padding is 0 and not the input's zero point {source.quant.zero_point} (numerics, section 1)",
               computed(zeros))
    half = 0 if tensors[node.output].quant.bits == 32 else 512
    if half:
        yield ("the last shift rounds down: the 512 of the offsets is missing (numerics, section 2)",
               computed(offset=attrs["offset"] - half))
        yield ("the last shift rounds twice: 512 is in the offsets already (numerics, section 2)",
               computed(offset=attrs["offset"] + half))
    if attrs["bias"] is not None:
        yield "the biases are missing", computed(bias=None)
    if attrs["relu"] != "none":
        yield "the ReLU is missing", computed(relu="none")
    if attrs["relu"] == "before":
        yield "the ReLU is behind the requantisation and not before it", computed(relu="after")
    if len(inputs) == 2:
        without = Node(node.op, node.inputs[:1], node.output, attrs)
        yield "the shortcut is missing", FAST["conv2d"](without, tensors, inputs[0])
    weight = attrs["weight"]
    yield "the kernels are transposed", computed(weight=np.ascontiguousarray(weight.transpose(0, 1, 3, 2)))
    if attrs["weight_quant"].bits == 4:
        taps = weight[0].size
        nibbles = np.zeros((len(weight), taps + taps % 2), np.int8)
        nibbles[:, :taps] = weight.reshape(len(weight), taps)
        exchanged = nibbles.reshape(len(weight), -1, 2)[:, :, ::-1].reshape(len(weight), -1)[:, :taps]
        yield ("the nibbles of the weights are exchanged: the low one comes first (numerics, section 6)",
               computed(weight=np.ascontiguousarray(exchanged).reshape(weight.shape)))


def _by_place(graph, node, place):
    shape = graph.tensors[node.output].shape
    found = []
    if place.border and not place.inner and min(shape[1:]) > 2:
        found.append("only pixels of the border differ: look at the padding, which is the input's zero point, and at "
                     "the ends of rows")
    if place.most == 1:
        found.append("the values are one apart: look at the rounding of the requantisation (numerics, section 2)")
    if len(place.channels) <= shape[0] // 4:
        found.append(f"only the channels {_short(place.channels)} of {shape[0]} differ: look at their weights and "
                     "parameters, and at what is left over when channels are taken in groups")
    if len(place.rows) <= shape[1] // 4:
        found.append(f"only the rows {_short(place.rows)} of {shape[1]} differ: look at rings of rows, and at what "
                     "overwrites memory that is in use")
    if not found:
        found.append("values everywhere differ: look at the weights in flash, the compiler's flags and the kernels; "
                     "the layers before it are equal" if node.inputs[0] != graph.image.name else
                     "the first layer differs everywhere: the device has seen another picture, or in another format")
    return found


def _short(numbers):
    return ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
