"""What an EtinyNet-SSD has beside its layers, in integers: predictions, anchors, rules (docs/numerics.md, 8 and 9)."""

import numpy as np

from ..detection.ssd import SCORE_THRESHOLD, STDS
from ..files import InputError
from ..integer import Detection, Level, QuantParams
from ..integer.detect import OCTAVE_BITS, SCORE_BITS
from .network import append_convolution, bias_of, integer_weight

__all__ = ["Detector"]

OCTAVE = np.log(2)
PREDICTION = QuantParams(2.0 ** -OCTAVE_BITS, 0, 32)
# Class logits in octaves; x and y in anchor sizes, width and height in octaves.
CLASS_UNITS = np.array([1 / OCTAVE])
BOX_UNITS = np.array([STDS[0], STDS[1], STDS[2] / OCTAVE, STDS[3] / OCTAVE])
ANCHOR_TOLERANCE = 2.0 ** -10  # pixels between GluonCV's float32 anchors and ours


class Detector:
    """Appends the predictors of a checked EtinyNetSSD to a Graph, and tells how the Graph detects."""

    def __init__(self, net, graph):
        if graph.image.shape[1:] != (net.size, net.size):
            raise InputError(f"the detector is made for pictures of {net.size} x {net.size} pixels, not "
                             f"{graph.image.shape[1]} x {graph.image.shape[2]}")
        self.net, self.graph = net, graph

    def append_predictor(self, layer):
        """Append the class or the box predictor of a level."""
        units = CLASS_UNITS if layer.name.startswith("class") else BOX_UNITS
        units = np.tile(units, layer.conv._channels // len(units)) / PREDICTION.scale
        weight, source = integer_weight(layer), self.graph.tensors[layer.source]
        slope = source.quant.scale * weight[1] * units
        beyond = (f"{layer.name}: its outputs are beyond the integers' range; the network is damaged, or its training "
                  "diverged")
        try:
            append_convolution(self.graph, source, layer.name, layer.conv, weight, slope, bias_of(layer.conv) * units,
                               PREDICTION)
        except InputError as error:
            raise InputError(beyond) from error
        attrs = self.graph.nodes[-1].attrs
        alive = weight[0].reshape(len(weight[0]), -1).any(axis=1)
        if (np.abs(np.ldexp(slope, 16 - attrs["shift"]) - attrs["multiplier"]) > 1)[alive].any():
            raise InputError(beyond)

    def detection(self):
        """Return the Detection: levels with their anchors, thresholds, limits."""
        levels = []
        for number, generator in enumerate(self.net.anchor_generators):
            names = f"class_predictors.{number}", f"box_predictors.{number}"
            levels.append(Level(*names, *_anchors(generator, self.graph.tensors[names[0]].shape[1:], number)))
        rules = self.net.detections
        if not (0 < rules.nms_thresh < 1 and 1 <= rules.post_nms <= rules.nms_topk):
            raise InputError(f"suppression above an overlap of {rules.nms_thresh}, of {rules.nms_topk} "
                             f"candidates to {rules.post_nms} detections, has no integer form: both numbers must "
                             "be limits")
        thresholds = (int(value * 2 ** SCORE_BITS) for value in (SCORE_THRESHOLD, rules.nms_thresh))
        return Detection(tuple(levels), *thresholds, int(rules.nms_topk), int(rules.post_nms))


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
