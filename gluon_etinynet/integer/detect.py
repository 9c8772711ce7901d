"""From the maps of a detector's predictors to boxes, in integers: docs/numerics.md section 9."""

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from ..files import InputError

__all__ = ["Level", "Detection", "OCTAVE_BITS", "SCORE_BITS", "PIXEL", "RESULT", "EXP_COARSE", "EXP_FINE",
           "power", "scores", "boxes", "suppress", "detect", "from_plain", "check"]

OCTAVE_BITS = 12  # of the fraction of logits and box offsets
SCORE_BITS = 16
PIXEL = 16  # units of a corner
RESULT = np.dtype([("class", np.uint16), ("score", np.uint16), ("box", np.int16, (4,))])
EXP_COARSE = np.rint(2.0 ** (15 - np.arange(64) / 64)).astype(np.int64)
EXP_FINE = np.rint(2.0 ** (15 - np.arange(64) / 4096)).astype(np.int64)

_FRACTION = (1 << OCTAVE_BITS) - 1
_MAX_CLASSES = 255
_MAX_SHIFT = 1 << 29  # of a centre, 2^-15 pixel
_MAX_HALF = 1 << 30  # of a size
_MAX_CORNER = 32767


@dataclass(frozen=True)
class Level:
    """The predictors on one feature map, and its anchors.

    Parameters
    ----------
    classes, boxes : str
        Tensors: channel anchor * (classes + 1) + class, and anchor * 4 + (x, y, w, h).
    half_step : int
        Half the distance of two cells' centres, 2^-15 pixel.
    anchors : tuple of (int, int)
        Half width and half height of each anchor of a cell, 2^-16 pixel.
    """
    classes: str
    boxes: str
    half_step: int
    anchors: Tuple[Tuple[int, int], ...]


@dataclass(frozen=True)
class Detection:
    """How a network's last maps become boxes; thresholds in units of 2^-16.

    Parameters
    ----------
    levels : tuple of Level
        In the order in which their anchors are numbered.
    score_threshold, iou_threshold : int
        A candidate's score is above the one; overlapping detections of a class are not above the other.
    candidates, detections : int
        The most that enter suppression, and that leave it.
    """
    levels: Tuple[Level, ...]
    score_threshold: int
    iou_threshold: int
    candidates: int
    detections: int


def power(d):
    """2^30 * 2^(-d / 4096) for integers d from 0 to 4095."""
    d = np.asarray(d, np.int64)
    return EXP_COARSE[d >> 6] * EXP_FINE[d & 63]


