"""EtinyNet-SSD as integers: predictors, anchors, detections; what has no integer form is named."""

import json
from functools import partial

import cv2
import numpy as np
import pytest
from running import run as run_tool
from small_networks import lowered as lowered_by

from gluon_etinynet._mxnet import mx
from gluon_etinynet.detection.ssd import TAPS, EtinyNetSSD
from gluon_etinynet.detection.training import round_to_8_bits
from gluon_etinynet.export import c
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import Graph, plan, run, stages, trace
from gluon_etinynet.lowering.checks import check_network
from gluon_etinynet.lowering.from_checkpoint import calibration_pictures, graph_of_checkpoint
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.model_zoo import get_model
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.networks.etinynet import ClippedBatchNorm, EtinyNet
from gluon_etinynet.quantize.qat import feature_map_quantisers

SIZE, CLASSES = 96, ("disc", "bar", "ring")
ANCHORS = {"taps": (3, 4, 4), "sizes": (12, 30, 45, 60), "ratios": ((1, 2), (1, 2, 0.5), (1, 3)),
           "steps": (16, 32, 32)}


def pictures(count=16, seed=0):
    """Blurred noise: neighbours resemble each other, as in photographs."""
    noise = np.random.RandomState(seed).normal(0, 1, (count, 3, SIZE, SIZE))
    for axis in (2, 3):
        noise = sum(np.roll(noise, shift, axis) for shift in range(5))
    return np.clip(noise * 15, -128, 127).astype(np.int8)


def batch(images):
    return mx.nd.array(images, dtype="float32")


def small_net(**kwargs):
    mx.random.seed(5)
    options = {"classes": CLASSES, "size": SIZE, **ANCHORS, **kwargs}
    net = EtinyNetSSD(lambda norm: EtinyNet(8, [(8,), (12,), (16, 16), (16, 24)], norm=norm), **options)
    net.initialize()
    rng = np.random.RandomState(3)
    for predictor in list(net.class_predictors) + list(net.box_predictors):
        predictor.weight.set_data(mx.nd.array(rng.normal(0, 0.25, predictor.weight.shape)))
        predictor.bias.set_data(mx.nd.array(rng.normal(0, 0.25, predictor.bias.shape)))
    reestimate_batch_norm(net, [batch(pictures(32, 9))])
    return net


def predictions(net, images):
    """Logits, box codes and anchors by the rules of inference (training mode would take BN of the batch)."""
    return [array.asnumpy() for array in mx.gluon.HybridBlock.forward(net, batch(images))]


def as_real(graph, maps):
    """Class logits and box codes of the interpreter, in the network's own units and order."""
    levels = graph.detection.levels
    logits, codes = (np.concatenate([maps[name].transpose(0, 2, 3, 1).reshape(len(maps[name]), -1, width)
                                     for name in names], axis=1) / 4096
                     for names, width in (([level.classes for level in levels], len(CLASSES) + 1),
                                          ([level.boxes for level in levels], 4)))
    return logits * np.log(2), codes / [0.1, 0.1, 0.2 / np.log(2), 0.2 / np.log(2)]


@pytest.fixture(scope="module")
def lowered():
    net = small_net()
    before = predictions(net, pictures())
    graph = lowered_by(net, pictures(32, 9), "small")
    return net, graph, before


def snr(exact, found):
    return 10 * np.log10(np.square(exact).mean() / np.square(exact - found).mean())


def test_predictions_are_the_float_networks(lowered):
    _, graph, (logits, codes, _) = lowered
    found = as_real(graph, trace(graph, pictures()))
    assert snr(logits, found[0]) > 14 and snr(codes, found[1]) > 14


def test_integers_are_the_network_rounded_to_8_bits():
    """Weights and feature maps rounded alike, as in training at 8 bits; what is left is ties of rounding."""
    net = small_net()
    round_to_8_bits(net, [batch(pictures(32, 9))])
    logits, codes, _ = predictions(net, pictures())
    graph = lower(net, (SIZE, SIZE))
    found = as_real(graph, trace(graph, pictures()))
    assert snr(logits, found[0]) > 25 and snr(codes, found[1]) > 25


