"""The graph's validation, and its file: what was saved is loaded, and nothing else is."""

import copy
import json
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gluon_etinynet.files import InputError
from gluon_etinynet.integer import Graph, Node, QuantParams, Tensor, run
from gluon_etinynet.integer.graph import digest_of
from gluon_etinynet.integer.random_graphs import etinynet_graph, images, ssd_graph


@pytest.fixture(scope="module")
def tiny():
    return etinynet_graph("tiny", 33, bits=4, classes=5)


@pytest.fixture(scope="module")
def saved(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "tiny.npz"
    tiny.save(path)
    return path


def test_round_trip(tiny, saved, tmp_path):
    loaded = Graph.load(saved)
    assert loaded.sha256() == tiny.sha256()
    assert loaded.tensors == tiny.tensors and list(loaded.tensors) == list(tiny.tensors)
    for a, b in zip(tiny.nodes, loaded.nodes):
        assert (a.op, a.inputs, a.output, set(a.attrs)) == (b.op, b.inputs, b.output, set(b.attrs))
        for key, value in a.attrs.items():
            assert type(value) is type(b.attrs[key])
            np.testing.assert_array_equal(value, b.attrs[key])
    image = images(tiny, 2)
    np.testing.assert_array_equal(run(loaded, image), run(tiny, image))
    loaded.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == saved.read_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_tampered_byte_never_changes_the_network(tiny, saved, tmp_path, data):
    """Either the file is refused by name, or the byte meant nothing (a time stamp in the archive)."""
    content = bytearray(saved.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "tampered.npz"
    path.write_bytes(content)
    try:
        assert Graph.load(path).sha256() == tiny.sha256()
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(saved, tmp_path, part):
    content = saved.read_bytes()
    path = tmp_path / "truncated.npz"
    path.write_bytes(content[:int(len(content) * part)])
    with pytest.raises(InputError, match="truncated.npz"):
        Graph.load(path)


def rewrite(saved, path, change):
    """Unpack the archive, let `change` alter its arrays, and pack it again with right CRCs."""
    with np.load(saved) as archive:
        members = dict(archive)
    change(members)
    with open(path, "wb") as out:
        np.savez(out, **members)


def rewrite_sealed(source, target, edit):
    """A copy with another description, and the right checksum for it."""
    def change(members):
        describe(members, edit)
        del members["sha256"]
        members["sha256"] = np.frombuffer(digest_of(members).encode(), np.uint8)

    rewrite(source, target, change)


def describe(members, edit):
    description = json.loads(members["graph.json"].tobytes().decode())
    edit(description)
    members["graph.json"] = np.frombuffer(json.dumps(description).encode(), np.uint8)


@pytest.mark.parametrize("change", [
    lambda members: members.update({"stem.conv/weight": members["stem.conv/weight"] * 0}),
    lambda members: members.pop("stem.conv/offset"),
    lambda members: members.update(more=np.zeros(1)),
    lambda members: describe(members, lambda d: d.update(name="other")),
])
def test_the_checksum_covers_every_array(saved, tmp_path, change):
    rewrite(saved, tmp_path / "altered.npz", change)
    with pytest.raises(InputError, match=r"altered\.npz has been altered"):
        Graph.load(tmp_path / "altered.npz")


def test_another_version_a_pickle_and_foreign_files_are_refused(saved, tmp_path, monkeypatch):
    import gluon_etinynet.integer.graph as module
    monkeypatch.setattr(module, "VERSION", 3)
    with pytest.raises(InputError, match="version 2, this program reads 3"):
        Graph.load(saved)
    with pytest.raises(InputError, match="cannot read .*none.npz: No such file"):
        Graph.load(tmp_path / "none.npz")
    np.savez(tmp_path / "foreign.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="foreign.npz is no integer graph"):
        Graph.load(tmp_path / "foreign.npz")
    np.savez(tmp_path / "pickle.npz", a=np.array([{}], object))
    with pytest.raises(InputError, match="pickle.npz is damaged"):
        Graph.load(tmp_path / "pickle.npz")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("a.npy", b"\0" * 10 ** 6)
    with pytest.raises(InputError, match="bomb.npz is damaged"):
        Graph.load(tmp_path / "bomb.npz")


@pytest.mark.parametrize("edit", [
    lambda d: d.update(nodes=None),
    lambda d: d.update(tensors=[]),
    lambda d: d["tensors"][1].update(shape="ab"),
    lambda d: d["tensors"][1]["quant"].update(scale="1"),
    lambda d: d["nodes"][0].update(attrs={}),
    lambda d: d["nodes"][0].update(inputs=["nowhere"]),
    lambda d: d["nodes"][0]["attrs"].update(weight_quant=[1]),
    lambda d: d["nodes"][0]["attrs"].update(stride="2"),
    lambda d: d.update(image=3),
])
def test_a_wrong_description_with_a_right_checksum_is_refused(saved, tmp_path, edit):
    rewrite_sealed(saved, tmp_path / "wrong.npz", edit)
    with pytest.raises(InputError, match=r"wrong\.npz(:| holds no valid graph)"):
        Graph.load(tmp_path / "wrong.npz")


def node_of(graph, name):
    return next(n for n in graph.nodes if n.output == name)


def attribute(name, key, value):
    def fault(graph):
        attrs = node_of(graph, name).attrs
        attrs[key] = value(attrs[key]) if callable(value) else value
    return name, fault


def retensor(name, tensor):
    return name, lambda graph: graph.tensors.update({name: tensor(graph.tensors[name])})


FAULTS = {
    "weight past 4 bits": attribute("stage1.0.pw", "weight", lambda w: np.full_like(w, 8)),
    "weight of -8": attribute("stage1.0.pw", "weight", lambda w: np.full_like(w, -8)),
    "weight dtype": attribute("stage1.0.pw", "weight", lambda w: w.astype(np.int16)),
    "weight channels": attribute("stage1.0.pw", "weight", lambda w: w[:, 1:]),
    "groups": attribute("stage1.0.dw1", "groups", 2),
    "groups of 0": attribute("stage1.0.dw1", "groups", 0),
    "stride": attribute("stem.conv", "stride", 1),
    "stride of a float": attribute("stem.conv", "stride", 2.0),
    "padding": attribute("stem.conv", "pad", 3),
    "relu": attribute("stem.conv", "relu", "yes"),
    "scales": attribute("stem.conv", "weight_quant", QuantParams((1.0,), 0, 4, 0)),
    "weight bits": attribute("stem.conv", "weight_quant", QuantParams((1.0,) * 4, 0, 5, 0)),
    "bias shape": attribute("stem.conv", "bias", lambda b: b[1:]),
    "bias dtype": attribute("stem.conv", "bias", lambda b: b.astype(np.int64)),
    "accumulator past 32 bits": attribute("stem.conv", "bias", lambda b: np.full_like(b, 2 ** 30)),
    "multiplier dtype": attribute("stem.conv", "multiplier", lambda m: m.astype(np.int32)),
    "multiplier -32768": attribute("stem.conv", "multiplier", lambda m: np.full_like(m, -32768)),
    "offset": attribute("stem.conv", "offset", lambda o: np.full_like(o, 2 ** 23)),
    "shift": attribute("stem.conv", "shift", 17),
    "average shift": attribute("average", "shift", 17),
    "shortcut without input": attribute("stage1.0.pw", "shortcut_multiplier", 1024),
    "shortcut missing": attribute("stage3.1.pw", "shortcut_multiplier", None),
    "shortcut too large": attribute("stage3.1.pw", "shortcut_multiplier", 1 << 15),
    "pool stride": attribute("stem", "stride", 0),
    "unknown attribute": ("stem", lambda graph: node_of(graph, "stem").attrs.update(dilation=1)),
    "missing attribute": ("stem.conv", lambda graph: node_of(graph, "stem.conv").attrs.pop("bias")),
    "operator": ("stem", lambda graph: setattr(node_of(graph, "stem"), "op", "softmax")),
    "order": ("stem", lambda graph: graph.nodes.reverse() or graph.nodes.insert(0, graph.nodes.pop(-2))),
    "shape": retensor("stem", lambda t: Tensor(t.name, (4, 9, 9), t.quant)),
    "scale of 0": retensor("stage1.0", lambda t: Tensor(t.name, t.shape, QuantParams(0.0, 0))),
    "scale NaN": retensor("stage1.0", lambda t: Tensor(t.name, t.shape, QuantParams(float("nan"), 0))),
    "zero point": retensor("stage1.0", lambda t: Tensor(t.name, t.shape, QuantParams(1.0, 128))),
    "pool scale": retensor("stem", lambda t: Tensor(t.name, t.shape, QuantParams(3.0, 0))),
    "twice": ("stem", lambda graph: graph.nodes.insert(2, graph.nodes[1])),
    "missing tensor": ("stem", lambda graph: graph.tensors.pop("stem")),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_is_refused_naming_the_node(tiny, tmp_path, what):
    name, fault = FAULTS[what]
    graph = copy.deepcopy(tiny)
    fault(graph)
    with pytest.raises(InputError, match=f"node {name}: ") as caught:
        graph.save(tmp_path / "never.npz")
    assert "\n" not in str(caught.value) and not (tmp_path / "never.npz").exists()


def test_a_tensor_without_node_and_an_empty_graph_are_refused(tiny):
    graph = copy.deepcopy(tiny)
    graph.tensors["spare"] = Tensor("spare", (1, 1, 1), QuantParams(1.0))
    with pytest.raises(InputError, match="tensor spare has no node"):
        graph.validate()
    with pytest.raises(InputError, match="no node"):
        Graph("empty", tiny.image).validate()


def test_append_infers_odd_shapes():
    graph = Graph("odd", Tensor("x", (1, 7, 5), QuantParams(1.0)))
    pooled = graph.append(Node("maxpool", ["x"], "y", {"kernel": 2, "stride": 2}), QuantParams(1.0))
    assert pooled.shape == (1, 3, 2)
    with pytest.raises(InputError, match="node z: kernel"):
        graph.append(Node("maxpool", ["y"], "z", {"kernel": 3, "stride": 1}), QuantParams(1.0))


@pytest.mark.parametrize("edit, message", [
    (lambda d: d.update(levels=[]), "there is no level"),
    (lambda d: d.update(candidates=0), "candidates must be 1 to 65535"),
    (lambda d: d.update(detections=401), "detections at most as many"),
    (lambda d: d.update(iou_threshold=65536), "thresholds must be from 0 to 65535"),
    (lambda d: d.update(score_threshold=0.01), "thresholds must be from 0 to 65535"),
    (lambda d: d["levels"].pop(), "its levels must be the int32 tensors"),
    (lambda d: d["levels"][0].update(classes="none"), "there is no tensor none"),
    (lambda d: d["levels"][0].update(boxes="stage2.0"), "stage2.0 must be int32 of scale"),
    (lambda d: d["levels"][0].update(boxes="boxes.1"), "do not fit 6 anchors"),
    (lambda d: d["levels"][0].update(half_step=1 << 26), "must lie within 2048 pixels"),
    (lambda d: d["levels"][0]["anchors"].pop(), "do not fit 5 anchors"),
    (lambda d: d["levels"][0].update(anchors=[[1 << 26, 1]] * 6), "must have anchors below 2048 pixels"),
    (lambda d: d["levels"][0].update(anchors=[[1, 1, 1]] * 6), "must have anchors below 2048 pixels"),
    (lambda d: d["levels"][0].update(more=1), "holds no valid graph"),
    (lambda d: d.pop("candidates"), "holds no valid graph"),
])
def test_wrong_detection_with_a_right_checksum_is_refused(edit, message, tmp_path):
    ssd_graph("tiny", 33, classes=2).save(tmp_path / "ssd.npz")

    rewrite_sealed(tmp_path / "ssd.npz", tmp_path / "wrong.npz", lambda d: edit(d["detection"]))
    with pytest.raises(InputError, match=message):
        Graph.load(tmp_path / "wrong.npz")


@pytest.mark.parametrize("edit", [
    lambda d: d.update(name=["a"]), lambda d: d.update(name=None), lambda d: d.update(image={}),
    lambda d: d["nodes"][0].update(inputs=[[]]), lambda d: d["nodes"][0].update(op=[]),
    lambda d: d["nodes"][0]["attrs"].update(stride=10 ** 30), lambda d: d["tensors"][0].update(shape=[True, None, 1]),
    lambda d: d["tensors"][1]["quant"].update(scale=1e400), lambda d: d["tensors"][0]["quant"].update(axis="\n"),
    lambda d: d["nodes"][0]["attrs"]["weight_quant"].update(bits={}),
    lambda d: d["nodes"][0]["attrs"]["weight_quant"]["scale"].__setitem__(0, json.loads("[" * 99 + "]" * 99)),
])
def test_values_of_other_kinds_with_a_right_checksum_are_one_line(saved, tmp_path, edit):
    rewrite_sealed(saved, tmp_path / "wrong.npz", edit)
    with pytest.raises(InputError, match="wrong.npz") as raised, warnings.catch_warnings(record=True) as more_lines:
        warnings.simplefilter("always")
        Graph.load(tmp_path / "wrong.npz")
    assert str(raised.value).isprintable() and not more_lines
