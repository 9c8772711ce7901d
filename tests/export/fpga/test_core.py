"""The core in simulation: every word of every layer beside the interpreter's."""

import shutil
import subprocess
from itertools import zip_longest

import numpy as np
import pytest
from small_cores import core_files, core_graph, with_changed_bits, with_field
from small_roms import written

from gluon_etinynet.export.fpga import simulation
from gluon_etinynet.export.fpga.planner import schedule
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import first_difference, trace
from gluon_etinynet.integer.random_graphs import etinynet_graph, images

pytestmark = pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog: apt-get install iverilog")
verilated = pytest.mark.skipif(not shutil.which("verilator"), reason="needs Verilator: apt-get install verilator")


def first_wrong(graph, v, pictures, run, number=0):
    """The first layer in which a run differs from the interpreter, or None."""
    expected = trace(graph, pictures)
    got = simulation.traces(graph, v, run.lines[number])
    got[graph.output.name] = run.logits[number][None, :, None, None]
    return first_difference({name: expected[name][number:number + 1] for name in got}, got)


def memories(lines):
    """The activation memory after each pass, {address: word}, as the trace has it written."""
    states, memory, last = [], {}, "0"
    for line in lines:
        kind, number, *rest = line.split()
        if kind == "y":
            if number != last:
                states.append(dict(memory))
                last = number
            memory[int(rest[0])] = rest[1]
    return [*states, memory]


def expected_memories(graph, plan, maps):
    """The same, from the interpreter's maps and the schedule."""
    v, memory, states = plan.word_channels, {}, []
    for one in plan.passes[:-1]:
        values = maps[one.nodes[-1].output][0]
        channels, rows, columns = values.shape
        words = [values[first:first + v, y, x][::-1].tobytes().hex()
                 for y in range(rows) for x in range(columns) for first in range(0, channels, v)]
        memory.update(enumerate(words, start=one.fields["target"]))
        states.append(dict(memory))
    return states


