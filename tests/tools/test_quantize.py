"""The tool that quantises: with labels and from photographs, by every scheme, restart, sizes, mistakes."""

import json
import shutil
import sys
from math import ceil, prod

import cv2
import numpy as np
import pytest
from running import assert_one_line, load, run

from gluon_etinynet import get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm

TOOL = "tools/quantize.py"
WNIDS = ["n01440764", "n01443537"]


def packed_bytes(bits, classes):
    """Of the weights of EtinyNet-0.75, each output channel on whole bytes."""
    parameters = get_model("etinynet0.75", classes=classes).collect_params().values()
    return sum(p.shape[0] * ceil(prod(p.shape[1:]) * bits / 8) for p in parameters if len(p.shape) == 4)


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


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def test_training_with_labels(tiny_cifar, tmp_path):
    # At 32 pixels a batch of 8 leaves the last maps 8 values a channel: lambda of a depthwise convolution has no
    # gradient there but rounding, and that of a channel that is all but dead can be thousands of times the others'.
    arguments = ("--model", "etinynet0.75", "--cifar", tiny_cifar, "--input-size", 64, "--batch-size", 8,
                 "--num-epochs", 1, "--float-epochs", 1, "--seed", 3, "--lr", 1e-3)
    done = run(TOOL, *arguments, "--save-dir", tmp_path / "asq")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[Epoch 0] training") == 2 and "etinynet0.75, float, seed 3" in done.stdout
    result = result_of(tmp_path / "asq")
    before, after = (result[way]["tiny.npz"] for way in ("float", "quantised"))
    assert before["samples"] == after["samples"] == 10 and after["top1"] % 10 == 0
    layers = result["layers"]
    assert len(layers) == 1 + 14 * 3 + 1
    assert min(lam for _, lam, *_ in layers) > 0 and all(lam != 2 for _, lam, *_ in layers)
    assert all(j >= 0 and 0 <= e <= np.log(16) + 1e-9 for *_, j, e in layers)
    assert result["sizes"]["packed_bytes"] == packed_bytes(4, classes=2)
    # The float network is shared by what lies beside it; DoReFa has no lambda.
    done = run(TOOL, *arguments, "--scheme", "dorefa", "--save-dir", tmp_path / "dorefa")
    assert done.returncode == 0 and done.stdout.count("[Epoch 0] training") == 1
    assert {lam for _, lam, *_ in result_of(tmp_path / "dorefa")["layers"]} == {None}
    again = run(TOOL, *arguments, "--save-dir", tmp_path / "asq")
    assert "[Epoch" not in again.stdout
    assert result_of(tmp_path / "asq") == result
    assert_one_line(run(TOOL, *arguments, "--lr", 0.02, "--save-dir", tmp_path / "asq"), "other settings")


@pytest.mark.slow
def test_training_on_several_devices(tiny_cifar, tmp_path, monkeypatch):
    """Devices of which none is the one that MXNet takes by itself."""
    tool = load(TOOL)
    monkeypatch.setitem(tool.main.__globals__, "contexts",
                        lambda count: [mx.cpu(1 + number) for number in range(count)])
    monkeypatch.setattr(sys, "argv", [str(word) for word in (
        TOOL, "--model", "etinynet0.75", "--cifar", tiny_cifar, "--input-size", 64, "--batch-size", 8, "--num-gpus", 2,
        "--num-epochs", 1, "--float-epochs", 1, "--lr", 1e-3, "--save-dir", tmp_path / "asq")])
    tool.main()
    assert len(result_of(tmp_path / "asq")["layers"]) == 1 + 14 * 3 + 1


