"""A small network for ROM files, and their folder, that several tests share."""

import numpy as np

from gluon_etinynet.integer import Graph, Node, QuantParams, Tensor
from gluon_etinynet.integer.random_graphs import conv_attrs


def written(folder, files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def small_graph(rng, channels, bits, biased=True):
    """Stem, depthwise, pointwise, an odd kernel, average and classes, of any number of channels."""
    graph = Graph("small", Tensor("image", (3, 9, 8), QuantParams(1.0)))
    first, second, classes = channels
    x = graph.image
    for name, shape, groups in (("stem", (first, 3, 3, 3), 1), ("dw", (first, 1, 3, 3), first),
                                ("pw", (second, first, 1, 1), 1), ("wide", (second, 1, 1, 5), second)):
        attrs = conv_attrs(rng, x, 3, shape, bits, groups=groups)
        attrs["pad"] = shape[2] // 2
        if not biased or name == "wide":
            attrs["bias"] = None
        x = graph.append(Node("conv2d", [x.name], name, attrs), QuantParams(0.1, 3))
    average = {"multiplier": np.array([12345], np.int16), "shift": 1, "offset": np.array([-54321], np.int32)}
    x = graph.append(Node("avgpool", [x.name], "average", average), QuantParams(0.05, 5))
    attrs = conv_attrs(rng, x, 0, (classes, second, 1, 1), bits, out_bits=32)
    if not biased:
        attrs["bias"] = None
    graph.append(Node("conv2d", [x.name], "logits", attrs), QuantParams(1e-4, 0, 32))
    return graph
