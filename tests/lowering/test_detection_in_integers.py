"""Detection in integers = GluonCV's decoder and NMS: the same detections in the same order.

Both get the same logits and offsets. Cases are kept away from what integers cannot tell apart: scores nearer
to each other or to the threshold than the error of docs/numerics.md section 9, overlaps within the rounding
of corners of the threshold.
"""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gluon_etinynet._mxnet import mx  # before GluonCV, which loads MXNet itself
from gluon_etinynet.integer import detect as d

# isort: split
from gluoncv.model_zoo.ssd.anchor import SSDAnchorGenerator
from gluoncv.nn.coder import MultiPerClassDecoder, NormalizedBoxCenterDecoder

SIZES, RATIOS, STEPS, CELLS = (40, 90, 160), ((1, 2, .5), (1, 2, .5, 3, 1 / 3)), (32, 64), (3, 2)
STDS = (.1, .1, .2, .2)


def cases(seed, classes, crowd):
    """Logits and offsets by level, in the integers' units; `crowd` anchors are no background."""
    rng = np.random.default_rng(seed)
    levels, maps = [], {}
    for i, (cells, step, ratios) in enumerate(zip(CELLS, STEPS, RATIOS)):
        anchors = SSDAnchorGenerator(i, (128, 128), SIZES[i:i + 2], ratios, step, (cells, cells))
        anchors.initialize()
        table = anchors.anchors.data().asnumpy().reshape(cells, cells, -1, 4)
        levels.append((anchors, d.Level(f"c{i}", f"b{i}", step << 14, tuple(
            (int(w), int(h)) for w, h in np.rint(table[0, 0, :, 2:].astype(float) * 2 ** 15)))))
        count = table.shape[2]
        logits = rng.normal(0, 4096, (count, classes + 1, cells, cells))
        logits[:, 0] += 16 * 4096
        lively = rng.random((count, cells, cells)) < crowd / 72
        logits[:, 0] -= lively * rng.uniform(8, 22, lively.shape) * 4096
        maps[f"c{i}"] = logits.reshape(-1, cells, cells).astype(np.int32)
        offsets = rng.normal(0, 1, (count, 4, cells, cells)) * np.array([500, 500, 2000, 2000])[:, None, None]
        maps[f"b{i}"] = offsets.reshape(-1, cells, cells).astype(np.int32)
    return levels, maps


def gluoncv_detect(levels, maps, classes, candidates, most):
    """What GluonCV's SSD does with its predictors' outputs; also all scores (anchors, classes) and boxes."""
    def flat(name, factor):
        factors = np.tile(factor, len(maps[name]) // len(factor))
        x = maps[name] / 4096 * factors[:, None, None]
        return x.transpose(1, 2, 0).reshape(-1, len(factor))

    ln2 = np.log(2)
    logits = np.concatenate([flat(level.classes, [ln2] * (classes + 1)) for _, level in levels])
    offsets = np.concatenate([flat(level.boxes, [10, 10, 5 * ln2, 5 * ln2]) for _, level in levels])
    anchors = mx.nd.concat(*[generator(mx.nd.zeros((1, 1, cells, cells))).reshape((1, -1, 4))
                             for (generator, _), cells in zip(levels, CELLS)], dim=1)
    boxes = NormalizedBoxCenterDecoder(STDS)(mx.nd.array(offsets)[None], anchors)
    softmax = mx.nd.softmax(mx.nd.array(logits)[None], axis=-1)
    ids, scores = MultiPerClassDecoder(classes + 1, thresh=0.01)(softmax)
    every = [mx.nd.concat(ids[:, :, i:i + 1], scores[:, :, i:i + 1], boxes, dim=-1) for i in range(classes)]
    found = mx.nd.contrib.box_nms(mx.nd.concat(*every, dim=1), overlap_thresh=0.45, topk=candidates,
                                  valid_thresh=0.01, id_index=0, score_index=1, coord_start=2,
                                  force_suppress=False)[0, :most].asnumpy()
    return found[found[:, 0] >= 0], softmax[0, :, 1:].asnumpy(), boxes[0].asnumpy().astype(float)


def away_from_ties(scores, boxes):
    units = scores * 65536.0
    class_of, anchor_of = np.nonzero(units.T > 640)
    values = np.sort(units[anchor_of, class_of])
    gap = 4 + values * 2.0 ** -11
    if (np.abs(values - 655.36) < gap).any() or (np.diff(values) < gap[1:]).any():
        return False
    x0, y0, x1, y1 = boxes[anchor_of].T
    width = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)
    height = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    shared, area = width.clip(0) * height.clip(0), (x1 - x0) * (y1 - y0)
    overlap = shared / (area[:, None] + area - shared)
    side = np.minimum(np.minimum(x1 - x0, y1 - y0), 1e9)
    margin = 0.5 / np.minimum(side[:, None], side)
    same = class_of[:, None] == class_of
    np.fill_diagonal(same, False)
    return not (same & (np.abs(overlap - 0.45) < margin)).any()


@settings(max_examples=60)
@given(st.integers(0, 2 ** 32 - 1), st.integers(1, 4), st.integers(1, 14),
       st.sampled_from([(400, 100), (6, 100), (400, 3)]))
def test_same_detections_in_the_same_order_as_gluoncv(seed, classes, crowd, limits):
    levels, maps = cases(seed, classes, crowd)
    expected, scores, boxes = gluoncv_detect(levels, maps, classes, *limits)
    assume(away_from_ties(scores, boxes))
    found = d.detect(d.Detection(tuple(level for _, level in levels), 655, 29491, *limits), maps)
    assert found["class"].tolist() == expected[:, 0].astype(int).tolist()
    assert np.abs(found["score"] / 65536 - expected[:, 1]).max(initial=0) < 6e-4
    reach = np.abs(expected[:, 2:]) < 2000
    assert np.abs(found["box"] / 16 - expected[:, 2:])[reach].max(initial=0) < 0.1


def test_the_cases_suppress_and_overflow_their_limits():
    """What the test above compares is not empty: there are candidates, suppressed ones, and too many."""
    found, candidates = [], []
    for seed in range(20):
        levels, maps = cases(seed, 2, 14)
        expected, scores, boxes = gluoncv_detect(levels, maps, 2, 400, 100)
        found.append(len(expected))
        candidates.append(int((scores > 0.01).sum()))
    assert min(candidates) > 3 and max(candidates) > 20 and sum(candidates) > sum(found) * 1.1
