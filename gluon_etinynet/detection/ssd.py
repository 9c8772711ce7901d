"""EtinyNet-SSD: detection on the backbone's feature maps, with GluonCV's SSD parts (table 5).

The paper says of its detector: EtinyNet-1.0 as backbone, "the detection layers as well as prior boxes
presented by SSD", 256 x 256 pixels, 8-bit linear quantisation. What it leaves open is chosen so that
parameters and multiply-adds come to its 0.59 M and 164 M:

* feature maps: after stage 3 (stride 16) and stage 4 (stride 32), the two taps of the authors' released
  detector backbone;
* on each two pairs of 1x1 convolutions, for the classes and for the boxes, with no hidden layer, as in that
  backbone: for small and for smallish objects, for middling and for large ones. A further map would have room for
  32 channels only;
* three anchors a cell for each of the first two levels, four for the others.

Anchors (SSD, Liu et al. 2016, section 2.2; GluonCV's `SSDAnchorGenerator`): at every cell of level k,
squares of side s_k and sqrt(s_k s_k+1), and boxes of area s_k ** 2 with aspect ratio 1/3, for people, on stage 3, and
2 and 1/2 on stage 4. The sides 24, 48, 90, 150 (and 270 to follow) are chosen on VOC's trainval boxes: 88 % overlap an
anchor by half or more. 16 * 16 * 6 + 8 * 8 * 8 make 2048 anchors.

Box code (SSD, equation 2; GluonCV's `NormalizedBoxCenterDecoder`): centre offsets in units of the
anchor's size, and logarithms of the ratio of the sizes, divided by 0.1, 0.1, 0.2, 0.2. These "variances" are
not in the paper of SSD but in its authors' code, and GluonCV has them too: they bring the targets to
a spread of about one, so that class and box losses weigh alike.
"""

import numpy as np

from .._mxnet import mx  # before GluonCV, which loads MXNet itself

# isort: split
from gluoncv.data import VOCDetection
from gluoncv.model_zoo.ssd.anchor import SSDAnchorGenerator
from gluoncv.nn.coder import MultiPerClassDecoder, NormalizedBoxCenterDecoder

from ..networks.etinynet import etinynet0_75, etinynet1_0
from ..networks.layers import IMAGE, Layer, Part, chain, layers_of

__all__ = ["EtinyNetSSD", "Detections", "VOC_CLASSES", "ssd_256_etinynet1_0", "ssd_256_etinynet0_75"]

nn = mx.gluon.nn

VOC_CLASSES = VOCDetection.CLASSES
TAPS = (3, 3, 4, 4)  # the stage that each level reads
STEPS = (16, 16, 32, 32)  # pixels from one cell to the next, level by level
SIZES = (24, 48, 90, 150, 270)  # s_k in pixels, and what would follow
RATIOS = ((1, 1 / 3), (1, 1 / 3), (1, 2, 1 / 2), (1, 2, 1 / 2))
STDS = (0.1, 0.1, 0.2, 0.2)  # of the box code: x, y, width, height
NEGATIVES_PER_POSITIVE = 3  # of the loss, SSD, section 2.2
SCORE_THRESHOLD = 0.01  # SSD, section 3.7, and GluonCV: mAP wants nearly the whole curve


