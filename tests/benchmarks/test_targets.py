"""The exported C on other processors: a sample of benchmarks/targets.py, and what it says when something is wrong."""

import csv
import json
import shutil
from unittest import mock

import numpy as np
import pytest
from running import load, needs, run

from gluon_etinynet.export import c

targets = load("benchmarks/targets.py")


def rows_of(out):
    rows = json.loads((out / "targets.json").read_text())["rows"]
    return {(row["target"], row["compiler"], row["kernels"], row["network"]): row for row in rows}


def tried(out, names, compiler, *arguments, network="classifier"):
    return run("benchmarks/targets.py", "--targets", *names, "--compilers", compiler, "--networks", network,
               "--save-dir", out, *arguments)


def test_the_small_networks_have_every_operator():
    for name in ("classifier", "detector"):
        graph, *_ = targets.network(name)
        convolutions = [node for node in graph.nodes if node.op == "conv2d"]
        depthwise = [node for node in convolutions if node.attrs["groups"] > 1]
        assert {node.attrs["stride"] for node in depthwise} == {1, 2}
        shortcuts = {node in depthwise for node in convolutions if len(node.inputs) == 2}
        assert shortcuts == {True, False}  # of the middle and of the input
        assert any((node.attrs["multiplier"] < 0).any() for node in convolutions)
        assert all(node.attrs["relu"] in ("before", "none") for node in convolutions)
        assert len({graph.tensors[node.output].quant.zero_point for node in convolutions}) > 5
        assert sum(graph.tensors[node.output].shape[1] % 2 for node in convolutions) > 5
    assert len(graph.detection.levels) == 3 and len(targets.run(graph, targets.network("detector")[1][None])[0]) > 3


@pytest.mark.parametrize("name, programs", [
    ("x86-64", ["gcc", "valgrind"]), ("i386", ["i686-linux-gnu-gcc", "qemu-i386"]),
    ("powerpc", ["powerpc-linux-gnu-gcc", "qemu-ppc"]), ("cortex-m0", ["arm-none-eabi-gcc", "qemu-system-arm"]),
    ("wasm32", ["clang", "wasm-ld", "node"])])
def test_a_sample(name, programs, tmp_path):
    needs("make", *programs)
    compiler = "clang" if name == "wasm32" else "gcc"
    network = "detector" if name == "cortex-m0" else "classifier"
    arguments = [tmp_path, [name], compiler, "--optimise", "Os", "--chars", "unsigned"]
    done = tried(*arguments, network=network)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = rows_of(tmp_path)
    assert set(rows) == {(name, compiler, kernels, network) for kernels in targets.TARGETS[name].kernels}
    assert {(row["bytes that differ"], row["first difference"]) for row in rows.values()} == {(0, "none")}
    counted = name in ("x86-64", "cortex-m0")
    assert all(bool(row["instructions"]) == counted for row in rows.values())
    assert all(bool(row["stack, bytes"]) == (name == "cortex-m0") for row in rows.values())

    with mock.patch.object(shutil, "copy", side_effect=AssertionError), \
            mock.patch("gluon_etinynet.export.folder.Export.write", side_effect=AssertionError("built again")):
        again = tried(*arguments, network=network)
    assert again.returncode == 0 and again.stdout == done.stdout[done.stdout.index("| target"):]
    with open(tmp_path / "targets.csv", newline="") as table:
        assert [row["bytes that differ"] for row in csv.DictReader(table)] == ["0"] * len(rows)


def test_a_fault_is_named(tmp_path):
    """One offset of the C altered: the layer that it belongs to differs, and so says the exit status."""
    needs("make", "gcc", "valgrind")

    def faulty(graph, prefix, kernels, emit=c.emit):
        files = emit(graph, prefix, kernels)
        text = files["src/net.c"]
        begin = text.index("{", text.index(" offset_3[")) + 1
        files["src/net.c"] = text[:begin] + ",".join(["0", "0", "99", text[begin:].split(",", 3)[3]])
        return files

    with mock.patch.object(c, "emit", faulty):
        done = tried(tmp_path, ["x86-64"], "gcc", "--optimise", "O0", "--chars", "signed")
    assert done.returncode == 1
    for row in rows_of(tmp_path).values():
        assert row["bytes that differ"] > 10 and row["first difference"].startswith("stage1.0.pw[0, 0,")
    with mock.patch.object(c, "emit", faulty):  # what differs is not kept
        assert tried(tmp_path, ["x86-64"], "gcc", "--optimise", "O0", "--chars", "signed").returncode == 1


def test_a_tool_that_is_missing_is_told(tmp_path):
    def absent(name, which=shutil.which):
        return None if name == "qemu-ppc" else "/usr/bin/" + name

    with mock.patch.object(shutil, "which", absent):
        done = tried(tmp_path, ["powerpc"], "gcc", "--optimise", "O2", "--chars", "signed")
    assert done.returncode == 1
    row, = rows_of(tmp_path).values()
    assert row["bytes that differ"] == "not run" and "not run here: apt-get install make qemu-user" in done.stdout


def test_bytes_of_text_that_differ():
    assert targets.wrong_bytes(["12", "3"], ["12", "3"]) == 0
    assert targets.wrong_bytes(["12", "3"], ["12", "45"]) == 2
    assert targets.wrong_bytes(["1"], []) == 1
    assert np.all([targets.wrong_bytes([], [text]) == len(text) for text in ("a", "bcd")])
