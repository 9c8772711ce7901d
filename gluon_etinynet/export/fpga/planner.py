"""The core's schedule: which pass does what, where each map lies, and in how many cycles (docs/fpga.md).

A pass is the stem, a block or the head. `Pass.fields` is its descriptor; `FIELDS` is the only place that says which
bits a field has, and the Verilog reads them from the configuration that is written from it.
"""

from dataclasses import dataclass
from typing import Dict, List, Tuple

from ...integer import accumulator_bound, stages
from ...reading import InputError
from .words import ceil_div

__all__ = ["FIELDS", "OPS", "OUTPUTS", "WORD_CHANNELS", "Pass", "Schedule", "schedule", "replay"]

WORD_CHANNELS = (8, 24, 32)
OUTPUTS = (4, 8, 16)
OPS = {"stem": 0, "block": 1, "head": 2}
STEM_VALUES = 27
OPERAND_WORDS, SHORTCUT_WORDS = 128, 32  # places of the ring before the pointwise unit, and for shortcuts
ACC_BITS = 25  # the port of a DSP48
STEM_LATENCY, BLOCK_LATENCY, HEAD_LATENCY = 42, 67, 27  # cycles, but for the V / 2 of `etn_pair`

# The descriptor, from bit 0 on: name and bits.
FIELDS = (
    ("op", 2), ("source", 16), ("source_words", 17), ("target", 16), ("results", 17),
    ("width", 11), ("height", 11), ("last_y", 11), ("stride_2", 1), ("last_word", 6),
    ("middle_width", 11), ("middle_height", 11), ("middle_last_word", 6),
    ("pointwise", 16), ("pointwise_channels", 16), ("pw_last_group", 16), ("depthwise_1", 12), ("depthwise_2", 12),
    ("padding_1", 8), ("relu_1", 1), ("down_1", 5), ("low_1", 8),
    ("relu_pw", 1), ("down_pw", 5), ("low_pw", 8), ("shortcut_pw", 16),
    ("padding_2", 8), ("relu_2", 1), ("down_2", 5), ("low_2", 8), ("shortcut_2", 16),
    ("gap_multiplier", 16), ("gap_offset", 24),
)


@dataclass(frozen=True)
class Pass:
    """What the core does between two descriptors.

    Attributes
    ----------
    kind : {"stem", "block", "head"}
    nodes : tuple of Node
    fields : dict from str to int
        The descriptor; fields that are left out are 0.
    written : int
        Words of the memory that it writes.
    cycles : int
        Predicted.
    """
    kind: str
    nodes: Tuple
    fields: Dict[str, int]
    written: int
    cycles: int


@dataclass(frozen=True)
class Schedule:
    """All passes of a network, and what they need of the core.

    Attributes
    ----------
    word_channels, outputs : int
        V and TO.
    passes : list of Pass
    memory_words : int
        Depth of the activation memory.
    down_least : int
        The least 16 - L of any layer; a descriptor has what is more.
    """
    word_channels: int
    outputs: int
    passes: List[Pass]
    memory_words: int
    down_least: int

    @property
    def cycles(self):
        """Predicted cycles of a picture."""
        return sum(one.cycles for one in self.passes)

    def largest(self, *names):
        """The largest value of these fields in any pass."""
        return max(one.fields.get(name, 0) for one in self.passes for name in names)


