"""The quantisers as blocks of anybody's network, and ASQ as a registered operator."""

import numpy as np
import pytest

from gluon_etinynet import ASQ, DoReFa, asq
from gluon_etinynet._mxnet import mx
from gluon_etinynet.files import InputError
from gluon_etinynet.quantize.schemes import Linear

nn = mx.gluon.nn


def values_and_gradients(operator, weight, lam, head):
    weight, lam = mx.nd.array(weight), mx.nd.array(lam)
    for array in (weight, lam):
        array.attach_grad()
    with mx.autograd.record():
        out = operator(weight, lam)
    out.backward(mx.nd.array(head))
    return [array.asnumpy() for array in (out, weight.grad, lam.grad)]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (1, 1, 3, 3), (16, 32, 1, 1), (5, 7)])
def test_the_registered_operator_is_the_composed_one(shape, bits, per_channel):
    rng = np.random.RandomState(bits)
    weight, head = rng.normal(0.01, 0.05, shape), rng.normal(size=shape)
    lam = rng.uniform(1, 3, shape[0] if per_channel else 1)

    def registered(w, lam):
        return mx.nd.Custom(w, lam, op_type="asq", bits=bits, per_channel=per_channel)

    found = values_and_gradients(registered, weight, lam, head)
    expected = values_and_gradients(lambda w, lam: asq(w, lam, bits, per_channel), weight, lam, head)
    np.testing.assert_array_equal(found[0], expected[0])
    for ours, theirs in zip(found[1:], expected[1:]):
        assert np.abs(theirs).max() > 0
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


def test_the_registered_operator_in_a_graph_and_on_zeros():
    symbol = mx.sym.Custom(mx.sym.var("weight"), mx.sym.var("lam"), op_type="asq", bits=3)
    assert symbol.infer_shape(weight=(4, 2, 3, 3))[0] == [(4, 2, 3, 3), (1,)]
    weight, lam = mx.nd.random.normal(0, 0.1, (4, 2, 3, 3)), mx.nd.array([2])
    found, = symbol.bind(mx.cpu(), {"weight": weight, "lam": lam}).forward()
    np.testing.assert_array_equal(found.asnumpy(), asq(weight, lam, 3).asnumpy())
    zeros = values_and_gradients(lambda w, lam: mx.nd.Custom(w, lam, op_type="asq"), np.zeros((2, 3)), [2],
                                 np.ones((2, 3)))
    assert (zeros[0] == 0).all() and np.isfinite(zeros[1]).all()
    with pytest.raises(mx.MXNetError):
        mx.nd.Custom(weight, lam, op_type="asq", bits=9).wait_to_read()


class Classifier(mx.gluon.HybridBlock):
    """A fully connected layer with quantised weights: the example of ASQ's docstring."""

    def __init__(self, quantiser, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.quantise = quantiser
            self.weight = self.params.get("weight", shape=(10, 16), init=mx.init.Xavier())

    def hybrid_forward(self, F, x, weight):
        return F.FullyConnected(x, self.quantise(weight), no_bias=True, num_hidden=10)


@pytest.mark.parametrize("make, learnt", [
    (lambda: ASQ(bits=3), {"quantise.lam": (1,)}), (lambda: ASQ(bits=3, channels=10), {"quantise.lam": (10,)}),
    (lambda: DoReFa(bits=3), {}), (lambda: Linear(8, 10), {"quantise.limit": (10,)})])
@pytest.mark.parametrize("hybrid", [False, True])
def test_a_quantiser_in_a_network_of_ones_own(make, learnt, hybrid, tmp_path):
    net = Classifier(make())
    net.initialize()
    if hybrid:
        net.hybridize()
    x = mx.nd.random.normal(shape=(8, 16))
    quantised = net.quantise(net.weight.data()).asnumpy()
    np.testing.assert_allclose(net(x).asnumpy(), x.asnumpy() @ quantised.T, rtol=1e-4, atol=1e-5)
    if not isinstance(net.quantise, Linear):
        assert len(np.unique(quantised)) <= 8
    shapes = {name: p.shape for name, p in net._collect_params_with_prefix().items()}
    assert shapes == {"weight": (10, 16), "quantise.bits": (1,), **learnt}
    before = {name: p.data().asnumpy() for name, p in net._collect_params_with_prefix().items()}
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    with mx.autograd.record():
        loss = (net(x) ** 2).sum()
    loss.backward()
    trainer.step(8)
    after = {name: p.data().asnumpy() for name, p in net._collect_params_with_prefix().items()}
    moved = {name for name, array in after.items() if np.any(array != before[name])}
    assert moved == {"weight"} | {name for name in learnt if name.endswith("lam")}
    net.save_parameters(str(tmp_path / "net.params"))
    other = Classifier(make())
    other.load_parameters(str(tmp_path / "net.params"))
    np.testing.assert_array_equal(other(x).asnumpy(), net(x).asnumpy())


def test_other_bits_are_refused_on_loading(tmp_path):
    net = Classifier(ASQ(bits=3))
    net.initialize()
    net.save_parameters(str(tmp_path / "net.params"))
    with pytest.raises(InputError, match="3.* 4"):
        Classifier(ASQ(bits=4)).load_parameters(str(tmp_path / "net.params"))


def test_linear_weights_as_integers():
    quantiser = Linear(8, 3)
    weight = mx.gluon.Parameter("weight", shape=(3, 2, 1, 1))
    weight.initialize()
    values = np.array([[1.0, -0.5], [0, 0], [0.004, 0.25]], np.float32).reshape(3, 2, 1, 1)
    weight.set_data(mx.nd.array(values))
    quantiser.start(weight)
    levels, scales = quantiser.to_integers(weight.data())
    # 127 * 0.004 / 0.25 is 2.03; a channel of zeros has the scale 1.
    assert levels.reshape(3, 2).tolist() == [[127, -64], [0, 0], [2, 127]]
    np.testing.assert_allclose(scales, [1 / 127, 1, 0.25 / 127], rtol=1e-7)
    rounded = quantiser(weight.data()).asnumpy()
    np.testing.assert_allclose(rounded, levels * scales.reshape(3, 1, 1, 1), rtol=1e-6)
    # What has been trained beyond the limit stays at it.
    weight.set_data(mx.nd.array(values * 2))
    assert np.abs(quantiser.to_integers(weight.data())[0]).max() == 127
    np.testing.assert_allclose(np.abs(quantiser(weight.data()).asnumpy()).reshape(3, 2).max(axis=1), [1, 0, 0.25])


@pytest.mark.parametrize("make, message", [(lambda: ASQ(1), "from 2 to 8"), (lambda: DoReFa(9), "from 2 to 8"),
                                           (lambda: Linear(4, 3), "has 8 bits")])
def test_bits_that_there_are_not(make, message):
    with pytest.raises(ValueError, match=message):
        make()
