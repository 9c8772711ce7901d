"""J and E of equation 7: what quantisation does to a tensor of weights. NumPy only."""

import numpy as np

__all__ = ["quantisation_error", "entropy"]


def quantisation_error(clamped, quantised):
    """Return J, the squared distance of W~ and Q summed over a tensor (equation 7).

    Parameters
    ----------
    clamped, quantised : numpy.ndarray
        Of the same shape and scale, [-1, 1].
    """
    return float(np.sum(np.square(np.asarray(clamped, np.float64) - np.asarray(quantised, np.float64))))


def entropy(quantised):
    """Return E, the entropy of the distribution of quantised weights over their levels, in nats (equation 7)."""
    _, counts = np.unique(np.asarray(quantised), return_counts=True)
    share = counts / counts.sum()
    return float(-np.sum(share * np.log(share))) + 0.0
