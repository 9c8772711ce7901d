"""Pictures with boxes, and sheets of them."""

import numpy as np
import pytest
from running import largest_file

from gluon_etinynet import InputError
from gluon_etinynet.data.images import read_image
from gluon_etinynet.detection.drawing import contact_sheet, draw_detections, write_image


def test_long_captions_do_not_run_into_each_other():
    pictures = [np.full((30, 40, 3), 255, np.uint8)] * 2
    sheet = contact_sheet(pictures, ["a photograph with a very long name indeed: 12 found, 3 annotated"] * 2, columns=2)
    rows = (sheet < 200).any(axis=(1, 2))
    dark = np.flatnonzero((sheet[rows] < 200).any(axis=(0, 2)))
    assert dark.size and not set(range(406, 412)) & set(dark.tolist())  # the gap between the two


def test_best_detection_is_on_top_and_its_label_can_be_read():
    box = (100, 100, 300, 300)
    detections = [{"class": name, "score": score, "box": box} for name, score in (("a", 0.9), ("b", 0.5))]
    drawn = draw_detections(np.zeros((480, 480, 3), np.uint8), detections, ["a", "b", "c"])
    assert drawn[200, 100].tolist() == [255, 38, 38]  # red, the first of three hues
    label = drawn[85:99, 101:130].reshape(-1, 3).astype(int)
    assert np.ptp(label @ [0.299, 0.587, 0.114]) > 80, "text and ground differ"


def test_a_picture_is_written_whole_or_not_at_all(tmp_path):
    picture = np.random.RandomState(0).randint(0, 256, (40, 40, 3)).astype(np.uint8)
    with largest_file(2000), pytest.raises(InputError, match="cannot write .*/a.png: File too large; choose another"):
        write_image(tmp_path / "a.png", picture)
    assert not list(tmp_path.iterdir())
    write_image(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), picture)