def schedule(graph, word_channels, outputs):
    """Lay out `graph` for the core.

    Parameters
    ----------
    graph : Graph
        A classifier with weights of at most 4 bits: a stem, blocks, a global average and a fully connected layer.
    word_channels : {8, 24, 32}
        V, the channels of a word.
    outputs : {4, 8, 16}
        TO, the output channels that the pointwise unit computes together; at most V.

    Returns
    -------
    Schedule

    Raises
    ------
    InputError
        If the core has no place for a node, naming it, or for these V and TO.
    """
    _check(graph, word_channels, outputs)
    found = stages(graph)
    stem, blocks, average, dense = found[0], found[1:-2], found[-2].nodes[0], found[-1].nodes[0]
    bases = _place(graph, blocks, word_channels)
    addresses = {"pointwise": 0, "pointwise_channels": 0, "depthwise_1": 0, "depthwise_2": 0}
    layout = _Layout(graph, word_channels, outputs, addresses)
    passes = [_stem(layout, stem, bases[0])]
    for block, source, target in zip(blocks, bases, bases[1:]):
        passes.append(_block(layout, block, source, target))
    passes.append(_head(layout, average, dense))
    downs = [name for name, _ in FIELDS if name.startswith("down")]
    least = min(one.fields[name] for one in passes for name in downs if name in one.fields)
    for one in passes:
        one.fields.update((name, one.fields[name] - least) for name in downs if name in one.fields)
    for one in passes:
        for name, bits in FIELDS:
            value = one.fields.get(name, 0)
            signed = name.startswith(("shortcut", "low", "padding", "gap"))
            if not (-(1 << bits - 1) if signed else 0) <= value < 1 << (bits - signed):
                raise InputError(f"node {one.nodes[-1].output}: {name} is {value}, more than the core's {bits} bits "
                                 "hold")
    memory = max(one.fields["target"] + one.written for one in passes[:-1])
    result = Schedule(word_channels, outputs, passes, memory, least)
    replay(graph, result)
    return result


# ---- What the core can do ----

def _check(graph, v, to):
    if v not in WORD_CHANNELS:
        raise InputError(f"words of {v} channels are not supported; choose {', '.join(map(str, WORD_CHANNELS))}")
    if to not in OUTPUTS or to > v:
        fitting = ", ".join(str(n) for n in OUTPUTS if n <= v)
        raise InputError(f"{to} outputs a cycle are not supported with words of {v} channels; choose {fitting}")
    if graph.detection is not None:
        raise InputError(f"network {graph.name} is a detector, the core computes classifiers; export it as C")
    found = stages(graph)
    ops = [node.op for stage in found if stage.kind == "head" for node in stage.nodes]
    if ops != ["avgpool", "conv2d"] or graph.output.shape[1:] != (1, 1) or graph.output.quant.bits != 32:
        raise InputError(f"node {graph.output.name}: the network does not end in a global average and a fully "
                         "connected layer with int32 output")
    if [stage.kind for stage in found[1:-2]] != ["block"] * (len(found) - 3) or len(found) < 4:
        raise InputError(f"network {graph.name} is not made of a stem, blocks and a head")
    conv, pool = found[0].nodes
    if conv.attrs["weight"].shape[1:] != (3, 3, 3) or (conv.attrs["stride"], conv.attrs["pad"]) != (2, 1):
        raise InputError(f"node {conv.output}: the core's stem is a 3x3 convolution of RGB with stride 2 and padding 1")
    if (pool.attrs["kernel"], pool.attrs["stride"]) != (2, 2):
        raise InputError(f"node {pool.output}: the core pools 2x2 with stride 2")
    for stage in found[1:-2]:
        if stage.nodes[0].attrs["stride"] not in (1, 2) or len(stage.nodes[0].inputs) > 1:
            raise InputError(f"node {stage.nodes[0].output}: a block begins with stride 1 or 2 and no shortcut")
    for node in graph.nodes:
        attrs = node.attrs
        if node.op != "conv2d":
            continue
        if attrs["weight_quant"].bits > 4:
            raise InputError(f"node {node.output} has weights of {attrs['weight_quant'].bits} bits, the core "
                             "multiplies by 4: train and lower the network with weights of at most 4 bits")
        if int(accumulator_bound(attrs["weight"], attrs["bias"]).max()) >= 1 << (ACC_BITS - 2):
            raise InputError(f"node {node.output}: its sums can exceed the {ACC_BITS} bits of a multiplier's input")
    for name, tensor in graph.tensors.items():
        if name != graph.output.name and ceil_div(tensor.shape[0], v) > SHORTCUT_WORDS:
            raise InputError(f"node {name}: {tensor.shape[0]} channels are more than {SHORTCUT_WORDS} words of {v}; "
                             "choose wider words")


