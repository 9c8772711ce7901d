"""Counts, against the paper's Table 1 and against sums over the network's own parameters."""

import numpy as np
import pytest

from gluon_etinynet import get_model, model_names
from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.complexity import measure


def test_table_1():
    # "976K", "117M", "245KB"; "680K", "75M", "220.5KB"; the digits behind them by the paper's counting.
    one, three_quarters = measure(get_model("etinynet1.0")), measure(get_model("etinynet0.75"))
    assert (one.params, one.madds, one.feature_map_bytes) == (976360, 116901504, 245 * 1024)
    assert (three_quarters.params, three_quarters.madds) == (681304, 75443376)
    assert three_quarters.feature_map_bytes == 220.5 * 1024
    assert one.madds_without_norm == 113705920
    assert measure(get_model("etinynet1.0"), 256).feature_map_bytes == 320 * 1024


@pytest.mark.parametrize("name", model_names())
def test_parameters_are_those_of_the_network(name):
    net = get_model(name, classes=10)
    net.initialize()
    assert measure(net, 32).params == sum(p.data().size for p in net.collect_params().values())


@pytest.mark.parametrize("name", ["etinynet1.0", "etinynet0.75"])
def test_the_bottleneck_variant_has_a_similar_number_of_parameters(name):
    assert measure(get_model(name + "_bottleneck")).params == pytest.approx(measure(get_model(name)).params, rel=0.02)


def test_a_hybridized_and_initialised_network_is_counted_the_same_and_left_alone():
    net = get_model("etinynet0.75")
    net.initialize()
    net.hybridize()
    x = mx.nd.ones((1, 3, 64, 64))
    before = net(x).asnumpy()
    assert measure(net, 64) == measure(get_model("etinynet0.75"), 64)
    np.testing.assert_array_equal(net(x).asnumpy(), before)
    assert not any(block._forward_hooks for block in net.features)


def test_multiply_adds_by_hand():
    """One convolution and one BN whose counts are worked out on paper."""
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(4, 3, strides=2, padding=1, use_bias=True), mx.gluon.nn.BatchNorm(),
            mx.gluon.nn.Flatten(), mx.gluon.nn.Dense(5))
    counts = measure(net, (6, 8))
    # output 4 x 3 x 4 = 48 elements, 27 multiply-adds each; BN 48; fully connected 48 x 5.
    assert counts.madds_without_norm == 48 * 27 + 48 * 5
    assert counts.madds == 48 * 27 + 48 + 48 * 5
    assert counts.params == (4 * 27 + 4) + 4 * 4 + (48 * 5 + 5)
    assert counts.feature_map_bytes == 6 * 8 * 3 + 48
    assert counts.bytes_at(4) == counts.params / 2


def test_gluoncv_networks_have_their_published_sizes():
    gluoncv = pytest.importorskip("gluoncv")
    # MobileNetV1-0.5 at 224: 149 M multiply-adds and 1.3 M parameters (Howard et al. 2017, table 6).
    counts = measure(gluoncv.model_zoo.mobilenet0_5())
    assert counts.madds_without_norm / 1e6 == pytest.approx(149, abs=1)
    assert counts.params / 1e6 == pytest.approx(1.3, abs=0.05)
    # MobileNetV2-1.0: 300 M multiply-adds and 3.4 M parameters (Sandler et al. 2018, table 4).
    counts = measure(gluoncv.model_zoo.mobilenet_v2_1_0())
    assert counts.madds_without_norm / 1e6 == pytest.approx(300, rel=0.03)
    assert counts.params / 1e6 == pytest.approx(3.5, abs=0.05)
