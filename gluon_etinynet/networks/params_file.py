"""Reading MXNet ``.params`` files without MXNet.

MXNet's own reader trusts the lengths in the file: a damaged one asks for any amount of memory,
and flipped bits load silently. This one checks every length against the size of the file before
it reads, and needs only NumPy, so that tools run where MXNet is not installed.
"""

import struct

import numpy as np

from ..reading import InputError, parsing, read_bytes

__all__ = ["read_params"]

LIST_MAGIC = 0x112
ARRAY_MAGICS = {0xF993FAC9: "V2", 0xF993FACA: "V3"}
DENSE = 0
DTYPES = {0: np.float32, 1: np.float64, 2: np.float16, 3: np.uint8, 4: np.int32, 5: np.int8, 6: np.int64}
MAX_DIMENSIONS = 8


class _Reader:
    """Little-endian fields off a byte string, none of them past its end."""

    def __init__(self, content):
        self.content = content
        self.position = 0

    def take(self, size):
        if size > len(self.content) - self.position:
            raise ValueError("it ends too early")
        self.position += size
        return self.content[self.position - size:self.position]

    def number(self, code):
        return struct.unpack("<" + code, self.take(struct.calcsize(code)))[0]


def read_params(path):
    """Read the named arrays of a ``.params`` file.

    Parameters
    ----------
    path : str or Path
        Written by ``Block.save_parameters``, ``HybridBlock.export`` or ``mx.nd.save`` with a dict.

    Returns
    -------
    dict of str to numpy.ndarray
        In the file's order. The ``arg:`` and ``aux:`` of exported files are taken off.

    Raises
    ------
    InputError
        If the file is missing, truncated or damaged, or not of this kind; or if a value is not finite.
    """
    content = read_bytes(path)
    if content[:4] == b"PK\3\4":
        raise InputError(f"{path} is an .npz archive, as MXNet 2 saves parameters, and no .params file; write it anew: "
                         "mxnet.nd.save(FILE, {name: mxnet.nd.array(a) for name, a in numpy.load(NPZ).items()})")
    with parsing(path, "fetch or save it again", "is not a whole MXNet .params file"):
        arrays = _parse(_Reader(content))
        infinite = [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if infinite:
        raise InputError(f"{path} holds values that are not finite in {infinite[0]}; it is damaged or its "
                         "training diverged")
    return arrays


def _parse(reader):
    if reader.number("Q") != LIST_MAGIC:
        raise ValueError("its first bytes are others")
    reader.number("Q")  # reserved
    arrays = [_parse_array(reader) for _ in range(_count(reader, least_bytes=20))]
    names = [reader.take(_count(reader, 1)).decode("utf-8") for _ in range(_count(reader, least_bytes=8))]
    if reader.position != len(reader.content):
        raise ValueError("there is more behind its end")
    names = [name.split(":", 1)[1] if name.startswith(("arg:", "aux:")) else name for name in names]
    if len(names) != len(arrays) or len(set(names)) != len(names):
        raise ValueError("its arrays and names do not match")
    return dict(zip(names, arrays))


def _count(reader, least_bytes):
    count = reader.number("Q")
    if count * least_bytes > len(reader.content) - reader.position:
        raise ValueError("a length in it is larger than the file")
    return count


def _parse_array(reader):
    if reader.number("I") not in ARRAY_MAGICS:
        raise ValueError("an array in it does not start as one")
    if reader.number("i") != DENSE:
        raise ValueError("an array in it is sparse")
    dimensions = reader.number("i")
    if not 0 <= dimensions <= MAX_DIMENSIONS:
        raise ValueError(f"an array in it has {dimensions} dimensions")
    shape = [reader.number("q") for _ in range(dimensions)]
    reader.take(8)  # the device it was saved from
    code = reader.number("i")
    if code not in DTYPES:
        raise ValueError(f"an array in it has the unknown type {code}")
    if any(size < 0 for size in shape):
        raise ValueError("an array in it has a negative size")
    dtype = np.dtype(DTYPES[code]).newbyteorder("<")
    size = dtype.itemsize
    for extent in shape:  # Python integers: NumPy's would overflow on a damaged shape
        size *= extent
    return np.frombuffer(reader.take(size), dtype).reshape(shape)
