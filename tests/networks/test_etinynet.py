"""The networks: shapes, export, taps, initialisation, and the released network's logits."""

import itertools
from functools import partial

import numpy as np
import plain_forward
import pytest

from gluon_etinynet import DLB, LB, FeatureTaps, get_model, model_names
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.images import preprocess, read_image
from gluon_etinynet.networks.etinynet import ClippedBatchNorm

CLASSIFIER = "0.6553-imagenet-mobilenet_lite313_477k_nownorm_4433_224-293-best.params"


@pytest.fixture(autouse=True)
def seed():
    mx.random.seed(0)
    np.random.seed(0)


def random_pictures(*shape):
    return mx.nd.random.uniform(-128, 127, shape).round()


@pytest.mark.parametrize("name", model_names())
def test_every_model_hybridizes_exports_and_comes_back_equal(name, tmp_path):
    net = get_model(name, classes=7)
    net.initialize()
    x = random_pictures(2, 3, 33, 47)
    imperative = net(x).asnumpy()
    net.hybridize(static_alloc=True, static_shape=True)
    hybridized = net(x).asnumpy()
    assert imperative.shape == (2, 7)
    np.testing.assert_allclose(hybridized, imperative, rtol=1e-4, atol=1e-4 * np.abs(imperative).max())
    net.export(str(tmp_path / "net"))
    again = mx.gluon.SymbolBlock.imports(str(tmp_path / "net-symbol.json"), ["data"], str(tmp_path / "net-0000.params"))
    np.testing.assert_array_equal(again(x).asnumpy(), hybridized)


@pytest.mark.parametrize("size", [(3, 3), (4, 9), (31, 32), (224, 224), (225, 97)])
def test_any_input_size(size):
    net = get_model("etinynet0.75", classes=3)
    net.initialize()
    assert net(random_pictures(1, 3, *size)).shape == (1, 3)


def test_table_1_channels_and_sizes():
    net = get_model("etinynet1.0")
    net.initialize()
    blocks = [block for stage in list(net.features)[1:] for block in stage]
    assert [type(block) for block in blocks] == [LB] * 8 + [DLB] * 6
    widths = [(b.dw1.weight.shape[0], b.pw.weight.shape[0], b.dw2.weight.shape[0]) for b in blocks]
    # Table 1, EtinyNet-1.0, row by row.
    assert widths == ([(32, 32, 32)] * 4 + [(32, 128, 128)] + [(128, 128, 128)] * 3 + [(128, 192, 192)]
                      + [(192, 192, 192)] * 2 + [(192, 256, 256), (256, 256, 256), (256, 512, 512)])
    sizes = [m.shape[2] for m in FeatureTaps(net)(random_pictures(1, 3, 224, 224))]
    assert sizes == [56, 28, 14, 7]
    assert net.features[0].conv(random_pictures(1, 3, 224, 224)).shape == (1, 32, 112, 112)


def test_shortcuts_of_the_dense_block():
    """y = m + bn(relu(dw2(m))), m = bn(relu(pw(bn(dw1(x))))) + x, seen by silencing the convolutions."""
    x = random_pictures(1, 6, 5, 5)
    for same, expected in ((True, x.asnumpy()), (False, 0 * x.asnumpy())):
        block = DLB(6, 6, stride=1) if same else DLB(6, 8, stride=1)
        block.initialize()
        block.pw.weight.set_data(0 * block.pw.weight.data())
        block.dw2.weight.set_data(0 * block.dw2.weight.data())
        out = block(x).asnumpy()
        np.testing.assert_array_equal(out[:, :6], expected)
        assert not out[:, 6:].any()


def test_no_relu_between_depthwise_and_pointwise():
    """The first half is linear in its input up to the ReLU: doubling the input doubles it, sign included."""
    block = LB(4, 4)
    block.initialize()
    x = random_pictures(1, 4, 6, 6)
    before_relu = block.pw(block.bn1(block.dw1(x))).asnumpy()
    np.testing.assert_allclose(block.pw(block.bn1(block.dw1(-2 * x))).asnumpy(), -2 * before_relu, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(block.first_half(mx.nd, x).asnumpy(), np.maximum(before_relu, 0) / np.sqrt(1 + 1e-5),
                               rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("strides", [s for n in (1, 2, 3, 4) for s in itertools.combinations((4, 8, 16, 32), n)])
def test_taps_give_the_maps_of_their_strides(strides):
    net = get_model("etinynet0.75")
    net.initialize()
    taps = FeatureTaps(net, strides)
    maps = taps(random_pictures(1, 3, 64, 64))
    channels = {4: 24, 8: 96, 16: 168, 32: 384}
    assert [m.shape for m in maps] == [(1, channels[s], 64 // s, 64 // s) for s in strides]
    ours = set(net.collect_params())
    assert set(taps.collect_params()) <= ours


@pytest.mark.parametrize("strides", [(), (2,), (16, 8), (8, 8)])
def test_taps_refuse_other_strides(strides):
    with pytest.raises(ValueError):
        FeatureTaps(get_model("etinynet0.75"), strides)


def test_he_initialisation():
    net = get_model("etinynet1.0")
    net.initialize()
    for weight, fan_in in ((net.features[4][2].pw.weight, 256), (net.output.weight, 512),
                           (net.features[4][2].dw2.weight, 9)):
        assert weight.data().asnumpy().std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.05)


def test_clip_limits_every_normalisation():
    net = get_model("etinynet0.75", norm=partial(ClippedBatchNorm, 12))
    net.initialize()
    x = random_pictures(1, 3, 64, 64)
    free = get_model("etinynet0.75")
    free.initialize()
    for source, target in zip(net.collect_params().values(), free.collect_params().values()):
        target.set_data(source.data())
    assert np.abs(free.features[0](x).asnumpy()).max() > 12
    assert np.abs(net.features[0](x).asnumpy()).max() <= 12
    assert np.abs(net.features(x).asnumpy()).max() <= 24  # the dense block adds two limited maps


def test_logits_of_the_released_network(weights_dir, data_dir):
    arrays = {name: array.asnumpy() for name, array in mx.nd.load(str(weights_dir / CLASSIFIER)).items()}
    net = get_model("etinynet1.0", pretrained=weights_dir / CLASSIFIER)
    net.hybridize()
    photographs = sorted((data_dir / "imagenet-val430" / "images").glob("*.jpg"))[:3]
    for path in photographs:
        picture = preprocess(read_image(path)).astype(np.float32)
        ours = net(mx.nd.array(picture[None])).asnumpy()[0]
        np.testing.assert_allclose(ours, plain_forward.logits(arrays, picture), atol=1e-3)


def test_the_plain_network_would_notice_another_order(weights_dir, data_dir):
    """BN before ReLU, the usual order, gives other logits: the comparison above can fail."""
    net = get_model("etinynet1.0", pretrained=weights_dir / CLASSIFIER)
    path = min((data_dir / "imagenet-val430/images").glob("*.jpg"))
    picture = mx.nd.array(preprocess(read_image(path))[None])
    right = net(picture).asnumpy()
    stem = net.features[0]
    stem.hybrid_forward = lambda F, x: stem.pool(F.relu(stem.bn(stem.conv(x))))
    assert np.abs(net(picture).asnumpy() - right).max() > 1
