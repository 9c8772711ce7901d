"""The operators against a NumPy transcription of equations 4 to 7, written independently of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.parameters import read_checkpoint
from gluon_etinynet.quantize.operators import asq, asq_clamp, dorefa, dorefa_clamp
from gluon_etinynet.quantize.statistics import entropy, quantisation_error

BITS = range(2, 9)


def reference_asq(weight, lam, bits):
    """Equation 6 in float64; returns W~, Q."""
    weight = weight.astype(np.float64)
    rescaled = np.tanh(weight / (lam * np.sqrt(np.var(weight) + 1e-5)))
    clamped = rescaled / np.abs(rescaled).max() if rescaled.any() else rescaled
    a = 2 ** (bits - 1) - 1
    return clamped, half_away(a * clamped) / a


def reference_dorefa(weight, bits):
    """Equations 4 and 5 in float64; returns W~ of equation 4, Q."""
    squashed = np.tanh(weight.astype(np.float64))
    clamped = 0.5 * (squashed / (np.abs(squashed).max() if squashed.any() else 1) + 1)
    a = 2 ** bits - 1
    return clamped, 2 / a * half_away(a * clamped) - 1


def half_away(values):
    return np.sign(values) * np.floor(np.abs(values) + 0.5)


def away_from_ties(scaled, margin=1e-3):
    """Where rounding cannot go the other way in float32."""
    return np.abs(scaled - np.floor(scaled) - 0.5) > margin


@st.composite
def tensors(draw):
    """Weights of any shape and scale: Gaussian, heavy-tailed, constant, mostly zero, shifted."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    rng = np.random.RandomState(draw(st.integers(0, 2 ** 31 - 1)))
    kind = draw(st.sampled_from(["gaussian", "cauchy", "constant", "sparse", "shifted"]))
    values = {"gaussian": lambda: rng.randn(*shape), "cauchy": lambda: rng.standard_cauchy(shape).clip(-50, 50),
              "constant": lambda: np.full(shape, rng.randn()),
              "sparse": lambda: rng.randn(*shape) * (rng.rand(*shape) < 0.2),
              "shifted": lambda: rng.randn(*shape) + 3}[kind]()
    return (values * 10.0 ** draw(st.integers(-12, 12))).astype(np.float32)


lambdas = st.one_of(st.floats(0.125, 10), st.floats(-10, -0.125), st.sampled_from([1e-3, -1e-3, 100.0]))


@given(tensors(), lambdas, st.sampled_from(BITS))
def test_asq_equals_the_transcription(weight, lam, bits):
    clamped, quantised = reference_asq(weight, np.float64(np.float32(lam)), bits)
    lam = mx.nd.array([lam])
    np.testing.assert_allclose(asq_clamp(mx.nd.array(weight), lam).asnumpy(), clamped, rtol=0, atol=1e-6)
    sure = away_from_ties(clamped * (2 ** (bits - 1) - 1))
    ours = asq(mx.nd.array(weight), lam, bits).asnumpy()
    assert ours.shape == weight.shape
    np.testing.assert_allclose(ours[sure], quantised[sure], rtol=0, atol=1e-6)


@given(tensors(), st.sampled_from(BITS))
def test_dorefa_equals_the_transcription(weight, bits):
    clamped, quantised = reference_dorefa(weight, bits)
    np.testing.assert_allclose(dorefa_clamp(mx.nd.array(weight)).asnumpy(), 2 * clamped - 1, rtol=0, atol=1e-6)
    sure = away_from_ties(clamped * (2 ** bits - 1))
    np.testing.assert_allclose(dorefa(mx.nd.array(weight), bits).asnumpy()[sure], quantised[sure], rtol=0, atol=1e-6)


@pytest.mark.parametrize("bits", BITS)
def test_levels(bits):
    weight = mx.nd.array(np.linspace(-1, 1, 5001, dtype=np.float32))
    a = 2 ** (bits - 1) - 1
    levels = np.unique(asq(weight, mx.nd.array([2]), bits).asnumpy())
    np.testing.assert_allclose(levels, np.arange(-a, a + 1) / a, atol=1e-6)  # 2 ** bits - 1 of them
    a = 2 ** bits - 1
    levels = np.unique(dorefa(weight, bits).asnumpy())
    np.testing.assert_allclose(levels, np.arange(-a, a + 1, 2) / a, atol=1e-6)  # 2 ** bits of them


def numerical_gradient(function, point, step=1e-5):
    gradient = np.zeros_like(point)
    for index in np.ndindex(*point.shape):
        shift = np.zeros_like(point)
        shift[index] = step
        gradient[index] = (function(point + shift) - function(point - shift)) / (2 * step)
    return gradient


def gradients(operator, *arrays, head):
    arrays = [mx.nd.array(array) for array in arrays]
    for array in arrays:
        array.attach_grad()
    with mx.autograd.record():
        out = operator(*arrays)
    out.backward(mx.nd.array(head))
    return [array.grad.asnumpy() for array in arrays]


@given(st.integers(0, 2 ** 31 - 1), st.sampled_from([(7,), (4, 3), (5, 2, 3, 3)]),
       st.floats(0.25, 5), st.sampled_from([1, -1]), st.sampled_from([0.02, 1.0, 5.0]))
