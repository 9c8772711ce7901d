"""benchmarks/timing_diagram.py: as many busy cycles as the block has work for each unit, in a small core."""

import pytest
from running import assert_one_line, load, needs, run
from small_cores import core_files, core_graph
from small_roms import written

from gluon_etinynet.integer.random_graphs import images

timing = load("benchmarks/timing_diagram.py")


def test_each_unit_is_busy_as_often_as_it_has_work(tmp_path):
    needs("iverilog")
    graph = core_graph(image=(15, 12), stem=5, blocks=((9, 2, True), (9, 1, True)))  # 4 x 3 pixels, then 2 x 2
    folder = written(tmp_path / "core", core_files(graph, 8, 4))
    busy = timing.activity(folder, images(graph, 1)[0], 1)
    # 1 word of 8 channels a pixel at first, 2 after the pointwise; two cycles a window; 4 groups of 4 fill 2 words.
    assert {unit: len(cycles) for unit, cycles in busy.items()} == {"reader": 12, "dw1": 8, "pw": 16, "dw2": 16,
                                                                    "writer": 8}
    assert busy["reader"][0] < busy["dw1"][0] < busy["pw"][0] < busy["dw2"][0] < busy["writer"][0]


def test_spans_end_with_a_row_and_at_a_gap():
    assert timing.spans([3, 4, 5, 6, 9, 10], 2) == [(0, 3, 3), (1, 6, 1), (1, 9, 2)]
    assert timing.spans([1], 1) == [(0, 1, 1)]


@pytest.mark.parametrize("flag, value", [("--block", 0), ("--block", 15), ("--cycles", 1)])
def test_ranges(flag, value):
    assert_one_line(run("benchmarks/timing_diagram.py", flag, value), str(value))
