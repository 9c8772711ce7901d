"""Graph -> ROM files for an FPGA, and back: the word layouts of docs/rom.md.

A memory is a table of words, a word a row of equal lanes of two's complement integers, lane 0 in the low
bits. `_weight_place` and `_channel_place` are the only two functions that know which word and lane a value
lives in; the writer and the reader both go through them.
"""

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from ... import __version__
from ...reading import InputError, read_json, read_text
from ..folder import UNFINISHED, Export
from .words import ceil_div, from_hex, signed_bits, to_hex

__all__ = ["WORD_CHANNELS", "OUTPUTS", "ADDRESS_MAP", "CHECKSUMS", "emit", "read", "read_address_map",
           "verify"]

WORD_CHANNELS = (8, 24, 32)
OUTPUTS = 8  # output channels of a pointwise word, and channels of a requantise or bias word
WEIGHT_BITS = 4
MULTIPLIER_BITS = 16
OFFSET_BITS = 20  # with the multiplier 36, one block RAM word with its parity bits; more where values need it
ADDRESS_MAP, CHECKSUMS = "etinynet_roms.json", "SHA256SUMS"

TOOL = "gluon_etinynet export_rom"
_RTL = Path(__file__).resolve().parent / "rtl"
_ARRAYS = ("weight", "multiplier", "offset", "bias")


def emit(graph, word_channels, prefix=""):
    """Write a network as ROM files.

    Parameters
    ----------
    graph : Graph
        With weights of at most 4 bits.
    word_channels : {8, 24, 32}
        V, the channels that one weight word holds.
    prefix : str
        Begins the names of modules, parameters and files, so that several networks fit into one design: with "net" it
        is `net_roms`, `net_rom` and `net_pointwise.mem`, without `etinynet_roms`, `rom` and `pointwise.mem`.

    Returns
    -------
    Export
        Each memory as `.mem`, `.coe` and `.mif`; `rom.v`, `etinynet_roms.v` and `.vh`; the address map
        `etinynet_roms.json`, which is its manifest; `SHA256SUMS` over all of them.

    Raises
    ------
    InputError
        If the prefix is none, or naming the first layer whose weights exceed 4 bits.
    ValueError
        If `word_channels` is none of the three.
    """
    if word_channels not in WORD_CHANNELS:
        raise ValueError(f"a word of {word_channels} channels is not supported; choose 8, 24 or 32")
    if not re.match(r"([A-Za-z][A-Za-z0-9_]{,63})?\Z", prefix):
        raise InputError(f"prefix {' '.join(prefix.split())} is none; take up to 64 letters, digits and underscores, a "
                         "letter first")
    graph.validate()
    for node in graph.nodes:
        if node.op == "conv2d" and node.attrs["weight_quant"].bits > WEIGHT_BITS:
            bits = node.attrs["weight_quant"].bits
            raise InputError(f"node {node.output} has weights of {bits} bits, a ROM word holds "
                             f"{WEIGHT_BITS}: train and lower the network with weights of at most 4 bits")
    layers, depths = _allocate(graph, word_channels)
    arrays = {node.output: {key: node.attrs.get(key) for key in _ARRAYS} for node in graph.nodes}
    fields = {"weight": WEIGHT_BITS, "multiplier": MULTIPLIER_BITS,
              "offset": max(OFFSET_BITS, signed_bits(_present(arrays, "offset"))),
              "bias": signed_bits(_present(arrays, "bias"))}
    begin, roms = f"{prefix}_" * bool(prefix), f"{prefix or 'etinynet'}_roms"
    memories = {name: dict(_memory(name, depth, word_channels, fields), file=f"{begin}{name}.mem")
                for name, depth in depths.items()}
    address_map = {"tool": TOOL, "version": __version__, "network": graph.name,
                   "graph_sha256": graph.sha256(), "word_channels": word_channels,
                   "outputs": OUTPUTS, "field_bits": fields, "memories": memories, "layers": layers}

    files = {}
    for name, words in _encode(arrays, address_map).items():
        files.update(_views(memories[name], to_hex(words, memories[name]["lane_bits"])))
    banner = f"{TOOL} {__version__}, network {' '.join(graph.name.split())}, graph {graph.sha256()[:16]}; do not edit"
    files[f"{roms}.vh"] = _header(address_map, begin.upper(), banner)
    files[f"{roms}.v"] = _wrapper(memories, roms, f"{begin}rom", banner)
    files[f"{begin}rom.v"] = (_RTL / "rom.v").read_text().replace("module rom ", f"module {begin}rom ")
    address_map["files"] = sorted([*files, ADDRESS_MAP, CHECKSUMS])
    files[ADDRESS_MAP] = json.dumps(address_map, indent=1) + "\n"
    files[CHECKSUMS] = "".join(f"{_sha256(files[name])}  {name}\n" for name in sorted(files))
    return Export(files, ADDRESS_MAP)


