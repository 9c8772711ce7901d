"""The weight quantisers as Gluon blocks: weight in, quantised weight out.

A scheme knows its levels, how weights are squashed before rounding (clamped), how far they lie from the levels,
and what they are as integers. `prepare_qat` gives one to every convolution; any network of your own can take one
too.
"""

import numpy as np

from .._mxnet import mx
from ..files import InputError
from .operators import asq, asq_clamp, asq_steps, dorefa, dorefa_clamp, dorefa_steps, linear

__all__ = ["ASQ", "DoReFa", "Linear", "SCHEMES", "WeightQuantiser"]


class _Bits(mx.gluon.Parameter):
    """The bits of a weight, saved with a network; on the CPU, wherever the network is.

    Raises InputError when other bits are loaded into it.
    """

    def __init__(self, bits):
        super().__init__("bits", grad_req="null", shape=(1,), init=mx.init.Constant(bits))
        self.initialize(ctx=mx.cpu())

    @property
    def value(self):
        """NDArray; a parameter that has one is a constant."""
        return self.data()

    def set_data(self, data):
        ours, theirs = (int(array.asscalar()) for array in (self.value, data))
        if ours != theirs:
            raise InputError(f"weights of {theirs} bits do not fit a network prepared for {ours}; give prepare_qat "
                             f"weight_bits={theirs}")

    def _load_init(self, data, ctx, **options):
        self.set_data(data)


class WeightQuantiser(mx.gluon.HybridBlock):
    """What the schemes have in common.

    Parameters
    ----------
    bits : int
        Of a weight.

    Attributes
    ----------
    bits : int
    steps : int
        Steps between the levels and the end of their range: `a` of the paper's equations.
    """

    def __init__(self, bits, **kwargs):
        super().__init__(**kwargs)
        self.bits = bits
        self._saved = _Bits(bits), "bits"  # a Parameter as attribute would be an input of the block

    def _collect_params_with_prefix(self, prefix=""):
        parameter, name = self._saved
        return {**super()._collect_params_with_prefix(prefix), f"{prefix}.{name}" if prefix else name: parameter}

    def start(self, weight):
        """Give the block's parameters their first values, for these weights (Parameter)."""
        self.initialize(ctx=weight.list_ctx())

    def distance(self, weight):
        """Mean squared distance of the weights from their levels, in steps; differentiable.

        J of equation 7, per weight and over the square of a step: 1/12 where weights lie anywhere, 0 where all
        lie on levels. NDArray, shape (1,).
        """
        position = self._position(weight)
        return mx.nd.mean(mx.nd.square(position - mx.nd.BlockGrad(mx.nd.round(position))))

    def to_integers(self, weight, scale=1.0):
        """Return the weights as the integer network holds them.

        Parameters
        ----------
        weight : NDArray
        scale : float
            What the layer multiplies its input by.

        Returns
        -------
        levels : numpy.ndarray of int8
        scales : numpy.ndarray of float64, shape (channels,)
            The weight that computes is ``levels * scales``.

        Raises
        ------
        ValueError
            If the levels are no whole numbers of a step, or the result is not finite.
        """
        raise ValueError(f"{type(self).__name__}'s levels are not whole numbers of a step; only ASQ and linear "
                         "weights become integers")


class ASQ(WeightQuantiser):
    """Adaptive scale quantisation, equation 6, with its lambda as a trainable parameter.

    Parameters
    ----------
    bits : int
        2 to 8.
    channels : int, optional
        Quantise every slice along the first axis of the weights, so many of them, by itself with its own lambda;
        not in the paper.
    lam : float
        Where lambda starts ("We initialize lambda as 2").

    Examples
    --------
    In a HybridBlock with a parameter ``weight`` and a child ``self.quantise = ASQ(bits=4)``::

        def hybrid_forward(self, F, x, weight):
            return F.FullyConnected(x, self.quantise(weight), no_bias=True, num_hidden=10)
    """

    def __init__(self, bits=4, channels=None, lam=2.0, **kwargs):
        self.steps = asq_steps(bits)
        super().__init__(bits, **kwargs)
        self.per_channel = channels is not None
        with self.name_scope():
            self.lam = self.params.get("lam", shape=(channels or 1,), init=mx.init.Constant(lam), wd_mult=0)

    def hybrid_forward(self, F, weight, lam):
        return asq(weight, lam, self.bits, self.per_channel)

    def clamp(self, weight):
        """W~, the weights in [-1, 1] before rounding, of an NDArray; differentiable."""
        return asq_clamp(weight, self.lam.data(), self.per_channel)

    def _position(self, weight):
        return self.clamp(weight) * self.steps

    def to_integers(self, weight, scale=1.0):
        levels = np.rint(self(weight).asnumpy() * self.steps)
        if not (np.isfinite(levels).all() and np.isfinite(scale)):
            raise ValueError("its quantised weights are not finite")
        return levels.astype(np.int8), np.full(len(levels), scale / self.steps)


class DoReFa(WeightQuantiser):
    """DoReFa, equations 4 and 5: a baseline, whose levels are odd multiples of half a step and never 0.

    Parameters
    ----------
    bits : int
        2 to 8.
    channels : int, optional
        As for `ASQ`.
    """

    def __init__(self, bits=4, channels=None, **kwargs):
        self.steps = dorefa_steps(bits)
        super().__init__(bits, **kwargs)
        self.per_channel = channels is not None

    def hybrid_forward(self, F, weight):
        return dorefa(weight, self.bits, self.per_channel)

    def clamp(self, weight):
        """As of `ASQ`."""
        return dorefa_clamp(weight, self.per_channel)

    def _position(self, weight):
        return (self.clamp(weight) + 1) * (self.steps / 2)


class Linear(WeightQuantiser):
    """127 levels of one size on either side of zero for each output channel: the detector's 8 bits (table 5).

    The weights keep their own scale. The largest magnitude, `limit`, is chosen once and not trained.

    Parameters
    ----------
    bits : int
        8; fewer are ASQ's.
    channels : int
        Output channels, the first axis of the weights.
    """

    per_channel = True

    def __init__(self, bits, channels, **kwargs):
        if bits != 8:
            raise ValueError(f"linear quantisation has 8 bits, not {bits!r}: use asq for fewer")
        self.steps = asq_steps(bits)
        super().__init__(bits, **kwargs)
        with self.name_scope():
            self.limit = self.params.get("limit", shape=(channels,), init=mx.init.One(), grad_req="null")

    def start(self, weight):
        super().start(weight)
        self.limit.set_data(mx.nd.max(mx.nd.abs(weight.data().reshape((0, -1))), axis=1))

    def hybrid_forward(self, F, weight, limit):
        return linear(weight, limit)

    def _position(self, weight):
        return weight / mx.nd.array(self._step()).reshape((-1, 1, 1, 1))

    def _step(self):
        limit = self.limit.data().asnumpy().astype(np.float64)
        return np.where(limit > 0, limit / self.steps, 1.0)

    def to_integers(self, weight, scale=1.0):
        step, weight = self._step(), weight.asnumpy().astype(np.float64)
        levels = np.rint(weight / step.reshape(-1, *[1] * (weight.ndim - 1)))
        if not (np.isfinite(levels).all() and np.isfinite(step).all()):
            raise ValueError("its weights are not finite")
        return np.clip(levels, -self.steps, self.steps).astype(np.int8), step * scale


SCHEMES = {"asq": ASQ, "dorefa": DoReFa, "linear": Linear}
