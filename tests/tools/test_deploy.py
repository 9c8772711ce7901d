"""tools/deploy.py: from pictures to firmware, gone on with after an interruption; its complaints."""

import csv
import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from running import ROOT, assert_one_line, load, needs, run

from gluon_etinynet import get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.detection.shapes_dataset import write_shapes
from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import DoesNotFit
from gluon_etinynet.integer import Graph
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.quantize.qat import prepare_qat

CLASSES = ("ape", "bee", "cat")


def write_pictures(folder, names, count):
    """Noise about a colour of each class."""
    for index, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = np.random.RandomState(100 * index + number).randint(0, 100, (40, 40, 3))
            image[..., index % 3] += 150
            cv2.imwrite(str(folder / name / f"{number}.png"), image.astype(np.uint8))


def save_net(path, classes, name="etinynet0.75", scheme=None, size=32):
    """A network that is not trained, but whose layers put out what they could after training."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mx.random.seed(3)
    net = get_model(name, classes=classes)
    net.initialize(mx.init.Xavier())
    reestimate_batch_norm(net, [mx.nd.random.uniform(-128, 127, (16, 3, size, size))])
    if scheme:
        prepare_qat(net, scheme, 4)
    net.save_parameters(str(path))
    return path


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    write_pictures(work / "train", CLASSES, 12)
    write_pictures(work / "val", CLASSES, 4)
    write_pictures(work / "other", ("ape", "bee", "dog"), 2)
    write_pictures(work / "one", ("ape",), 4)
    write_pictures(work / "single", CLASSES, 1)
    (work / "empty").mkdir()
    (work / "file").write_text("")
    write_shapes(work / "shapes", train=4, val=2)
    save_net(work / "net.params", 3)
    save_net(work / "named" / "net.params", 3)
    (work / "named" / "classes.txt").write_text("ape\nbee\ndog\n")
    save_net(work / "four.params", 4)
    save_net(work / "rounded.params", 3, scheme="asq")
    return work


CLASSIFIER = {"--data-dir": "{}/train", "--val-dir": "{}/val", "--mcu": "stm32f746", "--out": "{}/out"}
DETECTOR = {"--dataset-root": "{}/shapes", "--mcu": "stm32h743", "--out": "{}/out"}


@pytest.mark.parametrize("flags, more, word", [
    (CLASSIFIER, {"--data-dir": "{}/empty"}, "holds no labelled pictures"),
    (CLASSIFIER, {"--val-dir": "{}/empty"}, "holds no labelled pictures"),
    (CLASSIFIER, {"--data-dir": "{}/absent"}, "is not a folder"),
    (CLASSIFIER, {"--data-dir": "{}/one", "--val-dir": "{}/one"}, "one class, ape"),
    (CLASSIFIER, {"--data-dir": "{}/single"}, "a single picture of ape"),
    (CLASSIFIER, {"--val-dir": "{}/other"}, "the same classes; cat is in one of them only"),
    (CLASSIFIER, {"--mcu": "stm32f999"}, "there are: stm32f412, stm32f427, stm32f746, stm32h743"),
    (CLASSIFIER, {"--weight-bits": "5"}, "choose from 4, 8"),
    (CLASSIFIER, {"--dataset-root": "{}/shapes"}, "give either --data-dir"),
    (CLASSIFIER, {"--val-dir": None}, "give either --data-dir"),
    (DETECTOR, {"--dataset-root": None}, "give either --data-dir"),
    (CLASSIFIER, {"--model": "resnet"}, "must be one of etinynet1.0"),
    (CLASSIFIER, {"--input-size": "31"}, "--input-size: 31 is not"),
    (CLASSIFIER, {"--out": "{}/file"}, "is a file"),
    (CLASSIFIER, {"--out": "{}/file/within"}, "cannot write"),
    (CLASSIFIER, {"--out": "{}/val"}, "holds other files"),
    (CLASSIFIER, {"--params": "{}/absent.params"}, "absent.params"),
    (CLASSIFIER, {"--params": "{}/four.params"}, "is made for 4 classes, the pictures show ape, bee, cat"),
    (CLASSIFIER, {"--params": "{}/named/net.params"}, "is made for ape, bee, dog"),
    (CLASSIFIER, {"--params": "{}/rounded.params"}, "no float checkpoint of a classifier"),
    (CLASSIFIER, {"--params": "{}/net.params", "--": "--lr", " ": "1"}, "nothing is trained with --params"),
    (CLASSIFIER, {"--": "--save-dir", " ": "x"}, "--save-dir does not go behind --"),
    (CLASSIFIER, {"--": "--input-size=64"}, "--input-size=64 does not go behind --"),
    (DETECTOR, {"--weight-bits": "4"}, "a detector has weights of 8 bits"),
    (DETECTOR, {"--input-size": "64"}, "a detector has weights of 8 bits"),
    (DETECTOR, {"--dataset-root": "{}/val"}, "train.txt"),
    (DETECTOR, {"--params": "{}/net.params"}, "no float checkpoint of a detector"),
])
def test_mistakes_are_one_line_and_nothing_is_written(work, flags, more, word):
    before = sorted(work.rglob("*"))
    words = [part for pair in {**flags, **more}.items() if pair[1] is not None for part in pair if part != " "]
    assert_one_line(run("tools/deploy.py", *[part.format(work) for part in words]), word)
    assert sorted(work.rglob("*")) == before


def deploy(work, out, *more, path=None):
    command = [sys.executable, "tools/deploy.py", "--data-dir", work / "train", "--val-dir", work / "val", "--mcu",
               "stm32f412", "--out", out, "--model", "etinynet0.75", "--input-size", "32", *more]
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", PATH=path or os.environ["PATH"])
    return subprocess.run(list(map(str, command)), cwd=ROOT, env=environment, text=True, capture_output=True)


def without(programs, folder):
    """A PATH on which these programs are not to be found."""
    folder.mkdir()
    for part in os.environ["PATH"].split(":"):
        for path in (os.scandir(part) if os.path.isdir(part) else ()):
            if path.name not in programs and not (folder / path.name).exists():
                (folder / path.name).symlink_to(path.path)
    return str(folder)


@pytest.mark.slow
def test_from_pictures_to_firmware(work, tmp_path):
    """Trained from a given start; the same command again does nothing; without a compiler the rest is there."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    training = ("--", "--params", work / "four.params", "--num-epochs", 1, "--warmup-epochs", 0, "-j", 1)
    bare = deploy(work, tmp_path / "out", *training, path=without({"arm-none-eabi-gcc"}, tmp_path / "bin"))
    assert bare.returncode == 0, bare.stderr
    assert "skipped: flash and RAM of the stm32f412, because arm-none-eabi-gcc is not installed" in bare.stdout
    with open(tmp_path / "out" / "deploy.csv", newline="") as table:
        (row,) = csv.DictReader(table)
    assert (row["flash, KiB"], row["RAM, KiB"], row["fits"]) == ("-", "-", "not measured")

    again = deploy(work, tmp_path / "out", *training)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("finished already") == 5 and "[Epoch 0]" in bare.stdout and "[Epoch" not in again.stdout
    found = json.loads((tmp_path / "out" / "deploy.json").read_text())
    assert found["classes"] == list(CLASSES) and found["accuracy"]["pictures"] == 12
    assert (tmp_path / "out" / "classes.txt").read_text() == "ape\nbee\ncat\n"
    record = json.loads((tmp_path / "out" / "work" / "train" / "epoch-0000" / "checkpoint.json").read_text())
    assert found["accuracy"]["float"] == pytest.approx(100 * record["history"][0]["validation_top1"])
    graph = Graph.load(tmp_path / "out" / "network.npz")
    assert graph.image.shape == (3, 32, 32) and graph.classes == 3
    report = json.loads((tmp_path / "out" / "c" / "report.json").read_text())
    assert report["sha256"] == graph.sha256()
    sizes = found["bytes"]
    assert sizes["fits"] == "yes" and sizes["flash"] > report["flash_bytes"]["total"]
    assert sizes["static"] > report["arena_bytes"]["stored"] and 0 < sizes["stack"] < 4096
    assert "| fits " in (tmp_path / "out" / "deploy.md").read_text() and not (tmp_path / "out" / "c" / "build").exists()

    other = deploy(work, tmp_path / "out", "--weight-bits", 4, *training)
    assert_one_line(other, "--weight-bits was 8, now it is 4")


