"""Ways in which fuzz.py changes a file: any bytes, or what is within, under right checksums."""

import csv
import functools
import io
import json
import os
import re
import struct
import zipfile
import zlib

import cv2
import numpy as np

from gluon_etinynet.data.record_check import HEADER, MAGIC
from gluon_etinynet.integer.graph import digest_of

__all__ = ["LARGE", "change", "json_values", "archive_members", "archive_headers", "record_contents", "table_cells",
           "annotation_values", "picture_sides", "picture_strip"]

LARGE = 1 << 26  # bytes; a larger file is not changed again


def change(folder, within, rng):
    """Change one of the files of a folder, once or twice; `within` are the changes that know what it holds."""
    for _ in range(rng.integers(1, 3)):
        files = [path for path in sorted(folder.rglob("*")) if not path.is_symlink() and path.is_file()]
        files = [path for path in files if path.stat().st_size < LARGE]
        if files:
            ways = [bits, overwritten, cut, piece, text, of_another_kind, *within * 3]
            pick(rng, ways)(pick(rng, files), rng)


def pick(rng, values):
    return values[rng.integers(len(values))]


def bits(path, rng):
    content = bytearray(path.read_bytes())
    for position in rng.integers(0, max(len(content), 1), rng.integers(1, 9)) if content else ():
        content[position] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def overwritten(path, rng):
    content, values = bytearray(path.read_bytes()), [b"\0", b"\xff", b"\x80", b"\x7f", rng.bytes(1)]
    position, length = rng.integers(len(content) + 1), pick(rng, [1, 2, 4, 8, 100])
    content[position:position + length] = pick(rng, values) * length
    path.write_bytes(content)


def cut(path, rng):
    content = path.read_bytes()
    path.write_bytes(content[:pick(rng, [0, rng.integers(len(content) + 1), max(len(content) - 1, 0)])])


def piece(path, rng):
    """Double a piece, move it or leave it out."""
    content = path.read_bytes()
    a, b, at = sorted(rng.integers(0, len(content) + 1, 2)) + [rng.integers(len(content) + 1)]
    rest = pick(rng, [content, content[:a] + content[b:]])
    path.write_bytes(rest[:at] + content[a:b] * pick(rng, [0, 1, 2, 50]) + rest[at:])


def text(path, rng):
    """Another encoding, or other ends of lines."""
    content = path.read_bytes().decode("latin-1")
    path.write_bytes(pick(rng, [
        lambda: content.encode("utf-16"), lambda: content.encode("utf-16-be"), lambda: content.encode("utf-8-sig"),
        lambda: content.replace("\n", "\r\n").encode("latin-1"), lambda: content.replace("\n", "\r").encode("latin-1"),
        lambda: content.replace(",", ";").encode("latin-1"), lambda: content.upper().encode("utf-8"),
        lambda: content.replace("\n", "\u2028").encode("utf-8")])())


def of_another_kind(path, rng):
    """A device, a pipe, a folder, a link to nothing or to itself, or 5 GB of zeros that take no disk."""
    def large():
        path.write_bytes(b"")
        os.truncate(path, 5 << 30)

    path.unlink()
    pick(rng, [lambda: path.symlink_to("/dev/zero"), lambda: os.mkfifo(path), path.mkdir, large,
               lambda: path.symlink_to(path.name), lambda: path.symlink_to("absent"), lambda: None])()


# ---- Changes of what is within ----

def odd_value(rng, value=None):
    """Something that JSON can hold where something else was."""
    if type(value) in (int, float) and rng.random() < 0.5:
        return pick(rng, [value + 1, -value, value * 1000, 2 ** 31, 2 ** 63, 10 ** 30, float("nan"), float("inf"), 0])
    if isinstance(value, str) and rng.random() < 0.5:
        return pick(rng, [value + "\n", value[:-1], value * 1000, value + "\x1b[2J", "", "*/ #error", "\ud800"])
    deep = []
    for _ in range(200):
        deep = [deep]
    return pick(rng, [None, True, -1, 0, 1, 1.5, 1e308, 10 ** 30, "", "a\nb", [], {}, [1], ["a"], {"a": 1}, deep])