def scores(logits):
    """Softmax over the last axis.

    Parameters
    ----------
    logits : array of int32, shape (..., classes + 1)
        In octaves, units of 2^-12.

    Returns
    -------
    array of int64
        Units of 2^-16, at most 65535.
    """
    logits = np.asarray(logits, np.int64)
    d = logits.max(axis=-1, keepdims=True) - logits
    e = power(d & _FRACTION) >> np.minimum(12 + (d >> OCTAVE_BITS), 32)
    total = e.sum(axis=-1, keepdims=True)
    return np.minimum((e << 13) // (total >> 3), (1 << SCORE_BITS) - 1)


def boxes(offsets, level):
    """Corners (x0, y0, x1, y1) of a level's boxes.

    Parameters
    ----------
    offsets : array of int32, shape (rows, columns, anchors, 4)
        x, y in anchor sizes and w, h in octaves, units of 2^-12.
    level : Level

    Returns
    -------
    array of int16, shape (rows, columns, anchors, 4)
        Units of 1/16 pixel.
    """
    offsets = np.asarray(offsets, np.int64)
    rows, columns = offsets.shape[:2]
    half = np.array(level.anchors, np.int64)
    row, column = np.mgrid[:rows, :columns]
    centre = (2 * np.stack([column, row], axis=-1) + 1)[:, :, None] * level.half_step
    centre = centre + np.clip(offsets[..., :2] * half >> OCTAVE_BITS, -_MAX_SHIFT, _MAX_SHIFT)

    d = -offsets[..., 2:] & _FRACTION
    octaves = (offsets[..., 2:] + d) >> OCTAVE_BITS
    size = half * power(d) >> 31
    up, down = np.clip(octaves, 0, 30), np.clip(-octaves, 0, 31)
    size = np.minimum(size << up, _MAX_HALF) >> down
    corners = np.concatenate([centre - size, centre + size], axis=-1)
    return np.clip((corners + (1 << 10)) >> 11, -_MAX_CORNER, _MAX_CORNER).astype(np.int16)


def suppress(candidates, iou_threshold, most):
    """Non-maximum suppression within each class.

    Parameters
    ----------
    candidates : structured array of RESULT
        In the order of their rank.
    iou_threshold : int
        Units of 2^-16.
    most : int
        Detections at which it ends.

    Returns
    -------
    array of int
        Indices of those kept.
    """
    x0, y0, x1, y1 = candidates["box"].astype(np.int64).T
    area = (x1 - x0) * (y1 - y0)
    alive, kept = np.ones(len(candidates), bool), []
    for i in range(len(candidates)):
        if not alive[i]:
            continue
        kept.append(i)
        if len(kept) == most:
            break
        width = np.maximum(np.minimum(x1, x1[i]) - np.maximum(x0, x0[i]), 0)
        height = np.maximum(np.minimum(y1, y1[i]) - np.maximum(y0, y0[i]), 0)
        shared = width * height
        overlaps = (shared << 16) > iou_threshold * (area + area[i] - shared)
        alive &= ~(overlaps & (candidates["class"] == candidates["class"][i]))
    return np.array(kept, np.int64)


def detect(detection, maps):
    """Detections of one picture.

    Parameters
    ----------
    detection : Detection
    maps : dict from str to array of int32, shape (channels, rows, columns)
        The levels' tensors.

    Returns
    -------
    structured array of RESULT
        The best first; class 0 is the first after the background.
    """
    every_score, every_box = [], []
    for level in detection.levels:
        anchors = len(level.anchors)
        logits, offsets = (maps[name].transpose(1, 2, 0).reshape(*maps[name].shape[1:], anchors, -1)
                           for name in (level.classes, level.boxes))
        every_score.append(scores(logits)[..., 1:].reshape(-1, logits.shape[-1] - 1))
        every_box.append(boxes(offsets, level).reshape(-1, 4))
    # By class first: equal scores then stay in the order that the page states.
    ranked, corners = np.concatenate(every_score).T, np.concatenate(every_box)
    above = np.flatnonzero(ranked > detection.score_threshold)
    best = above[np.argsort(-ranked.ravel()[above], kind="stable")][:detection.candidates]
    candidates = np.empty(len(best), RESULT)
    candidates["class"], anchor = np.divmod(best, ranked.shape[1])
    candidates["score"], candidates["box"] = ranked.ravel()[best], corners[anchor]
    return candidates[suppress(candidates, detection.iou_threshold, detection.detections)]


def from_plain(entry):
    """Make a Detection of what `dataclasses.asdict` and JSON made of one; None of None."""
    if entry is None:
        return None
    levels = [Level(**{**level, "anchors": tuple(map(tuple, level["anchors"]))}) for level in entry["levels"]]
    return Detection(**{**entry, "levels": tuple(levels)})


def check(detection, graph):
    """Refuse parameters that are not as the page has them.

    Parameters
    ----------
    detection : Detection
    graph : Graph
        Whose tensors the levels name.

    Raises
    ------
    InputError
        One line naming what is wrong.
    """
    def require(condition, message):
        if not condition:
            raise InputError(f"detection: {message}")

    def whole(value, low, high):
        return type(value) is int and low <= value <= high

    require(detection.levels, "there is no level")
    total, classes = 0, set()
    for level in detection.levels:
        count, step = len(level.anchors), level.half_step
        require(count and all(whole(half, 1, (1 << 26) - 1) for pair in level.anchors for half in pair)
                and all(len(pair) == 2 for pair in level.anchors),
                f"{level.classes} must have anchors below 2048 pixels")
        for name in (level.classes, level.boxes):
            require(name in graph.tensors and name != graph.image.name, f"there is no tensor {name}")
            quant = graph.tensors[name].quant
            require(quant.bits == 32 and quant.scale == 2.0 ** -OCTAVE_BITS,
                    f"{name} must be int32 of scale 2^-{OCTAVE_BITS}")
        shape, shape_of_boxes = graph.tensors[level.classes].shape, graph.tensors[level.boxes].shape
        require(shape_of_boxes == (4 * count,) + shape[1:] and shape[0] % count == 0,
                f"{level.classes} {shape} and {level.boxes} {shape_of_boxes} do not fit {count} anchors")
        require(whole(step, 1, ((1 << 26) - 1) // (2 * max(shape[1:]) - 1)),
                f"{level.classes} must lie within 2048 pixels")
        total += count * shape[1] * shape[2]
        classes.add(shape[0] // count)
    require(len(classes) == 1 and 2 <= min(classes) <= _MAX_CLASSES + 1,
            f"all levels must have the same number of classes, 1 to {_MAX_CLASSES}")
    require(total <= 65535, f"{total} anchors are more than 65535")
    require(whole(detection.score_threshold, 0, 65535) and whole(detection.iou_threshold, 0, 65535),
            "thresholds must be from 0 to 65535")
    require(whole(detection.candidates, 1, 65535) and whole(detection.detections, 1, detection.candidates),
            "candidates must be 1 to 65535, detections at most as many")
    outputs = [name for level in detection.levels for name in (level.classes, level.boxes)]
    wide = [node.output for node in graph.nodes if graph.tensors[node.output].quant.bits == 32]
    require(sorted(outputs) == sorted(wide), "its levels must be the int32 tensors of the network")
