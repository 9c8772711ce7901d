"""Reading NumPy's ``.npz`` archives of users: nothing is unpickled, no memory is taken before sizes are checked."""

import math
import zipfile

import numpy as np

from .reading import LARGEST, open_file, parsing

__all__ = ["read_npz"]


def read_npz(path, remedy, wrong=None, limit=LARGEST):
    """Read all arrays of an archive.

    NumPy's own reader believes what the headers say: a file of kilobytes makes it ask for any memory.

    Parameters
    ----------
    path : str or Path
    remedy, wrong : str
        For messages, as of `parsing`.
    limit : int
        Bytes that the unpacked arrays may have together.

    Returns
    -------
    dict of str to numpy.ndarray

    Raises
    ------
    InputError
        If the file cannot be read, is no such archive, or is damaged.
    """
    with open_file(path, limit, remedy) as file, parsing(path, remedy, wrong), zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        total = sum(info.file_size for info in members)
        if total > limit:
            raise ValueError(f"its arrays have {total} bytes, more than {limit}")
        names = [info.filename[:-4] if info.filename.endswith(".npy") else info.filename for info in members]
        if len(set(names)) < len(names):
            raise ValueError("it has two arrays of one name")
        return {name: _array(archive, info) for name, info in zip(names, members)}


def _array(archive, info):
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{info.filename} is compressed in a way that NumPy does not use")
    with archive.open(info) as member:
        major, _ = np.lib.format.read_magic(member)
        read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[major]
        shape, in_columns, dtype = read_header(member)
        if dtype.hasobject or not dtype.itemsize or not all(type(extent) is int and extent >= 0 for extent in shape):
            raise ValueError(f"{info.filename} has the type {dtype} and the shape {shape}")
        # What is left of the member, and no more than the archive itself says of it, is read at once.
        content = bytearray(member.read())
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{info.filename} does not have the size that its header says")
    return np.ndarray(shape, dtype, content, order="F" if in_columns else "C")
