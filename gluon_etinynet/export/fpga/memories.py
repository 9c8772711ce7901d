"""The core's ROMs, and what its Verilog has to know of a network: its configuration (docs/fpga.md)."""

import numpy as np

from ...integer import accumulator_bound
from .planner import FIELDS, OPERAND_WORDS
from .roms import MULTIPLIER_BITS, OFFSET_BITS, WEIGHT_BITS
from .words import checksum, signed_bits

__all__ = ["Memory", "memories", "configuration", "line_memories", "style", "rom_module", "accumulator_bits"]

TOP = 5


class Memory:
    """A ROM: its bits, array of uint8 of shape (depth, width), bit 0 first; and what it is made of."""

    def __init__(self, bits, style):
        self.bits, self.style = bits, style

    @property
    def depth(self):
        """Words."""
        return self.bits.shape[0]

    @property
    def width(self):
        """Bits of a word."""
        return self.bits.shape[1]


def memories(graph, plan, part):
    """The ROMs of the core.

    Parameters
    ----------
    graph : Graph
    plan : Schedule
    part : Part
        Which says what of them lies in logic, beside the descriptors.

    Returns
    -------
    dict from str to Memory
    """
    v, to, half = plan.word_channels, plan.outputs, plan.word_channels // 2
    offset_bits, bias_bits = parameter_bits(graph)
    words = {name: [] for name in ("pointwise", "pointwise_channels", "depthwise_1", "depthwise_1_channels",
                                   "depthwise_2", "depthwise_2_channels")}

    def channels(memory, node, lanes, count):
        """`count` words of multiplier, offset and bias of as many channels as there are lanes."""
        columns = []
        for key, bits in (("multiplier", MULTIPLIER_BITS), ("offset", offset_bits), ("bias", bias_bits)):
            value = node.attrs[key]
            filled = np.zeros(count * lanes, np.int64)
            if value is not None:
                filled[:len(value)] = value
            columns.append(_bits(filled, bits))
        words[memory].append(np.concatenate(columns, axis=1).reshape(count, -1))

    def pointwise(node, fields):
        weight = node.attrs["weight"]
        outputs, inputs = weight.shape[0], weight[0].size
        count, groups = fields["last_word"] + 1, fields["pw_last_group"] + 1
        filled = np.zeros((groups * to, count * v), np.int64)
        filled[:outputs, :inputs] = weight.reshape(outputs, inputs)
        filled = filled.reshape(groups, to, count, v).transpose(0, 2, 1, 3)
        filled[:, :, 1::2] -= filled[:, :, 0::2] < 0  # a negative weight borrows from the one beside it (etn_pair.v)
        words["pointwise"].append(_bits(filled, WEIGHT_BITS).reshape(groups * count, -1))
        channels("pointwise_channels", node, to, groups)

    def depthwise(memory, node, count):
        weight = node.attrs["weight"]
        filled = np.zeros((count * v, 9), np.int64)
        filled[:len(weight)] = weight.reshape(len(weight), 9)
        words[memory].append(_bits(filled, WEIGHT_BITS).reshape(2 * count, -1))
        channels(f"{memory}_channels", node, half, 2 * count)

    for one in plan.passes:
        if one.kind == "block":
            depthwise("depthwise_1", one.nodes[0], one.fields["last_word"] + 1)
            depthwise("depthwise_2", one.nodes[2], one.fields["middle_last_word"] + 1)
        pointwise(one.nodes[{"stem": 0, "block": 1, "head": 1}[one.kind]], one.fields)
    descriptors = np.stack([np.concatenate([_bits(np.int64(one.fields.get(name, 0)), bits) for name, bits in FIELDS])
                            for one in plan.passes])
    result = {"passes": Memory(descriptors, "distributed")}
    result.update((name, Memory(np.concatenate(parts), style(name, part)))
                  for name, parts in words.items())
    return result


def style(name, part):
    """What a memory is made of on a part, as `etn_rom` and `etn_window` are told."""
    return "distributed" if name in part.in_logic else "block"


def parameter_bits(graph):
    """Bits of an offset and of a bias of any convolution."""
    convolutions = _convolutions(graph)
    offsets = [node.attrs["offset"] for node in convolutions]
    biases = [node.attrs["bias"] for node in convolutions if node.attrs["bias"] is not None]
    return max(OFFSET_BITS, signed_bits(offsets)), max(1, signed_bits(biases))


def accumulator_bits(graph):
    """Bits of an accumulator that no convolution exceeds."""
    bound = max(int(accumulator_bound(node.attrs["weight"], node.attrs["bias"]).max()) for node in _convolutions(graph))
    return max(bound.bit_length() + 1, parameter_bits(graph)[1] + 1, 18)


def _convolutions(graph):
    return [node for node in graph.nodes if node.op == "conv2d"]


def _bits(values, count):
    """Two's complement, bit 0 first: shape + (count,)."""
    numbers = np.asarray(values).astype("<i1" if count <= 8 else "<i4")[..., None]
    return np.unpackbits(numbers.view(np.uint8), axis=-1, count=count, bitorder="little")


def line_memories(plan):
    """Name, bits of an address, and bits of a word, of the two rows that each unit with a window keeps."""
    blocks = [one.fields for one in plan.passes if one.kind == "block"]

    def halves(width, last_word):  # of words, of a row and the padding beside it
        return max(_bits_for((f[width] + 1) * 2 * (f[last_word] + 1) - 1) for f in blocks)

    return [("image_lines", _bits_for(plan.passes[0].fields["width"]), 24),
            ("lines_1", halves("width", "last_word"), 4 * plan.word_channels),
            ("lines_2", halves("middle_width", "middle_last_word"), 4 * plan.word_channels)]


