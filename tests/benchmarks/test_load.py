"""benchmarks/load.py on small sets: what it makes, what it measures, and that growing memory is found."""

import sys
from types import SimpleNamespace
from unittest import mock

import cv2
import numpy as np
import pytest
from running import load

from gluon_etinynet.data.images import index_folder
from gluon_etinynet.data.record_check import RecordSummary, validate_records
from gluon_etinynet.data.sources import ArraySource, Loading

load_py = load("benchmarks/load.py")


def test_the_sets_are_whole(tmp_path):
    pictures = [cv2.imencode(".jpg", np.full((40, 40, 3), 20 * k, np.uint8))[1].tobytes() for k in range(10)]
    assert validate_records(load_py.records(tmp_path / "all.rec", pictures, 25)) == RecordSummary(25, 10)
    items, classes = index_folder(load_py.files(tmp_path / "files", pictures, 25))
    assert len(items) == 25 and len(classes) == 10


class Leaking(ArraySource):
    """Keeps some memory of every epoch."""

    kept, megabytes = [], 0

    def epoch(self, number=0):
        self.kept.append(np.ones(self.megabytes * 1_000_000, np.uint8))
        yield from super().epoch(number)


@pytest.mark.parametrize("megabytes", [0, 50])
def test_memory_that_grows_is_seen(megabytes):
    def source(_):
        found = Leaking(np.zeros((8, 32, 32, 3), np.uint8), np.arange(8), Loading(4, train=True))
        found.megabytes = megabytes
        return found

    name, samples, start, speed, memory, slope = load_py.measure("x", SimpleNamespace(epochs=4), lambda: None, source)
    assert (name, samples, len(memory.split())) == ("x", 8, 4) and float(start) < 20 and float(speed) > 0
    assert float(slope) > 40 if megabytes else float(slope) < 40


@pytest.mark.parametrize("start, slope, status", [("1.0", "0.10", 0), ("21.0", "0.10", 1), ("1.0", "1.00", 1)])
def test_a_slow_start_and_a_slope_are_faults(tmp_path, start, slope, status):
    rows = iter([["records", 1, "0.1", "1", "1 1", "0.00"], ["files", 1, start, "1", "1 1", slope]])
    with mock.patch.dict(load_py.main.__globals__, measure=lambda *arguments: next(rows)), \
            mock.patch.object(sys, "argv", ["load.py", "--save-dir", str(tmp_path)]):
        assert load_py.main() == status
    assert (tmp_path / "load.csv").read_text().splitlines()[2].startswith("files")
