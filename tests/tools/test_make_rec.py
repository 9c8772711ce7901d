"""tools/make_rec.py: what it packs, and what it leaves of an earlier set."""

import os

import cv2
import numpy as np
import pytest
from running import run

from gluon_etinynet.data import record_check as records
from gluon_etinynet.data.record_check import read_index, read_record, validate_records
from gluon_etinynet.reading import InputError, read_classes


def jpeg(seed):
    coarse = np.random.RandomState(seed).randint(0, 256, (6, 8, 3)).astype(np.uint8)
    return cv2.imencode(".jpg", cv2.resize(coarse, (120, 90), interpolation=cv2.INTER_CUBIC))[1].tobytes()


PICTURES = [jpeg(seed) for seed in range(9)]


@pytest.fixture
def photographs(tmp_path):
    """Class folders with nine pictures."""
    for i in range(9):
        folder = tmp_path / "photographs" / ["cat", "dog", "owl"][i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.jpg").write_bytes(PICTURES[i])
    return tmp_path / "photographs"


def make_rec(*arguments):
    return run("tools/make_rec.py", *arguments)


def contents(rec):
    begins = [begin for _, begin in read_index(rec.with_suffix(".idx"))] + [rec.stat().st_size]
    with open(rec, "rb") as file:
        return [read_record(file, begin, end) for begin, end in zip(begins, begins[1:])]


def test_make_rec_packs_every_picture_with_its_class(tmp_path, photographs, monkeypatch):
    made = make_rec(photographs, tmp_path / "out" / "small", "--pass-through")
    assert made.returncode == 0, made.stderr
    assert "9 pictures, 3 classes" in made.stdout
    packed = contents(tmp_path / "out" / "small.rec")
    assert {(label, picture) for label, picture in packed} == {(i % 3, PICTURES[i]) for i in range(9)}
    assert [label for label, _ in packed] != sorted(label for label, _ in packed), "shuffled"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"small.idx", "small.lst", "small.rec",
                                                                    "small.rec.checked", "small.classes.txt"}
    assert read_classes(tmp_path / "out" / "small.classes.txt") == sorted(p.name for p in photographs.iterdir())
    monkeypatch.setattr(records, "_check_in_children", None)
    assert validate_records(tmp_path / "out" / "small.rec") == (9, 3)


@pytest.mark.slow
def test_make_rec_follows_labels_and_the_order_of_classes(tmp_path):
    pictures = tmp_path / "set" / "images"
    pictures.mkdir(parents=True)
    for i in range(4):
        (pictures / f"{i}.jpg").write_bytes(PICTURES[i])
    (tmp_path / "set" / "labels.csv").write_text(
        "file,wnid,class_index\n" + "".join(f"images/{i}.jpg,n{i % 2},0\n" for i in range(4)))
    (tmp_path / "classes.txt").write_text("n7\nn1\nn0\n")
    made = make_rec(tmp_path / "set", tmp_path / "small", "--resize", "48", "--quality", "90",
                    "--classes", tmp_path / "classes.txt")
    assert made.returncode == 0, made.stderr
    packed = contents(tmp_path / "small.rec")
    assert sorted(label for label, _ in packed) == [1, 1, 2, 2]
    assert {cv2.imdecode(np.frombuffer(picture, np.uint8), 1).shape for _, picture in packed} == {(48, 64, 3)}


def test_make_rec_stops_at_a_damaged_picture_and_leaves_what_was_there(tmp_path, photographs):
    (photographs / "cat" / "0.jpg").write_bytes(PICTURES[0][:500])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "small.rec").write_text("earlier")
    made = make_rec(photographs, tmp_path / "out" / "small")
    assert made.returncode == 2 and "0.jpg" in made.stderr and len(made.stderr.splitlines()) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small.rec"]
    assert (tmp_path / "out" / "small.rec").read_text() == "earlier"


def test_parts_of_two_sets_do_not_pass_for_one(tmp_path, photographs, monkeypatch):
    """Stopped when its files take their places, over a set that has other classes and the same pictures."""
    rec, replace = tmp_path / "small.rec", os.replace
    assert make_rec(photographs, rec.with_suffix(""), "--pass-through").returncode == 0

    def stop_at_the_list(old, new):
        if str(new).endswith(".lst"):
            raise KeyboardInterrupt
        replace(old, new)

    (photographs / "cat").rename(photographs / "zebra")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop_at_the_list)
        assert make_rec(photographs, rec.with_suffix(""), "--pass-through").returncode == 130
    assert "zebra" in read_classes(rec.with_suffix(".classes.txt"))
    with pytest.raises(InputError, match=r"cannot read \S+small.idx: .*; make it again"):
        validate_records(rec)
    assert make_rec(photographs, rec.with_suffix(""), "--pass-through").returncode == 0
    assert validate_records(rec) == (9, 3)


@pytest.mark.slow
def test_make_rec_with_other_arguments(tmp_path, photographs):
    assert "not a folder" in make_rec(tmp_path / "none", tmp_path / "small").stderr
    (tmp_path / "file").write_text("")
    made = make_rec(photographs, tmp_path / "file" / "small")
    assert made.returncode == 2 and "cannot write" in made.stderr
    assert make_rec(photographs, tmp_path / "small", "--pass-through", "--resize", "9").returncode == 2
    (tmp_path / "more" / "a").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "more" / "a" / "x.bmp"), np.zeros((20, 20, 3), np.uint8))
    refused = make_rec(tmp_path / "more", tmp_path / "small", "--pass-through")
    assert refused.returncode == 2 and "x.bmp is neither JPEG nor PNG; leave out --pass-through" in refused.stderr
    assert make_rec(photographs, tmp_path / "one", "--seed", "1").returncode == 0
    assert make_rec(photographs, tmp_path / "two", "--seed", "1", "--num-thread", "1").returncode == 0
    assert (tmp_path / "one.rec").read_bytes() == (tmp_path / "two.rec").read_bytes()
