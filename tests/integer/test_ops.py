"""Fast operators against the plain int64 ones, and both against facts worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_etinynet.integer import Graph, Node, QuantParams, Tensor, accumulator_bound, requantise_params, run
from gluon_etinynet.integer.ops import exact_float
from gluon_etinynet.integer.random_graphs import conv_attrs, weights


def graph_of(source, *nodes):
    graph = Graph("test", source)
    for node, quant in nodes:
        graph.append(node, quant)
    graph.validate()
    return graph


def equal_both_ways(graph, images):
    fast, slow = run(graph, images), run(graph, images, reference=True)
    assert fast.dtype == slow.dtype
    np.testing.assert_array_equal(fast, slow)
    return fast


zero_points = st.integers(-128, 127)


@st.composite
def convolutions(draw):
    """(Graph of one convolution, images): any shape, stride, groups; values random or at the extremes."""
    rng = np.random.default_rng(draw(st.integers(0, 2 ** 32 - 1)))
    groups = draw(st.sampled_from([1, 1, 2, 3, 5]))
    per_group, out_per_group = draw(st.sampled_from([(1, 1), (1, 2), (2, 1), (3, 4), (5, 3)]))
    kernel = draw(st.sampled_from([1, 3, 3, 5]))
    stride, bits = draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([2, 3, 4, 8]))
    rows, columns = draw(st.integers(kernel, 11)), draw(st.integers(kernel, 11))
    x = Tensor("x", (groups * per_group, rows, columns), QuantParams(1.0, draw(zero_points)))
    shape = (groups * out_per_group, per_group, kernel, kernel)
    limit = (1 << (bits - 1)) - 1
    weight = draw(st.sampled_from([weights(rng, shape, bits), np.full(shape, limit, np.int8),
                                   np.full(shape, -limit, np.int8), np.zeros(shape, np.int8)]))
    out_bits = draw(st.sampled_from([8, 8, 8, 32]))
    relu = draw(st.sampled_from(["none", "before"] + ["after"] * (out_bits == 8)))
    out = QuantParams(1.0, draw(zero_points) if out_bits == 8 else 0, out_bits)
    attrs = conv_attrs(rng, x, out.zero_point, shape, bits, stride, groups, relu, out_bits=out_bits,
                       weight=weight)
    if draw(st.booleans()):
        attrs["bias"] = None
    graph = graph_of(x, (Node("conv2d", ["x"], "y", attrs), out))
    shape = (draw(st.integers(1, 2)),) + x.shape
    images = draw(st.sampled_from([rng.integers(-128, 128, shape, dtype=np.int8),
                                   np.full(shape, -128, np.int8), np.full(shape, 127, np.int8)]))
    return graph, images


@settings(max_examples=150, deadline=None)
@given(convolutions())
def test_convolution(case):
    equal_both_ways(*case)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2 ** 32 - 1), zero_points, zero_points, st.sampled_from(["none", "before", "after"]),
       st.integers(1, 9), st.integers(1, 9))
def test_convolution_with_shortcut(seed, zero_in, zero_out, relu, rows, columns):
    rng = np.random.default_rng(seed)
    x = Tensor("x", (4, rows, columns), QuantParams(1.0, zero_in))
    attrs = conv_attrs(rng, x, zero_out, (4, 4, 1, 1), relu=relu, shortcut_zero_point=zero_in)
    graph = graph_of(x, (Node("conv2d", ["x", "x"], "y", attrs), QuantParams(1.0, zero_out)))
    equal_both_ways(graph, rng.integers(-128, 128, (2,) + x.shape, dtype=np.int8))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2 ** 32 - 1), st.integers(1, 3), st.integers(1, 3), st.integers(3, 10),
       st.integers(3, 10))
def test_maxpool(seed, kernel, stride, rows, columns):
    x = Tensor("x", (3, rows, columns), QuantParams(1.0, 3))
    graph = graph_of(x, (Node("maxpool", ["x"], "y", {"kernel": kernel, "stride": stride}), x.quant))
    images = np.random.default_rng(seed).integers(-128, 128, (2,) + x.shape, dtype=np.int8)
    equal_both_ways(graph, images)
    assert graph.output.shape[1:] == tuple((n - kernel) // stride + 1 for n in (rows, columns))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2 ** 32 - 1), st.integers(1, 9), st.integers(1, 9), zero_points, zero_points,
       st.sampled_from([0.5, 1.0, 3.0]))
def test_avgpool_is_the_mean(seed, rows, columns, zero_in, zero_out, ratio):
    x, count = Tensor("x", (5, rows, columns), QuantParams(ratio, zero_in)), rows * columns
    params = requantise_params([ratio / count], [zero_out - ratio * zero_in], 128 * count)
    attrs = {"multiplier": params.multiplier, "shift": params.shift, "offset": params.offset}
    node = Node("avgpool", ["x"], "y", attrs)
    images = np.random.default_rng(seed).integers(-128, 128, (2,) + x.shape, dtype=np.int8)
    got = equal_both_ways(graph_of(x, (node, QuantParams(1.0, zero_out))), images)
    exact = np.clip((images.mean(axis=(2, 3)) - zero_in) * ratio + zero_out, -128, 127)
    assert np.abs(got - exact).max() <= 0.51


def test_convolution_worked_by_hand():
    """2x2 map, zero point 10, one 3x3 kernel of ones: padding counts as 10, relu cuts, gamma is negative."""
    x = Tensor("x", (1, 2, 2), QuantParams(0.5, 10))
    params = requantise_params([-0.25], [20.0], 9 * 128 + 90)
    attrs = {"weight": np.ones((1, 1, 3, 3), np.int8), "weight_quant": QuantParams((1.0,), 0, 8, 0),
             "bias": np.array([-90], np.int32), "stride": 1, "pad": 1, "groups": 1, "relu": "before",
             "multiplier": params.multiplier, "shift": params.shift, "offset": params.offset,
             "shortcut_multiplier": None}
    graph = graph_of(x, (Node("conv2d", ["x"], "y", attrs), QuantParams(1.0, 20)))
    images = np.array([[[[14, 10], [10, 16]]], [[[0, 1], [2, 3]]]], np.int8)
    # Less zero points: 4 + 6 = 10 everywhere -> 20 - 2.5 = 17.5 -> 18; second image: negative -> relu -> 20.
    np.testing.assert_array_equal(equal_both_ways(graph, images),
                                  [[[[18, 18], [18, 18]]], [[[20, 20], [20, 20]]]])


def test_float32_at_the_edge_of_its_exactness():
    """512 inputs of -128 x 127 are exact in float32; 1,033 such terms are not taken in it."""
    edge = np.full((1, 512, 1, 1), 127, np.int8)
    assert accumulator_bound(edge)[0] == 8323072 and exact_float(edge) is np.float32
    assert exact_float(np.full((1, 1032, 1, 1), 127, np.int8)) is np.float32
    assert exact_float(np.full((1, 1033, 1, 1), 127, np.int8)) is np.float64
    assert exact_float(edge, np.array([2 ** 24 - 8323072 + 1])) is np.float64


@pytest.mark.parametrize("terms", [512, 1032, 1033, 3000])
def test_long_sums_are_exact(terms):
    """Sums that differ from a multiple of two by one: a float32 past 2^24 would lose it."""
    x = Tensor("x", (terms, 1, 1), QuantParams(1.0))
    weight = np.full((2, terms, 1, 1), 127, np.int8)
    weight[1, 0] = 126
    params = requantise_params([1.0, 1.0], [0.0, 0.0], accumulator_bound(weight), bits=32)
    attrs = {"weight": weight, "weight_quant": QuantParams((1.0, 1.0), 0, 8, 0), "bias": None, "stride": 1,
             "pad": 0, "groups": 1, "relu": "none", "multiplier": params.multiplier, "shift": params.shift,
             "offset": params.offset, "shortcut_multiplier": None}
    graph = graph_of(x, (Node("conv2d", ["x"], "y", attrs), QuantParams(1.0, 0, 32)))
    image = np.full((1, terms, 1, 1), -127, np.int8)
    logits = equal_both_ways(graph, image)[0].astype(int)
    exact = np.array([-127 * 127 * terms, -127 * (127 * terms - 1)])
    np.testing.assert_array_equal(logits, (exact << params.shift) * params.multiplier.astype(int) >> 16)
