"""tools/eval_graph.py: integer networks on labelled pictures, beside their checkpoint and their C."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from running import assert_one_line, needs, run
from small_cores import core_files, with_changed_bits
from small_roms import written

from gluon_etinynet import get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.datasets import digits
from gluon_etinynet.export.c.program import make
from gluon_etinynet.integer import Graph, pixels_to_input
from gluon_etinynet.integer import run as interpret
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.quantize.qat import prepare_qat


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A 4-bit EtinyNet-0.75 for the digits, untrained, and its Graph; the Graph of a tiny network."""
    work = tmp_path_factory.mktemp("work")
    mx.random.seed(0)  # not every untrained network keeps its classes on noise, which is unlike the digits
    net = get_model("etinynet0.75", classes=10)
    net.initialize()
    prepare_qat(net, "asq", 4).save_parameters(str(work / "net.params"))
    done = run("tools/make_graph.py", "--model", "etinynet0.75", "--params", work / "net.params",
               "--calib-digits", "--num-images", 64, "--input-size", 32, "--out", work / "digits.npz")
    assert done.returncode == 0, done.stderr
    assert Graph.load(work / "digits.npz").name == "etinynet0.75_int4"
    etinynet_graph("tiny", 32, 4, classes=10).save(work / "tiny.npz")
    return work


def evaluate(work, *more, name="digits"):
    return run("tools/eval_graph.py", "--graph", work / f"{name}.npz", "--save-dir", work / "out", *more)


NAMES = ["tiny", pytest.param("digits", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", NAMES)
def test_digits_in_c(work, tmp_path, name):
    """The whole test set: C on this computer equals the interpreter; a fault in one table is seen."""
    needs("make", "cc")
    done = run("tools/export_c.py", "--graph", work / f"{name}.npz", "--prefix", "digits", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    make(tmp_path, "host")
    program = tmp_path / "build" / "host" / "digits"
    done = evaluate(work, "--digits", "--program", program, name=name)
    assert done.returncode == 0, done.stderr
    assert "360 of 360 pictures equal" in done.stdout
    metrics = json.loads((work / "out" / "metrics.json").read_text())
    assert metrics["program"]["equal"] == metrics["n"] == 360
    source = tmp_path / "src" / "digits.c"
    text = source.read_text()
    begin = text.index("{", text.index(" offset_4[")) + 1
    low, middle, high, rest = text[begin:].split(",", 3)
    source.write_text(text[:begin] + ",".join([low, middle, str(int(high) ^ 2), rest]))
    make(tmp_path, "host")
    done = evaluate(work, "--digits", "--program", program, name=name)
    assert done.returncode == 1 and "360 of 360" not in done.stdout and "of 360 pictures equal" in done.stdout


def test_digits_in_the_simulated_core(work, tmp_path):
    """Evenly spaced ones; a fault in the weights of one class is seen; a core of another network is refused."""
    needs("iverilog", "make")
    files = core_files(Graph.load(work / "tiny.npz"))
    options = ("--digits", "--core", tmp_path / "core", "--simulator", "icarus", "--core-pictures", 2)
    written(tmp_path / "core", files)
    done = evaluate(work, *options, name="tiny")
    assert done.returncode == 0, done.stderr
    assert "core in icarus: 2 of 2 pictures equal" in done.stdout
    metrics = json.loads((work / "out" / "metrics.json").read_text())
    assert metrics["core"]["equal"] == 2 and len(metrics["core"]["cycles"]) == 2
    assert_one_line(evaluate(work, *options), "another network")
    shutil.rmtree(tmp_path / "core")
    written(tmp_path / "core", with_changed_bits(files, "pointwise", -1, lambda word: word ^ 0x22222222))
    done = evaluate(work, *options[:-1], 1, name="tiny")
    assert done.returncode == 1 and "0 of 1 pictures equal" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_hits_are_counted_as_the_interpreter_says(work, name):
    graph, data = Graph.load(work / f"{name}.npz"), digits(32)
    logits = interpret(graph, pixels_to_input(data.x_test))
    better = (logits > np.take_along_axis(logits, data.y_test[:, None], axis=1)).sum(axis=1)
    assert evaluate(work, "--digits", name=name).returncode == 0
    metrics = json.loads((work / "out" / "metrics.json").read_text())
    assert metrics["top1"] == pytest.approx(100 * np.mean(logits.argmax(axis=1) == data.y_test))
    assert metrics["top5"] == pytest.approx(100 * np.mean(better < 5), abs=0.6)  # ties


def test_photographs_of_own_classes(work, tmp_path):
    """Beside the checkpoint that the network was made of."""
    for index in range(10):
        (tmp_path / f"class{index}").mkdir()
        for picture in range(2):
            noise = np.random.RandomState(10 * index + picture).randint(0, 256, (40, 44, 3)).astype(np.uint8)
            cv2.imwrite(str(tmp_path / f"class{index}" / f"{picture}.png"), noise)
    (tmp_path / "class3" / "0.png").write_bytes(b"no picture")
    done = evaluate(work, "--data-dir", tmp_path, "--model", "etinynet0.75", "--params", work / "net.params")
    assert json.loads((work / "out" / "metrics.json").read_text())["checkpoint"]["same_class"] > 80
    assert done.returncode == 0 and done.stdout.splitlines()[-1].endswith("n=19")
    assert "1 of 20 pictures could not be read" in done.stdout
    assert_one_line(evaluate(work, "--data-dir", tmp_path, "--strict"), "0.png")
    (tmp_path / "class11").mkdir()
    cv2.imwrite(str(tmp_path / "class11" / "0.png"), noise)
    assert_one_line(evaluate(work, "--data-dir", tmp_path), "11 classes")


def test_what_it_refuses(work, tmp_path):
    assert_one_line(evaluate(work), "--digits")
    assert_one_line(evaluate(work, "--digits", "--data-dir", tmp_path), "give one")
    assert_one_line(evaluate(work, "--digits", "--program", tmp_path / "absent"), "make -C")
    (tmp_path / "text").write_text("no program")
    assert_one_line(evaluate(work, "--digits", "--program", tmp_path / "text"), "cannot run")
    etinynet_graph("tiny", 33, classes=5).save(tmp_path / "five.npz")
    assert_one_line(run("tools/eval_graph.py", "--graph", tmp_path / "five.npz", "--digits"), "10 classes")
    Path(tmp_path / "five.npz").write_bytes((tmp_path / "five.npz").read_bytes()[:-100])
    assert_one_line(run("tools/eval_graph.py", "--graph", tmp_path / "five.npz", "--digits"), "five.npz")
