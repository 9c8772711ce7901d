"""Detection in integers against real numbers and brute force; GluonCV: tests/test_detection_in_integers.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon_etinynet.integer import detect as d

SEEDS = st.integers(0, 2 ** 32 - 1)


def test_powers_of_two_worked_by_hand():
    assert (d.EXP_COARSE[0], d.EXP_COARSE[32], d.EXP_FINE[0]) == (32768, 23170, 32768)  # 2^15, 2^14.5
    everything = np.arange(4096)
    exact = 2.0 ** (30 - everything / 4096)
    assert np.abs(d.power(everything) / exact - 1).max() < 5e-5
    assert d.power(everything).max() <= 1 << 30 and d.power(everything).min() > 1 << 29


def test_scores_worked_by_hand():
    # One octave apart: 2/3 and 1/3. A whole class below 2^-18 of the first is nothing.
    assert d.scores([4096, 0]).tolist() == [43690, 21845]
    assert d.scores([0, -19 * 4096, 0, -(1 << 30)]).tolist() == [32768, 0, 32768, 0]
    assert d.scores([-5]).tolist() == [65535]


@given(SEEDS, st.integers(1, 255), st.floats(0.01, 12))
def test_scores_are_the_softmax(seed, classes, spread):
    logits = np.random.default_rng(seed).normal(0, spread * 4096, (7, classes + 1)).astype(np.int32)
    e = np.exp2((logits - logits.max(axis=1, keepdims=True)) / 4096)
    exact = e / e.sum(axis=1, keepdims=True) * 65536
    error = np.abs(d.scores(logits) - exact)
    assert (error <= exact * (2.0 ** -12 + classes / 2.0 ** 18) + 1.5).all()


@pytest.mark.parametrize("logits", [[2 ** 31 - 1, -2 ** 31], [-2 ** 31] * 256, [2 ** 31 - 1] * 256])
def test_scores_of_extreme_logits(logits):
    expected = [65535, 0] if len(logits) == 2 else [256] * 256
    assert d.scores(np.array(logits, np.int32)).tolist() == expected


def test_boxes_worked_by_hand():
    """Cell (row 1, column 2) of stride 16: centre (40, 24); an anchor of 32 x 8."""
    level = d.Level("c", "b", 8 << 15, ((16 << 16, 4 << 16),))
    offsets = np.zeros((2, 3, 1, 4), np.int64)
    assert d.boxes(offsets, level)[1, 2, 0].tolist() == [24 * 16, 20 * 16, 56 * 16, 28 * 16]
    # A quarter of the width to the right, half the height up; half as wide, four times as high.
    offsets[1, 2, 0] = [1024, -2048, -4096, 8192]
    assert d.boxes(offsets, level)[1, 2, 0].tolist() == [40 * 16, 4 * 16, 56 * 16, 36 * 16]


@given(SEEDS)
def test_boxes_are_the_exact_ones_rounded(seed):
    rng = np.random.default_rng(seed)
    level = d.Level("c", "b", int(rng.integers(1 << 16, 32 << 15)),
                    tuple((int(w), int(h)) for w, h in rng.integers(1 << 17, 128 << 16, (3, 2))))
    offsets = rng.normal(0, 3000, (3, 4, 3, 4)).astype(np.int64)
    got = d.boxes(offsets, level) / 16
    size = np.array(level.anchors) / 2 ** 15
    row, column = np.mgrid[:3, :4]
    centre = (2 * np.stack([column, row], -1) + 1)[:, :, None] * level.half_step / 2 ** 15
    shift = offsets[..., :2] / 4096 * size
    half = size / 2 * np.exp2(offsets[..., 2:] / 4096)
    exact = np.concatenate([centre + shift - half, centre + shift + half], -1)
    allowed = 1 / 32 + np.tile(half * 2 / 2 ** 14 + np.abs(shift) / 2 ** 13 + 2.0 ** -13, 2)
    inside = np.abs(exact) < 2047
    assert (np.abs(got - exact) <= allowed)[inside].all()
    assert (np.abs(got) <= 32767 / 16).all()


def test_boxes_saturate():
    level = d.Level("c", "b", 1 << 25, (((1 << 26) - 1,) * 2, (1, 1)))
    offsets = np.empty((1, 1, 2, 4), np.int64)
    for q, w in ((2 ** 30, 2 ** 30), (-2 ** 30, 2 ** 30), (2 ** 30, -2 ** 30)):
        offsets[..., :2], offsets[..., 2:] = q, w
        large, small = d.boxes(offsets, level)[0, 0]
        assert (large[:2] <= large[2:]).all() and (small[:2] <= small[2:]).all()
        assert np.abs([large, small]).max() == 32767


def brute_force(candidates, threshold, most):
    """Suppression read aloud, in Python's integers."""
    kept = []
    for i, one in enumerate(candidates):
        x0, y0, x1, y1 = map(int, one["box"])
        for j in kept:
            u0, v0, u1, v1 = map(int, candidates[j]["box"])
            shared = max(0, min(x1, u1) - max(x0, u0)) * max(0, min(y1, v1) - max(y0, v0))
            union = (x1 - x0) * (y1 - y0) + (u1 - u0) * (v1 - v0) - shared
            if one["class"] == candidates[j]["class"] and 65536 * shared > threshold * union:
                break
        else:
            kept.append(i)
    return kept[:most]


