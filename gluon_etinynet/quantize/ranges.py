"""Ranges of feature maps, for their rounding to 8 bits, from pictures."""

import numpy as np

from ..networks.blocks import imperative
from ..reading import InputError
from .qat import choose_qparams, feature_map_quantisers

__all__ = ["calibrate", "observe_feature_maps", "set_best_range"]

CALIBRATION_VALUES = 200_000  # of each feature map
SHRINKS = np.geomspace(1, 0.02, 40)  # of a range's ends, tried in calibration


def calibrate(net, batches):
    """Choose the range of every feature map's quantiser: the one with the least mean of |error| ** 1.75.

    Parameters
    ----------
    net : HybridBlock
        Prepared with ``act_bits=8``; weights and BN as they will be used.
    batches : iterable of NDArray
        Inputs of `net`; a few hundred pictures are enough.

    Raises
    ------
    ValueError
        If the network has no quantiser of feature maps, or there is no batch.
    """
    batches = list(batches)
    seen = {}
    share = CALIBRATION_VALUES // max(len(batches), 1)
    rng = np.random.RandomState(0)

    def collect(quantiser, x):
        values = x.ravel()
        picked = values[rng.randint(0, values.size, min(share, values.size))]
        seen.setdefault(quantiser, []).append(np.append(picked, [values.min(), values.max()]))

    observe_feature_maps(net, batches, collect)
    for quantiser, values in seen.items():
        quantiser.set_range(*_best_range(np.concatenate(values)))


def set_best_range(quantiser, values):
    """Choose the range of one quantiser as `calibrate` does, for a feature map of all pictures."""
    values = values.ravel()
    picked = np.random.RandomState(0).choice(values, min(CALIBRATION_VALUES, values.size))
    quantiser.set_range(*_best_range(np.append(picked, [values.min(), values.max()])))


def observe_feature_maps(net, batches, see):
    """Run a network with its feature maps unrounded and call ``see(quantiser, values)`` for each of them.

    Parameters, errors
    ------------------
    As for `calibrate`; and InputError if a feature map is not finite.
    """
    quantisers = {quantiser: name for name, quantiser in feature_map_quantisers(net).items()}
    if not quantisers:
        raise ValueError("the network has no feature map to calibrate; prepare it with act_bits=8")
    if not batches:
        raise ValueError("ranges cannot be calibrated without a batch")

    def hook(quantiser, inputs):
        values = inputs[0].asnumpy()
        if not np.isfinite(values).all():
            raise InputError(f"the feature map at {quantisers[quantiser]} is not finite; the network is damaged, or "
                             "its training diverged: train it with a lower learning rate")
        see(quantiser, values)

    with imperative(net):
        hooks = [quantiser.register_forward_pre_hook(hook) for quantiser in quantisers]
        for quantiser in quantisers:
            quantiser.enabled = False
        try:
            for batch in batches:
                net(batch)
        finally:
            for quantiser, hook in zip(quantisers, hooks):
                quantiser.enabled = True
                hook.detach()


def _best_range(values):
    """The range, 0 included, that rounds these values to 256 levels with the least error."""
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    high *= _best_shrink(values, lambda shrink: (low, high * shrink))
    low *= _best_shrink(values, lambda shrink: (low * shrink, high))
    return low, high


def _best_shrink(values, range_of):
    """The shrink of SHRINKS whose range rounds with the least error: the best of every fourth, then of those around."""
    def error(index):
        return _rounding_error(values, *range_of(SHRINKS[index]))

    nearest = min(range(0, len(SHRINKS), 4), key=error)
    return SHRINKS[min(range(max(nearest - 3, 0), min(nearest + 4, len(SHRINKS))), key=error)]


def _rounding_error(values, low, high):
    """Mean of |error| ** 1.75: a square lets a few outliers widen the range, a lower power clips too many
    (docs/fidelity.md).
    """
    scale, zero_point = choose_qparams(low, high)
    error = values / scale
    error += zero_point
    np.rint(error, out=error)
    np.clip(error, -128, 127, out=error)
    error -= zero_point
    error *= scale
    error -= values
    np.abs(error, out=error)
    root = np.sqrt(error)  # e ** 1.75 is e * e ** 0.5 * e ** 0.25: five times as fast as a power
    error *= root
    error *= np.sqrt(root, out=root)
    return error.mean()
