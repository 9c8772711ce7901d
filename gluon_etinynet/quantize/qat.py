"""Quantisation-aware training: fake-quantised layers in place of a network's own.

`prepare_qat` turns every convolution of a network, the first and the final one included, into one whose weights
pass through a quantiser (schemes.py), and on request rounds the feature maps to 8 bits where the integer network
stores them (docs/numerics.md). The network keeps its blocks, its parameters and their names; what is new: the
`weight_quantiser` of every convolution with its parameters, `scale` of a convolution without BN, and `scale` and
`zero_point` of every feature map's quantiser.
"""

from functools import lru_cache

import numpy as np

from .._mxnet import mx
from ..networks.blocks import all_blocks
from ..networks.etinynet import DLB
from ..quantities import LAMBDA
from .schemes import SCHEMES

__all__ = ["prepare_qat", "prepare_for", "quantise_convolution", "FakeQuantise", "QuantisedConvolution",
           "choose_qparams", "quantised_convolutions", "feature_map_quantisers", "original_class"]

nn = mx.gluon.nn

STARTS = np.geomspace(0.5, 12, 13)  # of lambda: from tanh that gathers weights at both ends to nearly a straight line
TINY = 1e-30


def prepare_qat(net, scheme="asq", weight_bits=4, act_bits=None, lam=2.0, per_channel=False, balance_channels=True):
    """Turn a network into its fake-quantised form, in place.

    A network whose parameters are initialised keeps computing what it did as far as the scheme
    allows. A factor s > 0 on a convolution's output channel passes through ReLU, and the BN behind
    absorbs it: its running mean is multiplied by s and its variance v becomes s^2 (v + eps) - eps,
    which undoes s exactly (but for a nearly dead channel whose s^2 (v + eps) is below eps, only possible
    when s < 1: it gets variance 0). That serves twice. First all output channels of a layer, which
    share one scale and one lambda, are given weights of the same largest magnitude, so that each has the use of all
    levels (`balance_channels`). Then the factor
    between W and Q, which lies in [-1, 1], is the one that fits Q to s W best (least squares).
    A convolution without BN, such as a classifier's final one, which the paper says nothing about,
    multiplies its input by one more trainable number, `scale`, which starts at the least-squares fit of
    W to scale * Q. What remains is the error of clamping and rounding: re-estimate the BN
    statistics next (`reestimate_batch_norm`).

    Parameters
    ----------
    net : HybridBlock
        With its parameters' shapes known. If they are not initialised yet (to load a quantised
        checkpoint), only the structure changes.
    scheme : str or None
        ``asq`` or ``dorefa``; or ``linear``, by channel, which keeps the weights' own scale. None leaves the weights
        as they are, float or quantised already, and adds only what `act_bits` asks for.
    weight_bits : int
        2 to 8, for all convolutions; ``linear`` has 8 only.
    act_bits : int, optional
        8: round the feature maps too, after `calibrate` has chosen their ranges (before that the
        network's output is NaN). The network's input must be whole numbers from -128 to 127 already.
    lam : float or None
        Where every lambda starts ("We initialize lambda as 2"). None, not in the paper: where rounding costs least,
        for each layer.
    per_channel : bool
        Quantise every output channel by itself, with its own lambda; not in the paper.
    balance_channels : bool
        Give the channels weights of one size first; not in the paper.

    Returns
    -------
    HybridBlock
        `net`, ready to be trained, saved, hybridised and exported like any other.

    Raises
    ------
    ValueError
        For an unknown scheme, unsupported bits, a network prepared already, or, with `act_bits`, one that does not
        tell its layers (networks/layers.py).
    """
    if scheme is not None and scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, not {scheme!r}")
    if act_bits not in (None, 8):
        raise ValueError(f"act_bits must be 8 or None, not {act_bits!r}")
    if lam is not None:
        LAMBDA.check("lam", lam)
    if scheme is not None and quantised_convolutions(net) or act_bits and feature_map_quantisers(net):
        raise ValueError("the network is quantised already; start from a float one")
    if scheme is not None:
        SCHEMES[scheme](weight_bits, 1)  # refuses unsupported bits before anything changes
    rounded = [layer.rounded for layer in _told_layers(net) if layer.rounded] if act_bits else []
    for conv, bn in _convolutions(net) if scheme is not None else []:
        quantise_convolution(conv, bn, scheme, weight_bits, lam, per_channel, balance_channels)
    for block in dict.fromkeys(block for block, _ in rounded):
        _extend(block, QuantisedShortcuts if isinstance(block, DLB) else QuantisedOutput)
        block._add_quantisers()
    net.hybridize(net._active, **dict(net._flags))  # forget graphs traced before
    return net


