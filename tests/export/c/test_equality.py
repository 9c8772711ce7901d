"""Interpreter = C on the host under sanitizers = C on a Cortex-M, byte for byte, every layer."""

import numpy as np
import pytest
from c_export import (
    call,
    etinynet_graph,
    export,
    images,
    make,
    needs,
    raw,
    read_arrays,
    read_trace,
    ssd_graph,
    varied_graph,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_etinynet.export.c.program import simulate
from gluon_etinynet.integer import first_difference, trace
from gluon_etinynet.integer import run as interpret

MACHINES = ("mps2-an386", "mps2-an500", "mps3-an547")
DSP, MVE = ("dsp", "mps2-an386"), ("mve", "mps3-an547")  # sets of kernels for a processor, and a machine that has it


def extreme_images(graph, seed):
    """Noise, and the two ends of int8 only."""
    noise = images(graph, seed=seed)[0]
    return noise, np.where(noise < 0, -128, 127).astype(np.int8)


def assert_equal_layers(graph, program, seed=0):
    for image in extreme_images(graph, seed):
        golden = trace(graph, image[None])
        for way in ([], ["--pushed"]):
            traced = read_trace(graph, call([program, *way], raw(image)), image)
            assert first_difference(golden, traced) is None, way


@settings(max_examples=6)
@given(seed=st.integers(0, 2 ** 32 - 1))
def test_small_networks_of_every_kind(sanitized, seed):
    graph = varied_graph(seed)
    assert_equal_layers(graph, sanitized.program(graph), seed)


@pytest.mark.slow
@settings(max_examples=16)
@given(seed=st.integers(0, 2 ** 32 - 1))
def test_many_small_networks_of_every_kind(sanitized, seed):
    graph = varied_graph(seed)
    assert_equal_layers(graph, sanitized.program(graph), seed)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("size", [4, 17, 32, 50])
def test_the_papers_blocks_in_small(sanitized, size, bits):
    """At 32 the maps of the last stage are a single pixel, at 4 those of every stage."""
    graph = etinynet_graph("tiny", size, bits, classes=11)
    assert_equal_layers(graph, sanitized.program(graph))


@pytest.mark.slow
@pytest.mark.parametrize("width, size, bits", [("1.0", 224, 8), ("1.0", 224, 4), ("0.75", 224, 4)])
def test_the_papers_networks(sanitized, width, size, bits):
    graph = etinynet_graph(width, size, bits)
    assert_equal_layers(graph, sanitized.program(graph))


@pytest.mark.parametrize("name", ["multiplier_0", "weights_3", "offset_11"])
def test_a_planted_fault_is_named(name, tmp_path):
    """One table altered in the C: the layer that it belongs to is the first to differ."""
    needs("make", "cc")
    graph = etinynet_graph("tiny", 33, classes=5)
    image = images(graph)[0]
    golden = trace(graph, image[None])
    folder = export(graph, tmp_path)
    source = folder / "src" / "net.c"
    text = source.read_text()
    begin = text.index("{", text.index(f" {name}["))
    values = read_arrays(text)[name]
    values ^= values.dtype.type(0x10 if values.dtype == np.uint8 else 0x1000)
    source.write_text(text[:begin] + "{" + ", ".join(map(str, values)) + text[text.index("}", begin):])
    make(folder, "host", "OBSERVE=trace")
    traced = read_trace(graph, call([folder / "build" / "host-trace" / "net"], raw(image)), image)
    difference = first_difference(golden, traced)
    assert difference.tensor == graph.nodes[int(name.split("_")[1])].output


def traced_on_a_cortex_m(graph, folder, machine, image, way=""):
    output = make(folder, "qemu", "OBSERVE=trace", f"MACHINE={machine}", f"ARGS={way}", stdin=raw(image))
    return read_trace(graph, output, image)


def assert_equal_on_a_cortex_m(graph, folder, machine, seed, ways=("", "--pushed")):
    for image in extreme_images(graph, seed):
        golden = trace(graph, image[None])
        for way in ways:
            assert first_difference(golden, traced_on_a_cortex_m(graph, folder, machine, image, way)) is None


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("seed", range(2))
def test_small_networks_on_a_cortex_m(machine, seed, tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = varied_graph(seed)
    assert_equal_on_a_cortex_m(graph, export(graph, tmp_path / "network"), machine, seed)


@pytest.mark.slow
@pytest.mark.parametrize("kernels, machine, seed", [*(("dsp", MACHINES[seed % 2], seed) for seed in range(8)),
                                                    *((*MVE, seed) for seed in range(8, 12))])
def test_small_networks_by_the_kernels_for_a_processor(kernels, machine, seed, tmp_path):
    """Any width of weights, rows of any length, any order of ReLU: what the fast loops do not serve, too."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = varied_graph(seed)
    folder = export(graph, tmp_path / "network", kernels=kernels)
    assert_equal_on_a_cortex_m(graph, folder, machine, seed)


@pytest.mark.parametrize("kernels, machine", [DSP, MVE])
@pytest.mark.parametrize("size, bits", [(41, 8), pytest.param(53, 4, marks=pytest.mark.slow),
                                        pytest.param(64, 8, marks=pytest.mark.slow)])
def test_the_papers_blocks_by_the_kernels_for_a_processor(kernels, machine, size, bits, tmp_path):
    """Rows of 11, 6, 3 and 2 columns, of 14, 7, 4 and 2, and of 16, 8, 4 and 2."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = etinynet_graph("tiny", size, bits, classes=11)
    folder = export(graph, tmp_path / "network", kernels=kernels)
    assert_equal_on_a_cortex_m(graph, folder, machine, 0, ways=("",))


@pytest.mark.slow
@pytest.mark.parametrize("kernels, machine", [("dsp", "mps2-an500"), MVE])
@pytest.mark.parametrize("bits", [8, 4])
def test_a_detector_by_the_kernels_for_a_processor(kernels, machine, bits, tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = ssd_graph("0.75", 65, bits, classes=3)
    folder = export(graph, tmp_path / "network", kernels=kernels)
    assert_equal_on_a_cortex_m(graph, folder, machine, 1)


@pytest.mark.parametrize("of, kernel, line, fault, name", [
    (DSP, "etn_depthwise.c", "smlabt r6, r12, r9, r6", "smlabb r6, r12, r9, r6", "stage1.0.dw1"),
    pytest.param(DSP, "etn_tile.c", "ldr lr, [r3, #92]", "ldr lr, [r3, #88]", "stage1.0.pw", marks=pytest.mark.slow),
    (MVE, "etn_depthwise.c", "&none, 32)", "&none, 31)", "stage1.0.dw1"),
    pytest.param(MVE, "etn_pointwise_rows.c", "etn_second(all)", "all", "stage1.0.pw",
                 marks=pytest.mark.slow)])
def test_a_fault_in_one_line_of_a_kernel_is_named(of, kernel, line, fault, name, tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    kernels, machine = of
    graph = etinynet_graph("tiny", 41, classes=5)
    folder, image = export(graph, tmp_path, kernels=kernels), images(graph)[0]
    source = folder / "src" / kernel
    text = source.read_text()
    assert line in text
    source.write_text(text.replace(line, fault))
    found = first_difference(trace(graph, image[None]), traced_on_a_cortex_m(graph, folder, machine, image))
    assert found.tensor == name


@pytest.mark.slow
@pytest.mark.parametrize("machine, kernels, width, bits", [
    ("mps2-an386", "portable", "0.75", 4), ("mps2-an500", "portable", "1.0", 8),
    ("mps2-an386", "dsp", "1.0", 8), ("mps2-an386", "dsp", "1.0", 4), ("mps2-an500", "dsp", "0.75", 4),
    ("mps3-an547", "mve", "1.0", 8), ("mps3-an547", "mve", "0.75", 4)])
def test_the_papers_networks_on_a_cortex_m(machine, kernels, width, bits, tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = etinynet_graph(width, 224, bits)
    folder, image = export(graph, tmp_path / "network", kernels=kernels), images(graph)[0]
    # The trace's own code does not fit beside 8-bit weights into a megabyte.
    mcu = "MCU=apollo510" if kernels == "mve" else "MCU=stm32h743"
    output = make(folder, "qemu", "OBSERVE=trace", f"MACHINE={machine}", mcu, stdin=raw(image))
    assert first_difference(trace(graph, image[None]), read_trace(graph, output, image)) is None


@pytest.mark.slow
def test_counts_on_a_cortex_m_repeat(tmp_path):
    """The instruction count is exact: the same twice; the stack is measured."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = etinynet_graph("tiny", 50, classes=11)
    folder, image = export(graph, tmp_path / "network"), images(graph)[0]
    first, second = (simulate(folder, "stm32f412", raw(image)) for _ in range(2))
    assert first == second
    logits = interpret(graph, image[None])[0]
    assert first.lines == [f"class {logits.argmax()}", f"score {logits.max()}"]
    assert first.instructions > 2 * graph_macs(graph)
    assert 200 < first.stack < 4096


def graph_macs(graph):
    return sum(int(np.prod(graph.tensors[n.output].shape)) * n.attrs["weight"][0].size
               for n in graph.nodes if n.op == "conv2d")
