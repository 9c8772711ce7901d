"""EtinyNet-SSD as a network: what it costs, its anchors, decoding and NMS, and the released backbone."""

from functools import partial

import detections as plain
import numpy as np
import pytest
from gluoncv.model_zoo.ssd import SSD
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small_networks import predictions
from small_networks import small_detector as small
from small_networks import small_detector_pictures as pictures

from gluon_etinynet import InputError, get_model, load_features, load_parameters
from gluon_etinynet._mxnet import mx
from gluon_etinynet.detection.ssd import RATIOS, STEPS, VOC_CLASSES, Detections, EtinyNetSSD
from gluon_etinynet.networks.complexity import measure
from gluon_etinynet.networks.etinynet import ClippedBatchNorm

RELEASED = "0.6662_imagenet_etinynet_477k-294-best.params"
CLASSIFIER = "0.6553-imagenet-mobilenet_lite313_477k_nownorm_4433_224-293-best.params"


def test_costs_what_table_5_says():
    counts = measure(get_model("ssd_256_etinynet1.0_voc"), 256)
    # 463,360 of the backbone; six anchors of 21 classes and 4 box codes on 192 channels, eight on 512, with a bias.
    assert counts.params == 463360 + (21 + 4) * (6 * 193 + 8 * 513) == pytest.approx(0.59e6, rel=0.01)
    heads = (21 + 4) * (6 * 192 * 16 * 16 + 8 * 512 * 8 * 8)
    assert counts.madds == 152018944 + heads == pytest.approx(164e6, rel=0.012)
    assert counts.feature_map_bytes == 256 * 256 * 3 + 64 * 64 * 32 <= 395 * 1024
    # A detector's heads change nothing of the backbone's count.
    backbone = measure(get_model("etinynet1.0", classes=1), 256)
    assert sum(layer.params for layer in counts.layers if layer.name.startswith("features")) == sum(
        layer.params for layer in backbone.layers if layer.name.startswith("features"))