@pytest.mark.slow
def test_a_step_that_fails_says_so_in_one_line_and_leaves_nothing(work, tmp_path):
    done = deploy(work, tmp_path / "out")  # etinynet0.75 has no released weights to start from
    assert_one_line(done, "released no weights for etinynet0.75")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_detector_in_firmware(work, tmp_path):
    mx.random.seed(0)
    net = get_model("ssd_256_etinynet0.75_voc", classes=["circle", "square", "star", "triangle"])
    net.initialize()
    for heads in (net.class_predictors, net.box_predictors):
        heads.initialize(mx.init.Normal(0.1), force_reinit=True)
    reestimate_batch_norm(net, [mx.nd.random.uniform(-128, 127, (4, 3, 256, 256))])
    net.save_parameters(str(tmp_path / "net.params"))
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    done = run("tools/deploy.py", "--dataset-root", work / "shapes", "--mcu", "stm32h743", "--out", tmp_path / "out",
               "--model", "etinynet0.75", "--params", tmp_path / "net.params")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "deploy.json").read_text())
    for form in ("float", "quantised", "integer"):
        metrics = json.loads((tmp_path / "out" / "work" / form / "metrics.json").read_text())
        assert found["accuracy"][form] == metrics["map"] and metrics["n"] == 2
    assert found["accuracy"]["quantity"] == "mAP" and found["bytes"]["fits"] == "yes"


