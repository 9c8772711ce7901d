"""Quantisation after training as one verb, and what it refuses."""

import numpy as np
import pytest
from small_networks import SIZE, batch, pictures, small_net

from gluon_etinynet import InputError, lower, quantise
from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.blocks import copied
from gluon_etinynet.quantize.qat import feature_map_quantisers, prepare_qat, quantised_convolutions


def agreement(net, other):
    """Correlation of the logits on pictures that neither was fitted to."""
    images = batch(pictures(16, 4))
    return np.corrcoef(net(images).asnumpy().ravel(), other(images).asnumpy().ravel())[0, 1]


WIDTHS = [(8,), (12,), (16, 16), (24,)]  # random layers amplify errors; hence few of them


@pytest.mark.parametrize("options, least", [
    ({}, 0.97), ({"scheme": "asq", "weight_bits": 5, "steps": 40, "report": lambda line: None}, 0.6)])
def test_from_float_to_integers(options, least):
    net = small_net(WIDTHS)
    original = copied(net)
    assert quantise(net, pictures(32, 9), **options) is net
    assert {conv.weight_quantiser.bits for conv in quantised_convolutions(net).values()} == {
        options.get("weight_bits", 8)}
    assert agreement(net, original) > least
    graph = lower(net, (SIZE, SIZE))
    assert graph.output.shape == (5, 1, 1)
    # Weights that are quantised stay as they are when the maps are fitted again.
    before = [conv.quantised_weight() for conv in quantised_convolutions(net).values()]
    quantise(net, pictures(32, 8))
    for old, conv in zip(before, quantised_convolutions(net).values()):
        np.testing.assert_array_equal(conv.quantised_weight(), old)


def test_weights_alone():
    net = quantise(small_net(WIDTHS), pictures(32, 9), "asq", 3, act_bits=None, steps=2, report=lambda line: None)
    assert quantised_convolutions(net) and not feature_map_quantisers(net)


def test_refusals():
    with pytest.raises(ValueError, match="8 bits, not 4"):
        quantise(small_net(), pictures(4), weight_bits=4)
    with pytest.raises(ValueError, match="steps: nothing is learnt"):
        quantise(small_net(), pictures(4), steps=3)
    net = small_net()
    with pytest.raises(ValueError, match="fewer than one batch"):
        quantise(net, pictures(4), "asq", 4)
    with pytest.raises(ValueError, match="8 bits, or None, not 4"):
        quantise(net, pictures(32, 8), "asq", 4, act_bits=4)
    assert not quantised_convolutions(net)  # nothing has changed: it can be tried again
    with pytest.raises(ValueError, match="quantised already: asq learns from a float one"):
        quantise(prepare_qat(net, "asq", 4), pictures(32, 8), "asq", 2)
    other = mx.gluon.nn.HybridSequential()
    other.add(mx.gluon.nn.Conv2D(4, 1, in_channels=3))
    other.initialize()
    with pytest.raises(InputError, match="^HybridSequential is not reconstructed block by block: EtinyNet and "
                                         "EtinyNet-SSD are$"):
        quantise(other, pictures(4), "asq", 4)
    assert not quantised_convolutions(other)


def test_a_network_that_diverged_is_one_line(recwarn):
    """Its weights are finite, what it makes of pictures is not."""
    net = small_net()
    for parameter in net.collect_params(".*gamma").values():
        parameter.set_data(parameter.data() * 1e9)
    with pytest.raises(InputError, match=r"^the feature map at features\.\S+ is not finite; .* lower learning rate$"):
        quantise(net, pictures(4))
    assert not [each for each in recwarn if each.category is RuntimeWarning]


def test_a_copy_is_a_network_of_its_own():
    net = small_net()
    net.hybridize(static_alloc=True)
    x = batch(pictures(2))
    before = net(x).asnumpy()
    other = copied(net)
    assert net._active and dict(net._flags)["static_alloc"]
    net.output.bias.set_data(net.output.bias.data() + 1)
    np.testing.assert_allclose(net(x).asnumpy(), before + 1, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(other(x).asnumpy(), before, rtol=1e-5, atol=1e-4)
