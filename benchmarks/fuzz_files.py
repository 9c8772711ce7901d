"""The formats that fuzz.py tries: real files of each, and how they are read."""

import json
from pathlib import Path
from typing import Callable, NamedTuple

import cv2
import numpy as np
from fuzz_changes import (
    annotation_values,
    archive_headers,
    archive_members,
    json_values,
    picture_sides,
    picture_strip,
    record_contents,
    table_cells,
)
from fuzz_networks import network_values

from gluon_etinynet import InputError
from gluon_etinynet.data.datasets import cifar_npz
from gluon_etinynet.data.images import index_folder, read_crop, read_image
from gluon_etinynet.integer.graph import Graph
from gluon_etinynet.integer.random_graphs import etinynet_graph, ssd_graph
from gluon_etinynet.reading import read_record
from gluon_etinynet.report import paper
from gluon_etinynet.report.runs import read_measurements

__all__ = ["FORMATS", "Format"]

SETTINGS = {"seed": 1, "size": 32}


class Format(NamedTuple):
    """Files that `make` writes to a folder; `read` is given `path` in it, and `within` change what they hold."""

    make: Callable
    path: str
    read: Callable
    within: list = []


def picture(rng, height=40, width=50):
    return cv2.resize(rng.integers(0, 256, (5, 6, 3)).astype(np.uint8), (width, height))


def written(folder):
    folder.mkdir(parents=True)
    return folder, np.random.default_rng(0)


def make_graph(folder):
    written(folder)
    etinynet_graph("tiny", 33, 4, classes=5).save(folder / "network.npz")


def make_detector(folder):
    written(folder)
    ssd_graph("tiny", 33, classes=2).save(folder / "network.npz")


def read_graph(path):
    graph = Graph.load(path)
    graph.sha256()
    return graph


def make_params(folder):
    from gluon_etinynet._mxnet import mx

    _, rng = written(folder)
    arrays = {"arg:output.weight": rng.normal(size=(5, 8)), "aux:bn": rng.normal(size=8), "class_predictors.0.weight":
              rng.normal(size=(18, 4)), "box_predictors.0.weight": rng.normal(size=(24, 4))}
    mx.nd.save(str(folder / "net.params"), {name: mx.nd.array(array) for name, array in arrays.items()})


def read_parameters(path):
    from gluon_etinynet.networks.parameters import contents_of, structural_names
    from gluon_etinynet.networks.params_file import read_params

    contents_of(structural_names(read_params(path)), path)


def make_record(folder):
    from gluon_etinynet._mxnet import mx

    _, rng = written(folder)
    writer = mx.recordio.MXIndexedRecordIO(str(folder / "all.idx"), str(folder / "all.rec"), "w")
    for number in range(8):
        content = cv2.imencode(".jpg", picture(rng))[1].tobytes()
        writer.write_idx(number, mx.recordio.pack(mx.recordio.IRHeader(0, number % 3, number, 0), content))
    writer.close()


def read_records(path):
    from gluon_etinynet.data.sources import Loading, RecordSource

    RecordSource(path, Loading(2, 32, train=True))
    Path(f"{path}.checked").unlink()  # no file of the user's: the copies that are changed are without it


def trained():
    from gluon_etinynet._mxnet import mx

    net = mx.gluon.nn.Dense(3, in_units=4, prefix="net_")
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"momentum": 0.9}, update_on_kvstore=False)
    with mx.autograd.record():
        loss = net(mx.nd.ones((2, 4))).sum()
    loss.backward()
    trainer.step(2)
    return net, trainer, list(net._collect_params_with_prefix())


def make_checkpoint(folder):
    from gluon_etinynet.training.checkpoint import save_checkpoint

    written(folder)
    save_checkpoint(folder, *trained(), {"epoch": 0, "settings": SETTINGS, "arguments": {"lr": 0.1},
                                         "history": [{"epoch": 0, "training_loss": 1.0, "validation_top1": 0.5}]})


def read_checkpoint(path):
    from gluon_etinynet.training.checkpoint import check_fits, newest_checkpoint, restore

    said = []
    found = newest_checkpoint(path.parent, said.append)
    if found is None:
        raise InputError(said[0] if said else f"{path.parent} is empty")
    net, trainer, names = trained()
    check_fits(*found, net, SETTINGS)
    restore(found[0], net, trainer, names)


def make_json(folder):
    written(folder)
    key = paper.load()[0].key
    measurement = dict(zip(("table", "row", "quantity"), key), value=1.5, note="a")
    (folder / "a.json").write_text(json.dumps({"settings": SETTINGS, "done": 1, "losses": {}, "measurements":
                                               [measurement]}))


def read_json_files(path):
    read_record(path, SETTINGS, done=int, losses=dict)
    read_measurements(path, {entry.key for entry in paper.load()})


def make_cifar(folder):
    _, rng = written(folder)
    np.savez_compressed(folder / "set.npz", classes=np.array(["a", "b"]), **{
        key: value for part in ("train", "test") for key, value in
        {f"x_{part}": rng.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8), f"y_{part}": np.arange(6) % 2}.items()})


def make_labels(folder):
    _, rng = written(folder)
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), picture(rng))
    (folder / "labels.csv").write_text("file,wnid,class_index\n" + "".join(
        f"{number}.png,n{number % 2},{number % 2}\n" for number in range(4)))


def read_labels(path):
    for item, _ in index_folder(path.parent)[0]:
        read_image(item)


def make_voc(folder):
    _, rng = written(folder)
    for within in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / within).mkdir(parents=True)
    cv2.imwrite(str(folder / "JPEGImages/a.jpg"), picture(rng))
    box = "".join(f"<{end}>{value}</{end}>" for end, value in zip(("xmin", "ymin", "xmax", "ymax"), (1, 2, 30, 40)))
    (folder / "Annotations/a.xml").write_text(
        "<annotation><size><width>50</width><height>40</height></size>" + 2 * (
            f"<object><name>dog</name><difficult>0</difficult><bndbox>{box}</bndbox></object>") + "</annotation>")
    (folder / "ImageSets/Main/train.txt").write_text("a\n")


def read_annotations(path):
    from gluon_etinynet.detection.dataset import classes_of, read_voc

    root = path.parent
    for item in read_voc(root, "train", classes_of(root, "train")):
        read_image(item.path)


def of_pictures(extension):
    def make(folder):
        _, rng = written(folder)
        cv2.imwrite(str(folder / f"picture{extension}"), picture(rng))

    def read(path):
        from gluon_etinynet.data.images import resize_square

        read_crop(path, 64)
        resize_square(read_image(path), 64)

    return Format(make, f"picture{extension}", read, [picture_sides, picture_strip])


NETWORK = [network_values, network_values, archive_members, archive_members, archive_headers]
FORMATS = {
    "graph": Format(make_graph, "network.npz", read_graph, NETWORK),
    "detector": Format(make_detector, "network.npz", read_graph, NETWORK),
    "params": Format(make_params, "net.params", read_parameters),
    "record": Format(make_record, "all.rec", read_records, [record_contents]),
    "checkpoint": Format(make_checkpoint, "epoch-0000", read_checkpoint, [json_values, archive_members]),
    "json": Format(make_json, "a.json", read_json_files, [json_values]),
    "cifar": Format(make_cifar, "set.npz", cifar_npz, [archive_members, archive_headers]),
    "labels": Format(make_labels, "labels.csv", read_labels, [table_cells]),
    "voc": Format(make_voc, "root", read_annotations, [annotation_values]),
    **{extension: of_pictures(f".{extension}") for extension in ("jpeg", "png", "bmp", "webp")},
}
