"""What a detector finds: mAP by an independent computation, of the integer network by the same lines; the tool."""

import csv
import json
import shutil
import sys
from collections import Counter
from types import SimpleNamespace

import cv2
import detections as plain
import mxnet as mx
import numpy as np
import pytest
from running import assert_one_line, load, needs, run
from small_networks import small_detector as small

from gluon_etinynet import InputError, get_model
from gluon_etinynet.data import Loading
from gluon_etinynet.detection import evaluation
from gluon_etinynet.detection.dataset import DetectionSource, read_voc
from gluon_etinynet.detection.evaluation import GraphDetector, average_precisions, class_names, detect, graph_detector
from gluon_etinynet.detection.shapes_dataset import SHAPES, write_shapes
from gluon_etinynet.export.c.program import call
from gluon_etinynet.files import write_json
from gluon_etinynet.integer import Graph
from gluon_etinynet.integer import run as interpret
from gluon_etinynet.integer.detect import RESULT
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.quantize.ptq import quantise


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "shapes"
    write_shapes(folder, train=12, val=6)
    return folder


def boxes(random, count, size=64):
    low = random.uniform(0, size - 12, (count, 2))
    return np.concatenate([low, np.minimum(low + random.uniform(6, 40, (count, 2)), size)], axis=1)


def test_evaluation_equals_an_independent_one_and_honours_difficult(shapes):
    annotated = read_voc(shapes, "val", SHAPES)
    annotated[0].boxes[:, 5] = 1
    source = DetectionSource(annotated, Loading(4, 64, classes=4))
    random, samples, batches = np.random.RandomState(0), [], []
    all_scores = random.permutation(1000).reshape(-1, 20) / 1000  # all different: ties have no order
    for _, label in source.epoch():
        found = []
        for truth in label.asnumpy():
            truth = truth[truth[:, 4] >= 0]
            twice = np.repeat(truth, 2, axis=0)  # of two detections of an object one counts
            corners = np.concatenate([twice[:, :4] + random.normal(0, 2, (len(twice), 4)), boxes(random, 3, 70)])
            ids = np.concatenate([twice[:, 4], random.randint(0, 4, 3)])
            found.append(np.full((15, 6), -1.0))
            found[-1][:len(ids), :2] = np.stack([ids, all_scores[len(samples), :len(ids)]], axis=1)
            found[-1][:len(ids), 2:] = corners
            samples.append(([(row[0], row[1], row[2:].clip(0, 64)) for row in found[-1] if row[0] >= 0], truth))
        batches.append([mx.nd.array(np.stack(found)[:, :, part]) for part in ([0], [1], slice(2, 6))])

    def net(data):
        return batches.pop(0)

    net.classes = SHAPES
    curves = {}
    precisions = average_precisions(net, source, curves=curves)
    for name, (recall, precision) in curves.items():
        precision = np.nan_to_num(precision)  # of difficult objects alone it is 0 / 0
        points = [max(precision[recall >= at], default=0) for at in np.arange(0, 1.1, 0.1)]
        assert np.mean(points) == pytest.approx(precisions[name])
    expected = plain.mean_average_precision(samples, 4)
    assert 0.2 < expected < 1 and precisions["mAP"] == pytest.approx(expected, abs=1e-6)
    assert list(precisions) == [*SHAPES, "mAP"] and list(curves) == list(SHAPES)
    assert precisions["mAP"] == pytest.approx(np.nanmean([precisions[name] for name in SHAPES]))


def test_a_detection_is_in_pixels_of_the_picture(tmp_path):
    net = small()
    cv2.imwrite(str(tmp_path / "wide.png"), np.random.RandomState(0).randint(0, 256, (40, 120, 3), np.uint8))
    image, found = detect(net, tmp_path / "wide.png", threshold=0.02)
    ids, scores, corners = (array[0].asnumpy() for array in net(mx.nd.array(
        cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)[None].astype(np.float32) - 128)))
    best = found[0]
    assert best["class"] == net.classes[int(ids[0, 0])] and best["score"] == pytest.approx(float(scores[0, 0]))
    np.testing.assert_allclose(best["box"], corners[0].clip(0, 64) * [120 / 64, 40 / 64, 120 / 64, 40 / 64], rtol=1e-5)


