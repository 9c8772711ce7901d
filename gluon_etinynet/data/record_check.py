"""Are all records of a RecordIO file whole? ``python -m gluon_etinynet.data.record_check`` is the child that looks.

A training should not run for a day and stop at a damaged record, nor learn from half a picture. Therefore every
record is read and its picture decoded beforehand, by child processes: whatever a damaged picture does to a
decoder, it does it to them. A stamp beside the records, ``FILE.rec.checked``, says that they are whole: the next
start only compares size and time of the files.

A record is ``magic, cflag << 29 | length, payload padded to 4 bytes``; where the payload itself holds
the magic number it is split there into a begin, middle and end part (cflag 1, 2, 3) and the magic
number left out. The payload is ``flag, label, id, id2``, `flag` more labels, and the encoded picture.
No MXNet here.
"""

import collections
import concurrent.futures
import math
import os
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path

import cv2

from .. import cli
from ..files import write_json
from ..reading import InputError, open_file, read_bytes, read_json
from .decoders import decode_and_hear
from .headers import size_of
from .images import LARGEST_BYTES, sides

__all__ = ["REMEDY", "RecordSummary", "validate_records", "read_index", "read_record"]

MAGIC = struct.pack("<I", 0xced7230a)
HEADER = struct.Struct("<IfQQ")
RESIZED = 256  # the short side for which a picture must not be too long; evaluation on ImageNet makes it that
REMEDY = "make it again with recipes/make_rec.sh"
FORMAT = 2  # of the stamp; raise it when the check becomes stricter

RecordSummary = collections.namedtuple("RecordSummary", "samples classes")
RecordSummary.__doc__ = "Number of records, and the largest label plus one."


def validate_records(rec, idx=None):
    """Make sure that every record of a RecordIO file is whole.

    Detects every damage of the framing, every picture that does not decode, and what the JPEG decoder
    notices inside the compressed data. (Some flipped bits there change pixels and break no rule of
    the format; no decoder can tell.)

    Parameters
    ----------
    rec : str or Path
        The records.
    idx : str or Path, optional
        Their index; by default the file of the same name with the extension ``.idx``.

    Returns
    -------
    RecordSummary

    Raises
    ------
    InputError
        If a file is missing or empty, the index does not belong to the records, or records are
        damaged: they are named by their key in the index and their position in the file.
    """
    rec = Path(rec)
    idx = Path(idx) if idx else rec.with_suffix(".idx")
    for path in (rec, idx):
        with open_file(path, remedy=REMEDY):
            pass
        if not path.stat().st_size:
            raise InputError(f"{path} is empty; {REMEDY}")
    files = [[path.stat().st_size, path.stat().st_mtime_ns] for path in (rec, idx)]
    stamp = Path(f"{rec}.checked")
    summary = _read_stamp(stamp, files)
    if summary:
        return summary
    samples = len(read_index(idx))
    largest, damages = _check_in_children(rec, idx, samples)
    if damages:
        shown = "; ".join(damages[:5]) + ("; ..." if len(damages) > 5 else "")
        raise InputError(f"{rec}: {len(damages)} of {samples} records are damaged: {shown}; {REMEDY}")
    summary = RecordSummary(samples, largest + 1)
    try:
        write_json(stamp, {"format": FORMAT, "files": files, "summary": summary})
    except InputError:
        print(f"cannot write {stamp}: the records will be checked again at the next start", file=sys.stderr)
    return summary


def _read_stamp(stamp, files):
    """The summary of an earlier check of files of these sizes and times, or None."""
    try:
        content = read_json(stamp, "", format=int, files=list, summary=list)
    except InputError:
        return None  # a damaged stamp is as good as none
    summary = content["summary"]
    whole = len(summary) == 2 and all(type(count) is int and count > 0 for count in summary)
    return RecordSummary(*summary) if whole and (content["format"], content["files"]) == (FORMAT, files) else None


def read_index(idx):
    """Read an ``.idx`` file.

    Returns
    -------
    list of (int, int)
        Key of the record and where it begins in the file, by position.

    Raises
    ------
    InputError
        If a line is not ``key<tab>position``, or the same key or position is there twice.
    """
    entries = []
    for number, line in enumerate(read_bytes(idx).splitlines(), start=1):
        if not re.fullmatch(rb"\d{1,18}\s+\d{1,18}\s*", line):
            raise InputError(f"{idx} line {number} is not 'key<tab>position'; {REMEDY}")
        key, position = line.split()
        entries.append((int(key), int(position)))
    for column in zip(*entries):
        if len(set(column)) < len(entries):
            raise InputError(f"{idx} names a record twice; {REMEDY}")
    return sorted(entries, key=lambda entry: entry[1])


