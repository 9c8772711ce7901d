"""The benchmark of cameras, on three pictures."""

import json

import cv2
import numpy as np
from c_export import etinynet_graph, needs
from running import assert_one_line, run

from gluon_etinynet.data.camera import Camera
from gluon_etinynet.data.images import frame_seen, read_image
from gluon_etinynet.integer import pixels_to_input
from gluon_etinynet.integer import run as interpret
from gluon_etinynet.integer.random_graphs import ssd_graph


def test_accuracy_through_a_camera(tmp_path):
    needs("make", "cc")
    graph = etinynet_graph("tiny", 33, classes=2)
    graph.labels = ["a", "b"]
    graph.save(tmp_path / "net.npz")
    for index, label in enumerate("aab"):
        (tmp_path / "val" / label).mkdir(parents=True, exist_ok=True)
        noise = np.random.RandomState(index).randint(0, 256, (6, 8, 3)).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "val" / label / f"{index}.png"), cv2.resize(noise, (80, 60)))
    done = run("benchmarks/camera.py", "--graph", tmp_path / "net.npz", "--data-dir", tmp_path / "val",
               "--size", "64x48", "--formats", "rgb565le", "--save-dir", tmp_path / "out")
    assert done.returncode == 0 and "3 of 3 equal" in done.stdout
    found = json.loads((tmp_path / "out" / "camera.json").read_text())
    assert found["n"] == 3 and [row["pictures"] for row in found["rows"]] == [
        "photographs, OpenCV", "frames in 24 bits, OpenCV", "rgb565le"]
    camera = Camera.parse("rgb565le:64x48")
    right = 0
    for index, label in enumerate("aab"):
        picture = read_image(tmp_path / "val" / label / f"{index}.png")
        image = pixels_to_input(camera.image(camera.encode(frame_seen(picture, 64, 48)), 33, 33))
        right += graph.labels[interpret(graph, image[None])[0].argmax()] == label
    assert found["rows"][2]["top-1, %"] == f"{100 * right / 3:.2f}"


def test_a_detector_is_refused(tmp_path):
    needs("make", "cc")
    ssd_graph("tiny", 33, classes=2).save(tmp_path / "net.npz")
    assert_one_line(run("benchmarks/camera.py", "--graph", tmp_path / "net.npz", "--data-dir", tmp_path), "detector")