# ---- The integer network ----

def test_a_graph_gives_what_the_interpreter_finds(shapes, tmp_path):
    """In GluonCV's form: pixels and fractions, -1 where there is nothing; drawn like the float network's."""
    source = DetectionSource(read_voc(shapes, "val", SHAPES), Loading(6, 64, classes=4))
    (data, _), = source.epoch()
    images = data.asnumpy().astype(np.int8)
    net = small(SHAPES)
    reestimate_batch_norm(net, [data])
    graph = lower(quantise(net, images), (64, 64), "small")
    seen = []
    detector = GraphDetector(graph, SHAPES, see=lambda *batch: seen.append(batch))
    ids, scores, corners = (array.asnumpy() for array in detector(data))
    expected = interpret(graph, images)
    assert ids.shape == scores.shape == (6, 100, 1) and corners.shape == (6, 100, 4)
    for n, one in enumerate(expected):
        assert 0 < len(one) and (ids[n, len(one):] == -1).all()
        assert ids[n, :len(one), 0].tolist() == one["class"].tolist()
        np.testing.assert_allclose(scores[n, :len(one), 0], one["score"] / 65536)
        np.testing.assert_allclose(corners[n, :len(one)], one["box"] / 16)
    (images_seen, found_seen), = seen
    np.testing.assert_array_equal(images_seen, images)
    assert all((a == b).all() for a, b in zip(found_seen, expected))

    cv2.imwrite(str(tmp_path / "wide.png"), np.random.RandomState(0).randint(0, 256, (40, 120, 3), np.uint8))
    image, drawn = detect(detector, tmp_path / "wide.png", threshold=0.02)
    small_image = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    best = interpret(graph, (small_image.astype(int) - 128).astype(np.int8).transpose(2, 0, 1)[None])[0][0]
    assert drawn[0]["class"] == SHAPES[best["class"]]
    np.testing.assert_allclose(drawn[0]["box"], (best["box"] / 16).clip(0, 64) * [120 / 64, 40 / 64, 120 / 64, 40 / 64])


def test_map_of_a_graph_equals_an_independent_computation(shapes, monkeypatch):
    """Detections near the objects, as an interpreter would give them, counted by plain NumPy."""
    annotated = read_voc(shapes, "val", SHAPES)
    annotated[0].boxes[:, 5] = 1
    source = DetectionSource(annotated, Loading(4, 64, classes=4))
    random, samples, found = np.random.RandomState(0), [], []
    all_scores = random.permutation(60000)[:400].reshape(-1, 20)
    for _, label in source.epoch():
        for truth in label.asnumpy():
            truth = truth[truth[:, 4] >= 0]
            one = np.zeros(len(truth) + 3, RESULT)
            near = truth[:, :4] + random.normal(0, 2, (len(truth), 4))
            one["box"] = 16 * np.concatenate([near, boxes(random, 3, 70)])
            one["class"] = np.concatenate([truth[:, 4], random.randint(0, 4, 3)])
            one["score"] = all_scores[len(samples), :len(one)]
            samples.append(([(d["class"], d["score"] / 65536, (d["box"] / 16).clip(0, 64)) for d in one], truth))
            found.append(one)
    graph = SimpleNamespace(name="net", image=SimpleNamespace(shape=(3, 64, 64)), classes=4,
                            detection=SimpleNamespace(detections=9))
    monkeypatch.setattr(evaluation, "run", lambda graph, images: [found.pop(0) for _ in images])
    expected = plain.mean_average_precision(samples, 4)
    assert 0.2 < expected < 1
    assert average_precisions(GraphDetector(graph, SHAPES), source)["mAP"] == pytest.approx(expected, abs=1e-6)


