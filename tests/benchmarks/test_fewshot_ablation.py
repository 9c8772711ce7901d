"""The ablation of few-shot quantisation: a row is what the tool makes with the row's flags."""

import csv
import json

import cv2
import numpy as np
from running import run

from gluon_etinynet import get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm

SCRIPT = "benchmarks/fewshot_ablation.py"


def test_each_row_leaves_out_its_step(tmp_path):
    random = np.random.RandomState(0)
    for index in range(4):
        place = tmp_path / "photographs" / ["n01440764", "n01443537"][index % 2]
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{index}.png"), random.randint(0, 256, (40, 40, 3)).astype(np.uint8))
    net = get_model("etinynet0.75")
    net.initialize()
    reestimate_batch_norm(net, [mx.nd.array(random.randint(-128, 128, (8, 3, 64, 64)))])
    net.save_parameters(str(tmp_path / "float.params"))
    out = tmp_path / "out"
    done = run(SCRIPT, "--small", "--rows", "all", "unbalanced", "--schemes", "asq", "--save-dir", out,
               "--model", "etinynet0.75", "--params", tmp_path / "float.params", "--photographs",
               tmp_path / "photographs", "--val-dir", tmp_path / "photographs", "--num-images", 4, "--batch-size", 4,
               "--steps", 1, "--input-size", 32, "--val-size", 32)
    assert done.returncode == 0, done.stderr
    with open(out / "ablation.csv") as lines:
        assert [row["step left out"] for row in csv.DictReader(lines)] == ["-", "unbalanced"]
    results = json.loads((out / "metrics.json").read_text())["results"]
    assert {name: found["settings"]["balance_channels"] for name, found in results.items()} == {
        "all-asq": True, "unbalanced-asq": False}
    assert {found["settings"]["steps"] for found in results.values()} == {1}


def test_a_mistake_is_the_tools_line(tmp_path, capfd):
    params = tmp_path / "net.params"
    params.touch()  # else the released weights are wanted first, and downloaded
    done = run(SCRIPT, "--rows", "all", "--params", params, "--photographs", tmp_path / "absent", "--val-dir", tmp_path,
               "--save-dir", tmp_path / "out")
    assert done.returncode == 2 and "absent" in capfd.readouterr().err
    assert not (tmp_path / "out" / "metrics.json").exists()
