"""How often a network is right on labelled pictures, a Gluon network or an integer one, and how far two are apart."""

import collections

import numpy as np

from .._mxnet import mx
from ..cli import progress
from ..files import InputError
from ..integer import run

__all__ = ["Accuracy", "cross_entropy", "shares", "evaluate", "evaluate_net", "evaluate_graph", "divergence", "LAG"]

# Batches that a loop is ahead of each device: reading a number waits for it, and no device must run out of work.
LAG = 4


class Accuracy:
    """A count of labelled samples, of the hits among them, and of their loss where there is one.

    Parameters
    ----------
    tops : sequence of int
        The k of each top-k accuracy. Among k classes or fewer every sample is a hit.
    lag : int
        A batch is counted when so many more have been added, since it may still be on its way through a device.

    Attributes
    ----------
    samples : int
        Those counted so far.
    sums : dict of str to float
        "loss", "top1" and so on, as far as they are counted: sums over these samples.
    """

    def __init__(self, tops=(1, 5), lag=0):
        self.tops, self.lag = tops, lag
        self.samples, self.sums = 0, {}
        self._pending = collections.deque()

    def add(self, label, logits=None, loss=None, check=None, terms=None):
        """Add a batch.

        Parameters
        ----------
        label : NDArray or numpy.ndarray, shape (n, ...)
            The classes, shape (n,), where there are logits.
        logits : NDArray or numpy.ndarray, shape (n, classes), optional
        loss : NDArray, shape (n,), optional
        check : callable, optional
            Gets the sum of the batch's loss just before it is counted, and may raise.
        terms : dict from str to NDArray, shape (n,), optional
            Further numbers of each sample that are summed, as the loss is.
        """
        found = dict(terms or {}) if loss is None else {"loss": loss, **(terms or {})}
        found = {name: values.astype("float32").sum() for name, values in found.items()}
        if logits is not None:
            found.update((f"top{k}", _hits(logits, label, k)) for k in self.tops)
        for name in found:
            self.sums.setdefault(name, 0.0)
        self._pending.append((len(label), found, check))
        self._count(keep=self.lag)

    def _count(self, keep):
        while len(self._pending) > keep:
            samples, found, check = self._pending.popleft()
            found = {name: float(value.asscalar() if isinstance(value, mx.nd.NDArray) else value)
                     for name, value in found.items()}
            if check is not None:
                check(found["loss"])
            for name, value in found.items():
                self.sums[name] += value
            self.samples += samples

    def finish(self):
        """Count the batches that are left."""
        self._count(keep=0)

    def means(self):
        """Return the means over all batches: those of `sums`, and "samples"."""
        self.finish()
        return dict({name: total / self.samples for name, total in self.sums.items()}, samples=self.samples)


def _hits(logits, label, k):
    """How many samples have their class among the k largest logits."""
    if k == 1:
        return (logits.argmax(axis=1) == label).sum()
    k = min(k, logits.shape[1])
    if isinstance(logits, np.ndarray):  # maybe int32, which MXNet compares as float32
        best = np.argsort(-logits.astype(np.float64), axis=1, kind="stable")[:, :k]
    else:
        best = logits.topk(axis=1, k=k)
    return (best == label.reshape((-1, 1))).sum()


def cross_entropy(net, data, label):
    """Softmax cross-entropy of each sample, shape (n,), and the logits, shape (n, classes)."""
    logits = net(data).astype("float32")
    return -mx.nd.pick(mx.nd.log_softmax(logits), label), logits


def shares(data, label, ctx, dtype):
    """Split a batch between devices: a list of pairs (data, label); fewer than devices if it is small."""
    used = ctx[:max(1, min(len(ctx), len(label)))]
    return list(zip(*[mx.gluon.utils.split_and_load(array, used, even_split=False)
                      for array in (data.astype(dtype, copy=False), label)]))


def evaluate(net, source, ctx=None, dtype="float32", see=None):
    """Loss and accuracy of a classifier on every sample of a source.

    Parameters
    ----------
    net : HybridBlock
        Initialised on `ctx`.
    source : source of `gluon_etinynet.data`
    ctx : list of Context, optional
        The CPU by default.
    dtype : str
        What the data is cast to.
    see : callable, optional
        Called with the logits of each batch (of each device's share), NDArray of float32.

    Returns
    -------
    dict
        "loss" (mean), "top1" and "top5" (fractions), "samples". Top-5 among fewer classes is top-all.

    Raises
    ------
    InputError
        If none of the pictures could be read.
    """
    ctx = ctx or [mx.cpu()]
    accuracy = Accuracy(lag=LAG * len(ctx))
    for data, label in _batches(source):
        for x, y in shares(data, label, ctx, dtype):
            loss, logits = cross_entropy(net, x, y)
            accuracy.add(y, logits, loss)
            if see is not None:
                see(logits)
    return accuracy.means()


def _batches(source):
    batch = None
    for batch in progress(source.epoch(0), desc="validation", total=len(source)):
        yield batch
    if batch is None:
        raise InputError(f"none of the {source.samples} pictures could be read")


def evaluate_net(net, source, ctx=None):
    """As `evaluate`, and the logits.

    Returns
    -------
    result : dict
    logits : numpy.ndarray of float32, shape (samples, classes)
    """
    logits = []
    result = evaluate(net, source, ctx, see=logits.append)
    return result, np.concatenate([batch.asnumpy() for batch in logits])


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
        As of `evaluate`, without "loss".
    predictions : array of int64, shape (samples,)
    """
    accuracy, predictions = Accuracy(), []
    for data, label in _batches(source):
        images = data.asnumpy().astype(np.int8)
        logits = run(graph, images)
        if see is not None:
            see(images, logits)
        accuracy.add(label.asnumpy(), logits)
        predictions.append(logits.argmax(axis=1))
    return accuracy.means(), np.concatenate(predictions)


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