def test_names_of_classes_are_found_beside_the_file(tmp_path):
    (tmp_path / "run" / "epoch").mkdir(parents=True)
    (tmp_path / "run" / "classes.txt").write_text("bolt\nnut\n")
    for path in (tmp_path / "run" / "a.npz", tmp_path / "run" / "epoch" / "b.npz"):
        assert class_names(path, 2) == ["bolt", "nut"]
        assert class_names(path, 2, ["x", "y"]) == ["x", "y"]
        with pytest.raises(InputError, match="has 3 classes, and the classes.txt beside it names 2"):
            class_names(path, 3)
    assert class_names(tmp_path / "c.npz", 20)[0] == "aeroplane"
    with pytest.raises(InputError, match="has 2 classes and not 20"):
        class_names(tmp_path / "c.npz", 2)


# ---- The tool ----

@pytest.fixture(scope="module")
def detectors(shapes, tmp_path_factory):
    """A checkpoint of an untrained detector of the shapes, and its Graph, with the names of its classes and without."""
    work = tmp_path_factory.mktemp("detectors")
    mx.random.seed(0)
    net = get_model("ssd_256_etinynet0.75_voc", classes=SHAPES)
    net.initialize()
    for predictor in [*net.class_predictors, *net.box_predictors]:
        predictor.weight.set_data(mx.nd.random.normal(0, 0.1, predictor.weight.shape))
        predictor.bias.set_data(mx.nd.zeros(predictor.bias.shape))
    source = DetectionSource(read_voc(shapes, "train", SHAPES), Loading(4, 256, classes=4))
    reestimate_batch_norm(net, [data for data, _ in source.epoch()])
    (work / "float").mkdir()
    net.save_parameters(str(work / "float" / "net.params"))
    (work / "float" / "classes.txt").write_text("".join(f"{name}\n" for name in SHAPES))
    done = run("tools/make_graph.py", "--model", "ssd_256_etinynet0.75_voc", "--params", work / "float" / "net.params",
               "--calib-dir", shapes / "JPEGImages", "--num-images", 4, "--out", work / "net.npz")
    assert done.returncode == 0, done.stderr
    graph = Graph.load(work / "net.npz")
    assert graph.labels == list(SHAPES)
    graph.labels = None
    graph.save(work / "nameless.npz")
    return work


def evaluate(shapes, save_dir, *arguments):
    return run("tools/eval_ssd.py", "--dataset", "custom", "--dataset-root", shapes, "--save-dir", save_dir,
               "--pictures", 3, *arguments)


@pytest.mark.parametrize("detector", [("--params", "float/net.params"),
                                      ("--graph", "net.npz")])
def test_the_tool_measures_checkpoints_and_graphs(shapes, detectors, detector, tmp_path):
    flag, file, *more = detector
    done = evaluate(shapes, tmp_path, flag, detectors / file, "--threshold", 0.01, *more)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert done.stdout.splitlines()[-1] == f"map={metrics['map']:.2f} n=6" and metrics["n"] == 6
    with open(tmp_path / "classes.csv", newline="") as table:
        rows = {row["class"]: row for row in csv.DictReader(table)}
    assert list(rows) == [*SHAPES, "mAP"]
    (floor,) = metrics["measurements"]  # drawn shapes have one
    assert (floor["table"], floor["row"], floor["value"]) == ("floors", "EtinyNet-SSD on drawn shapes", metrics["map"])
    assert metrics["map"] == pytest.approx(np.mean([v for v in metrics["classes"].values() if v is not None]))
    assert floor["comparable"]
    assert int(rows["mAP"]["objects"]) == sum(len(item.boxes) for item in read_voc(shapes, "val", SHAPES))
    for picture in ("contact_sheet.png", "precision_recall.png"):
        assert cv2.imread(str(tmp_path / picture)).shape[2] == 3
    with open(tmp_path / "precision_recall.csv", newline="") as table:
        precisions = list(csv.DictReader(table))
    assert len(precisions) == 101 and set(precisions[0]) == {"recall", *SHAPES}
    for name in SHAPES:  # never rises
        assert all(float(a[name]) >= float(b[name]) for a, b in zip(precisions, precisions[1:]))


