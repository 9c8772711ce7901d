"""A detector's C = the interpreter, under sanitizers and on a Cortex-M: every layer, every detection."""

import json
import re

import numpy as np
import pytest
from c_export import call, export, images, make, needs, raw, ssd_graph, varied_detector
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import detection_lines, simulate, split_trace
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import SCHEDULES, first_difference, plan, trace
from gluon_etinynet.integer import run as interpret
from gluon_etinynet.integer.detect import EXP_COARSE, EXP_FINE
from gluon_etinynet.integer.memory import CANDIDATE_BYTES


def assert_equal(graph, program, image):
    """Returns the number of detections."""
    found, golden = interpret(graph, image[None]), trace(graph, image[None])
    for way in ([], ["--pushed"]):
        traced, text = split_trace(graph, call([program, *way], raw(image)), image)
        assert first_difference(golden, traced) is None, way
        assert text.splitlines() == detection_lines(found[0]), way
    return len(found[0])


def extreme_images(graph, seed):
    noise = images(graph, seed=seed)[0]
    return noise, np.where(noise < 0, -128, 127).astype(np.int8)


@settings(max_examples=4)
@given(seed=st.integers(0, 2 ** 32 - 1))
def test_small_detectors_of_every_kind(sanitized, seed):
    graph = varied_detector(seed)
    program = sanitized.program(graph)
    for image in extreme_images(graph, seed):
        assert_equal(graph, program, image)


@pytest.mark.parametrize("sanitized", ["portable"], indirect=True)
@pytest.mark.slow
@settings(max_examples=10)
@given(seed=st.integers(0, 2 ** 32 - 1))
def test_many_small_detectors_of_every_kind(sanitized, seed):
    graph = varied_detector(seed)
    program = sanitized.program(graph)
    for image in extreme_images(graph, seed):
        assert_equal(graph, program, image)


def test_the_varied_detectors_vary():
    """Not one of them goes without detections only, and limits, saturation and all kinds of stages occur."""
    graphs = [varied_detector(seed) for seed in range(40)]
    found = [interpret(graph, images(graph))[0] for graph in graphs]
    assert sum(len(f) > 0 for f in found) > 20
    assert sum(len(f) == g.detection.detections for f, g in zip(found, graphs)) > 5
    assert max(np.abs(f["box"].astype(int)).max(initial=0) for f in found) == 32767
    assert {len(g.detection.levels) for g in graphs} >= {1, 2, 3}
    assert any("b1" in g.tensors and g.detection.levels[0].classes in list(g.tensors)[:list(g.tensors).index("b1")]
               for g in graphs)  # a block behind a level


@pytest.mark.slow
@pytest.mark.parametrize("width, bits", [("1.0", 8), ("0.75", 4)])
def test_the_papers_detector(sanitized, width, bits):
    graph = ssd_graph(width, 256, bits)
    assert assert_equal(graph, sanitized.program(graph), images(graph)[0]) > 20


@pytest.mark.parametrize("classes", [1, 255])
def test_few_and_many_classes(sanitized, classes):
    graph = ssd_graph("tiny", 33, 8, classes)
    assert assert_equal(graph, sanitized.program(graph), images(graph)[0]) > 1


def test_the_tables_in_c_are_those_of_python():
    text = c.emit(ssd_graph("tiny", 33))["src/etn_decode.c"]
    for name, expected in (("coarse", EXP_COARSE), ("fine", EXP_FINE)):
        body = re.search(rf"uint16_t {name}\[64\] = \{{([^}}]*)\}}", text).group(1)
        assert [int(word) for word in body.replace(",", " ").split()] == expected.tolist()