CASES = {
    "8 by 4": (8, 4, {}),
    "8 by 8, wider than a word": (8, 8, dict(seed=1, image=(19, 22), stem=12, blocks=((12, 1, True), (20, 2, False)))),
    "24 by 16, words and groups cross": (24, 16, dict(seed=2, image=(13, 19), stem=24, relu="after",
                                                      blocks=((24, 1, True), (50, 1, True), (50, 1, True)))),
    "32 by 8, no ReLU, 3 bits": (32, 8, dict(seed=3, image=(16, 16), stem=9, relu="none", bits=3,
                                             blocks=((40, 2, False), (40, 1, True)), classes=19)),
    "a map of one pixel": (8, 4, dict(seed=4, image=(5, 4), stem=3, blocks=((8, 1, True), (4, 2, True)), classes=1)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_word_of_every_layer_and_of_the_memory_is_the_interpreters(tmp_path, case):
    v, to, options = CASES[case]
    graph = core_graph(**options)
    part = "lfe5u-85" if v == 8 else "xc7a100t"  # with narrow and with wide multipliers
    files, pictures = core_files(graph, v, to, part), images(graph, 1)
    run = simulation.simulate(written(tmp_path / "core", files), pictures, "icarus", trace=True)
    assert first_wrong(graph, v, pictures, run) is None
    plan = schedule(graph, v, to)
    expected = expected_memories(graph, plan, trace(graph, pictures))
    for got, words in zip_longest(memories(run.lines[0]), expected):
        # Lanes beyond a map's channels hold nothing that counts.
        assert {address: word[-len(words[address]):] for address, word in got.items()} == words
    assert abs(run.cycles[0] - plan.cycles) < 0.05 * plan.cycles + 30 * len(plan.passes)
    order = np.argsort(-run.logits[0].astype(np.int64), kind="stable")[:5]
    assert run.top == [(int(c), int(run.logits[0][c])) for c in order]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network, its core's files and folder, pictures, and their logits."""
    graph = core_graph()
    files, pictures = core_files(graph), images(graph, 3)
    logits = trace(graph, pictures)["logits"][:, :, 0, 0]
    return graph, files, written(tmp_path_factory.mktemp("core"), files), pictures, logits


@pytest.mark.parametrize("stalls", [0, 1, 7])
def test_pictures_back_to_back_with_stalls_at_random(small, stalls):
    _, _, folder, pictures, logits = small
    run = simulation.simulate(folder, pictures, "icarus", stalls=stalls)
    np.testing.assert_array_equal(run.logits, logits)
    assert not run.events and len(set(run.cycles)) == (1 if stalls == 0 else 3)


def test_a_picture_that_is_cut_short_is_given_up_and_said(small):
    _, _, folder, pictures, logits = small
    first, second = (simulation.pixel_lines(picture) for picture in pictures[:2])
    stray = [line.replace("1", "0", 1) for line in first[:1]] * 9
    run = simulation.simulate(folder, stray + first[:100] + second, "icarus", pictures=1)
    np.testing.assert_array_equal(run.logits, logits[1:2])
    assert run.events == ["frame"]


@pytest.mark.parametrize("cycle", [400, 700, 900])
def test_after_a_reset_amid_a_picture_the_next_is_right(small, cycle):
    _, _, folder, pictures, logits = small
    run = simulation.simulate(folder, pictures, "icarus", reset=cycle, pictures=2)
    np.testing.assert_array_equal(run.logits[-2:], logits[1:])


FAULTS = {
    "a weight of the stem": ("stem.conv", lambda f: with_changed_bits(f, "pointwise", 0, lambda w: w ^ 1)),
    "a weight of a pointwise convolution": ("0.pw", lambda f: with_changed_bits(f, "pointwise", 8, lambda w: w ^ 2)),
    "a weight of a depthwise one": ("1.dw1", lambda f: with_changed_bits(f, "depthwise_1", 2, lambda w: w ^ 4)),
    "a multiplier": ("2", lambda f: with_changed_bits(f, "depthwise_2_channels", 6, lambda w: w ^ 1 << 12)),
    "the padding of a depthwise convolution": ("1.dw1", lambda f: with_field(f, 2, "padding_1", 127)),
    "the padding of the second one": ("0", lambda f: with_field(f, 1, "padding_2", 127)),
    "a lower end": ("2.pw", lambda f: with_field(f, 3, "low_pw", 0)),
    "a shortcut": ("2", lambda f: with_field(f, 3, "shortcut_2", 0)),
    "the average's multiplier": ("average", lambda f: with_field(f, 4, "gap_multiplier", 3)),
    "a bias of a class": ("logits", lambda f: with_changed_bits(f, "pointwise_channels", -1, lambda w: w ^ 1 << 20)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named_by_its_layer(small, tmp_path, fault):
    layer, change = FAULTS[fault]
    graph, files, _, pictures, _ = small
    run = simulation.simulate(written(tmp_path / "core", change(files)), pictures[:1], "icarus", trace=True)
    assert first_wrong(graph, 8, pictures, run).tensor == layer


def test_a_wrong_stride_is_named_by_its_layer(small, tmp_path):
    graph, files, _, pictures, _ = small
    folder = written(tmp_path / "core", with_field(files, 2, "stride_2", 0))
    run = simulation.simulate(folder, pictures[:1], "icarus", trace=True, limit=9000)
    with pytest.raises(InputError, match=r"1\.dw1: \d+ words were computed, not"):
        first_wrong(graph, 8, pictures, run)


def test_a_rom_that_is_not_this_networks_is_an_error_and_nothing_is_computed(small, tmp_path):
    _, files, _, pictures, _ = small
    for number, memory in enumerate(["passes", "pointwise", "depthwise_2_channels"]):
        altered = with_changed_bits(files, memory, 1, lambda w: w ^ 1, checked=False)
        run = simulation.simulate(written(tmp_path / str(number), altered), pictures[:1], "icarus")
        assert run.events == ["rom"] and not len(run.logits)


def test_make_fails_where_the_core_reports_an_error(small, tmp_path):
    _, files, folder, pictures, _ = small
    altered = with_changed_bits(files, "passes", 1, lambda w: w ^ 1, checked=False)
    for core, status in ((folder, 0), (written(tmp_path / "altered", altered), 2)):
        (tmp_path / "photo.raw").write_bytes(bytes(pictures[0].size))
        done = subprocess.run(["make", "-C", str(core), "icarus", f"IMAGE={tmp_path / 'photo.raw'}"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        assert done.returncode == status and ("\ne rom" in done.stdout) == bool(status), done.stdout


def test_a_missing_rom_ends_the_simulation(small, tmp_path):
    _, files, _, pictures, _ = small
    folder = written(tmp_path / "core", files)
    (folder / "depthwise_1.mem").unlink()
    with pytest.raises(InputError, match="depthwise_1.mem"):
        simulation.simulate(folder, pictures[:1], "icarus")


@verilated
@pytest.mark.parametrize("case", ["8 by 4", "24 by 16, words and groups cross"])
def test_verilator_has_no_warning(tmp_path, case):
    v, to, options = CASES[case]
    folder = written(tmp_path / "core", core_files(core_graph(**options), v, to))
    done = subprocess.run(["make", "-C", str(folder), "lint"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True)
    assert done.returncode == 0 and "%" not in done.stdout, done.stdout


@verilated
def test_verilator_says_the_same_and_a_missing_rom_is_an_error(small, tmp_path):
    _, files, folder, pictures, _ = small
    icarus, verilator = (simulation.simulate(folder, pictures, name, trace=True) for name in simulation.SIMULATORS)
    assert icarus.lines == verilator.lines and icarus.cycles == verilator.cycles and icarus.top == verilator.top
    np.testing.assert_array_equal(icarus.logits, verilator.logits)
    path = folder / "pointwise.mem"
    words = path.read_text()
    path.write_text(words.split("\n", 1)[1])
    short = simulation.simulate(folder, pictures[:1], "verilator")
    path.unlink()
    missing = simulation.simulate(folder, pictures[:1], "verilator")
    path.write_text(words)
    assert short.events == missing.events == ["rom"] and not len(short.logits) and not len(missing.logits)


@verilated
@pytest.mark.slow
def test_etinynet_0_75_with_1000_classes(tmp_path):
    graph = etinynet_graph("0.75", 32, 4)
    pictures = images(graph, 2)
    folder = written(tmp_path / "core", core_files(graph, 24, 4))
    run = simulation.simulate(folder, pictures, "verilator", trace=True)
    for number in range(2):
        assert first_wrong(graph, 24, pictures, run, number) is None
