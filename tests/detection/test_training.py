"""Training a detector: targets, loss, resuming, checkpoints, 8 bits, the command lines."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import cv2
import detections as plain
import mxnet as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running import ROOT, assert_one_line, load, run
from small_networks import predictions
from small_networks import small_detector as small
from small_networks import small_detector_pictures as pictures

from gluon_etinynet import InputError, get_model
from gluon_etinynet.data import Loading
from gluon_etinynet.detection.dataset import DetectionSource, read_voc
from gluon_etinynet.detection.shapes_dataset import SHAPES, write_shapes
from gluon_etinynet.detection.training import (
    MultiBoxLoss,
    detection_task,
    load_detector,
    round_to_8_bits,
    start_detector,
)
from gluon_etinynet.networks.params_file import read_params
from gluon_etinynet.quantize.qat import feature_map_quantisers, prepare_qat, quantised_convolutions
from gluon_etinynet.quantize.ranges import calibrate
from gluon_etinynet.training import Config, train


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "shapes"
    write_shapes(folder, train=12, val=6)
    return folder


def boxes(random, count, size=64):
    low = random.uniform(0, size - 12, (count, 2))
    return np.concatenate([low, np.minimum(low + random.uniform(6, 40, (count, 2)), size)], axis=1)


@settings(max_examples=25)
@given(st.integers(0, 2 ** 31 - 1), st.integers(1, 6))
def test_targets_equal_plain_numpy(seed, count):
    random = np.random.RandomState(seed)
    truth = boxes(random, count).astype(np.float32)
    centres = np.concatenate([random.uniform(0, 64, (80, 2)), random.uniform(8, 40, (80, 2))], 1).astype(np.float32)
    corners = np.concatenate([centres[:, :2] - centres[:, 2:] / 2, centres[:, :2] + centres[:, 2:] / 2], axis=1)
    label = np.full((1, 8, 6), -1, np.float32)
    label[0, :count, :4], label[0, :count, 4] = truth, random.randint(0, 3, count)
    classes, codes, _ = MultiBoxLoss().targets(mx.nd.array(centres[None]), None, mx.nd.array(label[:, :, :4]),
                                               mx.nd.array(label[:, :, 4:5]))
    matched = plain.match(truth, corners)
    expected = np.where(matched >= 0, label[0, matched.clip(0), 4] + 1, 0)
    assert classes.asnumpy()[0].tolist() == expected.tolist()
    positive = matched >= 0
    decoded = plain.decode(codes.asnumpy()[0][positive], centres[positive])
    np.testing.assert_allclose(decoded, truth[matched[positive]], rtol=1e-3, atol=1e-2)


def test_loss_takes_three_of_the_worst_negatives_for_each_match():
    random = np.random.RandomState(1)
    logits, codes = random.normal(0, 1, (1, 40, 4)), random.normal(0, 1, (1, 40, 4))
    centres = np.concatenate([random.uniform(0, 64, (40, 2)), random.uniform(8, 40, (40, 2))], axis=1)[None]
    label = np.full((1, 3, 6), -1.0)
    label[0, 0] = [4, 4, 40, 40, 2, 0]

    def net(data):
        return [mx.nd.array(array) for array in (logits, codes, centres)]

    values, none, terms = MultiBoxLoss()(net, mx.nd.zeros((1, 3, 8, 8)), mx.nd.array(label))
    corners = np.concatenate([centres[0, :, :2] - centres[0, :, 2:] / 2, centres[0, :, :2] + centres[0, :, 2:] / 2], 1)
    positive = plain.match(label[0, :1, :4], corners) >= 0
    entropy = np.log(np.exp(logits[0]).sum(axis=1)) - logits[0, np.arange(40), np.where(positive, 3, 0)]
    worst = np.sort(entropy[~positive])[::-1][:3 * positive.sum()]
    centre, size = (label[0, 0, :2] + label[0, 0, 2:4]) / 2, label[0, 0, 2:4] - label[0, 0, :2]
    target = np.concatenate([(centre - centres[0, :, :2]) / centres[0, :, 2:] / 0.1,
                             np.log(size / centres[0, :, 2:]) / 0.2], axis=1)
    distance = np.abs(codes[0] - target)[positive]
    smooth = np.where(distance > 1, distance - 0.5, distance ** 2 / 2).sum()
    expected = {"cross_entropy": (entropy[positive].sum() + worst.sum()) / positive.sum(),
                "smooth_l1": smooth / positive.sum()}
    assert none is None and {name: term.asnumpy()[0] for name, term in terms.items()} == pytest.approx(expected, 1e-4)
    assert values.asnumpy()[0] == pytest.approx(sum(expected.values()), rel=1e-4)


class Stop(Exception):
    pass


@pytest.mark.draws
def test_a_training_that_was_stopped_and_resumed_ends_with_the_same_bits(shapes, tmp_path):
    annotated = read_voc(shapes, "train", SHAPES)
    config = Config(epochs=3, lr=0.005, seed=1)

    def go(folder, stop_after=None, resume=False):
        loss, calls = MultiBoxLoss(), []

        def counted(*arguments):
            calls.append(1)
            if len(calls) == stop_after:
                raise Stop
            return loss(*arguments)

        loading = Loading(4, 64, classes=4)
        train(small(SHAPES), DetectionSource(annotated, replace(loading, train=True, seed=1)),
              DetectionSource(annotated, loading), config, folder, task=replace(detection_task(), loss=counted),
              validation_interval=2, resume=resume, log=lambda line: None)
        return read_params(folder / "epoch-0002" / "net.params")

    whole = go(tmp_path / "whole")
    with pytest.raises(Stop):
        go(tmp_path / "cut", stop_after=5)
    again = go(tmp_path / "cut", resume=True)
    assert whole.keys() == again.keys() and all((whole[name] == again[name]).all() for name in whole)
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert ["validation_map" in row for row in rows] == [False, True, True]
    assert all("training_accuracy" not in row and row["training_loss"] > 0 for row in rows)
    assert (tmp_path / "whole" / "training.png").stat().st_size > 5000


def test_frozen_parts_stay_and_both_terms_of_the_loss_are_logged(shapes, tmp_path):
    net, lines = small(SHAPES), []
    before = {name: value.data().asnumpy() for name, value in net._collect_params_with_prefix().items()}
    source = DetectionSource(read_voc(shapes, "train", SHAPES), Loading(4, 64, classes=4, train=True))
    row, = train(net, source, None, Config(epochs=1, lr=0.01, frozen=2), tmp_path, task=detection_task(),
                 log=lines.append, log_interval=2)
    changed = {name for name, value in net._collect_params_with_prefix().items()
               if (value.data().asnumpy() != before[name]).any()}
    assert not any(name.startswith(("features.0.", "features.1.")) for name in changed)
    assert {"features.2.0.dw1.weight", "features.2.0.bn1.running_mean", "class_predictors.0.bias"} <= changed
    assert row["training_loss"] == pytest.approx(row["training_cross_entropy"] + row["training_smooth_l1"])
    assert any("cross_entropy=" in line and "smooth_l1=" in line for line in lines if line.startswith("Epoch[0]"))


def test_pictures_kept_aside_are_parted_by_the_seed():
    kept_aside = load("tools/train_ssd.py").kept_aside
    train_part, aside = kept_aside(list(range(40)), 0.25, 3)
    assert sorted(train_part + aside) == list(range(40)) and len(aside) == 10
    assert train_part == sorted(train_part) and aside == sorted(aside)
    assert kept_aside(list(range(40)), 0.25, 3)[1] == aside != kept_aside(list(range(40)), 0.25, 4)[1]


def test_starting_from_checkpoints(tmp_path):
    detector, classifier = get_model("ssd_256_etinynet0.75_voc", classes=["a", "b"]), get_model("etinynet0.75")
    for net, name in ((detector, "detector"), (classifier, "classifier")):
        mx.random.seed(7)
        net.initialize()
        net.save_parameters(str(tmp_path / name))
    same, other, backbone = (get_model("ssd_256_etinynet0.75_voc", classes=classes)
                             for classes in (["x", "y"], ["x"], ["a", "b"]))
    assert start_detector(same, tmp_path / "detector") == "all of it"
    assert start_detector(other, tmp_path / "detector") == "all but the class predictors"
    assert start_detector(backbone, tmp_path / "classifier") == "the backbone"
    x = pictures(1, 64)
    np.testing.assert_array_equal(backbone.features(x).asnumpy(), classifier.features(x).asnumpy())
    np.testing.assert_array_equal(other.box_predictors[2].weight.data().asnumpy(),
                                  detector.box_predictors[2].weight.data().asnumpy())
    assert other.class_predictors[0].weight._data is None
    with pytest.raises(InputError, match="does not fit"):
        start_detector(get_model("ssd_256_etinynet1.0_voc"), tmp_path / "detector")


@pytest.mark.parametrize("scheme", ["asq", "dorefa"])
def test_a_detector_of_4_bits_is_loaded_as_it_was_saved(tmp_path, scheme):
    net, path = get_model("ssd_256_etinynet1.0_voc", classes=["bolt", "nut"]), tmp_path / "net.params"
    net.initialize()
    prepare_qat(net, scheme, 4)
    net.save_parameters(str(path))
    loaded, x = load_detector(path, ["bolt", "nut"]), mx.nd.random.uniform(-128, 128, (1, 3, 256, 256))
    assert len(quantised_convolutions(loaded)) == len(quantised_convolutions(net)) > 0
    with mx.autograd.train_mode():
        assert all((a == b).asnumpy().all() for a, b in zip(net(x), loaded(x)))


def test_loading_finds_network_and_classes(tmp_path):
    net = get_model("ssd_256_etinynet0.75_voc", classes=["bolt", "nut"])
    net.initialize()
    (tmp_path / "epoch-0001").mkdir()
    path = tmp_path / "epoch-0001" / "net.params"
    net.save_parameters(str(path))
    with pytest.raises(InputError, match="has 2 classes and not 20"):
        load_detector(path)
    (tmp_path / "classes.txt").write_text("bolt\nnut\n")
    loaded = load_detector(path)
    assert loaded.classes == ["bolt", "nut"] and load_detector(path, ["x", "y"]).classes == ["x", "y"]
    x = pictures(1, 256)
    np.testing.assert_array_equal(loaded(x)[1].asnumpy(), net(x)[1].asnumpy())
    classifier = get_model("etinynet0.75", classes=2)
    classifier.initialize()
    classifier.save_parameters(str(tmp_path / "classifier.params"))
    with pytest.raises(InputError, match="not a checkpoint of EtinyNet-SSD"):
        load_detector(tmp_path / "classifier.params")


def test_every_stored_map_and_every_weight_is_rounded():
    net = small()
    prepare_qat(net, "linear", 8, act_bits=8)
    # Stem; 3 maps in each of 8 LBs and in each of 6 DLBs; 8 predictors.
    assert len(feature_map_quantisers(net)) == 1 + 8 * 3 + 6 * 3
    assert len(quantised_convolutions(net)) == 1 + 14 * 3 + 8
    calibrate(net, [pictures(4)])
    for conv in quantised_convolutions(net).values():
        levels, scales, bits = conv.integer_weight()
        assert bits == 8 and np.abs(levels).max() == 127
        np.testing.assert_allclose(conv.quantised_weight(), levels * scales[:, None, None, None], rtol=1e-5, atol=1e-7)


def test_linear_weights_train_straight_through():
    net = small()
    prepare_qat(net, "linear", 8)
    weight = net.features[1][0].pw.weight
    with mx.autograd.record():
        (net.features[1][0].pw.weight_quantiser(weight.data()) * 3).sum().backward()
    assert (weight.grad().asnumpy() == 3).all()


def test_8_bits_stay_close_and_train(shapes, tmp_path):
    annotated = read_voc(shapes, "train", SHAPES)
    net, source = small(SHAPES), DetectionSource(annotated, Loading(4, 64, classes=4, train=True), augmentation="none")
    batches = [data for data, _ in source.epoch()]
    for data in batches:  # statistics of these pictures
        with mx.autograd.record():
            sum(array.sum() for array in predictions(net, data)[:2]).backward()
    logits = mx.gluon.HybridBlock.forward(net, batches[0])[0].asnumpy()
    round_to_8_bits(net, batches)
    rounded = mx.gluon.HybridBlock.forward(net, batches[0])[0].asnumpy()
    assert 0 < np.abs(rounded - logits).mean() < 0.15 * logits.std()
    history = train(net, source, None, Config(epochs=2, lr=0.0005), tmp_path, task=detection_task(),
                    log=lambda line: None)
    assert all(math.isfinite(row["training_loss"]) for row in history)


# ---- The command lines ----

TRAINING = ["--network", "etinynet0.75", "--dataset", "custom", "--batch-size", 4, "-j", 1]


def test_tools_train_and_detect(shapes, tmp_path):
    done = run("tools/train_ssd.py", *TRAINING, "--dataset-root", shapes, "--epochs", 1, "--lr-warmup", 0.5,
               "--save-dir", tmp_path / "float")
    assert done.returncode == 0, done.stderr
    assert "12 training and 6 validation pictures, 4 classes: circle, square, star, triangle" in done.stdout
    assert (tmp_path / "float" / "classes.txt").read_text().split() == list(SHAPES)
    best = tmp_path / "float" / "best.params"

    done = run("tools/train_ssd.py", *TRAINING, "--dataset-root", shapes, "--epochs", 1, "--lr-warmup", 0.5, "--int8",
               "--params", best, "--save-dir", tmp_path / "int8")
    assert done.returncode == 0, done.stderr
    assert feature_map_quantisers(load_detector(tmp_path / "int8" / "best.params"))

    pictures_given = sorted((shapes / "JPEGImages").iterdir())[:2]
    (tmp_path / "no.jpg").write_bytes(b"no picture")
    done = run("tools/detect.py", "--params", best, "--threshold", 0.001, "--save-dir", tmp_path / "detect",
               *pictures_given, tmp_path / "no.jpg")
    assert done.returncode == 2 and "no.jpg is not a picture" in done.stdout
    found = json.loads((tmp_path / "detect" / "detections.json").read_text())
    assert sorted(found) == [str(path) for path in pictures_given]
    assert cv2.imread(str(tmp_path / "detect" / f"{pictures_given[0].stem}.png")).shape == (480, 480, 3)
    assert cv2.imread(str(tmp_path / "detect" / "contact_sheet.png")) is not None
    assert_one_line(run("tools/detect.py", "--params", best, shapes / "JPEGImages", pictures_given[0]), "two pictures")
    assert_one_line(run("tools/detect.py", pictures_given[0]), "give one detector")


def test_what_cannot_be_begun_or_gone_on_with_is_one_line(shapes, tmp_path):
    """A detector of 8 bits from a classifier, a training with other settings, and pictures that have no mAP."""
    net = get_model("etinynet0.75")
    net.initialize()
    net.save_parameters(str(tmp_path / "classifier.params"))
    lists = shutil.copytree(shapes, tmp_path / "data") / "ImageSets" / "Main"
    (lists / "val.txt").unlink()  # a part of the training pictures needs none
    command = ["tools/train_ssd.py", *TRAINING, "--dataset-root", tmp_path / "data", "--epochs", 1,
               "--validation-part", 0.25, "--params", tmp_path / "classifier.params", "--save-dir", tmp_path / "a"]
    assert_one_line(run(*command, "--int8"), "classifier.params is not a detector of these 4 classes")
    assert_one_line(run(*command[:-4], "--validation-part", 0.01), "--validation-part 0.01: no object counts")
    done = run(*command)
    assert done.returncode == 0 and "9 training and 3 validation pictures" in done.stdout, done.stderr
    for flag, value, line in (("--augmentation", "mirror", "augmentation=ssd and not mirror"),
                              ("--heads-lr-mult", 0.1, "heads_lr_mult=0.03 and not 0.1")):
        assert_one_line(run(*command, "--resume", flag, value), f"was trained with {line}; give the same value")
    for path in (tmp_path / "data" / "Annotations").iterdir():
        path.write_text(path.read_text().replace("<difficult>0", "<difficult>1"))
    done = run("tools/eval_ssd.py", "--dataset", "custom", "--dataset-root", tmp_path / "data", "--val-split", "train",
               "--params", tmp_path / "a" / "best.params")
    assert_one_line(done, "--val-split: no object counts in these 12")


def test_mistakes_are_one_line(shapes, tmp_path):
    assert_one_line(run("tools/train_ssd.py", *TRAINING, "--dataset-root", tmp_path), "train.txt")
    done = run("tools/train_ssd.py", *TRAINING, "--dataset-root", shapes, "--classes", "circle,square",
               "--save-dir", tmp_path / "never")
    assert_one_line(done, "is not one of the 2 classes")
    assert not (tmp_path / "never").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "classes.txt").write_text("cat\n")
    assert_one_line(run("tools/train_ssd.py", *TRAINING, "--dataset-root", shapes, "--save-dir", tmp_path / "other"),
                    "names other classes")
    assert_one_line(run("tools/detect.py", "--params", tmp_path / "none.params", "x.jpg"), "none.params")
    assert_one_line(run("tools/make_shapes.py", shapes), "exists already")


@pytest.mark.slow
def test_a_killed_command_resumes_to_the_same_bits(shapes, tmp_path):
    command = [sys.executable, "tools/train_ssd.py", *map(str, TRAINING), "--dataset-root", str(shapes),
               "--epochs", "2", "--val-interval", "2"]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    subprocess.run([*command, "--save-dir", str(tmp_path / "whole")], cwd=ROOT, env=environment, check=True)
    with subprocess.Popen([*command, "--log-interval", "1", "--save-dir", str(tmp_path / "cut")], cwd=ROOT,
                          env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("Epoch[1]"):
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "cut" / "epoch-0001").exists()
    subprocess.run([*command, "--resume", "--save-dir", str(tmp_path / "cut")], cwd=ROOT, env=environment, check=True)
    whole, again = (read_params(tmp_path / name / "epoch-0001" / "net.params") for name in ("whole", "cut"))
    assert all((whole[name] == again[name]).all() for name in whole)


def test_a_picture_without_boxes_is_background():
    net = get_model("ssd_256_etinynet0.75_voc", classes=["a", "b"])
    net.initialize()
    data = mx.nd.array(np.random.RandomState(0).randint(-128, 128, (2, 3, 256, 256)))
    label = mx.nd.array([[[40, 40, 200, 180, 1]], [[-1, -1, -1, -1, -1]]])
    with mx.autograd.record():
        loss, *_ = MultiBoxLoss()(net, data, label)
    loss.backward()
    assert np.isfinite(loss.asnumpy()).all() and (loss.asnumpy() > 0).all()
    assert all(np.isfinite(p.grad().asnumpy()).all() for p in net.box_predictors.collect_params().values())
