"""The command lines of evaluation and classification, as a user runs them."""

import json

import cv2
import numpy as np
import pytest
from running import assert_one_line, run

from gluon_etinynet import get_model

CLASSIFIER = "0.6553-imagenet-mobilenet_lite313_477k_nownorm_4433_224-293-best.params"
WNIDS = ["n01440764", "n01443537", "n15075141"]  # the first two classes of ImageNet and the last


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    net = get_model("etinynet0.75")
    net.initialize()
    path = tmp_path_factory.mktemp("checkpoint") / "random.params"
    net.save_parameters(str(path))
    return path


@pytest.fixture
def photographs(tmp_path):
    for seed, wnid in enumerate(WNIDS):
        (tmp_path / "data" / wnid).mkdir(parents=True)
        noise = np.random.RandomState(seed).randint(0, 256, (6, 6, 3), np.uint8)
        for index in range(3):
            cv2.imwrite(str(tmp_path / "data" / wnid / f"{index}.jpg"), cv2.resize(noise, (80 + index, 70)))
    return tmp_path / "data"


def evaluate(checkpoint, data, save_dir, *more):
    return run("tools/eval_imagenet.py", "--model", "etinynet0.75", "--params", checkpoint, "--data-dir", data,
               "--input-size", 64, "--batch-size", 4, "--save-dir", save_dir, *more)


def test_evaluation_counts_and_names_what_it_cannot_read(checkpoint, photographs, tmp_path):
    (photographs / WNIDS[0] / "1.jpg").write_bytes(b"no picture")
    truncated = photographs / WNIDS[2] / "2.jpg"
    truncated.write_bytes(truncated.read_bytes()[:-100])
    done = evaluate(checkpoint, photographs, tmp_path / "out")
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("top1=") and lines[-1].endswith("n=7")
    assert "2 of 9 pictures could not be read" in done.stdout
    assert str(photographs / WNIDS[0] / "1.jpg") in done.stdout and str(truncated) in done.stdout
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["n"] == 7 and len(metrics["unreadable"]) == 2
    assert lines[-1] == f"top1={metrics['top1']:.2f} top5={metrics['top5']:.2f} n=7"


def test_strict_stops(checkpoint, photographs, tmp_path):
    (photographs / WNIDS[0] / "1.jpg").write_bytes(b"no picture")
    done = evaluate(checkpoint, photographs, tmp_path / "out", "--strict")
    assert_one_line(done, "1.jpg")
    assert not (tmp_path / "out").exists()


def test_nothing_readable(checkpoint, photographs, tmp_path):
    for path in photographs.glob("*/*"):
        path.write_bytes(b"no picture")
    assert_one_line(evaluate(checkpoint, photographs, tmp_path / "out"), "none of the 9")


def test_bad_checkpoint_and_bad_folder(checkpoint, photographs, tmp_path):
    damaged = tmp_path / "damaged.params"
    damaged.write_bytes(checkpoint.read_bytes()[:1000])
    assert_one_line(evaluate(damaged, photographs, tmp_path / "out"), "damaged.params")
    damaged.write_bytes(np.random.RandomState(0).bytes(100000))
    assert_one_line(evaluate(damaged, photographs, tmp_path / "out"), "damaged.params")
    (tmp_path / "empty").mkdir()
    assert_one_line(evaluate(checkpoint, tmp_path / "empty", tmp_path / "out"), "empty")
    (photographs / "n00000000").mkdir()
    cv2.imwrite(str(photographs / "n00000000" / "x.png"), np.zeros((9, 9, 3), np.uint8))
    assert_one_line(evaluate(checkpoint, photographs, tmp_path / "out"), "n00000000")


def test_unwritable_results(checkpoint, photographs, tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_line(evaluate(checkpoint, photographs, tmp_path / "file"), str(tmp_path / "file"))


def test_classify(checkpoint, photographs, tmp_path):
    picture = photographs / WNIDS[1] / "0.jpg"
    done = run("tools/classify.py", "--model", "etinynet0.75", "--params", checkpoint, "--input-size", 64, picture)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[0] == str(picture) and len(lines) == 6
    percentages = [float(line.split("%")[0]) for line in lines[1:]]
    assert percentages == sorted(percentages, reverse=True)
    assert_one_line(run("tools/classify.py", "--model", "etinynet0.75", "--params", tmp_path / "none", picture), "none")


def test_classify_by_the_names_beside_the_checkpoint(photographs, tmp_path):
    net = get_model("etinynet0.75", classes=2)
    net.initialize()
    net.save_parameters(str(tmp_path / "net.params"))
    picture = photographs / WNIDS[1] / "0.jpg"
    arguments = ("--model", "etinynet0.75", "--params", tmp_path / "net.params", "--input-size", 64, picture)
    assert {line.split("%  ")[1] for line in run("tools/classify.py", *arguments).stdout.splitlines()[1:]} == {
        "class 0", "class 1"}
    (tmp_path / "classes.txt").write_text("my cat\nn01443537\n")
    assert {line.split("%  ")[1] for line in run("tools/classify.py", *arguments).stdout.splitlines()[1:]} == {
        "my cat", "goldfish (n01443537)"}
    net.collect_params().save(str(tmp_path / "net.params"))
    assert_one_line(run("tools/classify.py", *arguments), "write it with net.save_parameters")


@pytest.mark.slow
@pytest.mark.parametrize("folder, top1, top5, tolerance, n", [
    ("imagenette-val500", 60.2, 84.8, 0.4, 500), ("imagenet-val430", 76.3, 93.5, 0.3, 430)])
def test_accuracy_of_the_released_network(folder, top1, top5, tolerance, n, weights_dir, data_dir, tmp_path):
    done = run("tools/eval_imagenet.py", "--params", weights_dir / CLASSIFIER, "--data-dir", data_dir / folder,
               "--save-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["n"] == n and metrics["unreadable"] == []
    assert abs(metrics["top1"] - top1) <= tolerance and abs(metrics["top5"] - top5) <= tolerance


def test_classify_a_real_photograph(weights_dir, data_dir):
    picture = data_dir / "imagenet-train1k" / "images" / "n01443537_goldfish.jpg"
    done = run("tools/classify.py", "--params", weights_dir / CLASSIFIER, picture)
    assert "goldfish" in done.stdout.splitlines()[1]


@pytest.mark.slow
def test_digits_repeat_to_the_bit_and_are_not_trained_twice(tmp_path):
    for folder in ("a", "b", "b"):
        done = run("tools/train_digits.py", "--model", "etinynet0.75", "--num-epochs", 1, "--save-dir",
                   tmp_path / folder)
        assert done.returncode == 0, done.stderr
    assert "resuming after epoch 0" in done.stdout and "[Epoch 0]" not in done.stdout
    for name in ("metrics.json", "net.params"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