def read(folder):
    """Read ROM files back.

    Parameters
    ----------
    folder : str or Path
        As `tools/export_rom.py` writes it.

    Returns
    -------
    dict of str to dict
        By layer: `weight` (int8, None for avgpool), `multiplier` (int16), `offset` (int32) and `bias`
        (int32 or None), as in the Graph.

    Raises
    ------
    InputError
        Naming the file that is missing, altered, of the wrong length, at odds with its other views, or not
        zero where nothing is stored.
    """
    folder = Path(folder)
    address_map = read_address_map(folder)
    checksums = {name: checksum for checksum, _, name in
                 (line.partition("  ") for line in _read_text(folder / CHECKSUMS).splitlines())}
    for name in [ADDRESS_MAP, *address_map.get("files", ())]:
        if name != CHECKSUMS and _sha256(_read_text(folder / name)) != checksums.get(name):
            raise InputError(f"{folder / name} has been altered (its checksum differs); export it anew")
    words = {}
    for name, memory in address_map["memories"].items():
        path = folder / memory["file"]
        text = _read_text(path)
        words[name] = from_hex(text, memory, path)
        for name, view in _views(memory, text.splitlines()).items():
            if _read_text(folder / name) != view:
                raise InputError(f"{folder / name} does not hold the words of {path.name}; export it anew")
    arrays = _decode(words, address_map)
    for name, expected in _encode(arrays, address_map).items():
        wrong = np.argwhere(expected != words[name])
        if len(wrong):
            path = folder / address_map["memories"][name]["file"]
            raise InputError(f"{path}: word {wrong[0][0]} holds a value where it should be zero; export it anew")
    return arrays


def verify(folder, graph):
    """Read ROM files back and hold them against the network they were made from.

    Raises
    ------
    InputError
        As `read`, or naming the first layer, array and index that differ, and the word it was read from.
    """
    arrays, address_map = read(folder), read_address_map(folder)
    layers = {layer["name"]: layer for layer in address_map["layers"]}
    for node in graph.nodes:
        for key in _ARRAYS:
            expected, got = node.attrs.get(key), arrays.get(node.output, {}).get(key)
            if expected is None and got is None:
                continue
            if expected is None or got is None or expected.dtype != got.dtype or expected.shape != got.shape:
                raise InputError(f"{folder}: {node.output}/{key} is not of the network's shape and type")
            wrong = np.argwhere(expected != got)
            if len(wrong):
                index = tuple(int(i) for i in wrong[0])
                memory, word = _address(layers[node.output], key, index, address_map["word_channels"])
                path = Path(folder) / address_map["memories"][memory]["file"]
                raise InputError(f"{path}: word {word} holds {got[index]} where "
                                 f"{node.output}/{key}{list(index)} of the network is {expected[index]}")


def read_address_map(folder):
    """The contents of a ROM folder's address map (docs/rom.md).

    Raises
    ------
    InputError
        If there is none, or its folder was not written to the end.
    """
    path = Path(folder) / ADDRESS_MAP
    address_map = read_json(path, "export the ROMs with tools/export_rom.py")
    if isinstance(address_map, dict) and UNFINISHED in address_map:
        raise InputError(f"{folder} was not written to the end; export the ROMs anew")
    if not isinstance(address_map, dict) or address_map.get("tool") != TOOL:
        raise InputError(f"{path} is missing or no address map; export the ROMs with tools/export_rom.py")
    return address_map


