"""Training a detector and measuring it: SSD's targets and loss, and mAP, all by GluonCV's parts.

Matching (SSD, section 2.2; GluonCV's `SSDTargetGenerator`): every box takes the anchor that overlaps it
most, and every anchor left takes the box it overlaps most if their intersection over union is at least 0.5.
All other anchors are background.

Loss (SSD, section 2.2; GluonCV's `SSDMultiBoxLoss`): cross-entropy of the classes plus smooth L1 of the box
codes of matched anchors, both divided by the number of matched anchors. Of the background, only three
anchors count for each matched one, those with the largest loss ("hard negative mining"): without it the
many easy ones would outweigh all else.
"""

from pathlib import Path

import numpy as np

from .._mxnet import mx  # before GluonCV, which loads MXNet itself

# isort: split
from gluoncv.loss import SSDMultiBoxLoss
from gluoncv.model_zoo.ssd.target import SSDTargetGenerator
from gluoncv.utils.metrics.voc_detection import VOC07MApMetric

from ..cli import progress
from ..data.images import read_image
from ..files import InputError
from ..integer import pixels_to_input
from ..networks.parameters import load_features, load_parameters, structural_names
from ..networks.params_file import read_params
from ..quantize.equalise import equalise
from ..quantize.qat import prepare_qat
from ..quantize.rounding import fit_to_rounding
from ..training.loop import Task
from .augment import resize_square
from .ssd import RATIOS, STDS, VOC_CLASSES, ssd_256_etinynet0_75, ssd_256_etinynet1_0

__all__ = ["MultiBoxLoss", "detection_task", "evaluate_detector", "average_precisions", "start_detector",
           "load_detector", "detect", "round_to_8_bits"]

MATCHING_IOU = 0.5
NEGATIVES_PER_POSITIVE = 3


class MultiBoxLoss:
    """The loss of a detector: ``loss(net, data, label)`` of a `DetectionSource`'s batch."""

    def __init__(self):
        # Negatives are chosen by the loss: the generator marks all unmatched anchors as background.
        self.targets = SSDTargetGenerator(iou_thresh=MATCHING_IOU, stds=STDS, negative_mining_ratio=-1)
        self.loss = SSDMultiBoxLoss(NEGATIVES_PER_POSITIVE)

    def __call__(self, net, data, label):
        cls_preds, box_preds, anchors = net(data)
        with mx.autograd.pause():
            cls_targets, box_targets, _ = self.targets(
                anchors.astype("float32"), None, label[:, :, :4], label[:, :, 4:5])
            # Of a picture without boxes the generator's codes are NaN, which times 0 is still NaN.
            matched = mx.nd.broadcast_like((cls_targets > 0).expand_dims(2), box_targets)
            box_targets = mx.nd.where(matched, box_targets, mx.nd.zeros_like(box_targets))
        losses, _, _ = self.loss(cls_preds.astype("float32"), box_preds.astype("float32"), cls_targets,
                                 box_targets)
        # They are divided by the matched anchors of the whole batch; what is wanted has their sum as its mean.
        return losses[0] * len(data), None


def detection_task():
    """Return what `gluon_etinynet.training.train` is told to train a detector: SSD's loss, and mAP."""
    return Task(MultiBoxLoss(), evaluate_detector, "map")


def evaluate_detector(net, source, ctx=None, dtype="float32"):
    """Mean average precision as GluonCV's ``eval_ssd.py`` measures it on VOC 2007.

    Boxes are compared in pixels of the network's input, detections limited to the picture; difficult
    objects count neither way; average precision is the mean of 11 points.

    Parameters
    ----------
    net : EtinyNetSSD
    source : DetectionSource
    ctx : list of Context, optional
        The first is used; the CPU by default.
    dtype : str

    Returns
    -------
    dict
        "map" (a fraction, over the classes that occur), "samples".
    """
    precisions = average_precisions(net, source, ctx, dtype)
    return {"map": precisions["mAP"], "samples": source.samples_per_epoch}


