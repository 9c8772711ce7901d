"""Exporting, compiling and running C for the tests."""

import re

import numpy as np
from running import needs

from gluon_etinynet.data.camera import Camera
from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import SANITIZE, Sanitized, call, logits, make, raw, read_trace
from gluon_etinynet.integer import Detection, Graph, Node, QuantParams, Tensor, requantise_params
from gluon_etinynet.integer.random_graphs import conv_attrs, etinynet_graph, images, predict, ssd_graph

__all__ = ["SANITIZE", "Sanitized", "call", "etinynet_graph", "export", "images", "logits", "make", "needs",
           "raw", "read_arrays", "read_trace", "ssd_graph", "varied_detector", "varied_graph"]


TYPES = {"uint8_t": np.uint8, "int16_t": np.int16, "int32_t": np.int32}


def export(graph, folder, prefix="net", kernels="portable", camera=None, **options):
    """Write the C of `graph`, with a camera as in "rgb888:32x24" or without; returns the folder."""
    return c.emit(graph, prefix, kernels, camera and Camera.parse(camera), **options).write(folder)


def read_arrays(text):
    """The constant arrays of an emitted src/PREFIX.c, by name."""
    arrays = {}
    for kind, name, count, body in re.findall(r"static const (\w+) (\w+)\[(\d+)\] ETN_TABLE = \{([^}]*)\}", text):
        arrays[name] = np.array(body.replace(",", " ").split(), np.int64).astype(TYPES[kind])
        assert len(arrays[name]) == int(count), name
    return arrays


def varied_graph(seed):
    """A small network of everything that the runtime serves, chosen by `seed`."""
    graph, rng, x = _varied_stem(seed)
    for block in range(int(rng.integers(1, 5))):
        x = _varied_block(graph, rng, x, f"b{block}")
    cells = x.shape[1] * x.shape[2]
    average = requantise_params([rng.uniform(0.5, 3) / cells], [float(rng.integers(-50, 50))], 128 * cells)
    attrs = {"multiplier": average.multiplier, "shift": average.shift, "offset": average.offset}
    x = graph.append(Node("avgpool", [x.name], "average", attrs), QuantParams(0.05, 5))
    shape = (int(rng.integers(1, 9)), x.shape[0], 1, 1)
    attrs = conv_attrs(rng, x, 0, shape, pick(rng, 2, 3, 4, 8), out_bits=32)
    graph.append(Node("conv2d", [x.name], "logits", attrs), QuantParams(1e-4, 0, 32))
    return graph


def varied_detector(seed):
    """A small detector of everything that the runtime serves, with limits that are reached and saturation."""
    graph, rng, x = _varied_stem(seed)
    levels, classes = [], int(rng.integers(1, 6))
    for part in range(int(rng.integers(1, 5))):
        if not levels or pick(rng, False, True):
            x = _varied_block(graph, rng, x, f"b{part}")
        if not levels or pick(rng, False, True):
            levels.append(predict(graph, rng, x, len(levels), classes, int(rng.integers(1, 40)),
                                  int(rng.integers(1, 5)), pick(rng, 2, 3, 4, 8), pick(rng, 0.04, 0.2, 1),
                                  pick(rng, 0.01, 0.1, 1)))
    if graph.nodes[-1].output != levels[-1].boxes:
        levels.append(predict(graph, rng, x, len(levels), classes, 64, 1))
    candidates = int(pick(rng, 1, 7, 400))
    graph.detection = Detection(tuple(levels), pick(rng, 0, 655, 20000), pick(rng, 0, 29491, 65535),
                                candidates, int(rng.integers(1, min(candidates, 100) + 1)))
    return graph


def pick(rng, *values):
    return values[rng.integers(len(values))]


def _varied_stem(seed):
    rng = np.random.default_rng(seed)
    shape = (pick(rng, 1, 3, 3, 4), pick(rng, 9, 16, 23), pick(rng, 8, 13, 18))
    graph = Graph("varied */", Tensor("image", shape, QuantParams(1.0, pick(rng, 0, 0, -128, 127))))
    x = _varied_conv(graph, rng, "conv", graph.image, (int(rng.integers(1, 8)), graph.image.shape[0], 3, 3),
                     stride=pick(rng, 1, 2, 2))
    pool = {"kernel": pick(rng, 1, 2, 2, 3), "stride": pick(rng, 1, 2, 2, 3)}
    return graph, rng, graph.append(Node("maxpool", [x.name], "pool", pool), x.quant)


def _varied_block(graph, rng, x, name):
    inputs, stride, dense = x.shape[0], pick(rng, 1, 1, 1, 2, 3), pick(rng, False, True)
    outputs = pick(rng, inputs, int(rng.integers(1, 12)))
    d = _varied_conv(graph, rng, f"{name}.dw1", x, (inputs, 1, 3, 3), stride=stride, groups=inputs)
    p = _varied_conv(graph, rng, f"{name}.pw", d, (outputs, inputs, 1, 1),
                     x if dense and stride == 1 and inputs == outputs else None)
    return _varied_conv(graph, rng, name, p, (outputs, 1, 3, 3), p if dense else None, groups=outputs)


def _varied_conv(graph, rng, name, source, shape, shortcut=None, **options):
    quant = QuantParams(0.1, pick(rng, -128, 127, 0, int(rng.integers(-100, 100))))
    bits = pick(rng, 2, 3, 4, 8)
    limit = (1 << (bits - 1)) - 1
    extreme = {"weight": rng.choice(np.int8([-limit, limit]), shape)} if pick(rng, 0, 0, 1) else {}
    relu = pick(rng, "none", "before", "before", "after")
    attrs = conv_attrs(rng, source, quant.zero_point, shape, bits, relu=relu, **extreme, **options,
                       shortcut_zero_point=shortcut.quant.zero_point if shortcut else None)
    if pick(rng, 0, 0, 0, 1):
        attrs["bias"] = None
    inputs = [source.name] + ([shortcut.name] if shortcut else [])
    return graph.append(Node("conv2d", inputs, name, attrs), quant)