def test_anchors():
    net = get_model("ssd_256_etinynet0.75_voc")
    net.initialize()
    found = predictions(net, pictures(1, 256))[2].asnumpy()[0]
    expected = []
    for cells, step, side, following, ratios in ((16, 16, 24, 48, [1 / 3]), (16, 16, 48, 90, [1 / 3]),
                                                 (8, 32, 90, 150, (2, 1 / 2)), (8, 32, 150, 270, (2, 1 / 2))):
        sizes = [(side, side), (np.sqrt(side * following),) * 2]
        sizes += [(side * np.sqrt(ratio), side / np.sqrt(ratio)) for ratio in ratios]
        expected += [((x + 0.5) * step, (y + 0.5) * step, *size)
                     for y in range(cells) for x in range(cells) for size in sizes]
    assert found.shape == (2048, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_names_and_classes():
    net = get_model("ssd_256_etinynet1.0_voc")
    assert net.classes == list(VOC_CLASSES) and len(VOC_CLASSES) == 20
    own = get_model("ssd_256_etinynet0.75_voc", classes=["bolt", "nut"])
    assert own.class_predictors[2].weight.shape == (12, 384, 1, 1)
    with pytest.raises(InputError, match="ssd_256_etinynet0.75_voc"):
        get_model("ssd_300_etinynet1.0_voc")


def test_hybridised_and_exported_compute_the_same(tmp_path):
    net, x = small(), pictures()  # logits of a size of 5
    raw, found = predictions(net, x), net(x)
    assert [a.shape for a in raw] == [(2, 128, 4), (2, 128, 4), (1, 128, 4)]
    net.hybridize()
    for _ in range(2):  # one graph serves both modes
        for expected, array in zip([*found, *raw], [*net(x), *predictions(net, x)]):
            np.testing.assert_allclose(array.asnumpy(), expected.asnumpy(), rtol=1e-4, atol=1e-3)
    net.export(str(tmp_path / "ssd"))
    exported = mx.gluon.SymbolBlock.imports(str(tmp_path / "ssd-symbol.json"), ["data"],
                                            str(tmp_path / "ssd-0000.params"))
    np.testing.assert_allclose(predictions(exported, x)[0].asnumpy(), raw[0].asnumpy(), rtol=1e-4, atol=1e-3)


class Levels(mx.gluon.HybridBlock):
    """The levels of a detector, for GluonCV's SSD."""

    def __init__(self, net, **kwargs):
        super().__init__(**kwargs)
        self.parts, self.taps = net.features, net.taps

    def hybrid_forward(self, F, x):
        levels = []
        for part in self.parts:
            x = part(x)
            levels.append(x)
        return [levels[tap] for tap in self.taps]


def test_detects_what_gluoncvs_ssd_detects():
    net, x = small(), pictures()
    theirs = SSD(None, 64, lambda **kwargs: Levels(net), None, sizes=(10, 15, 20, 40, 60),
                 ratios=RATIOS, steps=STEPS, classes=net.classes, anchor_alloc_size=4,
                 predictors_kernel=(1, 1), predictors_pad=(0, 0))
    for ours, their in ((net.class_predictors, theirs.class_predictors), (net.box_predictors, theirs.box_predictors)):
        their.initialize()
        for mine, head in zip(ours, their):
            head(mx.nd.zeros((1, mine.weight.shape[1], 1, 1)))
            head.predictor.weight.set_data(mine.weight.data())
            head.predictor.bias.set_data(mine.bias.data())
    theirs.anchor_generators.initialize()
    for ours, their in zip(net(x), theirs(x)):
        np.testing.assert_array_equal(ours.asnumpy(), their.asnumpy())
    assert (net(x)[0].asnumpy() >= 0).sum() > 20


@settings(max_examples=25)
@given(st.integers(0, 2 ** 31 - 1), st.integers(20, 60), st.integers(1, 4), st.sampled_from([0.5, 1, 3]))
def test_decoding_and_nms_equal_plain_numpy(seed, anchors, classes, spread):
    random = np.random.RandomState(seed)
    logits = random.normal(0, spread, (anchors, classes + 1)).astype(np.float32)
    codes = random.normal(0, 1, (anchors, 4)).astype(np.float32)
    boxes = np.concatenate([random.uniform(0, 64, (anchors, 2)), random.uniform(8, 40, (anchors, 2))], 1)
    boxes = boxes.astype(np.float32)
    found = Detections(classes, nms_topk=50, post_nms=20)(*(mx.nd.array(a[None]) for a in (logits, codes, boxes)))
    ids, scores, found_boxes = (array.asnumpy()[0] for array in found)
    expected = plain.detect(*(a.astype(np.float64) for a in (logits, codes, boxes)), topk=50, most=20)
    assume(np.diff([score for _, score, _ in expected]).max(initial=-1) < -1e-6)  # float32 cannot order closer ones
    kept = ids[:, 0] >= 0
    assert ids[kept, 0].tolist() == [c for c, _, _ in expected]
    np.testing.assert_allclose(scores[kept, 0], [score for _, score, _ in expected], rtol=1e-4)
    np.testing.assert_allclose(found_boxes[kept], [box for _, _, box in expected], rtol=1e-4, atol=1e-3)


def test_a_new_detector_says_that_three_of_four_anchors_are_background():
    net = get_model("ssd_256_etinynet0.75_voc")
    net.initialize()
    logits = predictions(net, pictures(1, 256))[0].softmax(axis=-1).asnumpy()[0]
    np.testing.assert_allclose(logits[:, 0], 0.75, atol=0.05)
    np.testing.assert_allclose(logits[:, 1:], 0.25 / 20, atol=0.01)


def test_the_released_detector_backbone_loads_whole(weights_dir):
    # Its anchors say what they were made from: 16, 128, 256 pixels and ratios 1, 0.4, 0.2.
    net = EtinyNetSSD(classes=["object"], taps=(3, 4), sizes=(16, 128, 256), ratios=((1, 0.4, 0.2),) * 2,
                      steps=(16, 32), anchor_alloc_size=128, norm=partial(ClippedBatchNorm, 12))
    net.initialize()
    ours = [generator.anchors.data().asnumpy() for generator in net.anchor_generators]
    load_parameters(net, weights_dir / RELEASED)
    for mine, generator in zip(ours, net.anchor_generators):
        np.testing.assert_allclose(mine, generator.anchors.data().asnumpy(), rtol=1e-5)
    assert all((head.bias.data().asnumpy() == 0).all() for head in net.class_predictors)
    assert abs(net.features[:4](pictures(1, 256)).asnumpy()).max() <= 3 * 12  # the sums of a DLB are not clipped


@pytest.mark.parametrize("name", [RELEASED, CLASSIFIER])
def test_any_classifier_initialises_the_backbone(weights_dir, name):
    net = get_model("ssd_256_etinynet1.0_voc")
    load_features(net, weights_dir / name)
    classifier = get_model("etinynet1.0")
    load_features(classifier, weights_dir / name)
    x = pictures(1, 64)
    np.testing.assert_array_equal(net.features(x).asnumpy(), classifier.features(x).asnumpy())
