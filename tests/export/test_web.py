"""The demo's resizing in JavaScript against OpenCV, and what the exporter refuses."""

import json
import subprocess

import cv2
import numpy as np
import pytest
from c_export import etinynet_graph
from running import ROOT, assert_one_line, needs, run

from gluon_etinynet.data.images import center_crop, resize_square

RESIZE = ROOT / "gluon_etinynet" / "export" / "web" / "resize.js"
SCRIPT = """
const { centreCrop, resizeSquare } = require(process.argv[1]), fs = require("fs"), bytes = fs.readFileSync(0), out = [];
let at = 0;
for (const [way, width, height, size, most] of JSON.parse(process.argv[2])) {
    const picture = { width, height, data: bytes.subarray(at, at += width * height * 4) };
    out.push((way === "crop" ? centreCrop(picture, size, 0.875, most) : resizeSquare(picture, size)).data);
}
fs.writeFileSync(1, Buffer.concat(out));
"""


def in_javascript(cases):
    """The results of (way, picture, size, most pixels), one array for each."""
    needs("node")
    order = json.dumps([[way, picture.shape[1], picture.shape[0], size, most] for way, picture, size, most in cases])
    pixels = b"".join(np.dstack([picture, np.full(picture.shape[:2], 77, np.uint8)]).tobytes()
                      for _, picture, *_ in cases)
    done = subprocess.run(["node", "-e", SCRIPT, RESIZE, order], input=pixels, capture_output=True, check=True)
    return np.split(np.frombuffer(done.stdout, np.uint8), np.cumsum([3 * size * size for *_, size, _ in cases])[:-1])


def pictures(seed, shapes):
    rng = np.random.default_rng(seed)
    noise = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]
    return [cv2.GaussianBlur(picture, (0, 0), 0.1 + rng.random() * 2) for picture in noise]


def shapes_of(seed, count, least, most):
    return np.random.default_rng(seed).integers(least, most, (count, 2)).tolist()


def test_classifiers_see_the_same_to_the_bit():
    shapes = [(146, 146), (292, 292), (73, 73), (64, 64), (1, 9), (438, 146), *shapes_of(2, 40, 1, 600)]
    cases = [("crop", picture, size, 10 ** 8) for picture in pictures(2, shapes) for size in (64, 33)]
    for (_, picture, size, _), seen in zip(cases, in_javascript(cases)):
        assert np.array_equal(seen, center_crop(picture, size, 0.875).ravel()), picture.shape


def test_the_middle_of_a_strip_is_the_same(monkeypatch):
    monkeypatch.setattr("gluon_etinynet.data.images.LARGEST_PIXELS", 20_000)
    cases = [("crop", picture, 64, 20_000) for picture in pictures(3, [(4, 900), (901, 5), (3, 77)])]
    for (_, picture, size, _), seen in zip(cases, in_javascript(cases)):
        assert np.array_equal(seen, center_crop(picture, size, 0.875).ravel())


def test_detectors_see_the_same_of_larger_pictures_to_the_bit():
    shapes = [(128, 128), (192, 256), (640, 640), (64, 65), (64, 640), (20, 300), *shapes_of(4, 30, 65, 600)]
    cases = [("square", picture, 64, 0) for picture in pictures(4, shapes)]
    for (_, picture, size, _), seen in zip(cases, in_javascript(cases)):
        assert np.array_equal(seen, resize_square(picture, size).ravel()), picture.shape


def test_detectors_see_smaller_pictures_but_for_halves():
    """Intel's library, which OpenCV takes here on x86, from four pixels on, rounds some halves the other way."""
    cases = [("square", picture, 256, 0) for picture in pictures(5, [(256, 256), (64, 64), *shapes_of(5, 10, 4, 256)])]
    exact = np.concatenate([resize_square(picture, size).ravel() for _, picture, size, _ in cases]).astype(int)
    difference = np.abs(np.concatenate(in_javascript(cases)) - exact)
    if cv2.ipp.useIPP():
        assert difference.max() <= 1 and difference.mean() < 1e-4
    else:
        assert difference.max() <= 1 and difference.mean() < 0.1


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "tiny.npz"
    etinynet_graph("tiny", 32, 8, 3).save(path)
    return path


@pytest.mark.parametrize("arguments, word", [(["--digits"], "leave --digits out"), (["{0}", "{0}"], "one or two")])
def test_what_is_refused(network, tmp_path, arguments, word):
    needs("make", "clang", "wasm-ld")
    arguments = [argument.format(network) for argument in arguments]
    assert_one_line(run("tools/export_web.py", "--graph", network, *arguments, "--out", tmp_path / "out"), word)
    assert not (tmp_path / "out").exists()
