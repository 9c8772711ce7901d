"""The planner: computed peaks, buffers that do not collide, rows read before they are overwritten."""

from dataclasses import replace

import numpy as np
import pytest

from gluon_etinynet.files import InputError
from gluon_etinynet.integer import SCHEDULES, plan, stages
from gluon_etinynet.integer.memory import LineFormat, last_row_read
from gluon_etinynet.integer.random_graphs import etinynet_graph


@pytest.fixture(scope="module")
def graphs():
    return {(width, size): etinynet_graph(width, size, classes=1000)
            for width in ("1.0", "0.75") for size in (224, 256)}


NETWORKS = [("1.0", 224), ("1.0", 256), ("0.75", 224), ("0.75", 256)]


WIDE = LineFormat(bytes=2, columns=4, channels=8)  # the kernels' for DSP, but for the rows that are computed together


@pytest.mark.parametrize("schedule, lines, kib", [
    ("layers", LineFormat(), (539.0, 704.0, 441.0, 576.0)),
    ("stem", LineFormat(), (252.0, 328.0, 225.8, 294.0)),
    ("blocks", LineFormat(), (159.5, 206.3, 156.9, 203.3)),
    ("blocks", WIDE, (159.5, 206.3, 156.9, 203.3)),
    ("rows", LineFormat(), (124.0, 157.5, 93.0, 118.1)),
    ("rows", WIDE, (150.0, 187.0, 114.1, 140.2)),
])
def test_peaks(graphs, schedule, lines, kib):
    got = [plan(graphs[n], schedule, lines).arena_bytes / 1024 for n in NETWORKS]
    assert got == pytest.approx(kib, abs=0.06)


def test_the_papers_memory_is_image_and_pooled_map(graphs):
    assert [plan(graphs[n], "stem").map_bytes / 1024 for n in NETWORKS] == [245.0, 320.0, 220.5, 288.0]


def test_rows_are_computed_together_only_where_memory_allows(graphs):
    """At most as many as give 28 columns, of maps of 56, 28, 14 and 7; the peak stays as it is."""
    for graph in graphs.values():
        for schedule in ("blocks", "rows"):
            alone, together = plan(graph, schedule, WIDE), plan(graph, schedule, replace(WIDE, band=28))
            assert together.arena_bytes == alone.arena_bytes
    rows = [step.rows for step in plan(graphs["1.0", 224], "rows", replace(WIDE, band=28)).steps]
    assert rows == [1] * 10 + [2] * 2 + [4] * 3 + [1, 1]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("lines", [LineFormat(), LineFormat(2, 4, 8, 28)])
@pytest.mark.parametrize("width, size", [("1.0", 224), ("0.75", 256), ("1.0", 32), ("tiny", 17), ("tiny", 33),
                                         ("tiny", 50)])
def test_buffers_do_not_collide(schedule, lines, width, size):
    graph = etinynet_graph(width, size, classes=10)
    in_place = schedule in ("blocks", "rows")
    laid = plan(graph, schedule, lines)
    assert [name for step in laid.steps for name in step.nodes] == [node.output for node in graph.nodes]
    where = {}
    for step in laid.steps:
        assert step.buffer(step.nodes[-1]).size == graph.tensors[step.nodes[-1]].nbytes
        for a in step.buffers:
            assert a.offset % 8 == 0
            if a.kind == "map":
                assert where.setdefault(a.name, a) == a, "a map moved between steps"
            for b in step.buffers:
                if a is not b and not (in_place and len(step.nodes) > 1 and a.kind == b.kind == "map"):
                    assert a.offset + a.size <= b.offset or b.offset + b.size <= a.offset, (step.nodes, a, b)


@pytest.mark.parametrize("width, size", [("1.0", 224), ("0.75", 224), ("1.0", 200), ("1.0", 32),
                                         ("tiny", 33), ("tiny", 64)])
@pytest.mark.parametrize("lead", [0, -4])
def test_no_row_is_overwritten_before_it_is_read(width, size, lead):
    """Run the in-place schedule on an arena of bytes; with the output four rows ahead it goes wrong."""
    graph = etinynet_graph(width, size, classes=10)
    rng, spoiled = np.random.default_rng(0), 0
    found = {tuple(node.output for node in stage.nodes): stage for stage in stages(graph)}
    for step in plan(graph, "blocks").steps:
        stage = found[step.nodes]
        if stage.kind == "head":
            continue
        x, y = (graph.tensors[name] for name in (stage.nodes[0].inputs[0], stage.nodes[-1].output))
        source, target = step.buffer(x.name).offset, step.buffer(y.name).offset
        in_row, out_row = x.shape[0] * x.shape[2], y.shape[0] * y.shape[2]
        arena = np.zeros(source + target + x.nbytes + y.nbytes + 4 * out_row, np.uint8)
        image = rng.integers(0, 256, x.nbytes, dtype=np.uint8)
        arena[source:source + x.nbytes] = image
        seen = []
        for row in range(y.shape[1]):
            while len(seen) <= last_row_read(graph, stage.nodes, row):
                seen.append(arena[source + len(seen) * in_row:source + (len(seen) + 1) * in_row].copy())
            start = target + (row - lead) * out_row
            arena[start:start + out_row] = rng.integers(0, 256, out_row, dtype=np.uint8)
        spoiled += not np.array_equal(np.concatenate(seen), image[:len(seen) * in_row])
    assert (spoiled > 0) == (lead != 0)


def test_rows_read_worked_by_hand(graphs):
    """Stem: pooled row 0 needs convolution rows 0, 1, thus image rows to 3. Stride-2 block: rows 0..3."""
    graph = graphs["1.0", 224]
    stem, *blocks = [s for s in stages(graph) if s.kind != "head"]
    assert [last_row_read(graph, stem.nodes, row) for row in (0, 1, 55)] == [3, 7, 223]
    assert [last_row_read(graph, blocks[0].nodes, row) for row in (0, 1, 55)] == [2, 3, 55]
    assert [last_row_read(graph, blocks[4].nodes, row) for row in (0, 1, 27)] == [3, 5, 55]


def test_an_unknown_schedule_is_refused(graphs):
    with pytest.raises(InputError, match="choose one of layers"):
        plan(graphs["1.0", 224], "fastest")