def test_the_exported_c_is_held_against_the_graph_and_names_what_it_finds(shapes, detectors, tmp_path):
    needs("cc", "make")
    done = run("tools/export_c.py", "--graph", detectors / "net.npz", "--out", tmp_path / "c", "--prefix", "ssd")
    assert done.returncode == 0, done.stderr
    call(["make", "-s", "-C", tmp_path / "c", "host"])
    program = tmp_path / "c" / "build" / "host" / "ssd"
    done = evaluate(shapes, tmp_path, "--graph", detectors / "net.npz", "--program", program, "--threshold", 0.01)
    assert done.returncode == 0 and f"{program}: 6 of 6 pictures equal" in done.stdout, done.stdout + done.stderr
    lines = call([program], bytes(256 * 256 * 3)).decode().splitlines()
    assert lines and all(line.split()[-1] == SHAPES[int(line.split()[1])] for line in lines)
    program.write_text("#!/bin/sh\necho class 0\n")
    done = evaluate(shapes, tmp_path, "--graph", detectors / "net.npz", "--program", program)
    assert done.returncode == 1 and f"{program}: 0 of 6 pictures equal" in done.stdout


@pytest.mark.slow
def test_table_5_stands_on_what_the_tools_measured(shapes, detectors, tmp_path):
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    metrics = {"detector": str(detectors / "net.npz"), "data": str(shapes), "n": 6, "means": {"mAP": 12.5},
               "program": {"file": "x", "equal": 6}}

    def table(out="table5", **changes):
        write_json(tmp_path / "float" / "metrics.json", dict(metrics, means={"mAP": 13.5}))
        write_json(tmp_path / "integers" / "metrics.json", dict(metrics, **changes))
        return run("benchmarks/table5.py", "--dataset", "custom", "--dataset-root", shapes, "--float",
                   tmp_path / "float", "--integers", tmp_path / "integers", "--save-dir", tmp_path / out)

    done = table()
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "table5" / "metrics.json").read_text())
    values = {(m["row"], m["quantity"]): m for m in written["measurements"]}
    assert round(values["EtinyNet-SSD", "madds"]["value"], 2) == 165.95
    assert values["EtinyNet-SSD", "sram_kb"]["value"] == 320
    assert values["EtinyNet-SSD", "map"]["value"] == 12.5 and not values["EtinyNet-SSD", "map"]["comparable"]
    trained = written["trained"]
    assert (trained["mAP, float"], trained["mAP, integers"]) == (13.5, 12.5)
    assert trained["pictures of 3 on which C on the Cortex-M7 is equal"] == 3
    assert 20 < trained["most instructions of a picture, M"] < 165 and trained["static RAM, bytes"] < 512 * 1024
    ram = trained["static RAM, bytes"] + trained["stack, bytes"]
    assert values["EtinyNet-SSD STM32H743", "ram_kb"]["value"] * 1024 == ram
    assert values["EtinyNet-SSD STM32H743", "flash_kb"]["value"] * 1024 == trained["flash, bytes"]

    assert table("differs", program={"file": "x", "equal": 5}).returncode == 1
    assert_one_line(table("never", n=7), "different pictures")
    assert_one_line(table("never", program={"file": "x", "equal": 6}, detector="none.npz"), "none.npz")
    (tmp_path / "float" / "metrics.json").unlink()
    done = run("benchmarks/table5.py", "--float", tmp_path / "float", "--integers", tmp_path / "integers")
    assert_one_line(done, "tools/eval_ssd.py")
    assert not (tmp_path / "never").exists()