def prepare_for(net, contents):
    """Make a float network one that takes a checkpoint's parameters, by the `Contents` of that."""
    if contents.scheme:
        prepare_qat(net, contents.scheme, contents.bits, per_channel=contents.per_channel)
    if contents.has_ranges:
        prepare_qat(net, scheme=None, act_bits=8)


def quantise_convolution(conv, bn=None, scheme="linear", bits=8, lam=2.0, per_channel=False, balance_channels=True):
    """Give one convolution a quantiser of its weights, in place.

    Parameters
    ----------
    conv : Conv2D
    bn : BatchNorm or None
        What follows it and undoes its scale; None gives the convolution a `scale` of its own.
    scheme, bits, lam, per_channel, balance_channels
        As for `prepare_qat`.
    """
    channels = conv.weight.shape[0]
    initialised = conv.weight._data is not None
    # Nothing behind the convolution would give its channels their sizes back.
    by_channel = scheme == "linear" or per_channel and bn is not None
    _extend(conv, QuantisedConvolution)
    with conv.name_scope():
        conv.weight_quantiser = SCHEMES[scheme](bits, channels if by_channel else None,
                                                **({"lam": lam} if scheme == "asq" and lam is not None else {}))
        if bn is None and scheme != "linear":
            conv.scale = conv.params.get("scale", shape=(1,), init=mx.init.One(), wd_mult=0)
    if not initialised:
        return
    # Inference leaves weights in a layout of oneDNN's that MXNet fails to reshape: take fresh arrays.
    conv.weight.reset_ctx(conv.weight.list_ctx())
    conv.weight_quantiser.start(conv.weight)
    if "scale" in conv._reg_params:
        conv.scale.initialize(ctx=conv.weight.list_ctx())
    if scheme != "linear":
        if bn is not None and balance_channels:
            conv._balance_channels(bn)
        if scheme == "asq" and lam is None:
            conv._choose_lambda()
        conv._match_scale(bn)