# ---- Descriptors ----

class _Layout:
    """Hands out ROM addresses in order of the passes."""

    def __init__(self, graph, v, to, addresses):
        self.graph, self.v, self.to, self.addresses = graph, v, to, addresses

    def take(self, memory, count):
        first = self.addresses[memory]
        self.addresses[memory] += count
        return first

    def words(self, name):
        """Words of a pixel of a map."""
        return ceil_div(self.graph.tensors[name].shape[0], self.v)

    def requantisation(self, node, suffix):
        attrs, zero_point = node.attrs, self.graph.tensors[node.output].quant.zero_point
        fields = {f"relu_{suffix}": int(attrs["relu"] == "before"), f"down_{suffix}": 16 - attrs["shift"],
                  f"low_{suffix}": zero_point if attrs["relu"] == "after" else -128}
        if attrs["shortcut_multiplier"] is not None:
            fields[f"shortcut_{suffix}"] = attrs["shortcut_multiplier"]
        return fields

    def pointwise(self, node, words, groups):
        """`words` of a pixel, `groups` of outputs."""
        return {"last_word": words - 1, "pw_last_group": groups - 1,
                "pointwise": self.take("pointwise", words * groups),
                "pointwise_channels": self.take("pointwise_channels", groups), **self.requantisation(node, "pw")}

    def zero_point(self, name):
        return self.graph.tensors[name].quant.zero_point


def _stem(layout, stage, target):
    conv, pool = stage.nodes
    graph, v = layout.graph, layout.v
    _, height, width = graph.image.shape
    _, middle_height, middle_width = graph.tensors[conv.output].shape
    _, rows, columns = graph.tensors[pool.output].shape
    words, mid = ceil_div(STEM_VALUES, v), layout.words(conv.output)
    groups = ceil_div(mid * v, layout.to)
    pixels = middle_height * middle_width
    cycles = max(width * height, pixels * words * groups) + 2 * width + words * groups + STEM_LATENCY + v // 2
    return Pass("stem", stage.nodes, {
        "op": OPS["stem"], "target": target, "results": pixels * mid,
        "width": width, "height": height, "last_y": 2 * middle_height - 1, "stride_2": 1,
        "middle_width": middle_width, "middle_height": middle_height, "middle_last_word": mid - 1,
        "padding_1": layout.zero_point(graph.image.name),
        **layout.pointwise(conv, words, groups)}, rows * columns * mid, cycles)


def _block(layout, stage, source, target):
    first, pointwise, second = stage.nodes
    graph, v = layout.graph, layout.v
    _, height, width = graph.tensors[first.inputs[0]].shape
    _, rows, columns = graph.tensors[first.output].shape
    stride = first.attrs["stride"]
    words, mid = layout.words(first.output), layout.words(pointwise.output)
    groups = ceil_div(mid * v, layout.to)
    pixels = rows * columns
    # A word takes two cycles, those of the padding as well; the two units run beside the pointwise one.
    first_row, second_row = (width + 1) * 2 * words, (columns + 1) * 2 * mid
    busiest = max(pixels * words * groups, first_row * (stride * (rows - 1) + 1), second_row * rows)
    cycles = busiest + first_row + 4 * words + second_row + BLOCK_LATENCY + v // 2
    return Pass("block", stage.nodes, {
        "op": OPS["block"], "source": source, "source_words": height * width * words,
        "target": target, "results": pixels * mid, "width": width, "height": height,
        "last_y": stride * (rows - 1) + 1, "stride_2": int(stride == 2),
        "middle_width": columns, "middle_height": rows, "middle_last_word": mid - 1,
        "depthwise_1": layout.take("depthwise_1", 2 * words), "depthwise_2": layout.take("depthwise_2", 2 * mid),
        "padding_1": layout.zero_point(first.inputs[0]), "padding_2": layout.zero_point(pointwise.output),
        **layout.requantisation(first, "1"), **layout.pointwise(pointwise, words, groups),
        **layout.requantisation(second, "2")}, pixels * mid, cycles)


