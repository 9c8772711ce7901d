"""Words of a memory <-> text: rows of equal lanes of two's complement integers, lane 0 in the low bits."""

import numpy as np

from ...reading import InputError

__all__ = ["ceil_div", "signed_bits", "to_hex", "from_hex", "checksum"]


def ceil_div(a, b):
    """The quotient of two whole numbers, rounded up."""
    return -(-a // b)


def signed_bits(arrays):
    """Bits that hold every value of these arrays in two's complement; 0 if there is none."""
    return max((int(np.where(a < 0, ~a, a).max()).bit_length() + 1 for a in arrays), default=0)


def to_hex(words, bits):
    """One hexadecimal number for each word, of as many digits as its width needs.

    Parameters
    ----------
    words : array of int64, shape (depth, lanes)
    bits : int
        Of a lane.

    Returns
    -------
    list of str
    """
    digits = ceil_div(words.shape[1] * bits, 4)
    return [row.tobytes().hex()[-digits:] for row in _bytes(words, bits)[:, ::-1]]


def from_hex(text, memory, path):
    """Inverse of `to_hex` for a `.mem` file.

    Parameters
    ----------
    text : str
    memory : dict
        `depth`, `width`, `lanes` and `lane_bits`.
    path : Path
        For the message.

    Returns
    -------
    array of int64, shape (depth, lanes)

    Raises
    ------
    InputError
        Naming the file and line that holds no word.
    """
    lines, bits, lanes = text.splitlines(), memory["lane_bits"], memory["lanes"]
    if len(lines) != memory["depth"]:
        raise InputError(f"{path} has {len(lines)} lines, its memory {memory['depth']} words; export it anew")
    digits = ceil_div(memory["width"], 4)
    for number, line in enumerate(lines, start=1):
        if len(line) != digits or line.strip("0123456789abcdef") or int(line, 16) >> memory["width"]:
            raise InputError(f"{path}: line {number} is no word of {memory['width']} bits; export it anew")
    packed = b"".join(bytes.fromhex(line.zfill(digits + digits % 2)) for line in lines)
    packed = np.frombuffer(packed, np.uint8).reshape(len(lines), -1)[:, ::-1]
    stream = np.unpackbits(packed, axis=1, bitorder="little")[:, :memory["width"]]
    place = np.left_shift(1, np.arange(bits, dtype=np.int64))
    place[-1] = -place[-1]
    return stream.reshape(len(lines), lanes, bits) @ place


def checksum(words, bits):
    """What `etn_rom` folds a memory into, reading it word after word: 32 bits.

    Parameters
    ----------
    words, bits
        As of `to_hex`.
    """
    packed = _bytes(words, bits)
    packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))
    pieces = np.bitwise_xor.reduce(np.ascontiguousarray(packed).view("<u4"), axis=1)
    total = 0
    for piece in pieces.tolist():
        total = (total << 1 & 0xFFFFFFFF | total >> 31) ^ piece
    return total


def _bytes(words, bits):
    """The words as bytes, the low ones first: array of uint8, shape (depth, ceil(width / 8))."""
    stream = ((words[..., None] >> np.arange(bits)) & 1).astype(np.uint8).reshape(len(words), -1)
    return np.packbits(stream, axis=1, bitorder="little")
