"""Damaged RecordIO files: named beforehand, never a signal in the user's process."""

import json
import os
import struct
import subprocess
import sys

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from running import ROOT, largest_file

from gluon_etinynet._mxnet import mx
from gluon_etinynet.data import record_check as records
from gluon_etinynet.data.record_check import MAGIC, read_index, read_record, validate_records
from gluon_etinynet.reading import InputError

COUNT = 20


def jpeg(seed):
    coarse = np.random.RandomState(seed).randint(0, 256, (6, 8, 3)).astype(np.uint8)
    return cv2.imencode(".jpg", cv2.resize(coarse, (120, 90), interpolation=cv2.INTER_CUBIC))[1].tobytes()


PICTURES = [jpeg(seed) for seed in range(COUNT)]
WEBP = cv2.imencode(".webp", np.zeros((9, 9, 3), np.uint8))[1].tobytes()  # MXNet's OpenCV cannot read it


def write(folder, pictures=PICTURES, labels=None):
    """Pack pictures with MXNet's own writer; record number i has the key 10 * i."""
    rec, idx = folder / "all.rec", folder / "all.idx"
    writer = mx.recordio.MXIndexedRecordIO(str(idx), str(rec), "w")
    for i, picture in enumerate(pictures):
        label = labels[i] if labels else i % 5
        writer.write_idx(10 * i, mx.recordio.pack(mx.recordio.IRHeader(0, label, i, 0), picture))
    writer.close()
    return rec, idx


def replaced(position, picture):
    return PICTURES[:position] + [picture] + PICTURES[position + 1:]


def test_whole_records_pass(tmp_path):
    rec, idx = write(tmp_path)
    assert validate_records(rec) == validate_records(rec, idx) == (COUNT, 5)


def test_every_record_is_read_by_some_child(tmp_path):
    rec, _ = write(tmp_path, PICTURES * 20)  # enough for several children
    assert validate_records(rec) == (20 * COUNT, 5)
    content = bytearray(rec.read_bytes())
    begins = [begin for _, begin in read_index(tmp_path / "all.idx")]
    for number in (0, 101, 399):
        content[begins[number]] ^= 1
    rec.write_bytes(content)
    with pytest.raises(InputError, match="3 of 400 .*damaged: record 0 .*; record 1010 .*; record 3990 "):
        validate_records(rec)


# Damage. Each function changes the files; the message must say the rest.


def cut_tail(rec, idx):
    rec.write_bytes(rec.read_bytes()[:-500])