def _head(layout, average, dense):
    words = layout.words(average.output)
    classes = layout.graph.output.shape[0]
    groups = ceil_div(classes, layout.to)
    cycles = words * (layout.v + 1) + max(words * groups, classes) + layout.to + HEAD_LATENCY + layout.v // 2
    return Pass("head", (average, dense), {
        "op": OPS["head"], "down_1": 16 - average.attrs["shift"],
        "gap_multiplier": int(average.attrs["multiplier"][0]), "gap_offset": int(average.attrs["offset"][0]),
        **layout.pointwise(dense, words, groups)}, 0, cycles)


# ---- Where maps lie: a block's output over its input, as far below as it must be ----

def _place(graph, blocks, v):
    """Address of the first block's input and of each block's output."""
    bases = [0]
    for block in reversed(blocks):
        bases.insert(0, max(0, bases[0] + _lead(graph, block, v)))
    return bases


def _lead(graph, block, v):
    """Least distance from the output's address up to the input's, at which no word is overwritten unread."""
    total = _map_words(graph, block.nodes[0].inputs[0], v)
    leads = [k + 1 - read for k, read in enumerate(_words_read(graph, block, v)) if read < total]
    return max(leads, default=-total)


def _words_read(graph, block, v):
    """Yield, for each word that a block writes, how many words of its input were read before, at least.

    What is computed from a word was read before it: the second depthwise unit writes a pixel when the one below it to
    the right has arrived, the pointwise unit computes that from a whole pixel, and so on.
    """
    first, pointwise, second = block.nodes
    _, height, width = graph.tensors[first.inputs[0]].shape
    _, rows, columns = graph.tensors[first.output].shape
    words, mid = (ceil_div(graph.tensors[name].shape[0], v) for name in (first.output, pointwise.output))
    stride = first.attrs["stride"]
    for y in range(rows):
        for x in range(columns):
            below = min(y + 1, rows - 1)
            right = min(x + 1, columns - 1) if y + 1 < rows else columns - 1
            row, column = min(stride * below + 1, height - 1), min(stride * right + 1, width - 1)
            if stride * below + 1 >= height:
                column = width - 1
            for _ in range(mid):
                yield (row * width + column + 1) * words


def _map_words(graph, name, v):
    channels, rows, columns = graph.tensors[name].shape
    return ceil_div(channels, v) * rows * columns


def replay(graph, result):
    """Write and read the activation memory word by word as the passes do, at the latest moment for each read.

    Raises
    ------
    RuntimeError
        If a word is read that is not the map's (not yet written, or overwritten), naming the pass.
    """
    memory = {}
    for one in result.passes[:-1]:
        name, fields = one.nodes[-1].output, one.fields
        written = [(name, k) for k in range(one.written)]
        if one.kind == "stem":
            memory.update((fields["target"] + k, tag) for k, tag in enumerate(written))
            continue
        source, done = one.nodes[0].inputs[0], 0
        before = list(_words_read(graph, one, result.word_channels))
        if len(before) != len(written):
            raise RuntimeError(f"{name}: {len(before)} words are computed, {len(written)} written")
        for k, tag in enumerate(written):
            done = _read(memory, source, fields["source"], done, before[k], name)
            memory[fields["target"] + k] = tag
        _read(memory, source, fields["source"], done, fields["source_words"], name)


def _read(memory, source, base, first, last, name):
    for j in range(first, last):
        if memory.get(base + j) != (source, j):
            raise RuntimeError(f"{name}: reads word {j} of {source} at {base + j} and finds {memory.get(base + j)}")
    return max(first, last)