def test_few_unlabelled_photographs(photographs, tmp_path):
    arguments = ("--model", "etinynet0.75", "--params", photographs / "float.params",
                 "--photographs", photographs / "some", "--val-dir", photographs / "val", "--input-size", 32,
                 "--val-size", 32, "--crops", 1, "--batch-size", 4, "--steps", 2,
                 "--weight-bits", 3, "--per-channel")
    done = run(TOOL, *arguments, "--save-dir", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    result = result_of(tmp_path / "a")
    assert result["settings"]["images"] == [4, 32] and result["quantised"]["val"]["samples"] == 2
    assert 0 < result["quantised"]["val"]["divergence"] < np.inf
    assert len(result["losses"]["reconstruction"]) == 16
    assert result["sizes"]["packed_bytes"] == packed_bytes(3, classes=1000)
    assert result["sizes"]["total_bytes"] - result["sizes"]["packed_bytes"] == 10 * (1000 + CHANNELS)
    assert (tmp_path / "a" / "net.params").stat().st_size > 4 * 680_000
    again = run(TOOL, *arguments, "--save-dir", tmp_path / "a")
    assert "features.1.0" not in again.stdout and "features.1.0" in done.stdout
    for flag in (("--crops", 0), ("--no-balancing",)):
        assert_one_line(run(TOOL, *arguments, *flag, "--save-dir", tmp_path / "a"), "other settings")
        assert run(TOOL, *arguments, *flag, "--save-dir", tmp_path / flag[0]).returncode == 0
        assert result_of(tmp_path / flag[0])["losses"]["reconstruction"] != result["losses"]["reconstruction"]


def test_8_bits_need_no_training_and_become_integers(photographs, tmp_path):
    arguments = ("--model", "etinynet0.75", "--params", photographs / "float.params", "--scheme", "linear",
                 "--photographs", *(photographs / "some" / wnid for wnid in WNIDS),
                 "--val-dir", photographs / "val", "--input-size", 32)
    done = run(TOOL, *arguments, "--save-dir", tmp_path / "8")
    assert done.returncode == 0, done.stderr
    result = result_of(tmp_path / "8")
    assert result["sizes"]["packed_bytes"] == packed_bytes(8, classes=1000)
    assert result["settings"]["images"] == [4, 32]  # all that there are
    assert 0 < result["quantised"]["val"]["divergence"] < 0.5
    assert not (tmp_path / "8" / "classes.txt").exists()  # there is none beside the float checkpoint
    other = shutil.copytree(photographs / "val", tmp_path / "other" / "val")  # of the same name
    again = run(TOOL, *arguments[:-3], other, *arguments[-2:], "--save-dir", tmp_path / "8")
    assert_one_line(again, "other settings")
    # The checkpoint holds the ranges of the maps: no photographs are needed any more, and a second rounding is refused.
    made = run("tools/make_graph.py", "--model", "etinynet0.75", "--params", tmp_path / "8" / "net.params",
               "--input-size", 32, "--out", tmp_path / "8.npz")
    assert made.returncode == 0, made.stderr
    refused = run(TOOL, *arguments[:3], tmp_path / "8" / "net.params", *arguments[4:], "--save-dir", tmp_path / "9")
    assert_one_line(refused, "quantised already")


# Output channels of EtinyNet-0.75's convolutions but the last (Table 1): stem, c_in + 2 c_out of each block.
CHANNELS = 24 + 4 * 72 + 216 + 3 * 288 + (96 + 336) + 2 * 504 + (168 + 384) + 576 + (192 + 768)


def test_mistakes(photographs, tiny_cifar, tmp_path):
    common = ("--save-dir", tmp_path / "out", "--model", "etinynet0.75",
              "--params", photographs / "float.params")
    for arguments, word in [
            ((), "--photographs"),
            (("--photographs", photographs), "--val-dir"),
            (("--cifar", tiny_cifar, "--val-dir", photographs / "val"), "test pictures of their own"),
            (("--cifar", tiny_cifar, "--digits"), "give one of"),
            (("--photographs", photographs, "--val-dir", photographs, "--crops", -1), "--crops"),
            (("--digits", "--weight-bits", 9), "--weight-bits"),
            (("--digits", "--float-lr", 0.1), "--float-lr is for --cifar and --digits without --params"),
            (("--model", "ssd_256_etinynet1.0_voc", "--photographs", photographs, "--crops", 2), "a detector takes"),
            (("--model", "ssd_256_etinynet1.0_voc", "--digits"), "a detector takes")]:
        done = run(TOOL, *common, *arguments)
        assert done.returncode == 2 and word in done.stderr.splitlines()[-1]
    (tmp_path / "empty").mkdir()
    few_shot = ("--val-dir", photographs / "val", "--photographs")
    assert_one_line(run(TOOL, *common, *few_shot, tmp_path / "empty"), "holds no pictures")
    assert_one_line(run(TOOL, *common, *few_shot, photographs / "some", "--num-images", 5), "there are 4")
    done = run(TOOL, *common, *few_shot, photographs / "some", "--input-size", 32)
    assert_one_line(done, "20 images are fewer than one batch")
    assert not (tmp_path / "out").exists()
