"""From the Gluon network to integers: the fake-quantised network against the interpreter, layer by layer."""

import csv
import shutil
from functools import partial

import cv2
import numpy as np
import pytest
from running import assert_one_line
from running import run as run_tool
from small_networks import DEAD, SIZE, WIDTHS, batch, lowered, pictures, small_net

from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.images import read_inputs
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import Graph, run, trace
from gluon_etinynet.loading import load_checkpoint
from gluon_etinynet.lowering.compare import compare_layers, feature_maps, with_integer_constants
from gluon_etinynet.lowering.from_checkpoint import calibration_pictures
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.model_zoo import get_model
from gluon_etinynet.networks.etinynet import ClippedBatchNorm, EtinyNet
from gluon_etinynet.quantize.qat import prepare_qat
from gluon_etinynet.quantize.ranges import calibrate


def unequal_shares(net, graph, images):
    """Compare layer by layer: {tensor: share of its values that differ}, none by more than one step."""
    logits, maps = run(graph, images), trace(graph, images)
    expected, made = feature_maps(net, images, maps)
    assert set(made) == set(maps) - {"image", "features.0.conv", "output"}
    steps = {name: np.abs(maps[name].astype(int) - made[name]) for name in made}
    assert {name: step.max() for name, step in steps.items() if step.max() > 1} == {}
    np.testing.assert_allclose(logits * graph.output.quant.scale, expected, atol=2e-3 * np.abs(expected).max())
    return {name: np.mean(step > 0) for name, step in steps.items()}


def assert_agreement(net, graph):
    images = pictures()
    shares = unequal_shares(net, graph, images)
    # What ReLU leaves of a channel is often 0; where that falls between two steps, all of it may differ: one of 16.
    assert max(shares.values()) <= 1 / 16 and np.mean(list(shares.values())) <= 0.005, shares
    # Left alone, each network goes on with its own roundings, which random layers amplify.
    ours, theirs = run(graph, images), net(batch(images)).asnumpy()
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.95


@pytest.fixture(scope="module")
def int8():
    """A float network with the weights of its Graph, and the Graph."""
    net = small_net()
    graph = lowered(net, pictures(32, 9))
    return net, graph


def test_float_network(int8):
    net, graph = int8
    assert_agreement(net, graph)
    attrs = graph.nodes[0].attrs
    scales = np.array(attrs["weight_quant"].scale)
    weight = small_net().features[0].conv.weight.data().asnumpy()  # equalisation leaves these alone
    np.testing.assert_allclose(scales * 127, np.abs(weight).reshape(len(scales), -1).max(axis=1), rtol=1e-6)
    # Rounded with regard to one another, not each to the nearest; never far from where it was.
    distance = np.abs(weight / scales.reshape(-1, 1, 1, 1) - attrs["weight"])
    assert 0.5 < distance.max() < 10


@pytest.mark.parametrize("bits, stored, per_channel",
                         [(2, 2, False), (3, 3, False), (4, 4, False), (4, 4, True), (5, 8, False), (8, 8, False)])
def test_asq(bits, stored, per_channel):
    net = prepare_qat(small_net(), "asq", bits, per_channel=per_channel)
    graph = lowered(net, pictures(32, 9))
    assert_agreement(net, graph)
    levels = [node.attrs["weight"] for node in graph.nodes if node.op == "conv2d"]
    assert {np.abs(level).max() for level in levels} == {2 ** (bits - 1) - 1}
    assert {node.attrs["weight_quant"].bits for node in graph.nodes if node.op == "conv2d"} == {stored}


def test_a_negative_scale_of_the_classifier():
    net = prepare_qat(small_net(), "asq", 4)
    net.output.scale.set_data(-net.output.scale.data())
    assert_agreement(net, lowered(net, pictures(32, 9)))


def test_a_faulty_graph_is_seen(int8):
    """The comparison finds one wrong offset of one channel."""
    net, graph = int8
    attrs = next(node.attrs for node in graph.nodes if node.output == "features.3.0.pw")
    attrs["offset"][2] += 4096
    try:
        with pytest.raises(AssertionError, match="features.3.0.pw"):
            unequal_shares(net, graph, pictures(4))
    finally:
        attrs["offset"][2] -= 4096