def test_predictors_are_exact_on_the_interpreters_maps(lowered):
    """Only the rounding of outputs to 2^-12 octave is between them."""
    net, graph, _ = lowered
    maps = trace(graph, pictures())
    units = {"class_predictors": np.log(2) * np.ones(len(CLASSES) + 1),
             "box_predictors": np.array([10, 10, 5 * np.log(2), 5 * np.log(2)])}
    nodes = {node.output: node for node in graph.nodes}
    for number, level in enumerate(graph.detection.levels):
        for name in (level.classes, level.boxes):
            kind, node = name.split(".")[0], nodes[name]
            source = graph.tensors[node.inputs[0]].quant
            x = (maps[node.inputs[0]].astype(float) - source.zero_point) * source.scale
            scales = np.array(node.attrs["weight_quant"].scale)
            weight = node.attrs["weight"][:, :, 0, 0] * scales[:, None]
            original = getattr(net, kind)[number].weight.data().asnumpy()[:, :, 0, 0]
            assert np.abs(weight - original).max() <= 1e-4 * scales.max()  # the network's are rounded already
            # The bias may have moved to make up for the rounding of the maps: the Graph has what the network has.
            bias = getattr(net, kind)[number].bias.data().asnumpy()[None, :, None, None]
            exact = np.einsum("oi,nihw->nohw", weight, x) + bias
            unit = np.tile(units[kind], len(weight) // len(units[kind]))[None, :, None, None]
            # A step of the output, half a one of its bias, and what 16 bits of multiplier leave of the largest value.
            allowed = 1.5 * unit / 4096 + np.abs(exact).max() / 2 ** 13
            assert (np.abs(maps[name] / 4096 * unit - exact) < allowed).all()


def test_anchors_are_gluoncvs(lowered):
    net, graph, (_, _, anchors) = lowered
    ours = []
    for level in graph.detection.levels:
        rows, columns = graph.tensors[level.classes].shape[1:]
        for row in range(rows):
            for column in range(columns):
                centre = [(2 * place + 1) * level.half_step / 2 ** 15 for place in (column, row)]
                ours += [[*centre, width / 2 ** 15, height / 2 ** 15] for width, height in level.anchors]
    np.testing.assert_allclose(ours, anchors[0], atol=2e-4)


def test_detections_are_those_of_gluoncv_on_the_same_predictions(lowered):
    net, graph, (_, _, anchors) = lowered
    found, maps = run(graph, pictures()), trace(graph, pictures())
    ids, scores, boxes = (array.asnumpy() for array in net.detections(
        *map(batch, as_real(graph, maps)), mx.nd.array(anchors)))
    near = total = 0
    for n, mine in enumerate(found):
        theirs = ids[n, :, 0] >= 0
        total += theirs.sum()
        assert abs(theirs.sum() - len(mine)) <= 2
        for one in mine:
            same = ((ids[n, :, 0] == one["class"]) & (np.abs(scores[n, :, 0] - one["score"] / 65536) < 6e-4)
                    & (np.abs(boxes[n] - one["box"] / 16).max(axis=1) < 0.1))
            near += same.any()
    assert total > 400 and near > 0.99 * total  # not all: some overlaps and scores lie at a threshold


def test_a_detector_survives_its_file(lowered, tmp_path):
    _, graph, _ = lowered
    graph.save(tmp_path / "ssd.npz")
    again = Graph.load(tmp_path / "ssd.npz")
    assert again.detection == graph.detection and again.sha256() == graph.sha256()
    content = bytearray((tmp_path / "ssd.npz").read_bytes())
    at = content.index(b'"iou_threshold": 29491') + 17
    content[at:at + 5] = b"29492"
    (tmp_path / "ssd.npz").write_bytes(content)
    with pytest.raises(InputError, match="ssd.npz is damaged"):
        Graph.load(tmp_path / "ssd.npz")


def test_levels_are_decoded_before_their_map_is_overwritten(lowered):
    _, graph, _ = lowered
    kinds = [stage.kind for stage in stages(graph)]
    assert kinds == ["stem", *["block"] * 4, "level", *["block"] * 2, "level", "level"]
    assert plan(graph, "blocks").arena_bytes > 0
    assert [level.classes for level in graph.detection.levels] == [f"class_predictors.{i}" for i in range(3)]
    assert (graph.detection.score_threshold, graph.detection.iou_threshold) == (655, 29491)


def test_two_levels():
    net = small_net(taps=(3, 4), sizes=(12, 30, 60), ratios=((1, 2), (1, 2, 0.5)), steps=(16, 32))
    graph = lowered_by(net, pictures(8), "two")
    assert len(graph.detection.levels) == 2 and len(run(graph, pictures(1))[0]) > 0


def off_the_grid(net):
    generator = net.anchor_generators[1]
    table = generator.anchors.data().asnumpy()
    table[0, 0, 1, 0, 2] += 1
    generator.anchors._init_impl(mx.nd.array(table), [mx.cpu()])


def damage(net):
    net.class_predictors[0].weight.data()[0] = np.nan


def enlarge(net):
    net.class_predictors[0].weight.set_data(net.class_predictors[0].weight.data() * 1e9)


@pytest.mark.parametrize("change, message", [
    (off_the_grid, "anchor_generators.1: its anchors are not the same in every cell"),
    (lambda net: setattr(net.detections, "nms_topk", -1), "no integer form: both numbers must be limits"),
    (lambda net: setattr(net.detections, "nms_thresh", -1), "no integer form"),
    (lambda net: setattr(net, "size", 256), "made for pictures of 256 x 256 pixels, not 96 x 96"),
    (damage, "class_predictors.0.weight holds values that are not finite"),
    (enlarge, "class_predictors.0: its outputs are beyond the integers' range"),
])
def test_what_has_no_integer_form_is_named(change, message):
    net = small_net()
    change(net)
    with pytest.raises(InputError, match=message):
        lowered_by(net, pictures(4), "wrong")


@pytest.mark.parametrize("make, message", [
    (lambda: small_net(norm=partial(ClippedBatchNorm, 12)), "features.0.bn is of class ClippedBatchNorm"),
    (lambda: mx.gluon.nn.Dense(3), "the network is of class Dense"),
])
def test_layers_without_integer_form_are_named(make, message):
    with pytest.raises(InputError, match=message):
        check_network(make())


def test_feature_maps_that_are_rounded(lowered):
    """The predictors read 8-bit maps and make 32 bits."""
    net, graph, _ = lowered
    assert not [name for name in feature_map_quantisers(net) if "predictors" in name]
    bits = {name: tensor.quant.bits for name, tensor in graph.tensors.items()}
    assert {name for name, b in bits.items() if b == 32} == set(graph.outputs) and set(bits.values()) == {8, 32}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A detector of two classes with random weights, and a folder of two pictures."""
    folder = tmp_path_factory.mktemp("checkpoint")
    net = get_model("ssd_256_etinynet0.75_voc", classes=["disc", "bar"])
    net.initialize()
    noise = np.random.RandomState(4).randint(-128, 128, (2, 3, 256, 256))
    reestimate_batch_norm(net, [batch(noise)])
    net.save_parameters(str(folder / "ssd.params"))
    for n in range(2):
        cv2.imwrite(str(folder / f"{n}.png"), np.random.RandomState(n).randint(0, 256, (200, 300, 3), np.uint8))
    return folder


def test_a_checkpoint_becomes_c(checkpoint):
    """The classes are counted in the file; pictures are taken whole at the detector's own size."""
    graph = graph_of_checkpoint("ssd_256_etinynet0.75_voc", checkpoint / "ssd.params", checkpoint)
    assert graph.classes == 2 and graph.image.shape == (3, 256, 256)
    pixels = cv2.imread(str(checkpoint / "0.png"))[:, :, ::-1]
    expected = cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_AREA).astype(int) - 128
    assert (calibration_pictures(checkpoint, 2, 256, whole=True)[0].transpose(1, 2, 0) == expected).all()
    files = c.emit(graph, "ssd")
    assert "#define SSD_CLASSES 2\n" in files["include/ssd.h"]
    assert "#define SSD_DETECTIONS 100 " in files["include/ssd.h"]
    assert "ssd_detect(" in files["include/ssd.h"] and "ssd_run(" not in files["include/ssd.h"]


