"""The examples under QEMU: what they say on the UART is what the interpreter finds in the same frame."""

import os
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from c_export import call, etinynet_graph, needs, ssd_graph
from running import ROOT

from gluon_etinynet.data.camera import DETECTORS, Camera
from gluon_etinynet.data.images import frame_seen
from gluon_etinynet.integer import pixels_to_input, run

pytestmark = pytest.mark.slow


def make_run(name, graph, work, seed=3):
    """What the example says of a picture, and what the interpreter finds in the frame that its camera delivers."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    picture = cv2.resize(np.random.RandomState(seed).randint(0, 256, (6, 8, 3)).astype(np.uint8), (300, 225))
    cv2.imwrite(str(work / "photo.png"), picture[..., ::-1])
    if not (work / "network.npz").exists():
        graph.save(work / "network.npz")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    said = call(["make", "-s", "-C", ROOT / "examples" / name, "run", f"GRAPH={work / 'network.npz'}",
                 f"PHOTO={work / 'photo.png'}", f"BUILD={work / 'build'}", f"PYTHON={sys.executable}", "CFLAGS=-O1"],
                env={**environment, "PYTHONPATH": str(ROOT)}).decode()
    wanted = re.search(r"^CAMERA = (\S+)$", (ROOT / "examples" / name / "Makefile").read_text(), re.MULTILINE)[1]
    camera = Camera.parse(wanted)
    frame = camera.encode(frame_seen(picture, camera.width, camera.height))
    assert np.array_equal(np.fromfile(work / "build" / "frame.bin", np.uint8), frame.ravel())
    part = {"part": DETECTORS} if graph.detection else {}
    image = pixels_to_input(camera.image(frame, *graph.image.shape[1:], **part))
    return said.splitlines(), run(graph, image[None])[0], camera


def test_the_name_of_what_the_camera_sees(tmp_path):
    graph = etinynet_graph("tiny", 64, classes=3)
    graph.labels = ['the "first"', "zweite Straße", "third"]
    said, expected, _ = make_run("camera", graph, tmp_path)
    lines = [line for line in said if not line.startswith(("wrote", "flash", "arena", "next"))]
    name = f"it is: {graph.labels[expected.argmax()]}"
    assert lines[:3] == [name, "the frame was dropped, status 9", name]
    status = (Path(tmp_path) / "build" / "firmware" / "include" / "etn.h").read_text()
    names = re.findall(r"^    (ETN_\w+)", status[:status.index("} etn_status")], re.MULTILINE)
    assert names[9] == "ETN_TOO_FEW_ROWS"
    assert [re.sub(r"\d+", "N", line) for line in lines[3:]] == ["instructions of the longest row: N",
                                                                 "bytes of stack: N"]
    said, expected, _ = make_run("camera", graph, tmp_path, seed=4)  # another photograph: what was made is made anew
    assert f"it is: {graph.labels[expected.argmax()]}" in said


def test_the_boxes_of_what_the_camera_sees(tmp_path):
    graph = ssd_graph("tiny", 64, classes=3)
    said, found, camera = make_run("detector", graph, tmp_path)
    assert f"objects: {len(found)}" in said and len(found) > 5
    boxes = [line.split() for line in said if line.startswith("class ")]
    centre, sides = camera.centre(64, 64, DETECTORS), (camera.height,) * 2
    assert centre[2:] == sides
    for words, one in zip(boxes, found[:5]):
        assert words[1] == str(one["class"]) and abs(float(words[2]) - one["score"] / 65536) < 0.001
        inside = np.array(one["box"]) / 16 * camera.height / 64 + [centre.left, centre.top] * 2
        assert np.abs(np.array(words[3:], int) - inside).max() <= 1