def test_structure(int8):
    _, graph = int8
    assert graph.image.shape == (3, SIZE, SIZE) and graph.output.quant.bits == 32
    nodes = {node.output: node for node in graph.nodes}
    assert nodes["features.0"].op == "maxpool" and nodes["features.0.conv"].attrs["stride"] == 2
    assert nodes["features.2.1.pw"].inputs == ["features.2.1.dw1"]
    assert nodes["features.3.0.pw"].inputs == ["features.3.0.dw1"]  # stride 2: no shortcut from the input
    assert nodes["features.3.1.pw"].inputs == ["features.3.1.dw1", "features.3.0"]
    assert nodes["features.4.1.pw"].inputs == ["features.4.1.dw1"]  # 16 to 24 channels
    assert nodes["features.4.1"].inputs == ["features.4.1.pw", "features.4.1.pw"]
    assert [node.attrs["relu"] for node in graph.nodes[2:5]] == ["none", "before", "before"]
    multipliers = np.concatenate([node.attrs["multiplier"] for node in graph.nodes if node.op == "conv2d"])
    assert 0.05 < np.mean(multipliers < 0) < 0.4


def test_a_nearly_dead_channel():
    """Its weights round to zero: its value is the beta that BN gives it, and the others lose nothing by it."""
    net = small_net()
    graph = lowered(prepare_qat(net, "asq", 4), pictures(32, 9))
    attrs = next(node.attrs for node in graph.nodes if node.output == "features.2.1.pw")
    assert not attrs["weight"][DEAD].any()
    assert attrs["multiplier"][DEAD] == 0 and np.abs(attrs["multiplier"]).max() > 16000
    maps = trace(graph, pictures(2))
    quant = graph.tensors["features.2.1.pw"].quant
    bn = net.features[2][1].bn2
    beta, gamma, mean, variance = (parameter.data().asnumpy()[DEAD] for parameter in
                                   (bn.beta, bn.gamma, bn.running_mean, bn.running_var))
    expected = (beta - mean * gamma / np.sqrt(variance + 1e-5)) / quant.scale + quant.zero_point
    assert np.unique(maps["features.2.1.pw"][:, DEAD]) == np.clip(np.rint(expected), -128, 127)


def test_a_saved_graph_computes_the_same(int8, tmp_path):
    _, graph = int8
    graph.save(tmp_path / "net.npz")
    np.testing.assert_array_equal(run(Graph.load(tmp_path / "net.npz"), pictures(2)), run(graph, pictures(2)))


def test_refusals():
    with pytest.raises(InputError, match="features.1.0 is of class InvertedBottleneck"):
        lower(get_model("etinynet0.75_bottleneck"), (32, 32))
    with pytest.raises(InputError, match="features.1.0 is of class NonlinearLB"):
        lower(get_model("etinynet0.75_nonlinear"), (32, 32))
    with pytest.raises(InputError, match="features.0.bn is of class ClippedBatchNorm"):
        lower(EtinyNet(8, WIDTHS, norm=partial(ClippedBatchNorm, 12)), (32, 32))
    net = small_net()
    with pytest.raises(InputError, match="features.0: .*not quantised"):
        lower(net, (SIZE, SIZE))
    prepare_qat(net, scheme=None, act_bits=8)
    with pytest.raises(InputError, match="features.0: .*calibrate"):
        lower(net, (SIZE, SIZE))
    calibrate(net, [batch(pictures(4))])
    with pytest.raises(InputError, match="features.0: .*in float; quantise"):
        lower(net, (SIZE, SIZE))
    with pytest.raises(InputError, match="features.0: .*DoReFa"):
        lowered(prepare_qat(small_net(), "dorefa"), pictures(4))


