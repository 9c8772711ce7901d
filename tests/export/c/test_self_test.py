"""The self-test of the exported folder: it passes, and names the layer that was changed."""

import numpy as np
import pytest
from c_export import call, etinynet_graph, export, make, needs, ssd_graph

from gluon_etinynet.export.c.self_test import picture
from gluon_etinynet.files import InputError


def altered(text, array):
    """C whose array begins with other numbers."""
    begin = text.index("{", text.index(f" {array}[")) + 1
    return text[:begin] + "0, 0, 99, " + text[begin:].split(", ", 3)[3]


@pytest.mark.parametrize("make_graph, changes", [
    (etinynet_graph, {"offset_0": 1, "offset_6": 7, "offset_18": 18}), (ssd_graph, {"offset_3": 4, "offset_22": 22})])
def test_it_passes_and_names_a_layer_that_was_changed(make_graph, changes, tmp_path):
    """The last one of those that run together; of a detector's predictors, by the detections, the last of all."""
    needs("make", "cc")
    graph = make_graph("tiny", 33, 4, classes=5)
    assert max(changes.values()) == len(graph.nodes) - 1
    folder = export(graph, tmp_path / "network", self_test=True)
    program, source = folder / "build" / "host" / "net", folder / "src" / "net.c"
    make(folder, "host", "CFLAGS=-O0")
    assert call([program, "--self-test"]) == b"self-test passed\n"
    whole = source.read_text()
    for array, layer in changes.items():
        source.write_text(altered(whole, array))
        make(folder, "host", "CFLAGS=-O0")
        with pytest.raises(InputError) as caught:
            call([program, "--self-test"])
        assert caught.value.__cause__.stdout.decode() == f"self-test failed in layer {layer}\n"


def test_its_picture_has_all_colours_in_squares():
    drawn = picture((3, 224, 224))
    assert drawn.dtype == np.int8 and len(np.unique(drawn)) > 250
    assert (drawn.reshape(3, 28, 8, 28, 8) == drawn[:, ::8, ::8].reshape(3, 28, 1, 28, 1)).all()
    assert abs(drawn.mean()) < 5 and abs(np.corrcoef(drawn[0].ravel(), drawn[1].ravel())[0, 1]) < 0.2


def test_without_it_nothing_of_it_is_there(tmp_path):
    folder = export(etinynet_graph("tiny", 33, classes=5), tmp_path / "network")
    assert not list(folder.rglob("*crc*")) and "self_test" not in (folder / "include" / "net.h").read_text()
