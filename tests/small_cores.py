"""Networks for the FPGA core that several tests share, and folders of it with something changed."""

import re

import numpy as np

from gluon_etinynet.export.fpga import core
from gluon_etinynet.export.fpga.planner import FIELDS
from gluon_etinynet.export.fpga.words import checksum
from gluon_etinynet.integer import Graph, Node, QuantParams, Tensor, requantise_params
from gluon_etinynet.integer.random_graphs import conv_attrs


def core_graph(seed=0, image=(17, 14), stem=5, blocks=((5, 1, False), (9, 2, True), (9, 1, True)), classes=6, bits=4,
               relu="before"):
    """Stem, blocks of (channels, stride, dense), average and classes, with random weights."""
    rng = np.random.default_rng(seed)
    graph = Graph("core", Tensor("image", (3, *image), QuantParams(1.0)))

    def conv(name, x, shape, shortcut=None, **options):
        out = QuantParams(0.1, int(rng.integers(-100, 60)))
        attrs = conv_attrs(rng, x, out.zero_point, shape, bits,
                           shortcut_zero_point=shortcut.quant.zero_point if shortcut else None, **options)
        return graph.append(Node("conv2d", [source.name for source in (x, shortcut) if source], name, attrs), out)

    x = conv("stem.conv", graph.image, (stem, 3, 3, 3), stride=2, relu=relu)
    x = graph.append(Node("maxpool", [x.name], "stem", {"kernel": 2, "stride": 2}), x.quant)
    for number, (channels, stride, dense) in enumerate(blocks):
        inputs = x.shape[0]
        d = conv(f"{number}.dw1", x, (inputs, 1, 3, 3), stride=stride, groups=inputs)
        same = dense and stride == 1 and inputs == channels
        p = conv(f"{number}.pw", d, (channels, inputs, 1, 1), relu=relu, shortcut=x if same else None)
        x = conv(f"{number}", p, (channels, 1, 3, 3), groups=channels, relu=relu, shortcut=p if dense else None)
    size = x.shape[1] * x.shape[2]
    params = requantise_params([2 / size], [5 - 2 * x.quant.zero_point], 128 * size)
    attrs = {"multiplier": params.multiplier, "shift": params.shift, "offset": params.offset}
    x = graph.append(Node("avgpool", [x.name], "average", attrs), QuantParams(0.05, 5))
    attrs = conv_attrs(rng, x, 0, (classes, x.shape[0], 1, 1), bits, out_bits=32)
    graph.append(Node("conv2d", [x.name], "logits", attrs), QuantParams(1e-4, 0, 32))
    return graph


def with_changed_bits(files, memory, word, change, checked=True):
    """The files with a ROM's word changed by `change`, integer -> integer; its checksum too if it is `checked`."""
    files = dict(files)
    lines = files[f"{memory}.mem"].splitlines()
    lines[word] = f"{change(int(lines[word], 16)):0{len(lines[word])}x}"
    files[f"{memory}.mem"] = "".join(line + "\n" for line in lines)
    if checked:
        width = int(re.search(rf'PATH\("{memory}.mem"\), .WIDTH\((\d+)\)', files["etn_roms.v"]).group(1))
        bits = np.array([[int(line, 16) >> k & 1 for k in range(width)] for line in lines])
        start = files["etn_roms.v"].index(f'"{memory}.mem"')
        text = files["etn_roms.v"][start:]
        text = re.sub(r"32'h[0-9a-f]+", f"32'h{checksum(bits, 1):08x}", text, count=1)
        files["etn_roms.v"] = files["etn_roms.v"][:start] + text
    return files


def with_field(files, number, name, value):
    """The files with a field of a pass's descriptor set."""
    first = sum(bits for _, bits in FIELDS[:[field for field, _ in FIELDS].index(name)])
    mask = (1 << dict(FIELDS)[name]) - 1
    return with_changed_bits(files, "passes", number,
                             lambda word: word & ~(mask << first) | (value & mask) << first)


def core_files(graph, v=8, to=4, part="xc7a100t"):
    return core.emit(graph, v, to, part)