# ---- Where a value lives ----

def _weight_place(memory, shape, v):
    """Word (from the layer's base) and lane of each element of a weight, both in `shape`."""
    _, inputs, rows, columns = shape
    o, i, r, s = np.indices(shape)
    if memory == "pointwise":
        return o // OUTPUTS * ceil_div(inputs, v) + i // v, o % OUTPUTS * v + i % v
    taps = inputs * rows * columns
    return o // v * taps + (i * rows + r) * columns + s, o % v


def _channel_place(channels):
    """Word (from the layer's base) and lane of each channel's multiplier and offset, or bias."""
    c = np.arange(channels)
    return c // OUTPUTS, c % OUTPUTS


def _address(layer, key, index, v):
    """Memory and absolute word of one element."""
    if key == "weight":
        word, _ = _weight_place(layer["weight_memory"], layer["weight_shape"], v)
        return layer["weight_memory"], layer["weight_base"] + int(word[index])
    return "bias" if key == "bias" else "requantise", layer["channel_base"] + index[0] // OUTPUTS


def _allocate(graph, v):
    """Give each layer its words, in order of execution: layers of the address map, depths by memory."""
    layers, depths = [], {"pointwise": 0, "depthwise": 0, "requantise": 0, "bias": 0}
    for node in graph.nodes:
        attrs, out = node.attrs, graph.tensors[node.output]
        source = graph.tensors[node.inputs[0]]
        layer = {"name": node.output, "op": node.op, "inputs": list(node.inputs),
                 "input_shape": list(source.shape), "input_zero_point": source.quant.zero_point,
                 "output_shape": list(out.shape), "output_zero_point": out.quant.zero_point,
                 "output_bits": out.quant.bits}
        layer.update({key: attrs[key] for key in ("kernel", "stride", "pad", "groups", "relu", "shift",
                                                  "shortcut_multiplier") if key in attrs})
        if "weight" in attrs:
            shape = attrs["weight"].shape
            memory = "pointwise" if shape[2:] == (1, 1) and attrs["groups"] == 1 else "depthwise"
            word, _ = _weight_place(memory, shape, v)
            layer.update({"weight_memory": memory, "weight_base": depths[memory],
                          "weight_words": int(word.max()) + 1, "weight_shape": list(shape),
                          "weight_bits": attrs["weight_quant"].bits})
            depths[memory] += layer["weight_words"]
        if "multiplier" in attrs:
            words = ceil_div(len(attrs["multiplier"]), OUTPUTS)
            layer.update({"channels": len(attrs["multiplier"]), "channel_base": depths["requantise"],
                          "channel_words": words, "bias": attrs.get("bias") is not None})
            depths["requantise"] += words
        layers.append(layer)
    if any(layer.get("bias") for layer in layers):
        depths["bias"] = depths["requantise"]  # the same addresses
    return layers, {name: depth for name, depth in depths.items() if depth}


def _memory(name, depth, v, fields):
    lanes, bits = {
        "pointwise": (OUTPUTS * v, fields["weight"]),
        "depthwise": (v, fields["weight"]),
        "requantise": (OUTPUTS, fields["multiplier"] + fields["offset"]),
        "bias": (OUTPUTS, fields["bias"]),
    }[name]
    return {"depth": depth, "width": lanes * bits, "lanes": lanes, "lane_bits": bits}


def _present(arrays, key):
    return [layer[key] for layer in arrays.values() if layer[key] is not None]


# ---- Arrays <-> words ----