@pytest.mark.parametrize("name", ["features.2.0.pw.weight", "features.3.1.bn2.gamma", "output.bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_that_are_not_finite(name, value):
    net = small_net()
    parameter = net._collect_params_with_prefix()[name]
    array = parameter.data().asnumpy()
    array.flat[1] = value
    parameter.set_data(mx.nd.array(array))
    with pytest.raises(InputError, match=name):
        lowered(net, pictures(4))


def test_numbers_that_integers_cannot_hold():
    net = small_net()
    graph = lowered(net, pictures(4))
    assert len(graph.nodes) == 28
    net.features[3][1].middle_quantiser.scale.set_data(mx.nd.array([1e-9]))
    with pytest.raises(InputError, match="features.3.1.pw: shortcut multiplier"):
        lower(net, (SIZE, SIZE))
    net = prepare_qat(small_net(), "asq")
    net.features[2][0].pw.weight_quantiser.lam.set_data(mx.nd.array([0]))
    net.features[2][0].pw.weight.set_data(net.features[2][0].pw.weight.data() * 0)
    with pytest.raises(InputError, match="features.2.0.pw: .*not finite"):
        lowered(net, pictures(4))


# ---- The tools ----

@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for index in range(6):
        (folder / str(index % 2)).mkdir(exist_ok=True)
        noise = np.random.RandomState(index).randint(0, 256, (6, 6, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / str(index % 2) / f"{index}.jpg"), cv2.resize(noise, (70 + index, 60)))
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """EtinyNet-0.75 for 10 classes with random weights: float, quantised in three ways, and a bottleneck net."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, model, preparation in (
            ("float", "etinynet0.75", None), ("asq", "etinynet0.75", dict(scheme="asq")),
            ("ranges", "etinynet0.75", dict(scheme="asq", weight_bits=3, act_bits=8)),
            ("dorefa", "etinynet0.75", dict(scheme="dorefa")), ("bottleneck", "etinynet0.75_bottleneck", None)):
        net = get_model(model, classes=10)
        net.initialize()
        if preparation:
            prepare_qat(net, **preparation)
        if name == "ranges":
            calibrate(net, [batch(pictures(4))])
        net.save_parameters(str(folder / f"{name}.params"))
    arrays = mx.nd.load(str(folder / "asq.params"))
    mx.nd.save(str(folder / "unsaid.params"), {name: array for name, array in arrays.items() if "bits" not in name})
    return folder


def make_graph(checkpoint, out, *more, model="etinynet0.75"):
    return run_tool("tools/make_graph.py", "--model", model, "--params", checkpoint, "--input-size", 32, "--out", out,
                    *more)


def test_make_graph(checkpoints, photographs, tmp_path):
    done = make_graph(checkpoints / "float.params", tmp_path / "8.npz", "--calib-dir", photographs)
    assert done.returncode == 0, done.stderr
    graph = Graph.load(tmp_path / "8.npz")
    assert graph.name == "etinynet0.75_int8" and graph.image.shape == (3, 32, 32)
    assert graph.output.shape == (10, 1, 1)
    assert graph.sha256()[:16] in done.stdout
    done = make_graph(checkpoints / "asq.params", tmp_path / "4.npz", "--calib-dir", photographs)
    assert done.returncode == 0, done.stderr
    four = Graph.load(tmp_path / "4.npz")
    assert {node.attrs["weight_quant"].bits for node in four.nodes if node.op == "conv2d"} == {4}
    # Ranges of the checkpoint itself, and others by the photographs.
    for name, more in (("own", []), ("new", ["--calib-dir", photographs])):
        done = make_graph(checkpoints / "ranges.params", tmp_path / f"{name}.npz", "--weight-bits", 3, *more)
        assert done.returncode == 0, done.stderr
    own, new = (Graph.load(tmp_path / f"{name}.npz").tensors["pool"].quant for name in ("own", "new"))
    assert own != new
    assert Graph.load(tmp_path / "own.npz").name == "etinynet0.75_int3"


def test_export_c_from_a_checkpoint(checkpoints, photographs, tmp_path):
    checkpoint = ["--model", "etinynet0.75", "--params", checkpoints / "float.params", "--calib-dir", photographs,
                  "--input-size", 64]
    done = run_tool("tools/export_c.py", *checkpoint, "--out", tmp_path / "c")
    assert done.returncode == 0 and "etinynet0.75_int8" in done.stdout and (tmp_path / "c" / "Makefile").is_file()
    assert_one_line(run_tool("tools/export_c.py", "--out", tmp_path / "d"), "--graph")
    assert_one_line(run_tool("tools/export_c.py", "--graph", "x.npz", *checkpoint, "--out", tmp_path / "d"), "either")
    assert not (tmp_path / "d").exists()


def test_what_the_tool_refuses(checkpoints, photographs, tmp_path):
    def refused(checkpoint, word, *more, **options):
        assert_one_line(make_graph(checkpoints / f"{checkpoint}.params", tmp_path / "out.npz", *more, **options), word)
        assert not (tmp_path / "out.npz").exists()

    calib = ["--calib-dir", photographs]
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    cv2.imwrite(str(tmp_path / "one" / "a.png"), np.zeros((40, 40, 3), np.uint8))
    refused("float", "no pictures", "--calib-dir", tmp_path / "empty")
    refused("float", "it does not exist", "--calib-dir", tmp_path / "absent")
    refused("float", "one photograph", "--calib-dir", tmp_path / "one")
    (tmp_path / "one" / "b.png").write_bytes(b"no picture")
    refused("float", "b.png", "--calib-dir", tmp_path / "one")
    for index in range(3):
        cv2.imwrite(str(tmp_path / "one" / "b.png"), np.zeros((40, 40, 3), np.uint8))
        cv2.imwrite(str(tmp_path / "one" / f"grey{index}.png"), np.full((40, 40, 3), 80 + 40 * index, np.uint8))
    refused("float", "of the 5 pictures to calibrate with, 0 shows anything", "--calib-dir", tmp_path / "one")
    for name in "cd":
        shutil.copy(next(photographs.rglob("*.*g")), tmp_path / "one" / f"{name}.png")
    refused("float", "of the 7 pictures to calibrate with, 1 shows anything", "--calib-dir", tmp_path / "one")
    refused("float", "num_images", *calib, "--num-images", 1)
    refused("float", "two sets", *calib, "--calib-digits")
    refused("float", "calib_dir")
    refused("float", "float weights", *calib, "--weight-bits", 4)
    refused("asq", "weights of 4 bits", *calib, "--weight-bits", 8)
    refused("unsaid", "how many bits", *calib)
    refused("dorefa", "DoReFa", *calib)
    refused("bottleneck", "features.1.0", *calib, model="etinynet0.75_bottleneck")
    refused("float", "etinynet7", *calib, model="etinynet7")
    refused("absent", "absent.params", *calib)
    refused("float", "--input-size", *calib, "--input-size", 2)


# ---- The released network ----

@pytest.mark.slow
def test_the_released_network(weights_dir, data_dir):
    """int8 by 64 photographs against float on 72 others: SNR of the logits, the class, top-1. Then the fake-quantised
    network (a sample of benchmarks/fake_quantised.py). Left alone, that one and the integers diverge: a step grows
    from block to block.
    """
    checkpoint = weights_dir / "0.6553-imagenet-mobilenet_lite313_477k_nownorm_4433_224-293-best.params"
    net = load_checkpoint("etinynet1.0", checkpoint).net
    with open(data_dir / "imagenet-val430" / "labels.csv", newline="") as table:
        rows = list(csv.DictReader(table))[::6]
    labels = np.array([int(row["class_index"]) for row in rows])
    images = read_inputs([data_dir / "imagenet-val430" / row["file"] for row in rows], 224)
    expected = net(batch(images)).asnumpy()
    graph = lowered(net, calibration_pictures(data_dir / "imagenet-train1k", 64, 224))
    logits = run(graph, images) * graph.output.quant.scale
    assert 10 * np.log10(np.sum(expected ** 2) / np.sum((logits - expected) ** 2)) > 18
    assert np.mean(logits.argmax(axis=1) == expected.argmax(axis=1)) >= 0.91
    assert np.mean(logits.argmax(axis=1) == labels) >= np.mean(expected.argmax(axis=1) == labels) - 0.03
    assert np.mean(net(batch(images)).asnumpy().argmax(axis=1) == logits.argmax(axis=1)) >= 0.9
    fed = compare_layers(net, graph, [images[:4]], fed=True)
    assert min(equal for equal, _ in fed.values()) >= 97.5 and max(most for _, most in fed.values()) <= 1
    with_integer_constants(net, graph)
    fed = compare_layers(net, graph, [images[:4]], fed=True)
    assert np.median([equal for equal, _ in fed.values()]) >= 99.99
    assert min(equal for equal, _ in fed.values()) >= 98 and max(most for _, most in fed.values()) <= 1
