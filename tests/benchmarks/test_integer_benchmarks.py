"""The benchmarks of integer networks: equality of the C, Table 4."""

import csv
import json
from unittest import mock

import cv2
import numpy as np
import pytest
from running import assert_one_line, load, needs, run

from gluon_etinynet.export import c
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.report import paper

table4 = load("benchmarks/table4.py")

@pytest.fixture
def work(tmp_path):
    """A small integer network and three photographs."""
    etinynet_graph("tiny", 33, 4, classes=5).save(tmp_path / "tiny.npz")
    (tmp_path / "photographs").mkdir()
    for index in range(3):
        noise = np.random.RandomState(index).randint(0, 256, (6, 6, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "photographs" / f"{index}.png"), cv2.resize(noise, (50, 60)))
    return tmp_path


def c_equality(work, cortex_m=0):
    done = run("benchmarks/c_equality.py", "--data-dir", work / "photographs", "--graph", work / "tiny.npz",
               "--cortex-m", cortex_m, "--save-dir", work / "out")
    rows = json.loads((work / "out" / "c_equality.json").read_text())["rows"]
    return done.returncode, {(row["processor"], row["image"], row["compared"]): row for row in rows}


def test_c_equality(work):
    needs("make", "cc")
    status, rows = c_equality(work)
    assert status == 0
    assert {key[1:]: row["pictures"] for key, row in rows.items()} == {
        ("stored", "every layer"): 1, ("pushed", "every layer"): 2, ("stored", "logits"): 2,
        ("pushed", "logits"): 1}
    assert all(row["pictures that differ"] == 0 for row in rows.values())


def test_c_equality_names_the_first_tensor_that_differs(work):
    needs("make", "cc")

    def faulty(graph, prefix, kernels="portable", emit=c.emit):
        files = emit(graph, prefix, kernels)
        begin = files["src/net.c"].index("{", files["src/net.c"].index(" offset_3[")) + 1
        text = files["src/net.c"]
        files["src/net.c"] = text[:begin] + ",".join(["0", "0", "99", text[begin:].split(",", 3)[3]])
        return files

    with mock.patch.object(c, "emit", faulty):
        status, rows = c_equality(work)
    assert status == 1
    row = rows["this computer", "pushed", "every layer"]
    assert row["pictures that differ"] == 2
    assert row["first difference"].startswith("stage1.0.pw[0, 0,") and "0.png" in row["first difference"]


@pytest.mark.slow
def test_c_equality_on_a_cortex_m(work):
    needs("make", "cc", "arm-none-eabi-gcc", "qemu-system-arm")
    status, rows = c_equality(work, cortex_m=2)
    assert status == 0
    assert [rows[core, "stored", "every layer"]["pictures"] for core in ("Cortex-M4", "Cortex-M7")] == [2, 2]


def test_table_4_needs_both_sets_of_photographs(tmp_path):
    for one in ("--data-dir", "--calib-dir"):
        assert_one_line(run("benchmarks/table4.py", one, tmp_path, "--save-dir", tmp_path / "out"), "calibration")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_table_4_memory(tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    done = run("benchmarks/table4.py", "--save-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not run here" in done.stdout
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    found = {(m["row"], m["quantity"]): m["value"] for m in metrics["measurements"]}
    assert set(found) == {(f"EtinyNet-1.0 {mcu}", quantity) for mcu in ("STM32F412", "STM32F746")
                          for quantity in ("flash_kb", "ram_kb")}
    assert 165 < found["EtinyNet-1.0 STM32F412", "ram_kb"] < 180
    assert 980 < found["EtinyNet-1.0 STM32F412", "flash_kb"] <= 1024
    entries = {entry.key: entry for entry in paper.load()}
    for measurement in metrics["measurements"]:
        entry = entries["4", measurement["row"], measurement["quantity"]]
        assert paper.verdict(entry, measurement) == "agrees"


@pytest.mark.slow
def test_table_4_says_what_does_not_fit(tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = etinynet_graph("1.0", 224, 8, classes=1200)
    memory = table4.measure(graph, tmp_path / "c", "stm32f412")
    assert memory.fits.startswith("no (region `FLASH' overflowed by") and memory.flash is None
    assert table4.report([("stm32f412", memory, None)], tmp_path) == 1
    assert json.loads((tmp_path / "metrics.json").read_text())["measurements"] == []


def test_table_4_with_accuracy(tmp_path):
    """What is held against the paper, and what is only shown."""
    memory = table4.Memory("yes", 1000 * 1024, 160 * 1024, 165 * 1024, 592, 405_000_000)
    for count, comparable in ((430, False), (50000, True)):
        before, after = ({"top1": top1, "top5": 0.9, "samples": count} for top1 in (0.655, 0.65))
        assert table4.report([("stm32f412", memory, (before, after, 0.97))], tmp_path) == 0
        top1 = json.loads((tmp_path / "metrics.json").read_text())["measurements"][-1]
        assert (top1["value"], top1["comparable"]) == (65.0, comparable)
        with open(tmp_path / "table4.csv", newline="") as table:
            row = next(csv.DictReader(table))
        assert (row["float top-1"], row["int8 top-1"], row["paper: top-1"]) == ("65.50", "65.00", "64.7")


@pytest.mark.slow
def test_instructions_by_part(work):
    """On a Cortex-M4 and, by callgrind, on this computer: the parts make up the whole."""
    needs("make", "cc", "arm-none-eabi-gcc", "qemu-system-arm", "valgrind")
    etinynet_graph("tiny", 160, 8, classes=5).save(work / "tiny.npz")
    done = run("benchmarks/mcu_instructions.py", "--graph", work / "tiny.npz", "--save-dir", work / "out")
    assert done.returncode == 0, done.stderr
    rows = json.loads((work / "out" / "mcu_instructions.json").read_text())["rows"]
    assert [(row["kernels"], row["processor"]) for row in rows] == [
        ("portable", "Cortex-M4"), ("portable", "Cortex-M55"), ("portable", "this computer"), ("dsp", "Cortex-M4"),
        ("simd", "this computer"), ("mve", "Cortex-M55")]
    for row in rows:
        parts = [row[part] for part in ("stem", "depthwise", "pointwise", "final")]
        assert min(parts[:3]) > 0 and sum(parts) == pytest.approx(row["total, M"], rel=0.1)


@pytest.mark.parametrize("flags, programs", [([], ["cc"]), (["--wasm"], ["clang", "wasm-ld", "node"])])
def test_host_kernels(flags, programs, tmp_path):
    needs("make", *programs)
    etinynet_graph("tiny", 33, 4, classes=5).save(tmp_path / "tiny.npz")
    done = run("benchmarks/host_kernels.py", "--graph", tmp_path / "tiny.npz", "--pairs", 2, "--save-dir", tmp_path,
               *flags)
    (row,) = json.loads((tmp_path / "host_kernels.json").read_text())["rows"]
    assert done.returncode == 0 and row["network"] == "tiny" and float(row["ratio"]) > 0
