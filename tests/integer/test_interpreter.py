"""Whole networks: fast against reference, tracing, and the tensor that a fault is found in."""

import copy
import subprocess
import sys

import numpy as np
import pytest

from gluon_etinynet.files import InputError
from gluon_etinynet.integer import first_difference, pixels_to_input, run, trace
from gluon_etinynet.integer.random_graphs import etinynet_graph, images, ssd_graph


@pytest.mark.parametrize("bits, size", [(8, 33), (4, 40), (2, 37), (3, 48)])
def test_every_tensor_of_a_network_equals_the_reference(bits, size):
    graph = etinynet_graph("tiny", size, bits, classes=7, seed=bits)
    image = images(graph, 2)
    logits, fast, slow = run(graph, image), trace(graph, image), trace(graph, image, reference=True)
    assert first_difference(fast, slow) is None
    assert list(fast) == list(graph.tensors) and fast["logits"].dtype == np.int32
    np.testing.assert_array_equal(logits, fast["logits"][:, :, 0, 0])
    np.testing.assert_array_equal(logits[1:], run(graph, image[1:]))
    # A test of equality says something only where maps are alive.
    assert all(5 < a.std() for a in fast.values())


def test_a_detector_equals_the_reference():
    graph = ssd_graph("tiny", 48, classes=4)
    image = images(graph, 2)
    found, fast, slow = run(graph, image), trace(graph, image), trace(graph, image, reference=True)
    assert first_difference(fast, slow) is None
    alone = run(graph, image[1:])
    assert len(found) == 2 and len(found[1]) > 1 and np.array_equal(alone[0], found[1])
    assert run(graph, image[:0]) == []


def plant(key, value, name="stage3.0.pw"):
    def fault(graph):
        node = next(n for n in graph.nodes if n.output == name)
        node.attrs[key] = value(copy.deepcopy(node.attrs[key]))
    return name, fault


def changed(index, by):
    def change(array):
        array[index] += by
        return array
    return change


@pytest.mark.parametrize("name, fault", [
    plant("offset", changed(0, 1024)),
    plant("weight", lambda w: -w),
    plant("relu", lambda _: "none"),
    plant("shift", lambda shift: shift - 1),
    plant("shortcut_multiplier", lambda m: -m, "stage3.1.pw"),
    plant("bias", changed(2, 400), "stem.conv"),
])
def test_a_planted_fault_is_named(name, fault):
    graph = etinynet_graph("tiny", 40, classes=7)
    wrong = copy.deepcopy(graph)
    fault(wrong)
    image = images(graph, 2)
    good, bad = (trace(g, image) for g in (graph, wrong))
    found = first_difference(good, bad)
    assert found.tensor == name
    assert good[name][found.index] == found.a != found.b == bad[name][found.index]
    assert found.count == (good[name] != bad[name]).sum()


def test_first_difference_of_shapes_and_names():
    a = {"x": np.zeros((1, 2), np.int8), "y": np.zeros(3, np.int8)}
    assert first_difference(a, {"x": a["x"], "y": np.zeros(3, np.int32)}).tensor == "y"
    assert first_difference(a, {"x": a["x"].T, "y": a["y"]}).index is None
    with pytest.raises(InputError, match="'y'"):
        first_difference(a, {"x": a["x"]})


def test_pixels_become_pixel_minus_128():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    got = pixels_to_input(pixels)
    assert got.dtype == np.int8 and got.shape == (1, 3, 16, 16)
    np.testing.assert_array_equal(got[0, 1].ravel(), np.arange(256) - 128)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    got = pixels_to_input(pixels)
    assert got.shape == (3, 4, 6) and got.flags.c_contiguous
    assert all(got[c, y, x] == int(pixels[y, x, c]) - 128 for c in range(3) for y in range(4) for x in range(6))
    with pytest.raises(InputError, match="uint8"):
        pixels_to_input(pixels.astype(np.float32))
    with pytest.raises(InputError, match=r"uint8 of shape \(..., rows, columns, 3\)"):
        pixels_to_input(pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("shape, dtype", [((1, 3, 40, 41), np.int8), ((3, 40, 40), np.int8),
                                          ((1, 3, 40, 40), np.uint8)])
def test_images_that_do_not_fit_are_refused(shape, dtype):
    with pytest.raises(InputError, match="takes int8 images"):
        run(etinynet_graph("tiny", 40, classes=2), np.zeros(shape, dtype))


def test_no_images_give_no_logits():
    graph = etinynet_graph("tiny", 40, classes=2)
    assert run(graph, images(graph, 0)).shape == (0, 2)


def test_import_loads_no_mxnet():
    code = ("import sys, gluon_etinynet.integer; "
            "print([m for m in ('mxnet', 'gluoncv', 'cv2', 'matplotlib') if m in sys.modules])")
    out = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True,
                         universal_newlines=True)
    assert out.stdout.strip() == "[]"
