"""The scripts behind the recipes' tables, on small inputs."""

import csv
import json

import cv2
import numpy as np
import pytest
from running import assert_one_line, run

from gluon_etinynet import get_model

WNIDS = ["n01440764", "n01443537"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """runs/ after table 1 and, without any pictures, table 2."""
    runs = tmp_path_factory.mktemp("runs")
    for table in ("table1", "table2"):
        done = run(f"benchmarks/{table}.py", "--save-dir", runs / table)
        assert done.returncode == 0, done.stderr
    return runs


def value(folder, row, quantity):
    found = json.loads((folder / "metrics.json").read_text())["measurements"]
    return next(m["value"] for m in found if (m["row"], m["quantity"]) == (row, quantity))


def test_table1_has_the_papers_numbers(measured):
    # From Table 1 and the architecture section, to the digit.
    folder = measured / "table1"
    assert value(folder, "EtinyNet-1.0", "params") == 976.36
    assert value(folder, "EtinyNet-0.75", "params") == 681.304
    assert round(value(folder, "EtinyNet-1.0", "madds"), 2) == 116.90
    assert round(value(folder, "EtinyNet-0.75", "madds"), 2) == 75.44
    assert value(folder, "EtinyNet-1.0", "feature_map_kb") == 245.0
    assert value(folder, "EtinyNet-0.75", "feature_map_kb") == 220.5
    assert value(folder, "EtinyNet-0.75", "stage3") == "DLB 96-168-168, 168-168-168 x2"


def test_table2_sizes(measured):
    folder = measured / "table2"
    sizes = {row: round(value(folder, row, "size_mb"), 2) for row in (
        "EtinyNet-1.0", "EtinyNet-0.75", "EtinyNet-1.0 (4-bit)", "EtinyNet-0.75 (4-bit)")}
    assert sizes == {"EtinyNet-1.0": 3.91, "EtinyNet-0.75": 2.73, "EtinyNet-1.0 (4-bit)": 0.49,
                     "EtinyNet-0.75 (4-bit)": 0.34}
    for name in ("figure1.png", "figure1.svg", "figure1.csv", "table2.csv"):
        assert (folder / name).stat().st_size > 500


def test_nothing_measured_disagrees_with_the_paper(measured, tmp_path):
    done = run("benchmarks/check.py", "--runs", measured, "--out", tmp_path / "check.csv")
    assert done.returncode == 0, done.stdout
    with open(tmp_path / "check.csv") as lines:
        verdicts = [row["verdict"] for row in csv.DictReader(lines)]
    assert sum(v == "agrees" for v in verdicts) > 40 and "differs" not in verdicts


def test_table1_per_layer_adds_up(tmp_path):
    done = run("benchmarks/table1.py", "--model", "etinynet0.75", "--per-layer", "--input-size", 64,
               "--save-dir", tmp_path)
    assert done.returncode == 0
    with open(tmp_path / "layers-etinynet0.75.csv") as lines:
        *layers, total = csv.DictReader(lines)
    for column in ("params", "MACs", "BN outputs"):
        assert sum(int(layer[column]) for layer in layers) == int(total[column])
    assert "features.4.2.pw" in done.stdout


def test_table1_unknown_network(tmp_path):
    assert_one_line(run("benchmarks/table1.py", "--model", "resnet", "--save-dir", tmp_path), "resnet")


def test_table2_measures_accuracy_but_does_not_judge_a_few_pictures(tmp_path):
    net = get_model("etinynet0.75")
    net.initialize()
    net.save_parameters(str(tmp_path / "x.params"))
    for wnid in WNIDS:
        (tmp_path / "data" / wnid).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "data" / wnid / "0.png"), np.full((300, 300, 3), 90, np.uint8))
    done = run("benchmarks/table2.py", "--model", "etinynet0.75", "--params", tmp_path / "x.params", "--data-dir",
               tmp_path / "data", "--save-dir", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = {m["quantity"]: m for m in json.loads((tmp_path / "out" / "metrics.json").read_text())["measurements"]
             if m["row"] == "EtinyNet-0.75"}
    assert found["top1"]["comparable"] is False and found["top1"]["note"] == "2 pictures of data"
    assert 0 <= found["top1"]["value"] <= found["top5"]["value"] <= 100


def test_ablations_compare_the_variants_and_resume(tiny_cifar, tmp_path):
    arguments = ("--data", tiny_cifar, "--seeds", 0, 1, "--num-epochs", 1, "--batch-size", 8,
                 "--input-size", 32, "--save-dir", tmp_path / "out")
    done = run("benchmarks/ablations.py", *arguments)
    assert done.returncode == 0, done.stderr
    again = run("benchmarks/ablations.py", *arguments)
    assert "[Epoch 0]" in done.stdout and "[Epoch 0]" not in again.stdout
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert len(metrics["top1"]) == 3 and all(len(seeds) == 2 for seeds in metrics["top1"].values())
    for m in metrics["measurements"]:
        kind = "bottleneck" if "bottlenecks" in m["row"] else "nonlinear"
        mean = {name: np.mean(list(seeds.values())) for name, seeds in metrics["top1"].items()}
        assert m["value"] == pytest.approx(mean[f"etinynet0.75_{kind}"] - mean["etinynet0.75"])
        assert m["comparable"] is False