class QuantisedConvolution:
    """Mixed into a Conv2D: its weights pass through a quantiser before they are used.

    Attributes
    ----------
    weight_quantiser : WeightQuantiser
    scale : Parameter
        Shape (1,), of a convolution without BN only: the input is multiplied by it.
    """

    def hybrid_forward(self, F, x, weight, scale=None, **bias):
        if scale is not None:
            x = F.broadcast_mul(x, F.reshape(scale, (1, 1, 1, 1)))
        return super().hybrid_forward(F, x, self.weight_quantiser(weight), **bias)

    def quantised_weight(self):
        """Return Q of the present weights, a numpy array of the weight's shape."""
        return self.weight_quantiser(self.weight.data()).asnumpy()

    def rounding_error(self):
        """Return the mean squared distance of the weights from their levels, in steps; differentiable."""
        return self.weight_quantiser.distance(self.weight.data())

    def integer_weight(self):
        """Return the weights as the integer network holds them.

        Returns
        -------
        levels : numpy.ndarray of int8
            From -a to a, a = 2 ** (bits - 1) - 1.
        scales : numpy.ndarray of float64, shape (channels,)
            Positive; the weight that computes is ``levels * scales``, `scale` of a layer without BN included.
        bits : int

        Raises
        ------
        ValueError
            For DoReFa, whose levels are odd multiples of half a step: a baseline, not for export. If a weight, or what
            it becomes with its lambda, is not finite, or the layer's scale is 0.
        """
        scale = float(self.scale.data().asscalar()) if "scale" in self._reg_params else 1.0
        levels, scales = self.weight_quantiser.to_integers(self.weight.data(), scale)
        if scale == 0:
            raise ValueError("its scale is 0, so that it ignores its input; train the network anew")
        if scale < 0:
            levels, scales = -levels, -scales
        return levels, scales, self.weight_quantiser.bits

    def _balance_channels(self, bn):
        """Give every output channel's weights the same largest magnitude; the BN behind undoes it."""
        weight = self.weight.data().asnumpy().astype(np.float64)
        largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        # What is a hundred times smaller than the layer is dead, and becomes zeros.
        factor = _ratio(np.full(largest.shape, largest.mean()), np.maximum(largest, largest.mean() / 100))
        self.weight.set_data(mx.nd.array(weight * factor.reshape(-1, 1, 1, 1)))
        self._undo(factor, bn)

    def _choose_lambda(self):
        """Start lambda where Q, at its best scale, is nearest to W."""
        weight, lam = self.weight.data().asnumpy().astype(np.float64), self.weight_quantiser.lam

        def likeness(start):
            lam.set_data(mx.nd.full(lam.shape, start))
            quantised = self.quantised_weight().astype(np.float64)
            return np.sum(weight * quantised) ** 2 / max(np.sum(np.square(quantised)), TINY)

        lam.set_data(mx.nd.full(lam.shape, max(STARTS, key=likeness)))

    def _match_scale(self, bn):
        """Let the BN behind, or else `scale`, undo the factor between W and Q."""
        rows = (self.weight.shape[0], -1) if self.weight_quantiser.per_channel and bn is not None else (1, -1)
        weight = self.weight.data().asnumpy().astype(np.float64).reshape(rows)
        quantised = self.quantised_weight().astype(np.float64).reshape(rows)
        product = np.sum(weight * quantised, axis=1)
        if bn is None:
            norm = np.sum(np.square(quantised), axis=1)
            self.scale.set_data(mx.nd.array(_ratio(product, norm)))
            return
        self._undo(_ratio(product, np.sum(np.square(weight), axis=1)), bn)

    def _undo(self, factor, bn):
        """Make up in BN for outputs that have grown by `factor`, one number or one for each channel."""
        epsilon = bn._kwargs["eps"]
        variance = bn.running_var.data().asnumpy() + epsilon
        bn.running_mean.set_data(mx.nd.array(bn.running_mean.data().asnumpy() * factor))
        bn.running_var.set_data(mx.nd.array(np.maximum(factor ** 2 * variance - epsilon, 0)))
        if self.bias is not None:
            self.bias.set_data(mx.nd.array(self.bias.data().asnumpy() * factor))


def _ratio(numerator, denominator):
    """Their quotient where it is positive, else 1: weights that are all zero have no scale."""
    valid = (numerator > 0) & (denominator > 0)
    return np.where(valid, numerator / np.where(valid, denominator, 1), 1.0)


