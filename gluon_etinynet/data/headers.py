"""The size of an encoded picture as its header says it, before anything is decoded."""

import re
import struct

__all__ = ["size_of"]

# JPEG's markers with a size behind them: all starts of frames, but not the tables C4 and CC, nor C8.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PNM_COMMENT = re.compile(rb"#[^\n\r]*")


def size_of(content):
    """Width and height of a picture.

    Parameters
    ----------
    content : bytes
        JPEG, PNG, BMP, WebP, GIF, TIFF, JPEG 2000, or portable any map.

    Returns
    -------
    (int, int)
        In pixels.

    Raises
    ------
    ValueError
        If it is none of these, its header is cut off, or a chunk of a PNG is longer than the file.
    """
    for magic, read in _READERS:
        if re.match(magic, content, re.DOTALL):
            try:
                width, height = read(content)
            except (struct.error, ValueError, IndexError, StopIteration) as error:
                raise ValueError("it has no whole header") from error
            return abs(width), abs(height)
    raise ValueError("it is no JPEG, PNG, BMP, WebP, GIF, TIFF or PNM")


def _at(code, position):
    return lambda content: struct.unpack_from(code, content, position)


def _jpeg(content):
    position = 2
    while True:
        position = content.index(b"\xff", position)
        while content[position] == 0xFF:
            position += 1
        marker = content[position]
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 4)
            return width, height
        position += 1
        if not (marker in (0, 1) or 0xD0 <= marker <= 0xD8):  # those stand alone, all others have a length
            position += struct.unpack_from(">H", content, position)[0]


def _png(content):
    position, kind = 8, b""
    while kind != b"IEND" and position < len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        position += 12 + length
        if position > len(content):  # OpenCV takes memory for what a length says: gigabytes
            raise ValueError("a chunk goes on behind the end")
    return struct.unpack_from(">II", content, 16)


def _bmp(content):
    header, = struct.unpack_from("<I", content, 14)
    return struct.unpack_from("<HH" if header == 12 else "<ii", content, 18)


def _webp(content):
    kind = content[12:16]
    if kind == b"VP8 ":
        return tuple(side & 0x3FFF for side in struct.unpack_from("<HH", content, 26))
    if kind == b"VP8L":
        bits, = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    sides = struct.unpack_from("<6B", content, 24)
    return tuple(low + (middle << 8) + (high << 16) + 1 for low, middle, high in (sides[:3], sides[3:]))


def _tiff(content):
    end = "<" if content[:2] == b"II" else ">"
    first, = struct.unpack_from(end + "I", content, 4)
    count, = struct.unpack_from(end + "H", content, first)
    sides = {}
    for position in range(first + 2, first + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(end + "HH", content, position)
        if tag in (256, 257):
            sides[tag], = struct.unpack_from(end + {1: "B", 3: "H"}.get(kind, "I"), content, position + 8)
    return sides.get(256, 0), sides.get(257, 0)


def _jpeg2000(content):
    height, width = struct.unpack_from(">II", content, content.index(b"ihdr") + 4)
    return width, height


def _pnm(content):
    words = _PNM_COMMENT.sub(b"", content[:4096]).split()
    if words[0] == b"P7":
        named = dict(zip(words[1::2], words[2::2]))
        return int(named.get(b"WIDTH", b"?")), int(named.get(b"HEIGHT", b"?"))
    return int(words[1]), int(words[2])


_READERS = [
    (rb"\xff\xd8", _jpeg), (rb"\x89PNG\r\n\x1a\n.{4}IHDR", _png), (rb"BM", _bmp),
    (rb"RIFF.{4}WEBP", _webp), (rb"GIF8[79]a", _at("<HH", 6)), (rb"II\x2a\0|MM\0\x2a", _tiff),
    (rb"\0\0\0\x0cjP  \r\n\x87\n", _jpeg2000), (rb"P[1-7]\s", _pnm),
]
