"""The statistics of batch normalisation: estimating them anew, and holding them still in training."""

import numpy as np

from .._mxnet import mx
from .blocks import all_blocks, imperative

__all__ = ["reestimate_batch_norm", "hold_statistics", "freeze", "slope_and_offset", "set_affine"]


def slope_and_offset(bn):
    """Return what a BN does in inference, ``slope * x + offset``: two float64 arrays of shape (channels,)."""
    gamma, beta, mean, variance = (parameter.data().asnumpy().astype(np.float64) for parameter in
                                   (bn.gamma, bn.beta, bn.running_mean, bn.running_var))
    slope = gamma / np.sqrt(variance + bn._kwargs["eps"])
    return slope, beta - mean * slope


def set_affine(bn, slope, offset):
    """Make a BN put out ``slope * x + offset`` in inference, by gamma and beta; its statistics stay."""
    mean, variance = (p.data().asnumpy().astype(np.float64) for p in (bn.running_mean, bn.running_var))
    bn.gamma.set_data(mx.nd.array(slope * np.sqrt(variance + bn._kwargs["eps"])))
    bn.beta.set_data(mx.nd.array(offset + slope * mean))


def reestimate_batch_norm(net, batches):
    """Set every BN's running mean and variance to what it sees over these batches.

    The network runs as in training (every BN normalises with its batch's own statistics, which the
    next one sees), but nothing is trained. MXNet's CPU BatchNorm moves its statistics in the backward
    pass only; hence they are collected here.

    Parameters
    ----------
    net : HybridBlock
    batches : iterable of NDArray
        Inputs of `net`, best in batches as large as in training.

    Raises
    ------
    ValueError
        If there is no batch.
    """
    sums = {}

    def collect(bn, inputs):
        x = inputs[0].asnumpy()
        x = x.reshape(x.shape[0], x.shape[1], -1)
        # float32 within a picture, where numpy adds pairwise: six times faster, and exact to 1e-6.
        means, variances = x.mean(axis=2).astype(np.float64), x.var(axis=2).astype(np.float64)
        added = len(x), means.sum(axis=0), (variances + means ** 2).sum(axis=0)
        sums[bn] = [a + b for a, b in zip(sums.get(bn, (0, 0, 0)), added)]

    layers = [block for block in all_blocks(net) if isinstance(block, mx.gluon.nn.BatchNorm)]
    with imperative(net):
        hooks = [bn.register_forward_pre_hook(collect) for bn in layers]
        try:
            for batch in batches:
                with mx.autograd.train_mode():
                    net(batch)
        finally:
            for hook in hooks:
                hook.detach()
    if layers and not sums:
        raise ValueError("batch normalisation cannot be re-estimated without a batch")
    for bn, (count, first, second) in sums.items():
        mean = first / count
        bn.running_mean.set_data(mx.nd.array(mean))
        bn.running_var.set_data(mx.nd.array(np.maximum(second / count - mean ** 2, 0)))


def hold_statistics(block):
    """For ``net.apply``, before anything is traced: BN uses its running statistics in training too, for good."""
    if isinstance(block, mx.gluon.nn.BatchNorm):
        block._kwargs["use_global_stats"] = True


def freeze(net, parts):
    """Let the first `parts` of `net.features`, the stem and then stages, learn nothing; before anything is traced."""
    for part in list(net.features)[:parts]:
        part.apply(hold_statistics)
        part.collect_params().setattr("grad_req", "null")
