"""tools/train_imagenet.py on small folders of pictures: from the command line to the checkpoint, and its complaints."""

import json
import shutil

import cv2
import numpy as np
import pytest
from running import assert_one_line, load, run

from gluon_etinynet import get_model, load_checkpoint
from gluon_etinynet.data.datasets import imagenet_classes
from gluon_etinynet.networks.params_file import read_params


def train(*arguments):
    return run("tools/train_imagenet.py", *arguments)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three classes of noise about a colour, 8 pictures each to train on and 3 for validation."""
    root, draw = tmp_path_factory.mktemp("pictures"), np.random.RandomState(0)
    for part, count in (("train", 8), ("val", 3)):
        for index, name in enumerate(("ape", "bee", "cat")):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                image = draw.randint(0, 100, (40, 40, 3))
                image[..., index] += 150
                cv2.imwrite(str(root / part / name / f"{number}.png"), image.astype(np.uint8))
    return root


@pytest.mark.slow
def test_validation_leaves_no_picture_out(folders, tmp_path):
    shutil.copytree(folders / "val", tmp_path / "val")
    (tmp_path / "val" / "bee" / "1.png").write_bytes((folders / "val" / "bee" / "1.png").read_bytes()[:80])
    done = train("--data-dir", folders / "train", "--val-dir", tmp_path / "val", "--input-size", 32, "--batch-size", 8,
                 "--model", "etinynet0.75", "-j", 1, "--num-epochs", 1, "--save-dir", tmp_path / "a")
    assert_one_line(done, "bee/1.png")


@pytest.mark.slow
def test_from_folders_to_fine_tuning(folders, tmp_path):
    data = ["--data-dir", folders / "train", "--val-dir", folders / "val", "--input-size", 32, "--batch-size", 8,
            "--model", "etinynet0.75", "-j", 1, "--lr", 0.01, "--num-epochs", 2, "--log-interval", 1]
    first = train(*data, "--save-dir", tmp_path / "a", "--logging-file", tmp_path / "a.log", "--seed", 3)
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    assert (tmp_path / "a.log").read_text() == first.stdout
    assert "[Epoch 1] validation: err-top1=" in first.stdout and "Epoch[1] Batch [2]\tSpeed:" in first.stdout
    assert (tmp_path / "a" / "classes.txt").read_text() == "ape\nbee\ncat\n"
    record = json.loads((tmp_path / "a" / "epoch-0001" / "checkpoint.json").read_text())
    assert record["arguments"]["seed"] == record["settings"]["seed"] == 3
    assert record["architecture"]["output.weight"] == [3, 384, 1, 1]

    again = train(*data, "--save-dir", tmp_path / "a")
    assert again.returncode == 2 and "resume it, or choose another save_dir" in again.stderr
    best = tmp_path / "a" / "best.params"
    others = shutil.copytree(folders, tmp_path / "others")
    for part in ("train", "val"):
        shutil.copytree(others / part / "bee", others / part / "dog")
    data[1], data[3] = others / "train", others / "val"
    tuned = train(*data, "--save-dir", tmp_path / "b", "--params", best, "--features-lr-mult", 0)
    assert tuned.returncode == 0, tuned.stderr
    assert "all but the classifier, which gets 4 classes, 3 of them known there" in tuned.stdout
    assert load_checkpoint("etinynet0.75", tmp_path / "b" / "best.params").labels == ["ape", "bee", "cat", "dog"]
    before, after = read_params(best), read_params(tmp_path / "b" / "epoch-0001" / "net.params")
    assert after["output.weight"].shape == (4, 384, 1, 1) and after["output.weight"][:3].any()
    for name in before:
        if name.startswith("features."):
            np.testing.assert_array_equal(before[name], after[name], err_msg=name)  # BN statistics too


@pytest.mark.parametrize("arguments, message", [
    ([], "give the training data, either --rec-train"),
    (["--data-dir", "x", "--rec-train", "y"], "give the training data, either"),
    (["--data-dir", "/no/such/folder"], "/no/such/folder is not a folder"),
    (["--data-dir", "{}/train", "--rec-val", "x"], "--rec-val does not go with"),
    (["--data-dir", "{}/train", "--batch-size", "8", "--classes", "5"], "3 classes with names, not the 5 of --classes"),
    (["--data-dir", "{}/train", "--dtype", "float16"], "float16 needs --num-gpus"),
    (["--data-dir", "{}/train", "--kvstore", "dist_sync"], "start it with recipes/train_distributed.sh"),
    (["--data-dir", "{}/train", "--num-gpus", "99"], "99 GPUs wanted"),
    (["--data-dir", "{}/train"], "choose a smaller batch"),  # 24 pictures, batch 1024
    (["--data-dir", "{}/train", "--batch-size", "8", "--params", "{}/train/ape/0.png"], "is not a whole MXNet .params"),
])
def test_complaints_are_one_line(folders, arguments, message, tmp_path):
    done = train(*[argument.format(folders) for argument in arguments], "--save-dir", tmp_path / "runs")
    assert_one_line(done, message)
    assert done.stderr.startswith("train_imagenet.py: error: ")
    assert not (tmp_path / "runs").exists()


def test_known_classes_keep_their_weights():
    """Goldfish is the second of ImageNet's wnids and tench the first; an unknown class starts at zero."""
    copy_known_classes = load("tools/train_imagenet.py").copy_known_classes
    draw = np.random.RandomState(0)
    arrays = {"output.weight": draw.randn(1000, 384, 1, 1).astype(np.float32),
              "output.bias": draw.randn(1000).astype(np.float32)}
    net = get_model("etinynet0.75", classes=3)
    assert copy_known_classes(net.output, arrays, imagenet_classes()[0], ["n01443537", "mine", "n01440764"]) == 2
    for name in ("weight", "bias"):
        started, known = getattr(net.output, name).data().asnumpy(), arrays["output." + name]
        np.testing.assert_array_equal(started[[0, 2]], known[[1, 0]])
        assert not started[1].any()
    net = get_model("etinynet0.75", classes=3)
    assert copy_known_classes(net.output, {"output.bias": np.ones(10)}, [], ["n01443537", "a", "b"]) == 0
    assert not net.output.weight.data().asnumpy().any()
