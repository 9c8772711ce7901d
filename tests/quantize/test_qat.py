"""Fake-quantised networks: structure, function, statistics, saving, export, training."""

import numpy as np
import pytest
from five_blocks import copy_of, difference, images, small_net

from gluon_etinynet._mxnet import mx
from gluon_etinynet.files import InputError
from gluon_etinynet.model_zoo import get_model
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.networks.etinynet import DLB, LB, EtinyNet
from gluon_etinynet.networks.parameters import load_parameters
from gluon_etinynet.networks.params_file import read_params
from gluon_etinynet.quantize.qat import FakeQuantise, prepare_qat, quantised_convolutions
from gluon_etinynet.quantize.ranges import calibrate

nn = mx.gluon.nn


@pytest.mark.parametrize("name", ["etinynet1.0", "etinynet0.75", "etinynet1.0_nonlinear", "etinynet0.75_bottleneck"])
def test_every_convolution_is_quantised(name):
    net = get_model(name, classes=7)
    before = set(net._collect_params_with_prefix())
    layers = {name for name, parameter in net._collect_params_with_prefix().items() if len(parameter.shape) == 4}
    prepare_qat(net, "asq")
    assert {f"{name}.weight" for name in quantised_convolutions(net)} == layers
    added = set(net._collect_params_with_prefix()) - before
    assert before < set(net._collect_params_with_prefix())
    each = {f"{name}.weight_quantiser.{new}" for name in quantised_convolutions(net) for new in ("lam", "bits")}
    assert added == each | {"output.scale"}
    net.initialize()
    assert net(mx.nd.zeros((2, 3, 64, 64))).shape == (2, 7)
    assert all(layer.weight_quantiser.lam.data().asscalar() == 2 for layer in quantised_convolutions(net).values())


