"""Weights of 2, 3, 4 or 8 bits as bytes: a bit stream per row, low nibble first (numerics.md section 6)."""

import numpy as np

__all__ = ["pack", "unpack", "weight_limit"]


def weight_limit(bits):
    """Largest magnitude of a weight of `bits` bits: 1, 3, 7 or 127 (the range is symmetric)."""
    if bits not in (2, 3, 4, 8):
        raise ValueError(f"weights of {bits} bits are not supported; choose 2, 3, 4 or 8")
    return (1 << (bits - 1)) - 1


def pack(values, bits):
    """Pack each row of `values` into whole bytes.

    Parameters
    ----------
    values : array of int, shape (rows, n)
        Within +-`weight_limit(bits)`. Pack a weight of four dimensions as `weight.reshape(len(weight), -1)`.
    bits : {2, 3, 4, 8}

    Returns
    -------
    array of uint8, shape (rows, ceil(n * bits / 8))

    Raises
    ------
    ValueError
        If a value does not fit.
    """
    values, limit = np.asarray(values).astype(np.int64), weight_limit(bits)
    if np.abs(values).max(initial=0) > limit:
        raise ValueError(f"a weight exceeds +-{limit}, the range of {bits} bits")
    rows, n = values.shape
    streams = (values[..., None] >> np.arange(bits)) & 1
    return np.packbits(streams.astype(np.uint8).reshape(rows, n * bits), axis=1, bitorder="little")


def unpack(packed, bits, n):
    """Inverse of `pack`.

    Parameters
    ----------
    packed : array of uint8, shape (rows, ceil(n * bits / 8))
    bits : {2, 3, 4, 8}
    n : int
        Values per row.

    Returns
    -------
    array of int8, shape (rows, n)
    """
    weight_limit(bits)
    streams = np.unpackbits(np.asarray(packed, np.uint8), axis=1, bitorder="little")[:, :n * bits]
    place = 1 << np.arange(bits)
    place[-1] = -place[-1]
    return (streams.reshape(len(streams), n, bits) @ place).astype(np.int8)