def cut_in_the_middle(rec, idx):
    rec.write_bytes(rec.read_bytes()[:rec.stat().st_size // 2])


def flip(offset, bit):
    def damage(rec, idx):
        content = bytearray(rec.read_bytes())
        content[read_index(idx)[7][1] + offset] ^= bit
        rec.write_bytes(content)
    return damage


def append_bytes(rec, idx):
    rec.write_bytes(rec.read_bytes() + b"more")


def content(picture):
    def damage(rec, idx):
        write(rec.parent, replaced(7, picture))
    return damage


def garble_compressed_data(rec, idx):
    picture = bytearray(PICTURES[7])
    begin = picture.index(b"\xff\xda") + 100
    picture[begin:begin + 8] = b"\xff\xd9\x12\x34\xff\xd9\x00\x00"  # ends too early
    write(rec.parent, replaced(7, bytes(picture)))


def wrong_label(value):
    def damage(rec, idx):
        write(rec.parent, labels=[0] * 7 + [value] + [0] * 12)
    return damage


def two_labels(rec, idx):
    writer = mx.recordio.MXIndexedRecordIO(str(idx), str(rec), "w")
    writer.write_idx(0, mx.recordio.pack(mx.recordio.IRHeader(0, [1.0, 2.0], 0, 0), PICTURES[0]))
    writer.close()


def empty_rec(rec, idx):
    rec.write_bytes(b"")


def empty_idx(rec, idx):
    idx.write_bytes(b"")


def no_rec(rec, idx):
    rec.unlink()


def no_idx(rec, idx):
    idx.unlink()


def index_of_other_records(rec, idx):
    idx.write_text("".join(f"{key}\t{begin + 4}\n" for key, begin in read_index(idx)))


def index_without_a_record(rec, idx):
    idx.write_text("".join(f"{key}\t{begin}\n" for key, begin in read_index(idx) if key != 70))


def index_without_the_first(rec, idx):
    idx.write_text("".join(f"{key}\t{begin}\n" for key, begin in read_index(idx)[1:]))


def index_with_a_key_twice(rec, idx):
    idx.write_text(idx.read_text().replace("80\t", "70\t"))


def binary_index(rec, idx):
    idx.write_bytes(bytes(range(256)))


def negative_index(rec, idx):
    idx.write_text("0\t-8\n" + idx.read_text())


@pytest.mark.parametrize("damage,message", [
    (cut_tail, r"all\.rec: 1 of 20 records are damaged: record 190 \(byte \d+\): it is cut off"),
    (cut_in_the_middle, r"record \d+ \(byte \d+\): it is cut off; record \d+ .*beyond the end of the file"),
    (flip(0, 1), r"1 of 20 .*: record 70 \(byte \d+\): no record begins here"),
    (flip(4, 64), r"1 of 20 .*: record 70 "),
    (flip(6, 1), r"1 of 20 .*: record 70 .*cut off"),
    (flip(7, 32), r"1 of 20 .*: record 70 .*a part of it is missing"),
    (append_bytes, r"1 of 20 .*: record 190 .*followed by 4 bytes"),
    (content(PICTURES[7][:300]), r"1 of 20 .*: record 70 .*its picture cannot be decoded"),
    (content(PICTURES[7][:2000]), r"1 of 20 .*: record 70 .*its picture"),
    (content(PICTURES[7][:-30]), r"1 of 20 .*: record 70 .*its picture"),
    (content(b"text" * 50), r"1 of 20 .*: record 70 .*neither JPEG nor PNG"),
    (content(b""), r"1 of 20 .*: record 70 .*neither JPEG nor PNG"),
    (content(WEBP), r"1 of 20 .*: record 70 .*neither JPEG nor PNG"),
    (content(b"\xff\xd8\xff" + bytes(300)), r"1 of 20 .*: record 70 .*cannot be decoded"),
    (garble_compressed_data, r"1 of 20 .*: record 70 .*its picture is damaged \(.*[Cc]orrupt"),
    (wrong_label(-1), r"1 of 20 .*: record 70 .*its label is -1"),
    (wrong_label(0.5), r"1 of 20 .*: record 70 .*its label is 0\.5"),
    (wrong_label(float("nan")), r"1 of 20 .*: record 70 .*its label is nan"),
    (two_labels, r"record 0 .*2 labels instead of one"),
    (empty_rec, r"all\.rec is empty"),
    (empty_idx, r"all\.idx is empty"),
    (no_rec, r"cannot read .*all\.rec: No such file"),
    (no_idx, r"cannot read .*all\.idx: No such file"),
    (index_of_other_records, r"no record begins here"),
    (index_without_a_record, r"1 of 19 .*: record 60 .*followed by \d+ bytes that are not in the index"),
    (index_without_the_first, r"1 of 19 .*the index begins at byte \d+ instead of 0"),
    (index_with_a_key_twice, r"all\.idx names a record twice"),
    (binary_index, r"all\.idx line 1 is not"),
    (negative_index, r"all\.idx line 1 is not"),
])
def test_damage_is_named(tmp_path, damage, message):
    rec, idx = write(tmp_path)
    damage(rec, idx)
    with pytest.raises(InputError, match=message) as raised:
        validate_records(rec, idx)
    assert "recipes/make_rec.sh" in str(raised.value) and "\n" not in str(raised.value)
    assert not (tmp_path / "all.rec.checked").exists(), "only whole records get a stamp"


def test_damage_is_named_where_nothing_can_be_written(tmp_path):
    """What libjpeg says of it must not go through a file on a full disk."""
    rec, idx = write(tmp_path)
    garble_compressed_data(rec, idx)
    with largest_file(0), pytest.raises(InputError, match=r"record 70 .*its picture is damaged"):
        validate_records(rec, idx)


def test_padding_before_the_end_marker_is_no_damage(tmp_path):
    padded = PICTURES[7][:-2] + b"\x00\x00" + PICTURES[7][-2:]
    assert validate_records(*write(tmp_path, replaced(7, padded))) == (COUNT, 5)


def python(code, **environment):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                          env=dict(os.environ, PYTHONPATH=str(ROOT), **environment), timeout=120)


def test_a_child_killed_by_a_record_is_reported(tmp_path, monkeypatch):
    rec, idx = write(tmp_path)
    child = tmp_path / "child"
    child.write_text('#!/bin/sh\nprintf "reading\\t1\\trecord 10 (byte 99)\\n"\nkill -SEGV $$\n')
    child.chmod(0o755)
    monkeypatch.setattr(records.sys, "executable", str(child))
    with pytest.raises(InputError, match=r"record 10 \(byte 99\): reading it ends the process with SIGSEGV"):
        validate_records(rec, idx)


# The stamp


def test_second_check_reads_nothing(tmp_path, monkeypatch):
    rec, idx = write(tmp_path)
    first = validate_records(rec, idx)
    assert {path.name for path in tmp_path.iterdir()} == {"all.rec", "all.idx", "all.rec.checked"}
    monkeypatch.setattr(records, "_check_in_children", None)
    assert validate_records(rec, idx) == first == (COUNT, 5)


@pytest.mark.parametrize("changed", ["rec", "idx"])
def test_a_change_of_the_same_size_is_checked_again(tmp_path, changed):
    rec, idx = write(tmp_path)
    validate_records(rec, idx)
    flip(0, 1)(rec, idx) if changed == "rec" else index_with_a_key_twice(rec, idx)
    os.utime(rec if changed == "rec" else idx, ns=(0, 0))
    with pytest.raises(InputError, match="record 70" if changed == "rec" else "names a record twice"):
        validate_records(rec, idx)


def test_another_index_is_checked_again(tmp_path):
    rec, idx = write(tmp_path)
    validate_records(rec, idx)
    other = tmp_path / "other.idx"
    other.write_bytes(idx.read_bytes())
    index_without_a_record(rec, other)
    with pytest.raises(InputError, match="record 60"):
        validate_records(rec, other)


@pytest.mark.parametrize("stamp", ["{", "[]", '{"format": 0, "files": [], "summary": [1, 2]}'])
def test_a_damaged_stamp_does_no_harm(tmp_path, stamp):
    rec, idx = write(tmp_path)
    (tmp_path / "all.rec.checked").write_text(stamp)
    assert validate_records(rec, idx) == (COUNT, 5)
    assert json.loads((tmp_path / "all.rec.checked").read_text())["summary"] == [COUNT, 5]


def test_where_no_stamp_can_be_written_one_line_says_so(tmp_path, capsys):
    rec, idx = write(tmp_path)
    (tmp_path / "all.rec.checked").mkdir()  # root may write into any folder, but not over this one
    assert validate_records(rec, idx) == (COUNT, 5)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"cannot write {rec}.checked: the records will be checked again at the next start" in error


# The format


pieces = st.lists(st.one_of(st.just(MAGIC), st.binary(max_size=9)), max_size=6)


@given(st.lists(pieces, min_size=1, max_size=4), st.integers(0, 1000))
def test_read_record_reads_what_mxnet_writes(tmp_path_factory, payloads, label):
    """The payloads are full of magic numbers, aligned and not, at which MXNet splits a record."""
    folder = tmp_path_factory.mktemp("format")
    pictures = [b"".join(payload) for payload in payloads]
    rec, idx = write(folder, pictures, [label] * len(pictures))
    begins = [begin for _, begin in read_index(idx)] + [rec.stat().st_size]
    with open(rec, "rb") as file:
        for picture, begin, end in zip(pictures, begins, begins[1:]):
            assert read_record(file, begin, end) == (label, picture)


def test_a_picture_that_holds_the_magic_number_passes(tmp_path):
    comment = MAGIC * 5
    picture = PICTURES[7][:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + PICTURES[7][2:]
    rec, idx = write(tmp_path, replaced(7, picture[:2] + b"\xff\xfe\x00\x04ab" + picture[2:]))
    assert rec.read_bytes().count(MAGIC) > COUNT
    assert validate_records(rec, idx) == (COUNT, 5)


@pytest.mark.parametrize("label, match", [(float("inf"), r"record 70 \(byte \d+\): its label is inf"),
                                          (float("nan"), r"record 70 .*label is nan"),
                                          (2 ** 20, "too many for 20 rec")])
def test_a_label_that_cannot_be_is_refused(tmp_path, label, match):
    from gluon_etinynet.data import Loading, RecordSource

    rec, _ = write(tmp_path, labels=[0] * 7 + [label] + [0] * 12)
    with pytest.raises(InputError, match=match):
        RecordSource(rec, Loading(2, 32))
    if label == 2 ** 20:
        assert RecordSource(rec, Loading(2, 32, classes=label + 1)).classes == label + 1


def test_a_strip_in_a_record_is_refused(tmp_path):
    rec, _ = write(tmp_path, replaced(7, cv2.imencode(".png", np.zeros((1, 60000), np.uint8))[1].tobytes()))
    with pytest.raises(InputError, match="record 70 .* 60000 x 1 pixels"):
        validate_records(rec)