def configuration(graph, plan, roms, part):
    """The text of etn_config.vh for a `resources.Part`."""
    offset_bits, bias_bits = parameter_bits(graph)
    _, rows, columns = graph.tensors[plan.passes[-1].nodes[0].inputs[0]].shape
    stem = plan.passes[0].fields
    line_bits = {name: bits for name, bits, _ in line_memories(plan)}
    values = {
        "V": plan.word_channels, "TO": plan.outputs, "TOP": min(TOP, graph.classes), "CLASSES": graph.classes,
        "IMAGE_WIDTH": stem["width"], "IMAGE_HEIGHT": stem["height"],
        "SIDE_BITS": _bits_for(plan.largest("width", "height", "last_y")),
        "GROUP_BITS": max(5, _bits_for(plan.largest("last_word", "middle_last_word"))),
        "DW_GROUP_BITS": _bits_for(plan.largest("last_word", "middle_last_word")),
        "PW_GROUP_BITS": _bits_for(plan.largest("pw_last_group")),
        "OPERAND_BITS": _bits_for(OPERAND_WORDS - 1),
        "LINES": f'"{style("lines", part)}"',
        "IMAGE_LINE_BITS": line_bits["image_lines"], "LINE_1_BITS": line_bits["lines_1"],
        "LINE_2_BITS": line_bits["lines_2"],
        "POOL_LINE_BITS": _bits_for(stem["middle_width"] // 2 * (stem["middle_last_word"] + 1) - 1),
        "DOWN_LEAST": plan.down_least, "DOWN_BITS": _bits_for(plan.largest("down_1", "down_pw", "down_2")),
        "ACC_BITS": accumulator_bits(graph), "OFFSET_BITS": offset_bits, "BIAS_BITS": bias_bits,
        "PRODUCT_BITS": part.product_bits,
        "SUM_BITS": 8 + _bits_for(rows * columns),
        "RESULT_BITS": _bits_for(plan.largest("results")),
        "MEMORY_DEPTH": plan.memory_words, "MEMORY_BITS": _bits_for(plan.memory_words - 1),
    }
    for name, memory in roms.items():
        values.update({f"{name.upper()}_WIDTH": memory.width, f"{name.upper()}_DEPTH": memory.depth,
                       f"{name.upper()}_ADDRESS_BITS": _bits_for(memory.depth - 1)})
    lines = [f"`define ETN_{name} {value}" for name, value in values.items()]
    used = {"SOURCE": values["MEMORY_BITS"], "TARGET": values["MEMORY_BITS"], "LAST_WORD": values["GROUP_BITS"],
            "SOURCE_WORDS": values["MEMORY_BITS"] + 1, "RESULTS": _bits_for(plan.largest("results")),
            "MIDDLE_LAST_WORD": values["GROUP_BITS"], "PW_LAST_GROUP": values["PW_GROUP_BITS"]}
    used.update({name: values[f"{name}_ADDRESS_BITS"] for name in ("POINTWISE", "POINTWISE_CHANNELS", "DEPTHWISE_1",
                                                                  "DEPTHWISE_2")})
    used.update(dict.fromkeys(("WIDTH", "HEIGHT", "LAST_Y", "MIDDLE_WIDTH", "MIDDLE_HEIGHT"),
                              values["SIDE_BITS"]))
    used.update(dict.fromkeys(("DOWN_1", "DOWN_PW", "DOWN_2"), values["DOWN_BITS"]))
    first = 0
    for name, bits in FIELDS:
        upper = name.upper()
        lines.append(f"`define ETN_FIELD_{upper} {first + min(bits, used.get(upper, bits)) - 1}:{first}")
        first += bits
    return "\n".join(lines) + "\n"


def _bits_for(value):
    """Bits of a whole number without sign, at least 1."""
    return max(1, int(value).bit_length())


def rom_module(roms):
    """The text of etn_roms.v: every memory with a port of its own, checked together."""
    ports = ["    input  wire clk", "    input  wire rst", "    input  wire check",
             f"    output wire [{len(roms) - 1}:0] checked", f"    output wire [{len(roms) - 1}:0] bad"]
    instances = []
    for number, (name, memory) in enumerate(roms.items()):
        address_bits = _bits_for(memory.depth - 1)
        ports += [f"    input  wire [{address_bits - 1}:0] {name}_address",
                  f"    output wire [{memory.width - 1}:0] {name}_data"]
        instances.append(
            f'    etn_rom #(.PATH("{name}.mem"), .WIDTH({memory.width}), .DEPTH({memory.depth}), '
            f".CHECKSUM(32'h{checksum(memory.bits, 1):08x}),\n              .STYLE(\"{memory.style}\"), "
            f".ADDRESS_BITS({address_bits})) {name} (\n"
            f"        .clk(clk), .rst(rst), .check(check), .checked(checked[{number}]), .bad(bad[{number}]),\n"
            f"        .address({name}_address), .data({name}_data));\n")
    return ("`default_nettype none\n\nmodule etn_roms (\n" + ",\n".join(ports) + "\n);\n" + "\n".join(instances)
            + "endmodule\n\n`default_nettype wire\n")