def read_record(file, begin, end):
    """Read the one record that lies at `begin` .. `end` of an open file.

    Returns
    -------
    label : float
    picture : bytes

    Raises
    ------
    ValueError
        If what is there is not exactly one whole record of one label.
    """
    if end - begin > LARGEST_BYTES:
        raise ValueError(f"it has {end - begin} bytes up to the next one or the end, more than a picture may have")
    file.seek(begin)
    content = file.read(max(end - begin, 0))
    if not content:
        raise ValueError("it lies beyond the end of the file")
    parts, position, expected = [], 0, (0, 1)
    while expected:
        if content[position:position + 4] != MAGIC:
            raise ValueError("no record begins here" if not parts else "a part of it is missing")
        if position + 8 > len(content):
            raise ValueError("it is cut off")
        word, = struct.unpack_from("<I", content, position + 4)
        continues, length = word >> 29, word & (1 << 29) - 1
        if continues not in expected:
            raise ValueError("a part of it is missing")
        parts.append(content[position + 8:position + 8 + length])
        position += 8 + (length + 3) // 4 * 4
        if position > len(content):
            raise ValueError("it is cut off")
        expected = (2, 3) if continues in (1, 2) else ()
    if position != len(content):
        raise ValueError(f"it is followed by {len(content) - position} bytes that are not in the index")
    payload = MAGIC.join(parts)
    if len(payload) < HEADER.size:
        raise ValueError("it is too short for a label")
    flag, label, _, _ = HEADER.unpack_from(payload)
    if flag > 1 or len(payload) < HEADER.size + 4 * flag:
        raise ValueError(f"it has {flag} labels instead of one")
    if flag:
        label, = struct.unpack_from("<f", payload, HEADER.size)
    return label, payload[HEADER.size + 4 * flag:]


def _check_record(file, begin, end):
    """The label of a record, or a ValueError saying what is wrong with it."""
    label, picture = read_record(file, begin, end)
    if not (math.isfinite(label) and label >= 0 and label == int(label)):
        raise ValueError(f"its label is {label}")
    if picture[:2] != b"\xff\xd8" and picture[:4] != b"\x89PNG":
        raise ValueError("its content is neither JPEG nor PNG")
    try:
        sides(*size_of(picture), RESIZED)
        # At an eighth of the size everything is parsed, but fewer pixels are made.
        image, complaint = decode_and_hear(picture, cv2.IMREAD_REDUCED_COLOR_8)
    except (ValueError, cv2.error) as error:
        raise ValueError(f"its picture cannot be decoded ({getattr(error, 'err', error)})") from error
    if image is None:
        raise ValueError("its picture cannot be decoded" + (f" ({complaint})" if complaint else ""))
    if complaint:
        raise ValueError(f"its picture is damaged ({complaint})")
    return int(label)


def main():
    """Check every `parts`-th record; one line for each before it is read, or for what is wrong."""
    rec, idx, part, parts = sys.argv[1:]
    cv2.setNumThreads(1)
    entries = read_index(idx)
    ends = [begin for _, begin in entries[1:]] + [os.path.getsize(rec)]
    largest = 0
    if part == "0" and entries[0][1] != 0:
        _say("damaged", 0, f"the index begins at byte {entries[0][1]} instead of 0")
    with open(rec, "rb") as file:
        for number in range(int(part), len(entries), int(parts)):
            key, begin = entries[number]
            _say("reading", number, f"record {key} (byte {begin})")
            try:
                largest = max(largest, _check_record(file, begin, ends[number]))
            except Exception as error:  # whatever a damaged picture makes a decoder raise
                _say("damaged", number, f"record {key} (byte {begin}): {error}")
    _say("largest", largest, "")


def _say(word, number, text):
    print(word, number, text, sep="\t", flush=True)


def _check_in_children(rec, idx, samples):
    """Largest label, and what is damaged in the order of the file."""
    parts = max(1, min(os.cpu_count() or 1, samples // 64))
    here = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([here, inherited] if inherited else [here]))
    children = []
    try:
        for part in range(parts):
            command = [sys.executable, "-m", "gluon_etinynet.data.record_check", *map(str, (rec, idx, part, parts))]
            children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
        with cli.progress(total=samples, desc=f"checking {rec.name}", unit="") as bar, \
                concurrent.futures.ThreadPoolExecutor(parts) as pool:
            results = list(pool.map(lambda child: _listen(child, bar), children))
    finally:
        for child in children:
            child.kill()
            child.wait()
            child.stdout.close()
    damages = sorted(damage for _, found in results for damage in found)
    return max(largest for largest, _ in results), [text for _, text in damages]


def _listen(child, bar):
    """Largest label and [(number, what is damaged)] as one child tells them."""
    largest, damages, last = 0, [], (0, "the file")
    for line in child.stdout:
        word, number, text = line.rstrip("\n").split("\t", 2)
        if word == "reading":
            last = int(number), text
            bar.update()
        elif word == "damaged":
            damages.append((int(number), text))
        else:
            largest = int(number)
    status = child.wait()
    if status < 0:
        name = signal.Signals(-status).name
        damages.append((last[0], f"{last[1]}: reading it ends the process with {name}; not all were read"))
    elif status:
        raise RuntimeError(f"the check of records ended with status {status} at {last[1]}")
    return largest, damages


if __name__ == "__main__":
    main()
