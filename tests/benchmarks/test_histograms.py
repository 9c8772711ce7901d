"""benchmarks/histograms.py as a user runs it."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from running import ROOT, assert_one_line, run

from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.etinynet import EtinyNet
from gluon_etinynet.quantize.qat import prepare_qat

TOOL = "benchmarks/histograms.py"


def plot(*arguments):
    return run(TOOL, *arguments)


def read_csv(path):
    with open(path, newline="") as source:
        return list(csv.DictReader(source))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A small network, float and quantised by ASQ with lambda 3."""
    folder = tmp_path_factory.mktemp("checkpoints")
    mx.random.seed(0)
    net = EtinyNet(8, [(8,), (12,), (12, 12), (12, 12, 16)], classes=10)
    net.initialize()
    net.save_parameters(str(folder / "float.params"))
    prepare_qat(net, "asq", lam=3).save_parameters(str(folder / "asq.params"))
    return folder, net


def test_all_figures_and_their_numbers(checkpoints, tmp_path):
    folder, net = checkpoints
    done = plot("--params", folder / "asq.params", "--save-dir", tmp_path, "--bits", 3)
    assert done.returncode == 0, done.stderr
    for name in ("fig3", "fig4", "layers", "lambda"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "</svg>" in (tmp_path / f"{name}.svg").read_text()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    found = {(m["row"], m["quantity"]): m["value"] for m in metrics["numbers"]}
    weight = net.features[4][2].pw.weight.data().asnumpy()  # layer3.2 of the paper
    assert found["layer3.2", "shape"] == "16x12x1x1"
    # Another network's numbers are not held against the paper's.
    assert metrics["measurements"] and all(m["comparable"] is False for m in metrics["measurements"])
    assert found["layer3.2", "std"] == pytest.approx(weight.std(), abs=1e-4)
    assert found["layer3.2 DoReFa", "total_levels"] == 8
    clamped = np.tanh(weight) / np.abs(np.tanh(weight)).max()
    assert found["layer3.2 DoReFa", "zeros"] == pytest.approx(100 * np.mean(np.abs(clamped) < 1 / 7), abs=0.05)
    assert found["layer3.2", "entropy_trend"] == "falls" and found["layer3.2", "std_trend"] == "falls"
    fig3 = read_csv(tmp_path / "fig3.csv")
    for layer in ("layer1.4", "layer3.2"):
        for distribution in ("Ori.", "Quan.", "Quan. with a level at 0"):
            shares = [float(r["share"]) for r in fig3 if r["layer"] == layer and r["distribution"] == distribution]
            assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert [float(row["lambda"]) for row in read_csv(tmp_path / "lambda.csv")] == [3] * 23
    at_three = [row for row in read_csv(tmp_path / "fig4.csv") if row["lambda"] == "3"][0]
    asq = [row for row in read_csv(tmp_path / "lambda.csv") if row["layer"] == "features.4.2.pw"][0]
    assert float(at_three["E"]) == pytest.approx(float(asq["E"]), abs=1e-5)
    assert float(at_three["J"]) == pytest.approx(float(asq["J"]), rel=1e-4)
    assert len(read_csv(tmp_path / "layers.csv")) == 23


def test_layer_and_figure_flags(checkpoints, tmp_path):
    folder, net = checkpoints
    done = plot("--params", folder / "float.params", "--figure", 3, "--layer", "features.2.0.dw1",
                "--save-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fig3.csv", "fig3.png", "fig3.svg", "metrics.json"]
    assert {row["layer"] for row in read_csv(tmp_path / "fig3.csv")} == {"features.2.0.dw1"}
    listed = plot("--params", folder / "float.params", "--list-layers")
    assert listed.returncode == 0 and "features.4.2.pw" in listed.stdout and "16x12x1x1" in listed.stdout


def test_same_input_same_bytes(checkpoints, tmp_path):
    """In this process, which has done other things before, and in one of its own."""
    arguments = ("--params", checkpoints[0] / "float.params", "--figure", "4", "--save-dir")
    assert plot(*arguments, tmp_path / "a").returncode == 0
    subprocess.run([sys.executable, TOOL, *arguments, tmp_path / "b"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


@pytest.mark.parametrize("arguments, message", [
    (["--params", "absent.params"], "cannot read absent.params"),
    (["--params", "{float}", "--layer", "nothing"], "--list-layers"),
    (["--params", "{float}", "--figure", "lambda"], "holds no lambda"),
    (["--params", "{small}"], "holds no convolution"),
])
def test_mistakes_are_one_line(checkpoints, tmp_path, arguments, message):
    mx.nd.save(str(tmp_path / "small.params"), {"a": mx.nd.zeros((2, 2))})
    names = {"{float}": checkpoints[0] / "float.params", "{small}": tmp_path / "small.params"}
    done = plot(*[names.get(argument, argument) for argument in arguments], "--save-dir", tmp_path / "out")
    assert_one_line(done, message)
    assert not (tmp_path / "out").exists()
