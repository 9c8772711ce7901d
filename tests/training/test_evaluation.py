"""How far two networks are apart."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from gluon_etinynet.training.evaluation import divergence

logits = arrays(np.float32, (3, 5), elements=st.floats(-50, 50, width=32))


def test_divergence_of_known_probabilities():
    wanted, found = np.log([[0.5, 0.5], [0.9, 0.1]]), np.log([[0.25, 0.75], [0.9, 0.1]])
    expected = (0.5 * np.log(2) + 0.5 * np.log(2 / 3)) / 2
    assert divergence(wanted, found + 7) == pytest.approx(expected, rel=1e-12)


@given(logits, logits)
def test_divergence_is_cross_entropy_less_entropy(reference, other):
    assert divergence(reference, reference) == 0
    assert divergence(reference, other) >= -1e-12
    p, q = (np.exp(x.astype(float) - np.logaddexp.reduce(x.astype(float), axis=1)[:, None])
            for x in (reference, other))
    np.testing.assert_allclose(divergence(reference, other),
                               np.mean(np.sum(-p * np.log(q), 1) + np.sum(p * np.log(p), 1)), atol=1e-9)


def test_divergence_bears_large_logits():
    assert divergence(np.float32([[1e4, 0]]), np.float32([[0, 1e4]])) == pytest.approx(1e4)