def odd_json(rng, content):
    """`content` with one value somewhere replaced, left out or doubled."""
    owners, left = [], [content]
    while left:
        here = left.pop()
        if isinstance(here, (dict, list)):
            owners += [(here, key) for key in (here if isinstance(here, dict) else range(len(here)))]
            left += here.values() if isinstance(here, dict) else here
    if not owners or rng.random() < 0.02:
        return odd_value(rng)
    owner, key = pick(rng, owners)
    way = rng.integers(4)
    if way == 0:
        del owner[key]
    elif way == 1 and isinstance(owner, list):
        owner.insert(key, owner[key])
    else:
        owner[key] = odd_value(rng, owner[key])
    return content


def parsed(text):
    """What JSON (bytes) holds; None if an earlier change has damaged it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def json_values(path, rng):
    if path.suffix == ".json":
        content = parsed(path.read_bytes())
        if content is None:
            return
        plain = json.dumps(odd_json(rng, content))
        number = pick(rng, ["9" * 10 ** 6, "[" * 10 ** 5, "1e999"])
        path.write_text(plain if rng.random() < 0.9 else re.sub(r"\d+", number, plain, count=1))


def arrays_of(path):
    """{name: array} of a whole archive, else None."""
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as archive:
                return dict(archive)
        except Exception:  # an earlier change has damaged it
            return None


def archive_members(path, rng):
    """Other arrays, with right checksums: the graph's own, too, most of the time."""
    arrays = arrays_of(path)
    if not arrays:
        return
    name = pick(rng, sorted(arrays))
    array = arrays.get(name)
    content = parsed(arrays["graph.json"].tobytes()) if "graph.json" in arrays and rng.random() < 0.6 else None
    if content is not None:
        text = json.dumps(odd_json(rng, content))
        arrays["graph.json"] = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    else:
        others = [lambda: array.astype(pick(rng, [bool, np.int64, np.float16, "S3", "U2", complex])),
                  lambda: array[None], lambda: array.ravel(), lambda: array[:0], lambda: array[..., None][..., :0],
                  lambda: np.full_like(array, pick(rng, [0, 1])), lambda: array[::-1], lambda: array[:-1],
                  lambda: np.asfortranarray(array), lambda: array.astype(array.dtype.newbyteorder(">"))]
        try:
            arrays[pick(rng, [name, name, name + "\n", "more", "a/b/c"])] = pick(rng, others)()
        except (IndexError, ValueError):
            del arrays[name]
    if "sha256" in arrays and rng.random() < 0.95:
        del arrays["sha256"]
        arrays["sha256"] = np.frombuffer(digest_of(arrays).encode(), np.uint8)
    np.savez(path, **arrays)


def archive_headers(path, rng):
    """Headers that say other shapes and types than are there, in an archive with right CRCs, perhaps compressed."""
    arrays = arrays_of(path)
    if not arrays:
        return
    wrong = pick(rng, sorted(arrays))
    packed = pick(rng, [zipfile.ZIP_STORED] * 4 + [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
    with zipfile.ZipFile(path, "w", packed, compresslevel=1) as out:
        for name, array in arrays.items():
            shape, kind = array.shape, array.dtype.str
            if name == wrong:
                shape = pick(rng, [(1 << 34,), (1 << 62, 4), (True,), (-1,), (1.5,), "(", (0, 1 << 60), (None,)])
                kind = pick(rng, [kind, "|O", "|V0", "<U0", "|b1", "<f8", "nonsense"])
            header = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode() + b"\n"
            content = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + array.tobytes()
            grown = name == wrong and rng.random() < 0.03
            out.writestr(f"{name}.npy", content + bytes(100 << 20 if grown else 0))


def record_contents(path, rng):
    """Another label or picture in a record of right form; lines of the index moved."""
    if path.suffix == ".idx":
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[::-1] if rng.random() < 0.5 else lines[1:] + lines[:1] * 2))
    if path.suffix != ".rec":
        return
    content = bytearray(path.read_bytes())
    begins = [found.start() for found in re.finditer(re.escape(MAGIC), bytes(content))]
    begin = pick(rng, begins) + 8 if begins else 0
    if len(content) < begin + HEADER.size:
        return
    if rng.random() < 0.5:
        label = pick(rng, [np.inf, -np.inf, np.nan, -1, 0.5, 2 ** 20, 3e38, 1e-40, 900])
        struct.pack_into("<f", content, begin + 4, label)
    elif rng.random() < 0.3:
        struct.pack_into("<I", content, begin, pick(rng, [1, 2, 1 << 31]))
    else:
        content[begin + HEADER.size:begin + HEADER.size + 600] = rng.bytes(600)
    path.write_bytes(content)


