"""Table 3's script, on small inputs: labelled and few-shot quantisation, restart, sizes, mistakes."""

import csv
import json
from math import ceil, prod

import cv2
import numpy as np
import pytest
from running import assert_one_line, run

from gluon_etinynet import get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm

SCRIPT = "benchmarks/table3.py"
WNIDS = ["n01440764", "n01443537"]


def packed_bytes(bits, classes):
    """Of the weights of EtinyNet-0.75, each output channel on whole bytes."""
    parameters = get_model("etinynet0.75", classes=classes).collect_params().values()
    return sum(p.shape[0] * ceil(prod(p.shape[1:]) * bits / 8) for p in parameters if len(p.shape) == 4)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    random = np.random.RandomState(0)
    arrays = {}
    for part, count in (("train", 24), ("test", 10)):
        arrays["x_" + part] = random.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        arrays["y_" + part] = np.arange(count) % 2
    np.savez(folder / "tiny.npz", classes=np.array(["a", "b"]), **arrays)
    return folder / "tiny.npz"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Folders of labelled photographs and of others, and a float checkpoint."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.RandomState(0)
    for index in range(6):
        picture = cv2.resize(random.randint(0, 256, (4, 5, 3)).astype(np.uint8), (300, 260))
        place = folder / ("val" if index < 2 else "some") / WNIDS[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{index}.png"), picture)
    net = get_model("etinynet0.75")
    net.initialize()
    # Without statistics of its own the maps of a random network grow beyond float16.
    reestimate_batch_norm(net, [mx.nd.array(random.randint(-128, 128, (8, 3, 64, 64)))])
    net.save_parameters(str(folder / "float.params"))
    return folder


def test_training_with_labels(small_set, tmp_path):
    # At 32 pixels a batch of 8 leaves the last maps 8 values a channel: lambda of a depthwise convolution has no
    # gradient there but rounding, and that of a channel that is all but dead can be thousands of times the others'.
    arguments = ("--model", "etinynet0.75", "--cifar", small_set, "--input-size", 64, "--batch-size", 8,
                 "--num-epochs", 1, "--float-epochs", 1, "--seeds", 3, "--lr", 1e-3, "--save-dir", tmp_path)
    done = run(SCRIPT, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[Epoch 0] training") == 3 and "etinynet0.75, float, seed 3" in done.stdout
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    found = {(m["table"], m["row"], m["quantity"]): m for m in metrics["measurements"]}
    assert set(found) == {("3", "EtinyNet-0.75 ASQ", "top1"), ("3", "EtinyNet-0.75 DoReFa", "top1"),
                          ("2", "EtinyNet-0.75 (4-bit)", "top1"), ("2", "EtinyNet-0.75 (4-bit)", "top5")}
    assert not any(m["comparable"] for m in found.values())
    assert "tiny.npz" in found["3", "EtinyNet-0.75 ASQ", "top1"]["note"]
    with open(tmp_path / "table3.csv") as lines:
        rows = list(csv.reader(lines))
    assert [row[0] for row in rows[1:]] == ["ASQ", "DoReFa"]
    assert [row[-2:] for row in rows[1:]] == [["57.0", "5.2"], ["45.3", "16.9"]]
    float_top1, asq_top1, drop = (float(rows[1][column]) for column in (5, 6, 8))
    assert asq_top1 % 10 == 0 and drop == float_top1 - asq_top1  # 10 pictures
    with open(tmp_path / "lambdas.csv") as lines:
        layers = list(csv.DictReader(lines))
    assert len(layers) == 2 * (1 + 14 * 3 + 1)
    learned = [float(layer["lambda"]) for layer in layers if layer["scheme"] == "asq"]
    assert min(learned) > 0 and all(value != 2 for value in learned)
    assert {layer["lambda"] for layer in layers if layer["scheme"] == "dorefa"} == {""}
    assert all(0 <= float(layer["E"]) <= np.log(16) + 1e-9 and float(layer["J"]) >= 0 for layer in layers)
    assert metrics["results"][0]["sizes"]["packed_bytes"] == packed_bytes(4, classes=2)

    check = run("benchmarks/check.py", "--runs", tmp_path)
    assert check.returncode == 0 and "other conditions" in check.stdout
    again = run(SCRIPT, *arguments)
    assert "[Epoch" not in again.stdout and again.stdout.endswith(done.stdout[done.stdout.index("\nTop-1"):])
    assert_one_line(run(SCRIPT, *arguments, "--lr", 0.02), "other settings")


def test_few_unlabelled_photographs(photographs, tmp_path):
    arguments = ("--model", "etinynet0.75", "--params", photographs / "float.params",
                 "--few-shot", photographs / "some", "--val-dir", photographs / "val", "--input-size", 32,
                 "--batch-size", 2, "--steps", 2, "--distil-epochs", 1, "--schemes", "asq",
                 "--weight-bits", 3, "--per-channel", "--save-dir", tmp_path)
    done = run(SCRIPT, *arguments)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["measurements"] == []  # the paper has no 3 bits and no lambda for each channel
    result, = metrics["results"]
    assert result["settings"]["images"] == [4, 32] and result["quantised"]["val"]["samples"] == 2
    assert 0 < result["quantised"]["val"]["divergence"] < np.inf
    assert len(result["losses"]["reconstruction"]) == 16 and len(result["losses"]["distillation"]) == 1
    assert result["sizes"]["packed_bytes"] == packed_bytes(3, classes=1000)
    assert result["sizes"]["total_bytes"] - result["sizes"]["packed_bytes"] == 6 * (1000 + CHANNELS)
    assert (tmp_path / "asq-3bit-per-channel-seed0" / "net.params").stat().st_size > 4 * 680_000
    again = run(SCRIPT, *arguments)
    assert "features.1.0" not in again.stdout and "features.1.0" in done.stdout
    assert again.stdout.endswith(done.stdout[done.stdout.index("\nTop-1"):])
    for flag in (("--crops", 0), ("--no-levelling",)):
        assert_one_line(run(SCRIPT, *arguments, *flag), "other settings")
        folder = tmp_path / flag[0]
        assert run(SCRIPT, *arguments, *flag, "--save-dir", folder).returncode == 0
        other, = json.loads((folder / "metrics.json").read_text())["results"]
        assert other["losses"] != result["losses"]


# Output channels of EtinyNet-0.75's convolutions but the last (Table 1): stem, c_in + 2 c_out of each block.
CHANNELS = 24 + 4 * 72 + 216 + 3 * 288 + (96 + 336) + 2 * 504 + (168 + 384) + 576 + (192 + 768)


def test_mistakes(photographs, small_set, tmp_path):
    common = ("--save-dir", tmp_path / "out", "--model", "etinynet0.75",
              "--params", photographs / "float.params")
    for arguments, word in [
            ((), "--few-shot"),
            (("--few-shot", photographs), "--val-dir"),
            (("--cifar", small_set, "--val-dir", photographs / "val"), "test pictures of their own"),
            (("--cifar", small_set, "--digits"), "give one of"),
            (("--few-shot", photographs, "--val-dir", photographs, "--crops", -1), "--crops"),
            (("--digits", "--weight-bits", 9), "--weight-bits")]:
        done = run(SCRIPT, *common, *arguments)
        assert done.returncode == 2 and word in done.stderr.splitlines()[-1]
    (tmp_path / "empty").mkdir()
    few_shot = ("--val-dir", photographs / "val", "--few-shot")
    assert_one_line(run(SCRIPT, *common, *few_shot, tmp_path / "empty"), "holds no pictures")
    assert_one_line(run(SCRIPT, *common, *few_shot, photographs / "some", "--num-images", 5), "there are 4")
    done = run(SCRIPT, *common, *few_shot, photographs / "some", "--input-size", 32)
    assert_one_line(done, "20 images are fewer than one batch")
    assert not (tmp_path / "out").exists()