def test_asq_gradient_is_the_derivative_of_the_smooth_part(seed, shape, lam, sign, scale):
    rng = np.random.RandomState(seed)
    weight, head, lam = rng.randn(*shape) * scale + 0.2 * scale, rng.randn(*shape), np.array([lam * sign])
    by_weight, by_lambda = gradients(lambda w, lam: asq(w, lam, 4), weight, lam, head=head)
    expected = numerical_gradient(lambda w: np.sum(head * reference_asq(w, lam[0], 4)[0]), weight, 1e-6 * scale)
    np.testing.assert_allclose(by_weight, expected, rtol=1e-3, atol=2e-4 * np.abs(expected).max() + 1e-5)
    expected = numerical_gradient(lambda value: np.sum(head * reference_asq(weight, value[0], 4)[0]), lam)
    np.testing.assert_allclose(by_lambda, expected, rtol=1e-3, atol=2e-4 * np.abs(head).sum())


@given(st.integers(0, 2 ** 31 - 1), st.sampled_from([(7,), (4, 3), (5, 2, 3, 3)]), st.sampled_from([0.02, 1.0]))
def test_dorefa_gradient_is_the_derivative_of_the_smooth_part(seed, shape, scale):
    rng = np.random.RandomState(seed)
    weight, head = rng.randn(*shape) * scale, rng.randn(*shape)
    by_weight, = gradients(dorefa, weight, head=head)
    expected = numerical_gradient(lambda w: np.sum(head * (2 * reference_dorefa(w, 4)[0] - 1)), weight, 1e-6 * scale)
    np.testing.assert_allclose(by_weight, expected, rtol=1e-3, atol=2e-4 * np.abs(expected).max())


def test_zeros_are_harmless():
    zeros = np.zeros((3, 4))
    assert not asq(mx.nd.array(zeros), mx.nd.array([2])).asnumpy().any()
    np.testing.assert_allclose(dorefa(mx.nd.array(zeros)).asnumpy(), 1 / 15, atol=1e-6)
    for found in gradients(asq, zeros, [2.0], head=np.ones((3, 4))) + gradients(dorefa, zeros, head=np.ones((3, 4))):
        assert np.isfinite(found).all()


def test_nan_is_passed_on():
    weight = mx.nd.array([0.1, np.nan, -0.2])
    assert np.isnan(asq(weight, mx.nd.array([2])).asnumpy()).all()
    assert np.isnan(dorefa(weight).asnumpy()[1])
    assert np.isnan(asq(mx.nd.array([0.1, -0.2]), mx.nd.array([np.nan])).asnumpy()).all()


@pytest.mark.parametrize("bits", [1, 9, 0, -4, 4.5, "4", None, True])
def test_bits_out_of_range(bits):
    with pytest.raises(ValueError, match="from 2 to 8"):
        asq(mx.nd.ones((2,)), mx.nd.array([2]), bits)
    with pytest.raises(ValueError, match="from 2 to 8"):
        dorefa(mx.nd.ones((2,)), bits)


def test_per_channel_is_per_tensor_on_each_slice():
    weight = mx.nd.random.normal(shape=(5, 3, 2, 2)) * mx.nd.array([1, 9, 0.1, 3, 0]).reshape((5, 1, 1, 1))
    lam = mx.nd.array([1, 2, 3, 0.5, 2])
    together = asq(weight, lam, 4, per_channel=True).asnumpy(), dorefa(weight, 4, per_channel=True).asnumpy()
    for channel in range(5):
        piece = slice(channel, channel + 1)
        np.testing.assert_allclose(together[0][piece], asq(weight[piece], lam[piece], 4).asnumpy(), atol=1e-6)
        np.testing.assert_allclose(together[1][piece], dorefa(weight[piece], 4).asnumpy(), atol=1e-6)


@pytest.mark.parametrize("operator", [asq, lambda w, lam, bits: dorefa(w, bits)], ids=["asq", "dorefa"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_symbol_equals_ndarray(operator, bits):
    weight, lam = mx.nd.random.normal(shape=(8, 4, 3, 3)), mx.nd.array([1.5])
    symbol = operator(mx.sym.var("weight"), mx.sym.var("lam"), bits)
    symbol = mx.sym.load_json(symbol.tojson())
    arguments = {"weight": weight, "lam": lam}
    bound = symbol.bind(mx.cpu(), {name: arguments[name] for name in symbol.list_arguments()})
    np.testing.assert_array_equal(bound.forward()[0].asnumpy(), operator(weight, lam, bits).asnumpy())


def test_entropy_and_error():
    assert entropy(np.repeat(np.arange(7), 3)) == pytest.approx(np.log(7))
    assert entropy(np.array([0, 0, 0, 1])) == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))
    assert entropy(np.ones(10)) == 0
    assert quantisation_error(np.array([[0.5, -0.25]]), np.array([[1.0, 0]])) == pytest.approx(0.3125)


def test_released_pointwise_layer(weights_dir):
    """The figures of section "Adaptive Scale Quantization" on the authors' published weights."""
    arrays = read_checkpoint(next(weights_dir.glob("0.6553-imagenet-*.params")))
    weight = mx.nd.array(arrays["features.4.2.pw.weight"])
    assert weight.shape == (512, 256, 1, 1)
    assert weight.asnumpy().std() == pytest.approx(0.056, abs=5e-4)  # the paper's own model: 0.054
    found = []
    for lam in range(1, 6):
        lam = mx.nd.array([lam])
        found.append((entropy(asq(weight, lam).asnumpy()), asq_clamp(weight, lam).asnumpy().std()))
    np.testing.assert_allclose([e for e, _ in found], [2.69, 2.45, 2.17, 1.93, 1.74], atol=0.006)
    np.testing.assert_allclose([spread for _, spread in found], [0.62, 0.41, 0.30, 0.23, 0.19], atol=0.006)
    assert len(np.unique(dorefa(weight).asnumpy())) == 11