def _encode(arrays, address_map):
    """Words of each memory, int64 of shape (depth, lanes); zero where nothing is stored."""
    words = {name: np.zeros((memory["depth"], memory["lanes"]), np.int64)
             for name, memory in address_map["memories"].items()}
    for layer in address_map["layers"]:
        values = arrays[layer["name"]]
        if "weight_base" in layer:
            memory = layer["weight_memory"]
            word, lane = _weight_place(memory, layer["weight_shape"], address_map["word_channels"])
            words[memory][layer["weight_base"] + word, lane] = values["weight"]
        if "channel_base" in layer:
            word, lane = _channel_place(layer["channels"])
            word = layer["channel_base"] + word
            low = values["multiplier"].astype(np.int64) & ((1 << MULTIPLIER_BITS) - 1)
            words["requantise"][word, lane] = low | values["offset"].astype(np.int64) << MULTIPLIER_BITS
            if layer["bias"]:
                words["bias"][word, lane] = values["bias"]
    return words


def _decode(words, address_map):
    """Inverse of `_encode`."""
    arrays = {}
    for layer in address_map["layers"]:
        found = dict.fromkeys(_ARRAYS)
        if "weight_base" in layer:
            memory = layer["weight_memory"]
            word, lane = _weight_place(memory, layer["weight_shape"], address_map["word_channels"])
            found["weight"] = words[memory][layer["weight_base"] + word, lane].astype(np.int8)
        if "channel_base" in layer:
            word, lane = _channel_place(layer["channels"])
            word = layer["channel_base"] + word
            lanes = words["requantise"][word, lane]
            found["multiplier"] = lanes.astype(np.int16)
            found["offset"] = (lanes >> MULTIPLIER_BITS).astype(np.int32)
            if layer["bias"]:
                found["bias"] = words["bias"][word, lane].astype(np.int32)
        arrays[layer["name"]] = found
    return arrays


# ---- Words <-> text ----

def _views(memory, lines):
    """The same words for `$readmemh`, for AMD's memory generator (.coe) and for Intel's tools (.mif)."""
    rows = "".join(f"{address:X} : {line};\n" for address, line in enumerate(lines))
    name = memory["file"][:-len(".mem")]
    return {
        f"{name}.mem": "".join(line + "\n" for line in lines),
        f"{name}.coe": "memory_initialization_radix=16;\nmemory_initialization_vector=\n"
                       + ",\n".join(lines) + ";\n",
        f"{name}.mif": f"DEPTH = {len(lines)};\nWIDTH = {memory['width']};\nADDRESS_RADIX = HEX;\nDATA_RADIX = HEX;\n"
                       f"CONTENT BEGIN\n{rows}END;\n",
    }


def _header(address_map, begin, banner):
    values = {"WORD_CHANNELS": address_map["word_channels"], "OUTPUTS": OUTPUTS}
    values.update({f"{key.upper()}_BITS": bits for key, bits in address_map["field_bits"].items()})
    for name, memory in address_map["memories"].items():
        values[f"{name.upper()}_WIDTH"], values[f"{name.upper()}_DEPTH"] = memory["width"], memory["depth"]
    return f"// {banner}\n// Include it within a module.\n" + "".join(
        f"localparam {begin}{name} = {value};\n" for name, value in values.items())


def _wrapper(memories, module, rom, banner):
    """A module that holds every memory, each with a port of its own."""
    parameters, ports, instances = [], ["    input  wire clk"], []
    for name, memory in memories.items():
        address_bits = max(1, (memory["depth"] - 1).bit_length())
        parameters.append(f'    parameter {name.upper()}_PATH = "{memory["file"]}"')
        ports += [f"    input  wire {name}_enable", f"    input  wire [{address_bits - 1}:0] {name}_address",
                  f"    output wire [{memory['width'] - 1}:0] {name}_data"]
        instances.append(
            f"    {rom} #(.PATH({name.upper()}_PATH), .WIDTH({memory['width']}), .DEPTH({memory['depth']})) "
            f"{name} (\n        .clk(clk), .enable({name}_enable), .address({name}_address), "
            f".data({name}_data));\n")
    return (f"// {banner}\n`default_nettype none\n\nmodule {module} #(\n" + ",\n".join(parameters)
            + "\n) (\n" + ",\n".join(ports) + "\n);\n" + "".join(instances)
            + "endmodule\n\n`default_nettype wire\n")


# ---- Files ----

def _sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _read_text(path):
    return read_text(path, remedy="export it anew")