class Detections(mx.gluon.HybridBlock):
    """Decode predictions and drop duplicates: scores, boxes, non-maximum suppression, as GluonCV's SSD.

    Softmax over the classes and the background; every class of every anchor whose score is above 0.01 is
    a candidate; per class, candidates overlapping a better one by more than `nms_thresh` go.

    Parameters
    ----------
    num_classes : int
        Without the background.
    nms_thresh : float
        Intersection over union; 0.45 as SSD, section 3.7.
    nms_topk : int
        Candidates that are looked at, the best ones of all classes together.
    post_nms : int
        Detections that are returned.
    """

    def __init__(self, num_classes, nms_thresh=0.45, nms_topk=400, post_nms=100, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.nms_thresh, self.nms_topk, self.post_nms = nms_thresh, nms_topk, post_nms
        with self.name_scope():
            self.bbox_decoder = NormalizedBoxCenterDecoder(STDS)
            self.cls_decoder = MultiPerClassDecoder(num_classes + 1, thresh=SCORE_THRESHOLD)

    def hybrid_forward(self, F, cls_preds, box_preds, anchors):
        bboxes = self.bbox_decoder(box_preds, anchors)
        ids, scores = self.cls_decoder(F.softmax(cls_preds, axis=-1))
        candidates = [F.concat(F.slice_axis(ids, axis=-1, begin=i, end=i + 1),
                               F.slice_axis(scores, axis=-1, begin=i, end=i + 1), bboxes, dim=-1)
                      for i in range(self.num_classes)]
        found = F.contrib.box_nms(
            F.concat(*candidates, dim=1), overlap_thresh=self.nms_thresh, topk=self.nms_topk,
            valid_thresh=SCORE_THRESHOLD, id_index=0, score_index=1, coord_start=2, force_suppress=False)
        found = F.slice_axis(found, axis=1, begin=0, end=self.post_nms)
        return tuple(F.slice_axis(found, axis=2, begin=a, end=b) for a, b in ((0, 1), (1, 2), (2, 6)))


class EtinyNetSSD(mx.gluon.HybridBlock):
    """EtinyNet-SSD of table 5, or a detector of its shape with other levels, anchors or classes.

    The input is a batch of RGB pictures as `pixel - 128`, shape (N, 3, size, size). Within
    `autograd.train_mode` (and `record`) it returns class logits (N, anchors, classes + 1), the background
    first, box codes (N, anchors, 4) and anchors (1, anchors, 4), as centre and size in pixels. Otherwise,
    like GluonCV's: ids (N, 100, 1), scores (N, 100, 1) and boxes (N, 100, 4), as left, top, right and
    bottom in pixels of the input, best first, -1 where there is none. Hybridised or exported, the network
    ends with the three arrays of training; what follows is `detections`.

    Parameters
    ----------
    backbone : callable
        `etinynet1_0` or `etinynet0_75`: called with ``norm=norm``, gives the `EtinyNet`.
    classes : sequence of str
        Without the background.
    size : int
        Side of the picture in pixels.
    taps : sequence of int
        The stage whose map each level reads, ascending.
    sizes, ratios, steps : sequences
        As GluonCV's SSD has them: sides of the anchors in pixels, one more than levels; their
        aspect ratios and the pixels between cells, level by level.
    anchor_alloc_size : int, optional
        Cells a side for which anchors of the first level are kept, on further levels in proportion. By
        default those of `size`.
    norm : callable
        Makes the BNs, as for `EtinyNet`.

    Attributes
    ----------
    features : HybridSequential
        Stem and stages 1 to 4 of the backbone.
    class_predictors, box_predictors, anchor_generators : HybridSequential
        One for each level; the first two hold convolutions. Channels are anchor-major: those of anchor a
        are a * (classes + 1) and on, or 4 * a and on.
    detections : Detections
    """

    def __init__(self, backbone=etinynet1_0, classes=VOC_CLASSES, size=256, taps=TAPS, sizes=SIZES, ratios=RATIOS,
                 steps=STEPS, anchor_alloc_size=None, norm=nn.BatchNorm, **kwargs):
        super().__init__(**kwargs)
        self.classes, self.size, self.taps = list(classes), size, list(taps)
        with self.name_scope():
            self.features = backbone(norm=norm).features
            channels = {stage: self.features[stage][-1].dw2._channels for stage in (3, 4)}
            self.class_predictors = nn.HybridSequential()
            self.box_predictors = nn.HybridSequential()
            self.anchor_generators = nn.HybridSequential()
            extent = (anchor_alloc_size or -(-size // steps[0])) * steps[0]
            for level, tap in enumerate(taps):
                cells = -(-extent // steps[level])
                anchors = SSDAnchorGenerator(level, (size, size), sizes[level:level + 2], ratios[level],
                                             steps[level], (cells, cells))
                count = anchors.num_depth
                self.anchor_generators.add(anchors)
                self.class_predictors.add(_predictor(channels[tap], count * (len(self.classes) + 1),
                                                     BackgroundBias(len(self.classes))))
                self.box_predictors.add(_predictor(channels[tap], count * 4, "zeros"))
            self.detections = Detections(len(self.classes))

    def layers(self):
        """Yield the network's layers (see networks/layers.py): a level's predictors follow the map that they read."""
        source = IMAGE
        for number, stage in enumerate(self.features):
            for layer in layers_of(stage, f"features.{number}", source):
                yield layer
                source = layer.name
            for name, predictor in self._predictors(number):
                yield Layer(name, source, predictor)

    def parts(self):
        """Yield the network's parts (see networks/layers.py): blocks, and predictors behind the map that they read."""
        for number, stage in enumerate(self.features):
            for name, block in chain(stage, f"features.{number}"):
                yield Part(name, block)
            for name, predictor in self._predictors(number):
                yield Part(name, predictor, feeds=False)

    def _predictors(self, stage):
        """Names and convolutions of the predictors that read this stage's map."""
        for level in [level for level, tap in enumerate(self.taps) if tap == stage]:
            for heads in ("class_predictors", "box_predictors"):
                yield f"{heads}.{level}", getattr(self, heads)[level]

    def forward(self, x):
        predictions = super().forward(x)
        return predictions if mx.autograd.is_training() else self.detections(*predictions)

    def hybrid_forward(self, F, x):
        maps = []
        for stage in self.features:
            x = stage(x)
            maps.append(x)
        levels = [maps[tap] for tap in self.taps]
        cls_preds, box_preds = ([F.flatten(F.transpose(head(x), (0, 2, 3, 1))) for x, head in zip(levels, heads)]
                                for heads in (self.class_predictors, self.box_predictors))
        anchors = [F.reshape(generator(x), (1, -1)) for x, generator in zip(levels, self.anchor_generators)]
        return [F.reshape(F.concat(*cls_preds, dim=1), (0, -1, len(self.classes) + 1)),
                F.reshape(F.concat(*box_preds, dim=1), (0, -1, 4)),
                F.reshape(F.concat(*anchors, dim=1), (1, -1, 4))]


def _predictor(in_channels, channels, bias):
    """A 1x1 convolution whose weights start near zero, lest its gradients spoil a trained backbone."""
    return nn.Conv2D(channels, 1, in_channels=in_channels, weight_initializer=mx.init.Normal(0.001),
                     bias_initializer=bias)


@mx.init.register
class BackgroundBias(mx.init.Initializer):
    """For a class predictor: a background as likely as among the anchors that count in the loss; classes alike."""

    def __init__(self, classes):
        super().__init__(classes=classes)
        self.classes = classes

    def _init_bias(self, _, array):
        logits = np.zeros((array.size // (self.classes + 1), self.classes + 1), np.float32)
        logits[:, 0] = np.log(NEGATIVES_PER_POSITIVE * self.classes)
        array[:] = logits.ravel()

    _init_weight = _init_bias  # what Gluon calls of a parameter's own initialiser, whatever its name


def ssd_256_etinynet1_0(**kwargs):
    """EtinyNet-SSD of table 5; keyword arguments as for `EtinyNetSSD`."""
    return EtinyNetSSD(etinynet1_0, **kwargs)


def ssd_256_etinynet0_75(**kwargs):
    """The same detector on EtinyNet-0.75; keyword arguments as for `EtinyNetSSD`."""
    return EtinyNetSSD(etinynet0_75, **kwargs)
