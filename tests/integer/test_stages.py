"""What runs together: the stages of the paper's networks, and nodes that fit none."""

import pytest

from gluon_etinynet.files import InputError
from gluon_etinynet.integer import stages
from gluon_etinynet.integer.random_graphs import etinynet_graph


@pytest.mark.parametrize("size", [32, 224])
def test_stages_of_the_paper(size):
    """Also where the maps of the last stage are a single pixel, as that of the head is."""
    kinds = [stage.kind for stage in stages(etinynet_graph("1.0", size, classes=10))]
    assert kinds == ["stem"] + ["block"] * 14 + ["head"] * 2


@pytest.mark.parametrize("name, change, message", [
    ("stage1.0.pw", lambda n: n.attrs.update(groups=2), "node stage1.0.dw1: does not begin a block"),
    ("stage3.1.pw", lambda n: n.inputs.__setitem__(1, "stage3.1.dw1"),
     "node stage3.1.pw: its shortcut stage3.1.dw1"),
    ("stage3.1", lambda n: n.inputs.__setitem__(0, "stage3.1.dw1"),
     "node stage3.1: does not follow stage3.1.pw"),
    ("stage2.1.dw1", lambda n: n.inputs.__setitem__(0, "stage2.0.pw"), "node stage2.1.dw1: a block takes"),
    ("stem", lambda n: setattr(n, "op", "conv2d"), "node stem.conv: the network does not begin"),
])
def test_a_node_that_fits_no_stage_is_named(name, change, message):
    graph = etinynet_graph("tiny", 33, classes=5)
    change(next(n for n in graph.nodes if n.output == name))
    with pytest.raises(InputError, match=message):
        stages(graph)