def average_precisions(net, source, ctx=None, dtype="float32"):
    """Return {class: average precision, NaN if it does not occur} in the network's order, and last "mAP"."""
    metric = VOC07MApMetric(iou_thresh=0.5, class_names=list(net.classes))
    ctx = (ctx or [mx.cpu()])[0]
    for data, label in progress(source.epoch(0), desc="validation", total=len(source)):
        ids, scores, boxes = net(data.as_in_context(ctx).astype(dtype))
        label = label.asnumpy()
        metric.update(boxes.clip(0, source.size).asnumpy(), ids.asnumpy(), scores.asnumpy(),
                      label[:, :, :4], label[:, :, 4:5], label[:, :, 5:6])
    return dict(zip(*metric.get()))


def load_detector(path, classes=None):
    """Build the detector that a checkpoint is of, and load it.

    Parameters
    ----------
    path : str or Path
        Of an `EtinyNetSSD` as `get_model` builds it, float or trained at 8 bits.
    classes : sequence of str, optional
        By default the lines of ``classes.txt`` beside the checkpoint or in the folder above, as training
        writes it, or else Pascal VOC's.

    Returns
    -------
    EtinyNetSSD

    Raises
    ------
    InputError
        If it is no such checkpoint, or has another number of classes.
    """
    arrays = read_params(path)
    heads = [arrays[name] for name in sorted(arrays) if name.startswith("class_predictors.")]
    if len(heads) != len(RATIOS) or "features.0.conv.weight" not in arrays:
        raise InputError(f"{path} is not a checkpoint of EtinyNet-SSD; tools/train_ssd.py makes one")
    if classes is None:
        files = [folder / "classes.txt" for folder in (Path(path).parent, Path(path).parent.parent)]
        found = next((file for file in files if file.is_file()), None)
        classes = found.read_text().split("\n")[:-1] if found else VOC_CLASSES
    build = ssd_256_etinynet0_75 if len(arrays["features.0.conv.weight"]) == 24 else ssd_256_etinynet1_0
    net = build(classes=classes)
    anchors = net.anchor_generators[0].num_depth
    if len(heads[0]) != anchors * (len(classes) + 1):
        raise InputError(f"{path} has {len(heads[0]) // anchors - 1} classes and not {len(classes)}: give "
                         "their names as classes, or in a classes.txt beside it")
    if any(name.endswith("quantiser.scale") for name in arrays):
        prepare_qat(net, "linear", 8, act_bits=8)
    load_parameters(net, path)
    return net


def round_to_8_bits(net, batches):
    """Round a trained detector to 8-bit linear weights and feature maps, in place; nothing is trained.

    Equalised and fitted to its rounding first, as for export (equalise.py, fit.py).

    Parameters
    ----------
    net : EtinyNetSSD
        With float weights and feature maps.
    batches : list of NDArray
        Inputs to fit to, and from which the feature maps' ranges are taken; some hundred pictures.
    """
    prepare_qat(net, scheme=None, act_bits=8)
    equalise(net, batches)
    with batches[0].context:
        fit_to_rounding(net, np.concatenate([batch.asnumpy() for batch in batches]))
    prepare_qat(net, "linear", 8)


def detect(net, path, threshold=0.3):
    """Detect the objects on one picture file.

    Parameters
    ----------
    net : EtinyNetSSD
    path : str or Path
    threshold : float
        Least score of a detection.

    Returns
    -------
    image : numpy.ndarray
        uint8 RGB, as read.
    detections : list of dict
        "class", "score", and "box": left, top, right, bottom in pixels of the picture; best first.
    """
    image = read_image(path)
    height, width = image.shape[:2]
    data = pixels_to_input(resize_square(image, net.size))[None]
    ids, scores, boxes = (array[0].asnumpy() for array in net(mx.nd.array(data, dtype="float32")))
    boxes = boxes.clip(0, net.size) * np.array([width, height, width, height]) / net.size
    return image, [{"class": net.classes[int(index)], "score": float(score), "box": box.tolist()}
                   for index, score, box in zip(ids[:, 0], scores[:, 0], boxes)
                   if index >= 0 and score >= threshold]


def start_detector(net, path):
    """Take over what a checkpoint has for a detector; its parameters must not hold values yet.

    Parameters
    ----------
    net : EtinyNetSSD
    path : str or Path
        A detector with the same classes: all of it. One with other classes: all but the class predictors. A
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
    arrays = structural_names(read_params(path))
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
        if name.startswith(("extra.", "box_predictors.")):
            parameter.initialize()
            parameter.set_data(mx.nd.array(arrays[name]))
    return "all but the class predictors"