@pytest.mark.slow
def test_a_detector_of_4_bits(checkpoint, tmp_path):
    """Every convolution, the predictors included, learns its 4 bits from whole pictures, and keeps them as integers."""
    done = run_tool("tools/quantize.py", "--model", "ssd_256_etinynet0.75_voc", "--params", checkpoint / "ssd.params",
               "--photographs", checkpoint, "--steps", 1, "--batch-size", 2, "--save-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    losses = json.loads((tmp_path / "result.json").read_text())["losses"]["reconstruction"]
    assert {name for name in losses if "predictors" in name} == {
        f"{heads}_predictors.{level}" for level in range(len(TAPS)) for heads in ("class", "box")}
    graph = graph_of_checkpoint("ssd_256_etinynet0.75_voc", tmp_path / "net.params", checkpoint)
    bits = [node.attrs["weight_quant"].bits for node in graph.nodes if node.op == "conv2d"]
    assert bits == [4] * (1 + 14 * 3 + 2 * len(TAPS))


@pytest.mark.parametrize("arguments, message", [
    ({"model": "ssd_256_etinynet1.0_voc"}, r"conv.weight has shape \(24, .* has \(32, .*check the model's name"),
    ({"input_size": 224}, "made for pictures of 256 x 256 pixels, not 224 x 224"),
    ({"params": None}, "no weights for ssd_256_etinynet0.75_voc"),
    ({"calib_dir": None}, "does not hold the ranges of 8-bit feature maps"),
    ({"weight_bits": 4}, "--weight-bits 4"),
])
def test_what_does_not_serve_is_named(arguments, message, checkpoint):
    given = {"model": "ssd_256_etinynet0.75_voc", "params": checkpoint / "ssd.params", "calib_dir": checkpoint}
    with pytest.raises(InputError, match=message):
        graph_of_checkpoint(**{**given, **arguments})


def test_a_classifiers_checkpoint_is_no_detectors(tmp_path, checkpoint):
    net = get_model("etinynet0.75", classes=3)
    net.initialize()
    net.save_parameters(str(tmp_path / "classifier.params"))
    with pytest.raises(InputError, match="classifier.params is no detector's checkpoint"):
        graph_of_checkpoint("ssd_256_etinynet0.75_voc", tmp_path / "classifier.params", checkpoint)