def test_a_graph_detects_on_the_pictures_of_a_folder(shapes, detectors, tmp_path):
    (tmp_path / "in" / "below").mkdir(parents=True)
    for number, folder in ((0, "in"), (1, "in/below")):
        shutil.copy(shapes / "JPEGImages" / f"00000{number}.jpg", tmp_path / folder)
    done = run("tools/detect.py", "--graph", detectors / "net.npz", "--threshold", 0.01, "--save-dir", tmp_path / "out",
               tmp_path / "in")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "detections.json").read_text())
    detector = graph_detector(detectors / "net.npz")
    assert len(found) == 2 and detector.classes == list(SHAPES)
    for path, detections in found.items():
        assert detections == detect(detector, path, 0.01)[1] and detections
    assert len(list((tmp_path / "out").glob("*.png"))) == 3  # with the contact sheet


def test_the_mean_over_frequent_classes(shapes, detectors, tmp_path, monkeypatch, capsys):
    tool = load("tools/eval_ssd.py")
    counts = Counter(SHAPES[int(box[4])] for item in read_voc(shapes, "val", SHAPES) for box in item.boxes)
    monkeypatch.setitem(tool.main.__globals__, "FREQUENT", 1 + min(counts.values()))
    values = dict(zip(SHAPES, (0.1, 0.2, 0.4, 0.8)), mAP=0.375)
    monkeypatch.setitem(tool.main.__globals__, "average_precisions", lambda *arguments, curves: values)
    monkeypatch.setattr(sys, "argv", ["eval_ssd.py", "--graph", str(detectors / "net.npz"), "--dataset", "custom",
                                      "--dataset-root", str(shapes), "--save-dir", str(tmp_path), "--pictures", "1"])
    monkeypatch.setitem(tool.main.__globals__, "write_precision_recall", lambda *arguments: None)
    assert tool.main() == 0
    frequent = [name for name in SHAPES if counts[name] > min(counts.values())]
    assert 0 < len(frequent) < 4
    means = json.loads((tmp_path / "metrics.json").read_text())["means"]
    assert sorted(means.values()) == pytest.approx([37.5, 100 * np.mean([values[name] for name in frequent])])
    assert capsys.readouterr().out.splitlines()[-1] == "map=37.50 n=6"


@pytest.mark.parametrize("arguments, word", [
    ([], "give one detector"),
    (["--params", "x", "--graph", "y"], "give one detector"),
    (["--graph", "{}/nameless.npz"], "has 4 classes and not 20"),
    (["--graph", "{}/net.npz", "--classes", "a,b"], "has 4 classes and not 2"),
    (["--graph", "{}/net.npz", "--classes", "a,a,b,c"], "must differ"),
    (["--params", "{}/float/net.params", "--program", "x"], "--program is compared with the interpreter"),
    (["--graph", "{}/net.npz", "--program", "x"], "x is missing; build it"),
    (["--graph", "{}/net.npz", "--num-gpus", "1"], "--num-gpus does not go with --graph"),
    (["--graph", "{}/float/net.params"], "net.params"),
    (["--params", "{}/net.npz"], "net.npz"),
    (["--params", "{}/float/net.params", "--val-split", "none"], "none.txt"),
    (["--params", "{}/float/net.params", "--pictures", "0"], "--pictures: 0 is not"),
    (["--params", "{}/float/net.params", "--batch-size", "0"], "--batch-size: 0 is not"),
    (["--params", "{}/float/net.params", "--threshold", "2"], "--threshold: 2 is not"),
])
def test_mistakes_are_one_line(shapes, detectors, arguments, word, tmp_path):
    done = run("tools/eval_ssd.py", "--dataset", "custom", "--dataset-root", shapes, "--save-dir", tmp_path / "out",
               *[argument.format(detectors) for argument in arguments])
    assert_one_line(done, word)
    assert not (tmp_path / "out").exists()


def test_a_classifiers_graph_is_refused_and_each_tool_names_the_other(shapes, detectors, tmp_path):
    etinynet_graph("tiny", 33, classes=4).save(tmp_path / "tiny.npz")
    assert_one_line(evaluate(shapes, tmp_path / "out", "--graph", tmp_path / "tiny.npz", "--classes", "a,b,c,d"),
                    "no detector")
    assert_one_line(run("tools/eval_graph.py", "--graph", detectors / "net.npz", "--data-dir", tmp_path),
                    "tools/eval_ssd.py --graph")
