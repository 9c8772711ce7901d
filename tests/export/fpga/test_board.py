"""The board's wrapper: bits on its pins in simulation, and the program at the other end of the line."""

import io
import re
import shutil
import struct
import zlib

import numpy as np
import pytest
from running import ROOT
from small_cores import core_files, core_graph, with_changed_bits
from small_roms import written

from gluon_etinynet.export.fpga import serial
from gluon_etinynet.export.fpga.resources import PARTS
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import run

simulated = pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog: apt-get install iverilog")
SHAPE, CLASSES, TOP = (5, 4), 3, 3
WHOLE, FAULT = 2 + 6 * TOP + 4 + 4, 2 + 4  # bytes of an answer
SILENCE = ("wait", 80)  # bits: more than the testbench's


@pytest.fixture(scope="module")
def graph():
    return core_graph(seed=4, image=SHAPE, stem=3, blocks=((4, 1, True), (4, 2, True)), classes=CLASSES)


@pytest.fixture(scope="module")
def files(graph):
    return core_files(graph)


@pytest.fixture(scope="module")
def folder(files, tmp_path_factory):
    return written(tmp_path_factory.mktemp("board") / "core", files)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).integers(0, 256, (3, *SHAPE, 3), np.uint8)


def expected(graph, picture):
    """The largest logits by the interpreter, ties by class."""
    image = (picture.astype(np.int16) - 128).astype(np.int8).transpose(2, 0, 1)[None]
    logits = run(graph, image)[0].ravel().astype(np.int64)
    return [(int(c), int(logits[c])) for c in np.argsort(-logits, kind="stable")[:TOP]]


def sending(content):
    return [("send", byte) for byte in content]


def answers(received):
    """What each answer says: the largest logits, or the fault."""
    line = io.BytesIO(received)
    while line.tell() < len(received):
        try:
            yield serial.answer(line.read, TOP).top
        except InputError as error:
            (status,) = [key for key, text in serial.STATUS.items() if text and str(error).endswith(text)]
            yield status


@simulated
@pytest.mark.parametrize("skew, count", [(-0.02, 1), (0.02, 2)])
def test_pictures_one_after_the_other_at_rates_that_are_off(graph, folder, pictures, skew, count):
    script = [SILENCE]
    for picture in pictures[:count]:
        script += [*sending(serial.request(picture)), ("answer", WHOLE)]
    received, _ = serial.simulate(folder, script, skew)
    assert list(answers(received)) == [expected(graph, picture) for picture in pictures[:count]]


@simulated
def test_whatever_is_wrong_is_said_and_the_next_picture_is_right(graph, folder, pictures):
    good = serial.request(pictures[0])
    altered = bytearray(good)
    altered[20] ^= 1
    faults = {
        "START": [("send", 0x41)],
        "STOP_BIT": [*sending(good[:9]), ("torn", good[9]), *sending(good[10:13])],
        "TIMEOUT": sending(good[:20]),
        "CHECKSUM": sending(altered),
    }
    script = [SILENCE, ("lights", 0)]
    for fault in faults.values():
        script += [*fault, SILENCE, ("answer", FAULT), ("lights", 0)]
    script += [*sending(good), ("answer", WHOLE), ("lights", 0)]
    received, lights = serial.simulate(folder, script)
    assert list(answers(received)) == [*faults, expected(graph, pictures[0])]
    assert lights == ["100", *["101"] * len(faults), "100"]


@simulated
def test_what_comes_too_early_is_no_picture(graph, folder, pictures):
    """A second picture before the answer; a lost byte, whose place the next picture's start takes; a reset."""
    first, second = (serial.request(picture) for picture in pictures[:2])
    script = [SILENCE, *sending(first + second[:4]), ("answer", WHOLE), SILENCE, ("answer", FAULT)]
    script += [*sending(first[:9] + first[10:] + second[:4]), SILENCE, ("answer", FAULT)]
    script += [*sending(first[:12]), ("lights", 0), ("reset", 3), SILENCE, ("lights", 0),
               *sending(second), ("answer", WHOLE)]
    received, lights = serial.simulate(folder, script)
    assert list(answers(received)) == [expected(graph, pictures[0]), "OVERRUN", "CHECKSUM",
                                       expected(graph, pictures[1])]
    assert lights == ["111", "100"]


@simulated
def test_a_wrong_rom_is_said(files, folder, pictures, tmp_path):
    changed = with_changed_bits(files, "pointwise", 1, lambda word: word ^ 1, checked=False)
    shutil.copytree(folder, tmp_path / "core")  # with what was compiled
    (tmp_path / "core" / "pointwise.mem").write_text(changed["pointwise.mem"])
    script = [SILENCE, ("lights", 0), *sending(serial.request(pictures[0])), SILENCE, ("answer", FAULT)]
    received, lights = serial.simulate(tmp_path / "core", script)
    assert list(answers(received)) == ["ROM"] and lights == ["001"]


def test_an_answer_that_was_altered_is_refused():
    body = struct.pack("<BB3H3iI", serial.ANSWER, 0, 6, 4, 1, 90, 2, -5, 198)
    whole = body + struct.pack("<I", zlib.crc32(body))
    assert serial.answer(io.BytesIO(whole).read, 3) == serial.Answer([(6, 90), (4, 2), (1, -5)], 198)
    for bit in range(8 * len(whole)):
        altered = bytearray(whole)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InputError):
            serial.answer(io.BytesIO(altered).read, 3)
    for size in range(len(whole)):
        with pytest.raises(InputError):
            serial.answer(io.BytesIO(whole[:size]).read, 3)


@pytest.mark.parametrize("part", PARTS)
def test_every_pin_has_its_place(graph, part):
    files = core_files(graph, part=part)
    (constraints,) = [name for name in files if name.endswith((".xdc", ".lpf"))]
    ports = set(re.findall(r"^    (?:input|output) +wire (\w+)", files["etn_board.v"], re.MULTILINE))
    place = {"xdc": r"PACKAGE_PIN \w+ .*get_ports (\w+)\]", "lpf": r'LOCATE COMP "(\w+)" SITE "\w+"'}
    assert sorted(re.findall(place[constraints[-3:]], files[constraints])) == sorted(ports) and len(ports) == 7
    assert files["README.md"].startswith(f"# {graph.name} on an FPGA\n") and constraints in files["README.md"]
    clock = int(re.search(r"ETN_BOARD_CLOCK (\d+)", files["etn_config.vh"]).group(1))
    period = re.search(r"-period ([\d.]+)", files[constraints])
    assert clock == (1e9 / float(period.group(1)) if period else
                     1e6 * int(re.search(r'FREQUENCY PORT "clk" (\d+) MHZ', files[constraints]).group(1)))


def test_the_page_has_every_status():
    page = (ROOT / "docs" / "fpga.md").read_text()
    assert re.findall(r"^\| (\d) \| (\w+) \|", page, re.MULTILINE) == [(str(n), s) for n, s in enumerate(serial.STATUS)]
