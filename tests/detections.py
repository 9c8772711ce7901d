"""What GluonCV's parts do for a detector, written a second time in plain NumPy."""

import numpy as np


def iou(boxes, others):
    """Intersection over union of every box with every other, (n, m); left, top, right, bottom."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:4], others[None, :, 2:4])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes, others)]
    return shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-12)


def decode(codes, anchors):
    """Corners of boxes from codes and anchors (centre and size): SSD, equation 2, variances 0.1 and 0.2."""
    centre = codes[:, :2] * 0.1 * anchors[:, 2:] + anchors[:, :2]
    half = np.exp(codes[:, 2:] * 0.2) * anchors[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def detect(logits, codes, anchors, nms=0.45, topk=400, most=100, threshold=0.01):
    """[(class, score, box)], best first, of one picture."""
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = (scores / scores.sum(axis=1, keepdims=True))[:, 1:]
    boxes = decode(codes, anchors)
    candidates = sorted(((scores[a, c], c, a) for c in range(scores.shape[1]) for a in range(len(scores))
                         if scores[a, c] > threshold), key=lambda item: -item[0])[:topk]
    kept = []
    for score, c, a in candidates:
        if all(c != other or iou(boxes[a:a + 1], boxes[b:b + 1])[0, 0] <= nms for _, other, b in kept):
            kept.append((score, c, a))
    return [(c, score, boxes[a]) for score, c, a in kept[:most]]


def match(boxes, anchors, threshold=0.5):
    """Index of the box of each anchor, -1 for background; anchors as corners (SSD, section 2.2)."""
    overlaps = iou(anchors, boxes)
    matched = np.where(overlaps.max(axis=1) >= threshold, overlaps.argmax(axis=1), -1)
    left = overlaps.copy()
    for _ in range(len(boxes)):  # the best pair first; each box and each anchor once
        anchor, box = np.unravel_index(left.argmax(), left.shape)
        if left[anchor, box] <= 0:
            break
        matched[anchor] = box
        left[anchor], left[:, box] = -1, -1
    return matched


def mean_average_precision(pictures, classes):
    """mAP of VOC 2007: 11 points, difficult objects neither way, one more pixel right and below.

    pictures : [(detections as of `detect`, truth (n, 6): box, class, difficult)]
    """
    precisions = []
    for c in range(classes):
        results, positives = [], 0
        for detections, truth in pictures:
            mine = truth[truth[:, 4] == c]
            positives += int((mine[:, 5] == 0).sum())
            taken = set()
            for _, score, box in sorted((d for d in detections if d[0] == c), key=lambda d: -d[1]):
                overlaps = iou(np.append(box[:2], box[2:] + 1)[None], mine[:, :4] + [0, 0, 1, 1])[0]
                best = int(overlaps.argmax()) if len(mine) else -1
                if best < 0 or overlaps[best] < 0.5:
                    results.append((score, False))
                elif not mine[best, 5]:
                    results.append((score, best not in taken))
                    taken.add(best)
        if not positives:
            continue
        results.sort(key=lambda result: -result[0])
        hits = np.cumsum([hit for _, hit in results]) if results else np.zeros(0)
        recall, precision = hits / positives, hits / np.arange(1, len(hits) + 1)
        precisions.append(np.mean([max(precision[recall >= t], default=0) for t in np.arange(0, 1.1, 0.1)]))
    return float(np.mean(precisions))
