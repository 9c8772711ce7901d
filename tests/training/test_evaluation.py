"""Hits counted batch by batch, and how far two networks are apart."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from gluon_etinynet._mxnet import mx
from gluon_etinynet.training import Accuracy, divergence

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


@pytest.mark.parametrize("lag", [0, 3, 100])
def test_accuracy_counts_every_sample_once(lag):
    random = np.random.RandomState(lag)
    values, label, loss = random.randn(50, 9).astype(np.float32), random.randint(0, 9, 50), random.rand(50)
    on_device, plain = Accuracy(lag=lag), Accuracy(tops=(1, 3), lag=lag)
    for part in np.array_split(np.arange(50), 8):
        on_device.add(mx.nd.array(label[part]), mx.nd.array(values[part]), mx.nd.array(loss[part]))
        plain.add(label[part], values[part])
    better = (values > values[np.arange(50), label][:, None]).sum(axis=1)  # classes ahead of the right one
    found = on_device.means()
    assert found.pop("loss") == pytest.approx(loss.mean(), rel=1e-6)
    assert found == {"top1": np.mean(better < 1), "top5": np.mean(better < 5), "samples": 50}
    assert plain.means() == {"top1": np.mean(better < 1), "top3": np.mean(better < 3), "samples": 50}


def test_integers_are_told_apart_where_float32_does_not():
    logits = np.int32([2 ** 24 + np.arange(8)] * 8)
    assert len(np.unique(logits.astype(np.float32))) < 8
    accuracy = Accuracy()
    accuracy.add(np.arange(8), logits)
    assert accuracy.means() == {"top1": 1 / 8, "top5": 5 / 8, "samples": 8}


def test_a_batch_is_checked_when_it_is_counted():
    accuracy, seen = Accuracy(lag=2), []
    for number in range(4):
        accuracy.add(mx.nd.zeros(3), loss=mx.nd.full(3, number), check=seen.append)
    assert seen == [0, 3] and accuracy.samples == 6 and accuracy.sums == {"loss": 3}
    assert accuracy.means() == {"loss": 1.5, "samples": 12} and seen == [0, 3, 6, 9]
