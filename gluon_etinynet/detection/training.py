"""Training a detector: SSD's targets and loss by GluonCV's parts, the start from a checkpoint, and loading one.

Matching (SSD, section 2.2; GluonCV's `SSDTargetGenerator`): every box takes the anchor that overlaps it
most, and every anchor left takes the box it overlaps most if their intersection over union is at least 0.5.
All other anchors are background.

Loss (SSD, section 2.2; GluonCV's `SSDMultiBoxLoss`): cross-entropy of the classes plus smooth L1 of the box
codes of matched anchors, both divided by the number of matched anchors in the batch (with several GPUs, in a GPU's
share of it). Of a picture's background, only three anchors count for each matched one, those with the largest loss
("hard negative mining"): without it the many easy ones would outweigh all else. Of a picture without a match three
count.
"""

import numpy as np

from .._mxnet import mx  # before GluonCV, which loads MXNet itself

# isort: split
from gluoncv.loss import SSDMultiBoxLoss
from gluoncv.model_zoo.ssd.target import SSDTargetGenerator

from ..files import InputError
from ..networks.parameters import contents_of, load_features, load_parameters, read_checkpoint
from ..quantize.ptq import quantise
from ..quantize.qat import prepare_for
from ..training.loop import Task
from .evaluation import class_names, evaluate_detector
from .ssd import NEGATIVES_PER_POSITIVE, STDS, ssd_256_etinynet0_75, ssd_256_etinynet1_0

__all__ = ["MultiBoxLoss", "detection_task", "start_detector", "load_detector", "round_to_8_bits"]

MATCHING_IOU = 0.5


class MultiBoxLoss:
    """The loss of a detector: ``loss(net, data, label)`` of a `DetectionSource`'s batch, and its two terms."""

    def __init__(self):
        # Negatives are chosen by the loss: the generator marks all unmatched anchors as background.
        self.targets = SSDTargetGenerator(iou_thresh=MATCHING_IOU, stds=STDS, negative_mining_ratio=-1)
        self.loss = SSDMultiBoxLoss(NEGATIVES_PER_POSITIVE, min_hard_negatives=NEGATIVES_PER_POSITIVE)

    def __call__(self, net, data, label):
        cls_preds, box_preds, anchors = net(data)
        with mx.autograd.pause():
            cls_targets, box_targets, _ = self.targets(
                anchors.astype("float32"), None, label[:, :, :4], label[:, :, 4:5])
            # Of a picture without boxes the generator's codes are NaN, which times 0 is still NaN.
            matched = mx.nd.broadcast_like((cls_targets > 0).expand_dims(2), box_targets)
            box_targets = mx.nd.where(matched, box_targets, mx.nd.zeros_like(box_targets))
        losses = self.loss(cls_preds.astype("float32"), box_preds.astype("float32"), cls_targets, box_targets)
        # They are divided by the matched anchors of all these pictures; what is wanted has their sum as its mean.
        total, cross_entropy, smooth_l1 = (parts[0] * len(data) for parts in losses)
        return total, None, {"cross_entropy": cross_entropy.detach(), "smooth_l1": smooth_l1.detach()}


def detection_task():
    """Return what `gluon_etinynet.training.train` is told to train a detector: SSD's loss, and mAP."""
    return Task(MultiBoxLoss(), evaluate_detector, "map")


def load_detector(path, classes=None):
    """Build the detector that a checkpoint is of, and load it.

    Parameters
    ----------
    path : str or Path
        Of an `EtinyNetSSD` as `get_model` builds it, float or quantised.
    classes : sequence of str, optional
        By default those that `class_names` finds.

    Returns
    -------
    EtinyNetSSD

    Raises
    ------
    InputError
        If it is no such checkpoint, or has another number of classes.
    """
    arrays = read_checkpoint(path)
    contents = contents_of(arrays, path)
    if not contents.detector or "features.0.conv.weight" not in arrays:
        raise InputError(f"{path} is not a checkpoint of EtinyNet-SSD; tools/train_ssd.py makes one")
    build = ssd_256_etinynet0_75 if len(arrays["features.0.conv.weight"]) == 24 else ssd_256_etinynet1_0
    net = build(classes=class_names(path, contents.classes, classes))
    prepare_for(net, contents)
    load_parameters(net, path)
    return net


def round_to_8_bits(net, batches):
    """Round a trained detector to 8-bit linear weights and feature maps, in place; nothing is trained.

    As `quantise` does it, with pictures as a `DetectionSource` gives them.

    Parameters
    ----------
    net : EtinyNetSSD
        With float weights and feature maps.
    batches : list of NDArray
        Inputs to fit to, and from which the feature maps' ranges are taken; some hundred pictures.
    """
    with batches[0].context:
        quantise(net, np.concatenate([batch.asnumpy() for batch in batches]))


def start_detector(net, path):
    """Take over what a checkpoint has for a detector; its parameters must not hold values yet.

    Parameters
    ----------
    net : EtinyNetSSD
    path : str or Path
        A detector with as many classes: all of it. One with more or fewer: all but the class predictors. A
        classifier, or the released detector backbone: the backbone.

    Returns
    -------
    str
        What was taken over.

    Raises
    ------
    InputError
        If the checkpoint does not fit.
    """
    arrays = read_checkpoint(path)
    ours = net._collect_params_with_prefix()
    differing = {name for name in set(arrays) | set(ours)
                 if name not in arrays or name not in ours or arrays[name].shape != ours[name].shape}
    if not differing:
        load_parameters(net, path)
        return "all of it"
    load_features(net, path)
    if not all(name.startswith("class_predictors.") for name in differing):
        return "the backbone"
    for name, parameter in ours.items():
        if name.startswith("box_predictors."):
            parameter.initialize()
            parameter.set_data(mx.nd.array(arrays[name]))
    return "all but the class predictors"
