"""Exporting, compiling and running C for the tests."""

import sys
from pathlib import Path

import numpy as np
from running import needs

from gluon_etinynet.emit import c
from gluon_etinynet.emit.folder import write_folder
from gluon_etinynet.emit.program import call, logits, make, raw, read_trace
from gluon_etinynet.integer import Graph, Node, QuantParams, Tensor, requantise_params

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integer"))

from random_graphs import conv_attrs, etinynet_graph, images  # noqa: E402

__all__ = ["SANITIZE", "Sanitized", "call", "etinynet_graph", "export", "images", "logits", "make", "needs",
           "raw", "read_trace", "varied_graph"]

SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def export(graph, folder, prefix="net"):
    """Write the C of `graph`; returns the folder."""
    write_folder(folder, c.emit(graph, prefix), c.REPORT, c.TOOL)
    return Path(folder)


class Sanitized:
    """Compiles networks with the address and undefined-behaviour sanitizers; the runtime only once."""

    def __init__(self, work):
        self.work, self.objects = work, None

    def program(self, graph):
        """Export `graph` and build its demo with the trace; returns the program."""
        folder = export(graph, self.work / "network")
        flags = ["-std=c99", "-DETN_OBSERVED", *SANITIZE]
        if self.objects is None:
            self.objects = []
            for source in sorted((folder / "src").glob("etn_*.c")):
                self.objects.append(self.work / (source.stem + ".o"))
                call(["cc", *flags, "-c", source, "-o", self.objects[-1]])
        program = self.work / "program"
        demo = [folder / "demo" / name for name in ("main.c", "host.c", "trace.c")]
        call(["cc", *flags, "-o", program, folder / "src" / "net.c", *demo, *self.objects])
        return program


def varied_graph(seed):
    """A small network of everything that the runtime serves, chosen by `seed`."""
    rng = np.random.default_rng(seed)

    def pick(*values):
        return values[rng.integers(len(values))]

    graph = Graph("varied */", Tensor("image", (pick(1, 3, 3, 4), pick(9, 16, 23), pick(8, 13, 18)),
                                      QuantParams(1.0, pick(0, 0, -128, 127))))

    def conv(name, source, shape, relus, shortcut=None, **options):
        quant = QuantParams(0.1, pick(-128, 127, 0, int(rng.integers(-100, 100))))
        bits = pick(2, 3, 4, 8)
        limit = (1 << (bits - 1)) - 1
        extreme = {"weight": rng.choice(np.int8([-limit, limit]), shape)} if pick(0, 0, 1) else {}
        attrs = conv_attrs(rng, source, quant.zero_point, shape, bits, relu=pick(*relus), **extreme,
                           **options, shortcut_zero_point=shortcut.quant.zero_point if shortcut else None)
        if pick(0, 0, 0, 1):
            attrs["bias"] = None
        inputs = [source.name] + ([shortcut.name] if shortcut else [])
        return graph.append(Node("conv2d", inputs, name, attrs), quant)

    any_relu, channels = ("none", "before", "before", "after"), int(rng.integers(1, 8))
    x = conv("conv", graph.image, (channels, graph.image.shape[0], 3, 3), any_relu, stride=pick(1, 2, 2))
    pool = {"kernel": pick(1, 2, 2, 3), "stride": pick(1, 2, 2, 3)}
    x = graph.append(Node("maxpool", [x.name], "pool", pool), x.quant)
    for block in range(int(rng.integers(1, 5))):
        inputs, stride, dense = x.shape[0], pick(1, 1, 1, 2, 3), pick(False, True)
        outputs = pick(inputs, int(rng.integers(1, 12)))
        d = conv(f"b{block}.dw1", x, (inputs, 1, 3, 3), any_relu, stride=stride, groups=inputs)
        p = conv(f"b{block}.pw", d, (outputs, inputs, 1, 1), any_relu,
                 x if dense and stride == 1 and inputs == outputs else None)
        x = conv(f"b{block}", p, (outputs, 1, 3, 3), any_relu, p if dense else None, groups=outputs)
    cells = x.shape[1] * x.shape[2]
    average = requantise_params([rng.uniform(0.5, 3) / cells], [float(rng.integers(-50, 50))], 128 * cells)
    attrs = {"multiplier": average.multiplier, "shift": average.shift, "offset": average.offset}
    x = graph.append(Node("avgpool", [x.name], "average", attrs), QuantParams(0.05, 5))
    attrs = conv_attrs(rng, x, 0, (int(rng.integers(1, 9)), x.shape[0], 1, 1), pick(2, 3, 4, 8), out_bits=32)
    graph.append(Node("conv2d", [x.name], "logits", attrs), QuantParams(1e-4, 0, 32))
    return graph
