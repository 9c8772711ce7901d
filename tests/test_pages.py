"""The pages that people look at, in Chromium: the demo of tools/export_web.py, and the report."""

import json
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from c_export import etinynet_graph, ssd_graph
from running import ROOT, needs, run

from gluon_etinynet.data.datasets import digits
from gluon_etinynet.data.images import LARGEST_BYTES, preprocess, resize_square
from gluon_etinynet.export import web
from gluon_etinynet.export.c.program import raw
from gluon_etinynet.files import write_csv
from gluon_etinynet.integer import pixels_to_input
from gluon_etinynet.integer import run as interpret
from gluon_etinynet.report.figures import FIGURES
from gluon_etinynet.report.page import emit, evidence_of, look

SIZE = 64


def in_chromium(**job):
    """Do a job of pages.js in one Chromium; returns what it found."""
    needs("node", "chromium")
    wanted = "require('playwright-core'), require('axe-core')"
    if subprocess.run(["node", "-e", wanted], capture_output=True).returncode:
        pytest.skip("needs playwright-core and axe-core: npm install them, and set NODE_PATH to their node_modules")
    done = subprocess.run(["node", ROOT / "tests" / "pages.js"], text=True, capture_output=True, timeout=1500,
                          input=json.dumps({**job, "chromium": shutil.which("chromium")}))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def networks():
    """Two classifiers of digits and a detector, with random weights."""
    classifiers = [etinynet_graph("tiny", SIZE, bits, 10, seed=bits) for bits in (8, 4)]
    for graph in classifiers:
        graph.labels = list("0123456789")
    detector = ssd_graph("tiny", SIZE, 8, 3)
    detector.labels = ["cat", "dog", "<b>bird"]
    return classifiers, detector


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Ten pictures of many shapes, a strip among them: their paths and pixels."""
    rng, folder, found = np.random.default_rng(1), tmp_path_factory.mktemp("pictures"), {}
    shapes = [(64, 64), (128, 128), (100, 75), (37, 200), (300, 500), (480, 640), (20, 20), (9, 700), (256, 147),
              (73, 74)]
    for index, shape in enumerate(shapes):
        picture = cv2.GaussianBlur(rng.integers(0, 256, (*shape, 3), np.uint8), (0, 0), 2)
        found[str(folder / f"{index}.png")] = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
        cv2.imwrite(*list(found.items())[-1])
    return {path: picture[:, :, ::-1] for path, picture in found.items()}


def evidence_folder(runs, graph, detector):
    """A folder of runs with all that figures are drawn from."""
    layer = [{"layer": "layer3.2", "distribution": kind, "position": place / 7, "share": share}
             for kind in ("Ori.", "Quan.", "Quan. with a level at 0") for place, share in zip(range(-7, 8), [.05] * 15)]
    points = [{"lambda": lam, "spread": 1 / lam, "J": 200, "E": 3 - lam / 3, "levels_used": 15} for lam in range(1, 6)]
    curves = [{"position": place / 7, **{f"lambda_{lam}": 0.1 / lam for lam in range(1, 6)}} for place in range(-7, 8)]
    for name, rows in (("fig3", layer), ("fig4", points), ("fig4_histograms", curves)):
        write_csv(runs / f"{name}.csv", list(rows[0]), [list(row.values()) for row in rows])
    graph.save(runs / "four_bits.npz")
    detector.save(runs / "detector.npz")
    return runs


@pytest.fixture(scope="module")
def found(tmp_path_factory, networks, photographs):
    """What Chromium finds on all pages."""
    folder, (classifiers, detector) = tmp_path_factory.mktemp("pages"), networks
    needs("make", "clang", "wasm-ld")
    for graph in (*classifiers, detector):
        graph.save(folder / f"{graph.name}-{graph.nodes[0].attrs['weight_quant'].bits}.npz")
    done = run("tools/export_web.py", "--graph", folder / "etinynettiny-8.npz", folder / "etinynettiny-4.npz",
               "--digits", "--out", folder)
    assert done.returncode == 0, done.stderr
    (folder / "detector.html").write_text(web.emit([detector], [detector.labels]))
    (folder / "corrupt.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    with open(folder / "huge.png", "wb") as huge:
        huge.truncate(LARGEST_BYTES + 1)
    pictures, runs = list(photographs), evidence_folder(folder / "runs", classifiers[1], detector)
    sheets = look(classifiers[1], None, pictures[3:5]) + look(detector, detector.labels, pictures[3:5])
    (folder / "report.html").write_text(emit(*evidence_of(runs), sheets))
    counts = (np.arange(64) % 17).tolist()
    return in_chromium(
        pages={"demo": {"path": str(folder / "demo.html"), "picture": pictures[4]},
               "report": {"path": str(folder / "report.html")}},
        demo={"path": str(folder / "demo.html"), "pictures": pictures, "counts": counts,
              "corrupt": str(folder / "corrupt.jpg"), "huge": str(folder / "huge.png")},
        detector={"path": str(folder / "detector.html"), "pictures": pictures[3:6]})


def test_the_demo_computes_what_the_interpreter_does(found, networks, photographs):
    for index, graph in enumerate(networks[0]):
        inputs = np.stack([preprocess(picture, SIZE) for picture in photographs.values()])
        seen = [each[index] for each in found["demo"]["seen"]]
        assert [each["input"] for each in seen] == [list(raw(picture)) for picture in inputs]
        assert np.array_equal([each["logits"] for each in seen], interpret(graph, inputs))
    assert found["demo"]["kernels"] == "simd"


def test_a_browser_without_simd_runs_the_portable_kernels(found):
    plain, (first, *_) = found["demo"]["plain"], found["demo"]["seen"]
    assert plain["kernels"] == "portable" and "no SIMD" in plain["words"]
    assert [each["logits"] for each in plain["seen"][0]] == [each["logits"] for each in first]
    assert "no WebAssembly" in found["demo"]["old"]


def test_a_drawn_digit_is_enlarged_as_the_set_is(found, networks):
    counts = (np.arange(64) % 17).reshape(1, 64).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn.datasets.load_digits", lambda return_X_y: (np.repeat(counts, 2, 0), np.arange(2)))
        (picture,) = digits(SIZE).x_train[:1]
    inputs = pixels_to_input(picture[None])
    for graph, seen in zip(networks[0], found["demo"]["digit"]):
        assert seen["input"] == list(raw(inputs[0]))
        assert seen["logits"] == interpret(graph, inputs)[0].tolist()


def test_a_detector_finds_what_the_interpreter_does(found, networks, photographs):
    detector, pictures = networks[1], list(photographs.values())[3:6]
    inputs = pixels_to_input(np.stack([resize_square(picture, SIZE) for picture in pictures]))
    for seen, expected in zip(found["detector"]["seen"], interpret(detector, inputs)):
        told = seen[0]["detections"]
        assert [each["category"] for each in told] == expected["class"].tolist() and len(told) > 3
        assert [each["box"] for each in told] == (expected["box"] / 16).tolist()
        assert np.allclose([each["score"] for each in told], expected["score"] / 65536, atol=1e-5)
    assert "<b>bird" in found["detector"]["names"] and found["detector"]["errors"] == []


def test_the_demo_says_what_is_wrong(found):
    demo, camera = found["demo"], found["demo"]["camera"]
    assert "corrupt.jpg is not a picture" in demo["corrupt"] and "537 MB" in demo["huge"]
    assert "no camera on this computer" in camera["none"] and "not allowed to use the camera" in camera["denied"]
    assert demo["errors"] == demo["requests"] == camera["live"] == []


def test_the_demo_takes_pictures_in_every_way(found):
    demo = found["demo"]
    assert demo["drop"] and demo["paste"] and demo["camera"]["pressed"] == "false"
    assert demo["keyboard"] == ["pad", "clear", "file", "camera"]


@pytest.mark.parametrize("page", ["demo", "report"])
def test_a_page_fits_phones_and_has_no_fault(found, page):
    seen = found["pages"][page]
    assert not any(seen["overflow"].values()) and len(seen["overflow"]) == 3
    assert not any(seen["axe"].values()), seen["axe"]
    assert seen["errors"] == seen["requests"] == []


def test_every_figure_is_in_the_report(found):
    assert sorted(found["pages"]["report"]["figures"]) == sorted(figure.name for figure in FIGURES)