def test_what_does_not_fit_ends_with_status_1(tmp_path):
    """As what cannot be measured, it leaves the files all the same."""
    tool = load("tools/deploy.py")

    class Task:
        size, classes = 33, CLASSES

        def accuracy(self, work):
            return tool.Accuracy("top-1", 60.0, 59.0, 58.5, 200)

    def too_large(folder, mcu, cflags):
        raise DoesNotFit(folder, mcu, "region `FLASH' overflowed by 7 bytes")

    args = tool.argparse.Namespace(mcu="stm32f412", model="etinynet1.0", weight_bits=8)
    tool.measure.__globals__["sizes"] = too_large
    needs("make", "arm-none-eabi-gcc")
    c.emit(etinynet_graph("tiny", 33, classes=3), "net").write(tmp_path / "c")
    (tmp_path / "c" / "build").mkdir()
    assert tool.report(args, tmp_path, Task()) == 1
    with open(tmp_path / "deploy.csv", newline="") as table:
        (row,) = csv.DictReader(table)
    assert not (tmp_path / "c" / "build").exists()
    assert row["fits"] == "no (region `FLASH' overflowed by 7 bytes)" and row["flash, KiB"] == "-"
    assert (row["top-1 in float, %"], row["quantised, %"], row["in integers, %"]) == ("60.00", "59.00", "58.50")


@pytest.mark.slow
def test_what_fits_without_a_stored_image_fits(tmp_path):
    """EtinyNet-0.75 by portable kernels on 128 KiB; tools/report_c.py measures it as well."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph = etinynet_graph("0.75", 224, 4, classes=10)
    graph.save(tmp_path / "network.npz")
    c.emit(graph, "net").write(tmp_path / "c")
    memory = load("tools/deploy.py").measure(tmp_path / "c", tmp_path / "network.npz", "stm32f205")
    assert memory.fits == "yes, if the image comes by rows" and memory.static + memory.stack < 128 * 1024
    done = run("tools/report_c.py", tmp_path / "c", "--mcu", "stm32f205", "--save-dir", tmp_path / "report")
    assert done.returncode == 0 and "an image does not fit into the RAM" in done.stdout, done.stderr


@pytest.mark.slow
def test_without_qemu_the_stack_alone_is_missing(tmp_path, monkeypatch, capsys):
    needs("make", "arm-none-eabi-gcc")
    tool, graph = load("tools/deploy.py"), etinynet_graph("tiny", 33, classes=5)
    graph.save(tmp_path / "network.npz")
    c.emit(graph, "net").write(tmp_path / "c")
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "qemu-system-arm" else which(name))
    memory = tool.measure(tmp_path / "c", tmp_path / "network.npz", "stm32f412")
    assert memory.fits == "yes" and memory.stack is None and memory.flash > 10000
    assert "qemu-system-arm is not installed" in capsys.readouterr().out