@given(SEEDS, st.sampled_from([0, 29491, 65535]), st.integers(1, 60))
def test_suppression(seed, threshold, most):
    rng = np.random.default_rng(seed)
    candidates = np.zeros(50, d.RESULT)
    candidates["class"] = rng.integers(0, 3, 50)
    reach = rng.choice([20, 4000, 32767])
    candidates["box"] = np.sort(rng.integers(-reach, reach + 1, (50, 2, 2)), axis=1).reshape(50, 4)
    assert d.suppress(candidates, threshold, most).tolist() == brute_force(candidates, threshold, most)


def test_suppression_at_the_threshold():
    """Boxes of 4 x 4 that share 8 of 24: an overlap of exactly 1/3 is kept, one more unit suppresses."""
    candidates = np.zeros(2, d.RESULT)
    candidates["box"] = [[0, 0, 3, 4], [0, 0, 3, 12]]
    assert len(d.suppress(candidates, 65536 // 3 + 1, 9)) == 2
    assert len(d.suppress(candidates, 65536 // 3, 9)) == 1  # 21845 / 65536 is a little below 1/3


def test_equal_scores_go_by_class_and_anchor():
    """Two anchors, three classes, all scores equal; of five best the last anchor's last class is missing."""
    level = d.Level("c", "b", 8 << 15, ((1 << 16, 1 << 16), (3 << 16, 3 << 16)))
    maps = {"c": np.zeros((8, 1, 1), np.int32), "b": np.zeros((8, 1, 1), np.int32)}
    found = d.detect(d.Detection((level,), 655, 29491, 5, 4), maps)
    assert found["class"].tolist() == [0, 0, 1, 1] and set(found["score"]) == {16384}
    assert found["box"][:, 0].tolist() == [112, 80, 112, 80]
    assert len(d.detect(d.Detection((level,), 655, 29491, 5, 5), maps)) == 5
    assert len(d.detect(d.Detection((level,), 16384, 29491, 5, 5), maps)) == 0


@given(SEEDS)
def test_the_best_are_those_of_all_sorted(seed):
    """Limits on candidates and detections cut the list; few distinct scores make ties."""
    rng = np.random.default_rng(seed)
    level = d.Level("c", "b", 8 << 15, ((20 << 16, 9 << 16),) * 2)
    maps = {"c": rng.integers(0, 3, (8, 3, 2)).astype(np.int32) * 4096,
            "b": rng.integers(-4096, 4096, (8, 3, 2)).astype(np.int32)}
    found = d.detect(d.Detection((level,), 655, 65535, 10, 10), maps)
    softmax = d.scores(maps["c"].transpose(1, 2, 0).reshape(12, 4))
    every = sorted((-softmax[anchor, c + 1], c, anchor) for anchor in range(12) for c in range(3))[:10]
    assert [(-int(f["score"]), int(f["class"])) for f in found] == [key[:2] for key in every]
