"""From EtinyNet-SSD to the integer Graph of a detector: docs/numerics.md, sections 8 and 9."""

import numpy as np

from ..detection.ssd import SCORE_THRESHOLD, STDS, TAPPED_STAGES, EtinyNetSSD, SSDAnchorGenerator
from ..files import InputError
from ..integer import Detection, Level, QuantParams
from ..integer.detect import OCTAVE_BITS, SCORE_BITS
from ..networks.etinynet import ExtraLevel
from .network import (
    _append_convolution,
    _check_features,
    _check_parts,
    _convolve,
    _feature_map,
    _integer_weight,
    _lower_features,
    _require,
    nn,
)

__all__ = ["check_detector", "lower_detector"]

OCTAVE = np.log(2)
PREDICTION = QuantParams(2.0 ** -OCTAVE_BITS, 0, 32)
# Class logits in octaves; x and y in anchor sizes, width and height in octaves.
BOX_UNITS = np.array([STDS[0], STDS[1], STDS[2] / OCTAVE, STDS[3] / OCTAVE])
ANCHOR_TOLERANCE = 2.0 ** -10  # pixels between GluonCV's float32 anchors and ours


def check_detector(net):
    """Refuse a network with a layer that has no integer form, as `lower.check_layers`."""
    _require(net, EtinyNetSSD, "the network")
    _check_features(net.features)
    if len(net.class_predictors) > len(TAPPED_STAGES):
        _require(net.extra, ExtraLevel, "extra")
        _check_parts(net.extra, "extra", pw=nn.Conv2D, bn1=nn.BatchNorm, dw=nn.Conv2D, bn2=nn.BatchNorm)
    for part in ("class_predictors", "box_predictors"):
        for i, conv in enumerate(getattr(net, part)):
            _require(conv, nn.Conv2D, f"{part}.{i}")
            if conv._kwargs["kernel"] != (1, 1) or conv._kwargs["stride"] != (1, 1) or conv.act is not None:
                raise InputError(f"{part}.{i} is not a 1x1 convolution of stride 1 without activation, and so "
                                 "has no integer form")
    for i, generator in enumerate(net.anchor_generators):
        _require(generator, SSDAnchorGenerator, f"anchor_generators.{i}")


def lower_detector(net, graph):
    """Append a checked EtinyNetSSD to a Graph that holds the image alone, and set how it detects."""
    if graph.image.shape[1:] != (net.size, net.size):
        raise InputError(f"the detector is made for pictures of {net.size} x {net.size} pixels, not "
                         f"{graph.image.shape[1]} x {graph.image.shape[2]}")
    levels = []
    for stage, x in enumerate(_lower_features(graph, net.features)):
        if stage in TAPPED_STAGES:
            levels.append(_lower_level(graph, x, net, len(levels)))
    if len(net.class_predictors) > len(levels):
        levels.append(_lower_level(graph, _lower_extra(graph, x, net.extra), net, len(levels)))
    rules = net.detections
    if not (0 < rules.nms_thresh < 1 and 1 <= rules.post_nms <= rules.nms_topk):
        raise InputError(f"suppression above an overlap of {rules.nms_thresh}, of {rules.nms_topk} "
                         f"candidates to {rules.post_nms} detections, has no integer form: both numbers must "
                         "be limits")
    thresholds = (int(value * 2 ** SCORE_BITS) for value in (SCORE_THRESHOLD, rules.nms_thresh))
    graph.detection = Detection(tuple(levels), *thresholds, int(rules.nms_topk), int(rules.post_nms))
    graph.validate()
    return graph


def _lower_extra(graph, x, extra):
    middle, out = (_feature_map(getattr(extra, bn), "quantiser", f"extra.{bn}") for bn in ("bn1", "bn2"))
    p = _convolve(graph, x, "extra.pw", extra.pw, extra.bn1, middle, relu="before")
    return _convolve(graph, p, "extra", extra.dw, extra.bn2, out, relu="before")


def _lower_level(graph, x, net, number):
    anchors = net.anchor_generators[number].num_depth
    classes = len(net.classes) + 1
    names = f"class_predictors.{number}", f"box_predictors.{number}"
    _predict(graph, x, names[0], net.class_predictors[number], np.full(anchors * classes, 1 / OCTAVE))
    _predict(graph, x, names[1], net.box_predictors[number], np.tile(BOX_UNITS, anchors))
    return Level(*names, *_anchors(net.anchor_generators[number], x.shape[1:], number))


def _predict(graph, x, name, conv, units):
    levels, scales, bits = _integer_weight(conv, name)
    units = units / PREDICTION.scale
    bias = np.zeros(len(units)) if conv.bias is None else conv.bias.data().asnumpy().astype(np.float64)
    slope = x.quant.scale * scales * units
    _append_convolution(graph, x, name, conv, (levels, scales, bits), slope, bias * units, PREDICTION)
    attrs = graph.nodes[-1].attrs
    alive = levels.reshape(len(levels), -1).any(axis=1)
    if (np.abs(np.ldexp(slope, 16 - attrs["shift"]) - attrs["multiplier"]) > 1)[alive].any():
        raise InputError(f"{name}: its outputs are beyond the integers' range; the network is damaged, or "
                         "its training diverged")


def _anchors(generator, cells, number):
    """Half the step, 2^-15 pixel, and half sizes, 2^-16 pixel, from GluonCV's table of a level's anchors."""
    table = generator.anchors.data().asnumpy().astype(np.float64)
    table = table.reshape(*table.shape[2:4], -1, 4)[:cells[0], :cells[1]]
    half_step = int(np.rint(table[0, 0, 0, 0] * 2 ** 15))
    halves = np.rint(table[0, 0, :, 2:] * 2 ** 15).astype(np.int64)
    row, column = np.mgrid[:cells[0], :cells[1]]
    ours = np.empty((*cells, len(halves), 4))
    ours[..., :2] = (2 * np.stack([column, row], axis=-1) + 1)[:, :, None] * half_step / 2 ** 15
    ours[..., 2:] = halves / 2 ** 15
    if table.shape != ours.shape or np.abs(table - ours).max() > ANCHOR_TOLERANCE:
        raise InputError(f"anchor_generators.{number}: its anchors are not the same in every cell of a "
                         "square grid that begins half a step from the picture's edge")
    return half_step, tuple((int(width), int(height)) for width, height in halves)
