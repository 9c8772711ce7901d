"""What a detector finds: on one picture, on a data set as mAP, and on a contact sheet.

A detector is, here, a callable with `classes` (names) and `size` (pixels) that turns a batch of pictures into ids,
scores and boxes as GluonCV's SSD does. An `EtinyNetSSD` is one, `GraphDetector` makes one of a Graph: the float
network, its 8-bit form and the integer network are measured by the same lines.
"""

import numpy as np

from .._mxnet import mx  # before GluonCV, which loads MXNet itself

# isort: split
from gluoncv.utils.metrics.voc_detection import VOC07MApMetric

from ..cli import progress
from ..data.datasets import labels_of
from ..data.images import read_image, resize_square
from ..integer import Graph, pixels_to_input, run
from ..integer.detect import PIXEL, SCORE_BITS
from ..reading import InputError
from .drawing import contact_sheet, draw_detections, write_image
from .ssd import VOC_CLASSES

__all__ = ["GraphDetector", "graph_detector", "class_names", "average_precisions", "evaluate_detector", "detect",
           "write_contact_sheet"]

VOC_IOU = 0.5  # of a detection that counts as found, in VOC 2007


class GraphDetector:
    """A detector's Graph, called as an `EtinyNetSSD` is.

    Parameters
    ----------
    graph : Graph
        With `detection`, of square pictures.
    classes : sequence of str
        As many names as the Graph has classes.
    see : callable, optional
        Called as ``see(images, found)`` with each batch: int8, and the interpreter's detections.

    Raises
    ------
    InputError
        If it is no detector of square pictures, or has another number of classes.
    """

    def __init__(self, graph, classes, see=None):
        channels, rows, columns = graph.image.shape
        if graph.detection is None or channels != 3 or rows != columns:
            raise InputError(f"network {graph.name} is no detector of square RGB pictures")
        if graph.classes != len(classes):
            raise InputError(f"network {graph.name} has {graph.classes} classes and not {len(classes)}; name them all")
        self.graph, self.classes, self.size, self.see = graph, list(classes), rows, see

    def __call__(self, data):
        images = data.asnumpy().astype(np.int8)
        found = run(self.graph, images)
        if self.see is not None:
            self.see(images, found)
        most = self.graph.detection.detections
        ids, scores, boxes = (np.full((len(images), most, width), -1, np.float32) for width in (1, 1, 4))
        for n, one in enumerate(found):
            ids[n, :len(one), 0] = one["class"]
            scores[n, :len(one), 0] = one["score"] / 2 ** SCORE_BITS
            boxes[n, :len(one)] = one["box"] / PIXEL
        return [mx.nd.array(array) for array in (ids, scores, boxes)]


def graph_detector(path, given=None):
    """Load a Graph as a `GraphDetector`; parameters and errors as of `class_names`."""
    graph = Graph.load(path)
    return GraphDetector(graph, class_names(path, graph.classes, given or graph.labels))


def class_names(path, count, given=None):
    """Return the names of a detector's classes.

    Parameters
    ----------
    path : str or Path
        Its checkpoint or Graph.
    count : int
        How many classes that has.
    given : sequence of str, optional
        By default those of `labels_of` the file, or else Pascal VOC's.

    Raises
    ------
    InputError
        If they are more or fewer than `count`.
    """
    names = given or labels_of(path, count, VOC_CLASSES)
    if len(names or ()) != count:
        raise InputError(f"{path} has {count} classes and not {len(names or VOC_CLASSES)}: give their names as "
                         "classes, or in a classes.txt beside it")
    return list(names)


def average_precisions(detector, source, ctx=None, dtype="float32", curves=None):
    """Average precision of every class as GluonCV's ``eval_ssd.py`` measures it on VOC 2007.

    Boxes are compared in pixels of the network's input, detections limited to the picture; difficult
    objects count neither way; average precision is the mean of 11 points.

    Parameters
    ----------
    detector : EtinyNetSSD or GraphDetector
    source : DetectionSource
    ctx : list of Context, optional
        The first is used; the CPU by default.
    dtype : str
    curves : dict, optional
        Takes recall and precision of every class that occurs, as fractions, after each detection, the best first.

    Returns
    -------
    dict from str to float
        Fractions in the order of the classes, NaN of one that does not occur, and last "mAP", over those that do.
    """
    metric = VOC07MApMetric(iou_thresh=VOC_IOU, class_names=list(detector.classes))
    ctx = (ctx or [mx.cpu()])[0]
    for data, label in progress(source.epoch(0), desc="validation", total=len(source)):
        ids, scores, boxes = detector(data.as_in_context(ctx).astype(dtype))
        label = label.asnumpy()
        metric.update(boxes.clip(0, source.size).asnumpy(), ids.asnumpy(), scores.asnumpy(),
                      label[:, :, :4], label[:, :, 4:5], label[:, :, 5:6])
    if curves is not None:
        curves.update((name, (recall, precision)) for name, recall, precision
                      in zip(detector.classes, *metric._recall_prec()) if recall is not None)
    return dict(zip(*metric.get()))


def evaluate_detector(net, source, ctx=None, dtype="float32"):
    """Mean average precision for `gluon_etinynet.training`: parameters as for `average_precisions`.

    Returns
    -------
    dict
        "map" (a fraction, over the classes that occur), "samples".
    """
    precisions = average_precisions(net, source, ctx, dtype)
    return {"map": precisions["mAP"], "samples": source.samples_per_epoch}


def detect(detector, path, threshold=0.3):
    """Detect the objects on one picture file.

    Parameters
    ----------
    detector : EtinyNetSSD or GraphDetector
        The former with its parameters on MXNet's current context.
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
    data = mx.nd.array(pixels_to_input(resize_square(image, detector.size))[None], dtype="float32")
    ids, scores, boxes = (array[0].asnumpy() for array in detector(data))
    boxes = boxes.clip(0, detector.size) * np.array([width, height, width, height]) / detector.size
    return image, [{"class": detector.classes[int(index)], "score": float(score), "box": box.tolist()}
                   for index, score, box in zip(ids[:, 0], scores[:, 0], boxes)
                   if index >= 0 and score >= threshold]


def write_contact_sheet(path, detector, annotated, count=12, threshold=0.4):
    """Draw what is found on pictures spread evenly over a data set.

    Parameters
    ----------
    path : str or Path
        Picture to write.
    detector : EtinyNetSSD or GraphDetector
        As for `detect`.
    annotated : list of Annotated
    count : int
        Pictures on the sheet, at most.
    threshold : float
        Least score of a detection that is drawn.
    """
    drawn, captions = [], []
    for item in annotated[::max(1, len(annotated) // count)][:count]:
        image, detections = detect(detector, item.path, threshold)
        drawn.append(draw_detections(image, detections, detector.classes))
        captions.append(f"{item.path.stem}: {len(detections)} found, {len(item.boxes)} annotated")
    write_image(path, contact_sheet(drawn, captions))
