"""Pictures with boxes, and sheets of them."""

import numpy as np

from gluon_etinynet.detection.drawing import contact_sheet, draw_detections


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
