"""Names of classes travel with a network, from its training to the C, and are compared where two sets of them meet."""

import subprocess
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from running import assert_one_line, load, needs, run

from gluon_etinynet import InputError, get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.datasets import imagenet_classes, labels_of
from gluon_etinynet.export import c
from gluon_etinynet.files import write_classes
from gluon_etinynet.integer import Graph
from gluon_etinynet.integer.random_graphs import etinynet_graph, ssd_graph
from gluon_etinynet.lowering.network import lower

NAMES = ["ape", "zebra"]


@pytest.fixture
def graph():
    graph = etinynet_graph("tiny", 32, 4, classes=2)
    graph.labels = list(NAMES)
    return graph


def pictures(folder, *names):
    """Four pictures for each class; the colours of a class are those of its name."""
    for name in names:
        (folder / name).mkdir(parents=True)
        for index in range(4):
            noise = np.random.RandomState(10 * NAMES.index(name.strip("_")) + index).randint(0, 256, (4, 4, 3))
            cv2.imwrite(str(folder / name / f"{index}.png"), cv2.resize(noise.astype(np.uint8), (40, 40)))
    return folder


def test_names_of_a_checkpoint(tmp_path):
    assert labels_of(tmp_path / "x.params", 3) is None
    assert labels_of(tmp_path / "x.params", 1000) == imagenet_classes()[0]
    assert labels_of(tmp_path / "x.params", 2, ("cat", "dog")) == ["cat", "dog"]
    write_classes(tmp_path / "classes.txt", ["b", "a", "ä c"])
    assert labels_of(tmp_path / "x.params", 3) == labels_of(tmp_path / "epoch" / "x.params", 3) == ["b", "a", "ä c"]
    with pytest.raises(InputError, match="has 1000 classes, and the classes.txt beside it names 3"):
        labels_of(tmp_path / "x.params", 1000)
    write_classes(tmp_path / "classes.txt", ["b", "a", "ä c"])
    with pytest.raises(InputError, match="names other classes"):
        write_classes(tmp_path / "classes.txt", ["a", "b", "ä c"])


def test_a_graph_keeps_its_names(graph, tmp_path):
    graph.save(tmp_path / "g.npz")
    again = Graph.load(tmp_path / "g.npz")
    assert again.labels == NAMES and again.sha256() == graph.sha256()
    graph.labels = NAMES[::-1]
    assert again.sha256() != graph.sha256()
    detector = ssd_graph("tiny", 33, classes=2)
    detector.labels = list(NAMES)
    detector.validate()


@pytest.mark.parametrize("labels", [["a"], ["a", "b", "c"], ["a", "a"], ["a", ""], ["a", "b\nc"], ["a", 1], "ab",
                                    [" a", "b"]])
def test_names_that_do_not_serve(graph, labels):
    graph.labels = labels
    with pytest.raises(InputError, match="labels"):
        graph.validate()


def test_pictures_are_matched_by_the_names_of_their_classes(graph, tmp_path):
    graph.save(tmp_path / "g.npz")

    def evaluate(*flags):
        return run("tools/eval_graph.py", "--graph", tmp_path / "g.npz", "--save-dir", tmp_path / "out", *flags)

    def hits(folder):
        done = evaluate("--data-dir", folder)
        assert done.returncode == 0 and "note" not in done.stdout, done.stderr
        top1, number = (float(part.split("=")[1]) for part in done.stdout.split()[-3::2])
        return round(top1 * number / 100)

    whole = hits(pictures(tmp_path / "whole", *NAMES))
    apes, zebras = hits(pictures(tmp_path / "apes", "ape")), hits(pictures(tmp_path / "zebras", "zebra"))
    assert apes + zebras == whole, "a single class has its own number, not 0"
    others = pictures(tmp_path / "others", "ape", "zebra_")
    assert_one_line(evaluate("--data-dir", others), "zebra_ is not one of the 2 classes of the network")
    assert_one_line(evaluate("--digits"), "has 10 classes, the network 2")
    graph.labels = None
    graph.save(tmp_path / "g.npz")
    done = evaluate("--data-dir", others)
    assert done.returncode == 0 and "does not tell the names of its classes" in done.stdout


def test_the_c_names_its_classes(graph, tmp_path):
    needs("cc")
    graph.labels = ['a "quoted" \\ name?', "Äpfel, 1"]
    files = c.emit(graph, "net")
    assert files.manifest["labels"] == graph.labels
    files.write(tmp_path)
    (tmp_path / "names.c").write_text('#include <stdio.h>\n#include "net_labels.h"\nint main(void)\n'
                                      "{\n    return puts(net_labels[0]) < 0 || puts(net_labels[1]) < 0;\n}\n")
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["cc", *strict, "-I", "include", "names.c", "-o", "names"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "names"], stdout=subprocess.PIPE, check=True).stdout
    assert printed.decode().splitlines() == graph.labels
    graph.labels = None
    assert "include/net_labels.h" not in c.emit(graph, "net")


def test_fine_tuning_takes_over_the_classes_that_are_known_by_name(tmp_path):
    make_net = load("tools/train_imagenet.py").make_net
    net = get_model("etinynet0.75", classes=2)
    net.initialize()
    net.output.bias.set_data(mx.nd.array([1, 2]))
    net.save_parameters(str(tmp_path / "net.params"))
    write_classes(tmp_path / "classes.txt", NAMES)
    args = SimpleNamespace(model="etinynet0.75", params=tmp_path / "net.params")

    def biases(names):
        return make_net(args, len(names), names, lambda line: None).output.bias.data().asnumpy().tolist()

    assert biases(NAMES) == [1, 2]
    assert biases(["cow", "ape"]) == [0, 1], "as many classes, but others"
    assert biases(["zebra", "ape", "cow"]) == [2, 1, 0]


def test_lowering_hands_the_names_on():
    from small_networks import SIZE, pictures, small_net

    from gluon_etinynet.quantize.ptq import quantise

    net = quantise(small_net(), pictures(4))
    assert lower(net, (SIZE, SIZE), labels="abcde").labels == list("abcde")
    with pytest.raises(InputError, match="5 classes and 2 labels"):
        lower(net, (SIZE, SIZE), labels=NAMES)


def test_records_tell_their_names(tmp_path):
    for part in ("train", "val"):
        pictures(tmp_path / part, *NAMES)
        assert run("tools/make_rec.py", tmp_path / part, tmp_path / part).returncode == 0
    graph = etinynet_graph("tiny", 32, 4, classes=2)
    for labels, status in ((NAMES, 0), (["ape", "cow"], 2), (None, 0)):
        graph.labels = labels
        graph.save(tmp_path / "g.npz")
        done = run("tools/eval_graph.py", "--graph", tmp_path / "g.npz", "--use-rec", "--rec-val", tmp_path / "val.rec",
                   "--save-dir", tmp_path / "out")
        assert done.returncode == status and ("has other classes" in done.stderr) == bool(status)
    (tmp_path / "val.classes.txt").write_text("zebra\nape\n")
    done = run("tools/train_imagenet.py", "--rec-train", tmp_path / "train.rec", "--rec-val", tmp_path / "val.rec",
               "--batch-size", 4, "--input-size", 32)
    assert_one_line(done, "has other classes than the training records")
