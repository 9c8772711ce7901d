"""Equalisation and fitting: what post-training quantisation does so that eight bits are enough."""

import numpy as np
import pytest
from small_networks import SIZE, batch, lowered, pictures, small_net

from gluon_etinynet._mxnet import mx
from gluon_etinynet.integer import run
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.networks.blocks import copied
from gluon_etinynet.quantize.equalise import equalise
from gluon_etinynet.quantize.qat import feature_map_quantisers, prepare_qat, quantised_convolutions
from gluon_etinynet.quantize.ranges import calibrate
from gluon_etinynet.quantize.rounding import round_weights


@pytest.mark.parametrize("scheme", [None, "asq"])
def test_equalisation_changes_ranges_and_not_the_network(scheme):
    original = prepare_qat(small_net(), scheme)
    net = prepare_qat(copied(original), scheme=None, act_bits=8)
    before = original(batch(pictures())).asnumpy()
    levels = {name: conv.quantised_weight() for name, conv in quantised_convolutions(net).items()}
    equalise(net, [batch(pictures(32, 9))])
    for name, conv in quantised_convolutions(net).items():
        np.testing.assert_array_equal(conv.quantised_weight(), levels[name])
    for quantiser in feature_map_quantisers(net).values():
        quantiser.enabled = False
    tolerance = 1e-3 * np.abs(before).max()
    np.testing.assert_allclose(net(batch(pictures())).asnumpy(), before, atol=tolerance)

    def spread(net):
        """Largest over smallest peak of a channel, of the map between two depthwise convolutions."""
        block = net.features[2][0]
        x = net.features[1](net.features[0](batch(pictures())))
        peaks = np.abs(block.first_half(mx.nd, x).asnumpy()).max(axis=(0, 2, 3))
        return peaks.max() / peaks.min()

    assert spread(net) < 0.6 * spread(original)
    gamma = net.features[2][0].bn2.gamma  # a factor that nothing makes up for is seen
    gamma.set_data(gamma.data() * 1.1)
    assert np.abs(net(batch(pictures())).asnumpy() - before).max() > tolerance


def test_weights_are_rounded_with_regard_to_one_another():
    """Against every other choice of floor or ceiling, for inputs that resemble each other."""
    rng = np.random.RandomState(0)
    inputs = rng.normal(0, 1, (6, 500)) * 0.1 + rng.normal(0, 1, 500)
    moments = (inputs @ inputs.T / 500)[None]
    weight = rng.normal(0, 1, (1, 20, 6))
    levels, scale = round_weights(weight, moments, 1e-6)
    assert (np.abs(levels) <= 127).all() and (levels == np.rint(levels)).all()

    def error(rounded):
        return np.square((rounded * scale - weight)[0] @ inputs).mean(axis=1)

    near = np.floor(weight / scale)
    choices = [np.clip(near + choice, -127, 127) for choice in np.ndindex(*(2,) * 6)]
    best = np.min([error(choice) for choice in choices], axis=0)
    ours, nearest = error(levels), error(np.rint(weight / scale))
    assert ours.mean() < 0.3 * nearest.mean() and ours.mean() < 3 * best.mean()


def test_the_fit_brings_a_rounded_network_nearer():
    """SNR of logits of pictures that were not fitted to, against the float network."""
    def snr(graph):
        logits = run(graph, images) * graph.output.quant.scale
        return 10 * np.log10(np.sum(expected ** 2) / np.sum((logits - expected) ** 2))

    widths = [(8,), (12,), (16, 16), (24,)]  # random layers amplify errors; hence few of them
    images = pictures(64, 3)
    expected = small_net(widths)(batch(images)).asnumpy()
    plain = prepare_qat(small_net(widths), "linear", 8, act_bits=8)
    calibrate(plain, [batch(pictures(64, 9))])
    fitted = lowered(small_net(widths), pictures(64, 9))
    assert snr(fitted) > snr(lower(plain, (SIZE, SIZE))) + 2
