"""The core's schedule and folder without a simulator: places, refusals, the command line."""

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from running import run
from small_cores import core_files, core_graph

from gluon_etinynet.export.fpga import core
from gluon_etinynet.export.fpga.memories import memories
from gluon_etinynet.export.fpga.planner import FIELDS, replay, schedule
from gluon_etinynet.export.fpga.resources import PARTS, block_ram_kbits
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import interpreter, pixels_to_input
from gluon_etinynet.integer.random_graphs import etinynet_graph, ssd_graph


def test_etinynet_0_75_is_faster_than_the_paper_and_fits():
    graph = etinynet_graph("0.75", bits=4)
    cycles = {to: schedule(graph, 24, to).cycles for to in (4, 8, 16)}
    assert cycles[16] < 204_500 and cycles[8] < 356_000 and cycles[4] < 704_000  # the paper's: 970,000
    report = core.emit(graph, 24, 16).manifest
    assert sum(report["block_ram_18k"].values()) / 2 <= 128 and sum(report["multipliers"].values()) <= 240
    assert report["activations"]["depth"] == 56 * 56  # one map, the largest: outputs lie over inputs
    assert report["cycles"] == sum(one["cycles"] for one in report["passes"]) == cycles[16]


@pytest.mark.parametrize("v", [8, 24, 32])
@pytest.mark.parametrize("seed", range(6))
def test_no_map_is_overwritten_before_it_is_read(v, seed):
    rng = np.random.default_rng(seed)
    blocks = [(int(rng.integers(1, 90)), int(rng.integers(1, 3)), True) for _ in range(4)]
    graph = core_graph(seed, tuple(rng.integers(12, 60, 2).tolist()), int(rng.integers(1, 40)), blocks)
    plan = schedule(graph, v, 8)  # which replays
    later = [number for number, one in enumerate(plan.passes[:-1]) if number and one.fields["source"] > 0]
    for number in later:
        lower = replace(plan.passes[number], fields=dict(plan.passes[number].fields, source=0))
        with pytest.raises(RuntimeError, match="reads word 0 of"):
            replay(graph, replace(plan, passes=[*plan.passes[:number], lower, *plan.passes[number + 1:]]))


def test_an_output_one_word_higher_would_overwrite_its_input():
    graph = core_graph(blocks=((5, 1, True), (40, 1, True)))  # wider: the output lies below the input
    plan = schedule(graph, 8, 4)
    wide = plan.passes[2]
    assert wide.fields["source"] > wide.fields["target"]
    moved = replace(wide, fields=dict(wide.fields, target=wide.fields["target"] + 1))
    with pytest.raises(RuntimeError, match=r"1: reads word \d+ of 0 at \d+ and finds \('1', "):
        replay(graph, replace(plan, passes=[*plan.passes[:2], moved, *plan.passes[3:]]))


def test_a_descriptor_has_its_fields_from_bit_0_on():
    graph = core_graph()
    plan = schedule(graph, 8, 4)
    bits = memories(graph, plan, PARTS["xc7a100t"])["passes"].bits
    for one, row in zip(plan.passes, bits):
        word, first = int("".join(map(str, row[::-1])), 2), 0
        for name, count in FIELDS:
            assert (word >> first) & ((1 << count) - 1) == one.fields.get(name, 0) & ((1 << count) - 1), name
            first += count


@pytest.mark.parametrize("depth, width, kbit_18, kbit_36", [
    (512, 36, 1, 1), (512, 72, 2, 2), (1024, 36, 2, 2), (2049, 18, 3, 3), (8192, 4, 2, 2),
    (178, 800, 23, 23), (1668, 1536, 171, 171), (3136, 192, 39, 39), (1500, 100, 9, 9)])
def test_block_rams_are_counted_as_they_are_built(depth, width, kbit_18, kbit_36):
    assert block_ram_kbits(PARTS["lfe5u-85"], depth, width) == kbit_18
    assert block_ram_kbits(PARTS["xc7a100t"], depth, width) == kbit_36


REFUSALS = {
    "8 bits": (lambda: (core_graph(bits=8), 8, 4), r"stem.conv has weights of 8 bits, the core multiplies by 4"),
    "16 channels": (lambda: (core_graph(), 16, 4), "words of 16 channels are not supported; choose 8, 24, 32"),
    "wider than V": (lambda: (core_graph(), 8, 16), "16 outputs a cycle are not supported with words of 8 .* 4, 8"),
    "detector": (lambda: (ssd_graph("tiny", 64, 4), 8, 4), "is a detector, the core computes classifiers"),
    "too many words": (lambda: (core_graph(blocks=((300, 2, False),)), 8, 4),
                       "300 channels are more than 32 words of 8"),
    "too many classes": (lambda: (core_graph(image=(16, 16), blocks=((200, 2, False),), classes=16000), 24, 8),
                         r"does not fit .*XC7A100T: it takes [\d.]+ block RAMs of 36 Kbit, there are 135: "
                         "no part that is known takes it in words of 24; train fewer classes"),
    "too many products": (lambda: (core_graph(), 32, 16), r"it takes 305 multipliers, there are 240: it fits with "
                                                          r"--outputs 8 or --outputs 16 --part xc7a200t or "
                                                          r"--outputs 16 --part lfe5u-85$"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_what_the_core_cannot_do_is_refused(refusal):
    arguments, message = REFUSALS[refusal]
    with pytest.raises(InputError, match=message):
        core.emit(*arguments())


def test_the_open_board_takes_fewer_outputs():
    graph = etinynet_graph("0.75", bits=4, classes=100)
    with pytest.raises(InputError, match=r"LFE5U-85: it takes \d+ block RAMs of 18 Kbit, there are 208: it fits with "
                                         "--outputs 8 or --outputs 16 --part xc7a100t or "):
        core.emit(graph, 24, 16, "lfe5u-85")
    core.emit(graph, 24, 8, "lfe5u-85")


# ---- The command line ----

@pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog: apt-get install iverilog")
def test_the_tools_folder_computes_a_picture_and_refuses_one_of_another_size(tmp_path):
    graph = core_graph()
    graph.save(tmp_path / "model.npz")
    out = tmp_path / "core"
    done = run("tools/export_fpga.py", "--graph", tmp_path / "model.npz", "--word-channels", 8, "--outputs", 4,
               "--out", out)
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_text() for path in out.iterdir()} == dict(core_files(graph))
    report = json.loads((out / "report.json").read_text())
    assert f"{report['cycles']:,} cycles a picture" in done.stdout
    assert set(report["files"]) == {path.name for path in out.iterdir()}
    photo = tmp_path / "photo.raw"
    pixels = np.random.default_rng(5).integers(0, 256, (17, 14, 3), np.uint8)
    for content, status in ((bytes(7), 2), (pixels.tobytes(), 0)):
        photo.write_bytes(content)
        done = subprocess.run(["make", "-s", "-C", str(out), "icarus", f"IMAGE={photo}"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True)
        assert done.returncode == status, done.stderr
        if status:
            assert "does not hold 17 x 14 x 3 = 714 bytes" in done.stderr
    logits = [int(line.split()[2]) for line in done.stdout.splitlines() if line.startswith("l ")]
    assert logits == interpreter.run(graph, pixels_to_input(pixels)[None])[0].tolist()


def test_the_tool_refuses_in_one_line(tmp_path):
    core_graph(bits=8).save(tmp_path / "model.npz")
    refused = run("tools/export_fpga.py", "--graph", tmp_path / "model.npz", "--out", tmp_path / "core")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "weights of 8 bits" in refused.stderr and not (tmp_path / "core").exists()