def table_cells(path, rng):
    if path.suffix != ".csv":
        return
    text = path.read_bytes().decode("latin-1").replace("\0", "")
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:  # an earlier change has damaged it
        return
    if rows and rows[0]:
        row = pick(rng, [row for row in rows if row])
        odd = ["", "a\nb", "x" * 5000, "../" * 50, "\0", '"', "n 1 ", "/dev/zero", ".", "x" * 140000, "\x1b[2J", "é"]
        row[rng.integers(len(row))] = pick(rng, odd)
        with open(path, "w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows(rows)


def annotation_values(path, rng):
    if path.suffix not in (".xml", ".txt"):
        return
    content = path.read_bytes().decode("latin-1")
    odd = pick(rng, ["", "0", "-1", "nan", "inf", "1e400", "1.5", "9" * 5000, "Unspecified", "a\nb", "&lol;", "&#10;",
                     "<name>", "\u2028", "../a", "a b -1"])
    found = list(re.finditer(r">([^<>]*)<|<(\w+)>.*?</\2>|\S+", content, re.DOTALL))
    if found:
        span = pick(rng, found).span(pick(rng, [0, 1])) if path.suffix == ".xml" else pick(rng, found).span()
        content = content[:max(span[0], 0)] + odd + content[max(span[1], 0):]
    if rng.random() < 0.05:
        content = ('<!DOCTYPE a [<!ENTITY lol "lol">' + "".join(
            f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(10)) + "]>" + content.replace(
                "dog", "&l9;"))
    elif rng.random() < 0.05:
        content = "<a>" * 10 ** 5
    path.write_bytes(content.encode("utf-8"))


def picture_sides(path, rng):
    """Another width and height in the header, with the right checksum."""
    content = bytearray(path.read_bytes())
    usual = [0, 1, 2, 97, 300, 1 << 20, (1 << 31) - 1, 1 << 31]
    sides = [int(pick(rng, usual if rng.random() < 0.9 else [4000, 16383, 40000, 65535])) for _ in "wh"]
    frame = re.search(rb"\xff[\xc0-\xc2]", bytes(content))
    if content[:2] == b"BM" and len(content) > 30:
        struct.pack_into("<II", content, 18, *sides)
    elif content[:4] == b"\x89PNG" and len(content) > 40:
        struct.pack_into(">II", content, 16, *sides)
        struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    elif content[:2] == b"\xff\xd8" and frame and frame.start() + 9 < len(content):
        struct.pack_into(">HH", content, frame.start() + 5, *(side & 65535 for side in sides))
    elif content[8:12] == b"WEBP" and len(content) > 40:
        struct.pack_into("<HH", content, 26, *(side & 65535 for side in sides))
    path.write_bytes(content)


def picture_strip(path, rng):
    """A whole picture that is long and thin, or, rarely, large and of one colour."""
    usual = [(1, 60000), (60000, 1), (2, 16000), (16000, 3), (1, 1), (1, 300000)]
    content = strip(pick(rng, usual if rng.random() < 0.995 else [(9000, 9000)]), path.suffix)
    if content:
        path.write_bytes(content)


@functools.lru_cache(maxsize=None)
def strip(shape, suffix):
    """An encoded picture of this shape; None where the format holds none."""
    try:
        encoded, content = cv2.imencode(suffix, np.zeros(shape, np.uint8))
    except cv2.error:
        return None
    return content.tobytes() if encoded else None