class FakeQuantise(mx.gluon.HybridBlock):
    """Round a feature map to int8 and back: ``scale * (q - zero_point)``, q from -128 to 127.

    The gradient passes straight through. Scale and zero point come from `calibrate` and are saved with
    the other parameters; they are not trained.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.enabled = True
        with self.name_scope():
            self.scale = self.params.get("scale", shape=(1,), init=mx.init.Zero(), grad_req="null")
            self.zero_point = self.params.get("zero_point", shape=(1,), init=mx.init.Zero(), grad_req="null")

    def hybrid_forward(self, F, x, scale, zero_point):
        if not self.enabled:
            return x
        scale, zero_point = F.reshape(scale, (1, 1, 1, 1)), F.reshape(zero_point, (1, 1, 1, 1))
        # Differentiating the broadcasts would take several times as long as all the rest of a training step.
        q = F.clip(F.round(F.broadcast_add(F.broadcast_div(x, scale), zero_point)), -128, 127)
        return x + F.BlockGrad(F.broadcast_mul(F.broadcast_sub(q, zero_point), scale) - x)

    def set_range(self, low, high):
        """Choose scale and zero point for the values from `low` to `high`; 0 is always among them."""
        for parameter, value in zip((self.scale, self.zero_point), choose_qparams(low, high)):
            parameter.set_data(mx.nd.array([value]))


def choose_qparams(low, high):
    """Return scale and zero point of an int8 map with values from `low` to `high`; 0 is always among them."""
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = max((high - low) / 255, np.finfo(np.float32).tiny)
    return scale, np.clip(np.rint(-128 - low / scale), -128, 127)


class QuantisedOutput:
    """Mixed into a block: its output is rounded to 8 bits."""

    def _add_quantisers(self):
        with self.name_scope():
            self.quantiser = _quantiser_like(self)

    def hybrid_forward(self, F, x, **parameters):
        return self.quantiser(super().hybrid_forward(F, x, **parameters))


class QuantisedShortcuts:
    """Mixed into a DLB: the sums are rounded to 8 bits, and their terms are not (docs/numerics.md)."""

    def _add_quantisers(self):
        with self.name_scope():
            self.middle_quantiser = _quantiser_like(self)
            self.quantiser = _quantiser_like(self)

    def hybrid_forward(self, F, x):
        middle = self.first_half(F, x)
        if self.has_input_shortcut:
            middle = middle + x
        middle = self.middle_quantiser(middle)
        return self.quantiser(middle + self.second_half(F, middle))


def _quantiser_like(block):
    quantiser = FakeQuantise()
    initialised = [p for p in block.collect_params().values() if p._data is not None]
    quantiser.initialize(ctx=initialised[0].list_ctx() if initialised else None)
    return quantiser


_MIXINS = (QuantisedConvolution, QuantisedOutput, QuantisedShortcuts)


def original_class(block):
    """Return the class that a block had before `prepare_qat` extended it."""
    cls = type(block)
    return cls.__bases__[1] if issubclass(cls, _MIXINS) else cls


@lru_cache(maxsize=None)
def _extended(cls, mixin):
    return type("Quantised" + cls.__name__, (mixin, cls), {"__doc__": mixin.__doc__})


def _extend(block, mixin):
    # The object stays what its parents hold, with its parameters and their names.
    block.__class__ = _extended(type(block), mixin)


def _convolutions(net):
    """Every Conv2D of any network with the BN that follows it among its siblings, or None."""
    pairs = []
    for block in all_blocks(net):
        children = [child for child in block._children.values() if not isinstance(child, nn.Activation)]
        for child, follower in zip(children, children[1:] + [None]):
            if isinstance(child, nn.Conv2D):
                pairs.append((child, follower if isinstance(follower, nn.BatchNorm) else None))
    return pairs


def _told_layers(net):
    if not hasattr(net, "layers"):
        raise ValueError(f"act_bits: {type(net).__name__} does not tell its layers, so that where its feature maps are "
                         "rounded is not defined")
    return net.layers()


def quantised_convolutions(net):
    """Return {structural name: quantised convolution} of a network, in its order."""
    return _named(net, QuantisedConvolution)


def feature_map_quantisers(net):
    """Return {structural name: `FakeQuantise`} of a network, in its order."""
    return _named(net, FakeQuantise)


def _named(block, cls, prefix=""):
    found = {prefix[:-1]: block} if isinstance(block, cls) else {}
    for name, child in block._children.items():
        found.update(_named(child, cls, f"{prefix}{name}."))
    return found