@pytest.mark.parametrize("scheme", ["asq", "dorefa"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_network_computes_with_few_levels(scheme, bits):
    net = prepare_qat(small_net(), scheme, bits)
    for layer in quantised_convolutions(net).values():
        assert len(np.unique(layer.quantised_weight())) <= 2 ** bits
    layer = net.features[1][0].pw
    x = mx.nd.random.normal(shape=(2, 8, 6, 6))
    expected = np.einsum("oi,nihw->nohw", layer.quantised_weight()[:, :, 0, 0], x.asnumpy())
    np.testing.assert_allclose(layer(x).asnumpy(), expected, atol=1e-4)


@pytest.mark.parametrize("scheme, per_channel, factor, bound",
                         [("asq", False, 1, 0.15), ("asq", True, 1, 0.15), ("dorefa", False, 0.1, 0.15)])
def test_function_is_preserved_at_8_bits(scheme, per_channel, factor, bound):
    """ASQ with a large lambda is nearly linear whatever the weights; DoReFa only where they are small."""
    net = small_net(factor)
    quantised = prepare_qat(copy_of(net), scheme, 8, lam=16, per_channel=per_channel)
    assert difference(quantised, net, images()) < bound
    # The same weights without what absorbs the scale: nothing is left of the function.
    for name, parameter in quantised.collect_params().items():
        if name.endswith("running_var"):
            parameter.set_data(mx.nd.ones(parameter.shape))
    assert difference(quantised, net, images()) > 2 * bound


def test_a_layer_without_bn_keeps_the_sizes_of_its_channels():
    """Classes whose weights are alike but for a factor do not become the same class."""
    net = small_net()
    weight = net.output.weight.data()
    weight[1] = weight[0] / 4
    net.output.weight.set_data(weight)
    quantised = prepare_qat(net, "asq", 8, lam=16, per_channel=True).output.quantised_weight()
    assert np.abs(quantised[0]).max() > 3 * np.abs(quantised[1]).max() > 0


@pytest.mark.parametrize("balance_channels", [True, False])
def test_channels_start_with_one_size_on_request(balance_channels):
    net = small_net()
    weight = net.features[1][0].pw.weight
    weight.set_data(weight.data() * mx.nd.array(np.geomspace(0.1, 10, len(weight.data()))).reshape((-1, 1, 1, 1)))
    before = weight.data().asnumpy()
    quantised = prepare_qat(copy_of(net), "asq", 8, lam=16, balance_channels=balance_channels)
    after = quantised.features[1][0].pw.weight.data().asnumpy()
    sizes = np.abs(after).max(axis=(1, 2, 3), keepdims=True)
    if balance_channels:
        np.testing.assert_allclose(sizes, sizes[0, 0, 0, 0], rtol=1e-5)
        np.testing.assert_allclose(after / sizes, before / np.abs(before).max(axis=(1, 2, 3), keepdims=True), rtol=1e-4)
    else:
        np.testing.assert_array_equal(after, before)


def test_lambda_starts_where_rounding_costs_least():
    def cost(layer):
        """What rounding changes of the weights, at the best scale, as a part of their power."""
        weight, levels = layer.weight.data().asnumpy().ravel(), layer.quantised_weight().ravel()
        return 1 - np.dot(weight, levels) ** 2 / np.dot(weight, weight) / np.dot(levels, levels)

    chosen = quantised_convolutions(prepare_qat(small_net(), "asq", 3, lam=None))
    costs = {lam: quantised_convolutions(prepare_qat(small_net(), "asq", 3, lam=lam)) for lam in (0.7, 2, 4, 11)}
    for name, layer in chosen.items():
        assert cost(layer) < 1.2 * min(cost(others[name]) for others in costs.values()), name
    assert len({float(layer.weight_quantiser.lam.data().asscalar()) for layer in chosen.values()}) > 1


def test_batch_norm_absorbs_the_scale_exactly():
    """With weights that are levels already, clamping aside, only the factor is left: no difference at all."""
    net = small_net()
    for layer, _ in ((net.features[1][0].pw, 0), (net.features[1][0].dw1, 0)):
        signs = np.random.RandomState(0).choice([-0.3, 0.3], layer.weight.shape)
        layer.weight.set_data(mx.nd.array(signs))
    block = net.features[1][0]
    x = mx.nd.random.normal(shape=(4, 8, 10, 10))
    before = block.first_half(mx.nd, x).asnumpy()
    quantised = prepare_qat(net, "asq", 2).features[1][0]
    np.testing.assert_allclose(quantised.first_half(mx.nd, x).asnumpy(), before, rtol=1e-4, atol=1e-4)


def test_8_bit_feature_maps():
    net = small_net()
    quantised = prepare_qat(copy_of(net), "asq", 8, act_bits=8, lam=16)
    assert np.isnan(quantised(images(2)).asnumpy()).all()  # not calibrated yet
    calibrate(quantised, [images(32)])
    assert difference(quantised, net, images()) < 0.15
    for quantiser in (quantised.features[0].pool.quantiser, quantised.features[3][1].middle_quantiser):
        out = quantiser(mx.nd.random.normal(0, 50, (1, 4, 20, 20))).asnumpy()
        q = out / quantiser.scale.data().asscalar() + quantiser.zero_point.data().asscalar()
        np.testing.assert_allclose(q, np.rint(q), atol=1e-3)
        assert q.min() >= -128.001 and q.max() <= 127.001
        assert quantiser(mx.nd.zeros((1, 1, 1, 1))).asscalar() == 0  # padding is exact
    found = [block for block in quantised.collect_params() if block.endswith("zero_point")]
    blocks = [block for stage in list(quantised.features)[1:] for block in stage]
    assert len(found) == 2 + sum(3 for block in blocks if isinstance(block, LB))
    assert any(isinstance(block, DLB) and block.has_input_shortcut for block in blocks)


def test_fake_quantise_by_hand():
    quantiser = FakeQuantise()
    quantiser.initialize()
    quantiser.set_range(-1, 4.1)  # a step of 0.02, zero point -78
    assert quantiser.zero_point.data().asscalar() == -78
    x = mx.nd.array([-5, -1, -0.029, 0, 0.011, 2.017, 4.1, 9]).reshape((1, 1, 2, 4))
    x.attach_grad()
    with mx.autograd.record():
        y = quantiser(x)
    y.backward()
    np.testing.assert_allclose(y.asnumpy().ravel(), [-1, -1, -0.02, 0, 0.02, 2.02, 4.1, 4.1], atol=1e-6)
    np.testing.assert_array_equal(x.grad.asnumpy(), np.ones(x.shape))
    quantiser.set_range(3, 5)
    assert quantiser.zero_point.data().asscalar() == -128  # 0 is always in the range
    quantiser.set_range(0, 0)
    assert quantiser(mx.nd.zeros((1, 1, 1, 1))).asscalar() == 0


def test_reestimated_statistics_are_those_of_the_data():
    net = small_net()
    reestimate_batch_norm(net, [images(16, 1), images(16, 2), images(8, 3)])
    x = mx.nd.concat(images(16, 1), images(16, 2), images(8, 3), dim=0)
    out = mx.nd.relu(net.features[0].conv(x)).asnumpy()
    bn = net.features[0].bn
    np.testing.assert_allclose(bn.running_mean.data().asnumpy(), out.mean(axis=(0, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(bn.running_var.data().asnumpy(), out.var(axis=(0, 2, 3)), rtol=1e-4)
    with pytest.raises(ValueError, match="without a batch"):
        reestimate_batch_norm(net, [])


def test_reestimation_leaves_a_hybridised_network_hybridised():
    net = prepare_qat(small_net(), "asq")
    net.hybridize(static_alloc=True)
    net(images(2))
    reestimate_batch_norm(net, [images()])
    assert net._active and net.features[1][0]._active and dict(net._flags)["static_alloc"]
    hybrid = net(images(2)).asnumpy()
    net.hybridize(False)
    np.testing.assert_allclose(net(images(2)).asnumpy(), hybrid, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("act_bits", [None, 8])
@pytest.mark.parametrize("scheme", ["asq", "dorefa"])
def test_save_load_export_import(tmp_path, scheme, act_bits):
    net = prepare_qat(small_net(), scheme, act_bits=act_bits)
    if act_bits:
        calibrate(net, [images()])
    x = images(4)
    net.hybridize()
    expected = net(x).asnumpy()
    net.save_parameters(str(tmp_path / "net.params"))
    fresh = prepare_qat(EtinyNet(8, [(8,), (12,), (12, 12), (16,)], classes=10), scheme, act_bits=act_bits)
    fresh.load_parameters(str(tmp_path / "net.params"))
    fresh.hybridize()
    np.testing.assert_array_equal(fresh(x).asnumpy(), expected)
    net.export(str(tmp_path / "net"))
    imported = mx.gluon.SymbolBlock.imports(str(tmp_path / "net-symbol.json"), ["data"],
                                            str(tmp_path / "net-0000.params"))
    np.testing.assert_allclose(imported(x).asnumpy(), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("scheme", ["asq", "dorefa"])
def test_a_checkpoint_says_its_bits(tmp_path, scheme):
    """By Gluon's own way of loading and by ours, one of other bits is refused."""
    path = tmp_path / "net.params"
    prepare_qat(small_net(), scheme, 3).save_parameters(str(path))
    bits = {value for name, array in read_params(path).items() if name.endswith(".bits") for value in array}
    assert bits == {3}
    same, other = prepare_qat(small_net(), scheme, 3), prepare_qat(small_net(), scheme, 4)
    for load in (lambda net: net.load_parameters(str(path)), lambda net: load_parameters(net, path)):
        load(same)
        with pytest.raises(InputError, match="3.* 4"):
            load(other)


@pytest.mark.parametrize("scheme", ["asq", "dorefa"])
def test_training_reaches_every_new_parameter(scheme):
    net = prepare_qat(small_net(), scheme, 3)
    net.hybridize()
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    labels = mx.nd.array(np.arange(16) % 10)
    trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 2e-3})
    saved = {name: p for name, p in net._collect_params_with_prefix().items() if not name.endswith("bits")}
    before = {name: p.data().asnumpy() for name, p in saved.items()}
    losses = []
    for _ in range(25):
        with mx.autograd.record():
            loss = loss_of(net(images()), labels).mean()
        loss.backward()
        trainer.step(1)
        losses.append(loss.asscalar())
    assert losses[-1] < 0.5 * losses[0]
    for name, parameter in saved.items():
        assert np.any(parameter.data().asnumpy() != before[name]), name


def test_integer_weights():
    net = prepare_qat(small_net(), "asq", 4)
    levels, scales, bits = net.features[1][0].dw1.integer_weight()
    assert levels.dtype == np.int8 and np.abs(levels).max() == 7 and bits == 4
    assert scales.tolist() == pytest.approx([1 / 7] * len(levels))
    levels, scales, _ = net.output.integer_weight()
    scale, = set(scales)
    x = mx.nd.random.normal(shape=(3, 16, 1, 1))
    expected = np.einsum("oi,ni->no", levels[:, :, 0, 0] * scale, x.asnumpy()[:, :, 0, 0])
    expected += net.output.bias.data().asnumpy()
    np.testing.assert_allclose(net.output(x).asnumpy()[:, :, 0, 0], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="only ASQ"):
        prepare_qat(small_net(), "dorefa").output.integer_weight()


def test_refusals():
    with pytest.raises(ValueError, match="asq, dorefa"):
        prepare_qat(small_net(), "lsq")
    with pytest.raises(ValueError, match="from 2 to 8"):
        prepare_qat(small_net(), "asq", 9)
    with pytest.raises(ValueError, match="act_bits"):
        prepare_qat(small_net(), "asq", 4, act_bits=4)
    with pytest.raises(ValueError, match="already"):
        prepare_qat(prepare_qat(small_net()))
    with pytest.raises(ValueError, match="does not tell its layers"):
        prepare_qat(get_model("etinynet1.0_bottleneck"), act_bits=8)
    with pytest.raises(ValueError, match="act_bits=8"):
        calibrate(prepare_qat(small_net()), [images()])


@pytest.mark.parametrize("scheme", ["asq", "dorefa"])
def test_channels_of_different_size_are_quantised_alike(scheme):
    net, scaled = small_net(), small_net()
    random = np.random.RandomState(4)
    for stage in (1, 3):
        block = scaled.features[stage][0]
        for conv, bn in ((block.dw1, block.bn1), (block.pw, block.bn2), (block.dw2, block.bn3)):
            weight = conv.weight.data().asnumpy()
            # The mean of the channels' largest magnitudes stays, on which DoReFa's levels depend.
            factor = 2.0 ** random.randint(-3, 4, len(weight))
            largest = np.abs(weight).max(axis=(1, 2, 3))
            factor *= np.mean(largest) / np.mean(factor * largest)
            conv.weight.set_data(mx.nd.array(weight * factor.reshape(-1, 1, 1, 1)))
            epsilon = bn._kwargs["eps"]
            bn.running_mean.set_data(mx.nd.array(bn.running_mean.data().asnumpy() * factor))
            bn.running_var.set_data(mx.nd.array((bn.running_var.data().asnumpy() + epsilon) * factor ** 2 - epsilon))
    assert difference(scaled, net, images()) < 1e-4
    prepare_qat(net, scheme)
    prepare_qat(scaled, scheme)
    for (name, layer), other in zip(quantised_convolutions(net).items(), quantised_convolutions(scaled).values()):
        differ = np.abs(layer.quantised_weight() - other.quantised_weight()) > 1e-3
        assert differ.mean() < 0.01, name  # but for a weight on a boundary


@pytest.mark.parametrize("scheme,steps", [("asq", 7), ("dorefa", 7.5)])
def test_rounding_error(scheme, steps):
    layer = prepare_qat(small_net(), scheme).features[1][0].pw
    weight = layer.weight.data().asnumpy().astype(np.float64)
    if scheme == "asq":
        weight /= 2 * np.sqrt(weight.var() + 1e-5)
    clamped = np.tanh(weight) / np.abs(np.tanh(weight)).max()
    expected = np.mean((steps * (clamped - layer.quantised_weight())) ** 2)
    assert 0 < expected < 0.25
    assert layer.rounding_error().asscalar() == pytest.approx(expected, rel=1e-4)