def test_the_candidates_of_the_planner_are_those_of_c(tmp_path):
    needs("cc")
    source = export(ssd_graph("tiny", 33), tmp_path) / "src" / "net.c"
    call(["cc", "-std=c99", "-fsyntax-only", source])
    text = source.read_text()
    smaller = text.replace(f"<= {CANDIDATE_BYTES} ?", f"<= {CANDIDATE_BYTES - 1} ?")
    assert smaller != text
    source.write_text(smaller)
    with pytest.raises(InputError, match="candidate_fits"):
        call(["cc", "-std=c99", "-fsyntax-only", source])


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A detector of which one level has equal scores throughout; its folder of C, with objects; a picture."""
    needs("cc")
    graph = ssd_graph("tiny", 80, 8, classes=4)
    flat = next(node for node in graph.nodes if node.output == "classes.2")
    for key in ("multiplier", "offset", "bias"):
        flat.attrs[key][:] = 0
    folder = export(graph, tmp_path_factory.mktemp("planted"))
    demo = [folder / "demo" / f"{name}.c" for name in ("main", "host", "trace")]
    for source in [*folder.glob("src/*.c"), *demo]:
        compile_c(source, folder / f"{source.stem}.o")
    return graph, folder, images(graph)[0]


def compile_c(source, to):
    call(["cc", "-std=c99", "-DETN_OBSERVED", "-c", source, "-o", to])


@pytest.mark.parametrize("path, old, new, layer", [
    ("src/net.c", "", "", None),
    ("src/etn_decode.c", "23170", "23370", None),
    ("src/etn_decode.c", "(1 << 10)", "(1 << 11)", None),
    ("src/etn_ranking.c", "category < b->found.category", "category > b->found.category", None),
    ("src/etn_ranking.c", "a->anchor < b->anchor", "a->anchor > b->anchor", None),
    ("src/etn_ranking.c", "shared << 16 >", "shared << 17 >", None),
    ("src/net.c", ".iou_threshold = 29491", ".iou_threshold = 20000", None),
    ("src/net.c", ".half_step = ", ".half_step = 16384 + ", None),
    ("src/etn_predict_row.c", ".step = layer->outputs", ".step = 1", "classes.0"),
])
def test_a_planted_fault_is_found(path, old, new, layer, planted, tmp_path):
    """An altered line of the C: a layer differs, or else the detections. Without one nothing does."""
    graph, folder, image = planted
    found, golden = interpret(graph, image[None]), trace(graph, image[None])
    text = (folder / path).read_text()
    assert old in text
    altered = (folder / path).with_name("altered.c")
    altered.write_text(text.replace(old, new) if old else text)
    compile_c(altered, tmp_path / "altered.o")
    altered.unlink()
    others = [path_ for path_ in folder.glob("*.o") if path_.stem != (folder / path).stem]
    call(["cc", "-o", tmp_path / "program", tmp_path / "altered.o", *others])
    traced, text = split_trace(graph, call([tmp_path / "program"], raw(image)), image)
    difference = first_difference(golden, traced)
    assert (difference and difference.tensor) == layer
    assert (text.splitlines() != detection_lines(found[0])) == bool(old)


@pytest.mark.slow
@pytest.mark.parametrize("machine, kernels", [("mps2-an386", "portable"), ("mps2-an500", "portable"),
                                              ("mps3-an547", "mve")])
@pytest.mark.parametrize("seed", range(3))
def test_small_detectors_on_a_cortex_m(machine, kernels, seed, tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = varied_detector(seed)
    folder = export(graph, tmp_path / "network", kernels=kernels)
    for image in extreme_images(graph, seed):
        found, golden = interpret(graph, image[None]), trace(graph, image[None])
        for way in ("", "--pushed"):
            output = make(folder, "qemu", "OBSERVE=trace", f"MACHINE={machine}", f"ARGS={way}",
                          stdin=raw(image))
            traced, text = split_trace(graph, output, image)
            assert first_difference(golden, traced) is None
            said = [line for line in text.splitlines() if line.startswith("class ")]  # the rest are costs
            assert said == detection_lines(found[0])


@pytest.mark.slow
def test_the_papers_detector_within_an_stm32h743(tmp_path):
    """The linker script holds the flash and RAM; the image is stored in the arena."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = ssd_graph()
    folder, image = export(graph, tmp_path / "network"), images(graph)[0]
    inference = simulate(folder, "stm32h743", raw(image))
    assert inference.lines == detection_lines(interpret(graph, image[None])[0])
    report = json.loads((folder / "report.json").read_text())
    assert 2 * report["macs"] < inference.instructions < 5 * report["macs"]
    assert inference.stack < 4096


def test_memory_of_the_papers_detector():
    """Paper: 395 KB. The predictors add nothing to the backbone's peak of 206.3 KiB."""
    graph = ssd_graph()
    assert plan(graph, "blocks").arena_bytes / 1024 == pytest.approx(206.3, abs=0.06)
    assert plan(graph, "rows").arena_bytes / 1024 == pytest.approx(157.5, abs=0.06)
    report = c.emit(graph).manifest
    assert report["arena_bytes"]["stored"] < 208 * 1024


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_buffers_of_a_detector_do_not_collide(schedule):
    graph = ssd_graph("tiny", 64, classes=9)
    laid = plan(graph, schedule)
    assert [name for step in laid.steps for name in step.nodes] == [node.output for node in graph.nodes]
    for step in laid.steps:
        for a in step.buffers:
            assert a.offset % 8 == 0
            for b in step.buffers:
                if a is not b and not a.kind == b.kind == "map":
                    assert a.offset + a.size <= b.offset or b.offset + b.size <= a.offset, (step.nodes, a, b)
    if schedule in ("blocks", "rows"):
        first = next(i for i, step in enumerate(laid.steps) if "classes.0" in step.nodes)
        lists = [[b for b in step.buffers if b.kind == "list"] for step in laid.steps]
        assert not any(lists[:first]) and all(found == lists[first] for found in lists[first:])
        assert lists[first][0].size == 400 * 14


@pytest.mark.parametrize("change, message", [
    (lambda g: g.nodes.insert(-1, g.nodes.pop()), "node boxes.2: level 2 of the detector has the predictors"),
    (lambda g: next(n for n in g.nodes if n.output == "boxes.1").attrs.update(relu="before"),
     "node boxes.1: the C runtime takes 1x1 predictors"),
    (lambda g: next(n for n in g.nodes if n.output == "boxes.0").inputs.__setitem__(0, "stem"), "boxes.0"),
])
def test_a_detector_that_the_runtime_has_no_place_for_is_named(change, message):
    graph = ssd_graph("tiny", 64, classes=3)
    change(graph)
    with pytest.raises(InputError, match=message):
        c.emit(graph)


def test_the_header_serves_cxx(tmp_path):
    needs("c++")
    folder = export(ssd_graph("tiny", 33, classes=2), tmp_path, "ssd")
    (tmp_path / "use.cc").write_text('#include "ssd.h"\n'
                                     "etn_status use(void *arena, etn_detection (&found)[SSD_DETECTIONS])\n"
                                     "{\n    int32_t count;\n    return ssd_detect(arena, found, &count);\n}\n")
    call(["c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-I", folder / "include", "-c", "-o",
          tmp_path / "use.o", tmp_path / "use.cc"])
