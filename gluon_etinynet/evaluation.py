"""Counting hits on labelled pictures: flags and pictures that the tools share, two ways to classify,
and how far two networks are apart."""

import numpy as np

from ._mxnet import mx
from .data import ArraySource, FolderSource, RecordSource, digits, imagenet_classes
from .files import InputError
from .images import index_folder
from .integer import run
from .training import cross_entropy, evaluate

__all__ = ["add_picture_arguments", "labelled_pictures", "print_unreadable", "evaluate_graph", "evaluate_net",
           "divergence"]

SHOWN = 10


def add_picture_arguments(parser):
    """Give a parser the flags that `labelled_pictures` reads."""
    parser.add_argument("--data-dir",
                        help="folder with labels.csv, or with one folder of photographs for each class")
    parser.add_argument("--use-rec", action="store_true", help="read --rec-val instead of --data-dir")
    parser.add_argument("--rec-val", help="validation .rec file")
    parser.add_argument("--rec-val-idx", help="its .idx file (default: beside it)")
    parser.add_argument("--crop-ratio", type=float, default=0.875,
                        help="side of the crop as a part of the resized short side (default: 0.875)")
    parser.add_argument("--batch-size", type=int, default=32, help="photographs at a time (default: 32)")
    parser.add_argument("-j", "--num-workers", type=int, default=2,
                        help="threads that read photographs (default: 2)")
    parser.add_argument("--strict", action="store_true", help="stop at a photograph that cannot be read")


def labelled_pictures(args, size, classes):
    """Return the source of pictures that the flags name.

    Parameters
    ----------
    args : Namespace
        Of the flags of `add_picture_arguments`; where `args.digits` exists and is true, the test digits.
    size : int
        Side of the network's input.
    classes : int
        Of the network. 1000 are ImageNet's, others the sorted names of the folders.

    Raises
    ------
    InputError
        If the flags do not name one source, or it does not serve.
    """
    of_digits = getattr(args, "digits", False)
    if args.use_rec != bool(args.rec_val) or args.use_rec + bool(args.data_dir) + of_digits != 1:
        raise InputError("give one of --data-dir DIR, --use-rec with --rec-val FILE" +
                         (", --digits" if hasattr(args, "digits") else ""))
    if of_digits:
        data = digits(size)
        _check_classes("scikit-learn's digits", len(data.classes), classes)
        return ArraySource(data.x_test, data.y_test, args.batch_size)
    wnids, _ = imagenet_classes()
    options = {"size": size, "crop_ratio": args.crop_ratio, "threads": args.num_workers, "classes": classes}
    if args.use_rec:
        return RecordSource(args.rec_val, args.rec_val_idx, args.batch_size, **options)
    files, names = index_folder(args.data_dir, wnids if classes == len(wnids) else None)
    _check_classes(args.data_dir, len(names), classes)
    return FolderSource(files, args.batch_size, strict=args.strict, **options)


def _check_classes(where, count, classes):
    if count != classes:
        raise InputError(f"{where} has {count} classes, the network {classes}; give pictures of its classes")


def print_unreadable(source):
    """Name the photographs that a source left out; return what was said of them, a list of str."""
    unreadable = getattr(source, "unreadable", [])
    for complaint in unreadable[:SHOWN]:
        print(f"left out: {complaint}")
    if unreadable:
        print(f"{len(unreadable)} of {source.samples} photographs could not be read and are not counted")
    return unreadable


def evaluate_graph(graph, source, see=None):
    """Classify every picture of a source with an integer network.

    Parameters
    ----------
    graph : Graph
        A classifier.
    source : source of `gluon_etinynet.data`
    see : callable, optional
        Called as ``see(images, logits)`` with each batch, int8 and int32.

    Returns
    -------
    result : dict
        As `training.evaluate`, without "loss".
    predictions : array of int64, shape (samples,)
    """
    predictions = []

    def interpret(_, data, label):
        images = data.asnumpy().astype(np.int8)
        logits = run(graph, images)
        if see is not None:
            see(images, logits)
        predictions.append(logits.argmax(axis=1))
        # Ranks, because float32 does not tell all int32 apart.
        ranks = np.argsort(np.argsort(-logits.astype(np.int64), axis=1, kind="stable"), axis=1)
        return mx.nd.zeros(len(label)), mx.nd.array(-ranks)

    result = evaluate(None, source, loss=interpret)
    del result["loss"]
    return result, np.concatenate(predictions)


def evaluate_net(net, source, ctx=None):
    """As `evaluate_graph` with a Gluon network on `ctx`; the result has "loss" too.

    Returns
    -------
    result : dict
    logits : numpy.ndarray of float32, shape (samples, classes)
    """
    logits = []

    def remember(net, data, label):
        values, batch = cross_entropy(net, data, label)
        logits.append(batch)
        return values, batch

    result = evaluate(net, source, ctx, loss=remember)
    return result, np.concatenate([batch.asnumpy() for batch in logits])


def divergence(reference, logits):
    """Return the Kullback-Leibler divergence of class probabilities from a reference network's, in nats.

    On a few hundred pictures it tells two quantised networks apart where the top-1 accuracy does not.

    Parameters
    ----------
    reference, logits : numpy.ndarray, shape (samples, classes)

    Returns
    -------
    float
        The mean over the samples of ``sum(p * log(p / q))``, p the reference's probabilities, q the other's.
    """
    wanted, found = (_log_softmax(np.asarray(array, np.float64)) for array in (reference, logits))
    return float(np.sum(np.exp(wanted) * (wanted - found), axis=1).mean())


def _log_softmax(logits):
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
