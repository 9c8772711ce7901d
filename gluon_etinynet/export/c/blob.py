"""The weights as a binary file, for memory that the processor reads like its own and that can be written by itself.

It is what etn_blob.h says, for processors of 32 bits that have the lowest byte first: a header, the layers' table with
pointers into the blob, the digests of the self-test if there is one, and the arrays.
"""

import json
import struct
import zlib

import numpy as np

__all__ = ["layout_of", "pack_blob"]

_MAGIC = 0x57744E45  # "ENtW"
_HEADER = struct.Struct("<8I")
_LAYER = struct.Struct("<4I7Hh8B2b2x")  # etn_layer
_POINTERS = ("weights", "bias", "multiplier", "offset")
_NUMBERS = ("inputs", "in_rows", "in_columns", "outputs", "rows", "columns", "taps", "shortcut_multiplier", "bits",
            "bias_bytes", "kernel", "stride", "shift", "room", "relu", "shortcut", "low", "in_zero_point")
_SHAPE = (*_NUMBERS[:7], "kernel", "stride", "shortcut")
_ALIGNMENT = 8


def layout_of(layers, plans, anchors, address, has_digests):
    """Return 32 bits that tell what a firmware and its blob must agree in: shapes, memory, the blob's address, and
    whether it has digests of a self-test; not weights or scales."""
    shapes = [[layer["fields"].get(key, 0) for key in _SHAPE] for layer in layers]
    steps = [[name, plan["widened"], plan["arena_bytes"], plan["steps"]] for name, plan in sorted(plans.items())]
    what = [shapes, steps, [array["text"] for array in anchors], address, has_digests]
    return zlib.crc32(json.dumps(what, sort_keys=True).encode())


def pack_blob(address, version, layout, network, layers, arrays, digests):
    """Make a blob.

    Parameters
    ----------
    address : int
        Where it will lie.
    version, layout, network : int
        Of the header, 32 bits each.
    layers, arrays : list of dict
        As the emitter makes them, each array with its `values`.
    digests : list of int
        Of the self-test; empty without.

    Returns
    -------
    bytes
    """
    begin = _HEADER.size + len(layers) * _LAYER.size
    tables, places = struct.pack(f"<{len(digests)}I", *digests), {}
    behind = bytearray(tables)
    for array in arrays:
        behind += bytes(-(begin + len(behind)) % _ALIGNMENT)
        places[array["name"]] = address + begin + len(behind)
        behind += np.ascontiguousarray(array["values"]).astype(array["values"].dtype.newbyteorder("<")).tobytes()
    rows = b"".join(_LAYER.pack(*(places[layer["fields"][key]] if key in layer["fields"] else 0 for key in _POINTERS),
                                *(int(layer["fields"].get(key, 0)) for key in _NUMBERS)) for layer in layers)
    content = rows + bytes(behind)
    head = (_MAGIC, version, layout, _HEADER.size + len(content), zlib.crc32(content), network, 0)
    return _HEADER.pack(*head, zlib.crc32(struct.pack("<7I", *head))) + content
