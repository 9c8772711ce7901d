"""The weight quantisers: ASQ and DoReFa ("Adaptive Scale Quantization", equations 4 to 7), and linear.

The first two squash the weights with tanh, divide by the largest magnitude and round to a few levels. DoReFa
squashes the weights as they are; ASQ first divides them by lambda times their standard deviation, and
lambda is trained. Every function here takes and returns NDArrays or Symbols alike, so one
implementation serves imperative code, hybridised networks, exported graphs, CPU and GPU. The layers that use them are in qat.py.
"""


from .._mxnet import mx
from ..files import InputError

__all__ = ["asq", "dorefa", "linear", "asq_clamp", "dorefa_clamp", "asq_steps", "dorefa_steps", "WeightBits"]

EPSILON = 1e-5  # of equation 6: keeps a constant tensor from dividing by zero


def asq(weight, lam, bits=4, per_channel=False):
    """Quantise weights with ASQ, equation 6.

    ``Q = round(a * W~) / a`` with ``a = 2 ** (bits - 1) - 1`` and W~ of `asq_clamp`: 2a + 1 levels
    from -1 to 1. The gradient passes straight through the rounding, and through nothing else: the
    variance and the maximum are differentiated too.

    Parameters
    ----------
    weight : NDArray or Symbol
        Any shape; float32.
    lam : NDArray or Symbol
        lambda, shape (1,); with `per_channel`, shape (channels,).
    bits : int
        2 to 8.
    per_channel : bool
        Treat each slice along the first axis as a tensor of its own, with its own lambda. The paper
        has one lambda for a layer.

    Returns
    -------
    NDArray or Symbol
        Q, of the shape of `weight`. Exact ties are rounded away from zero. A tensor of zeros stays zero.
        A negative lambda turns the signs of Q; a lambda of 0 leaves only the signs of the weights (NaN
        for zeros). A NaN in `weight` or `lam` makes all of Q NaN.

    Raises
    ------
    ValueError
        If `bits` is not an integer from 2 to 8.
    """
    a = asq_steps(bits)
    F = _namespace(weight)
    levels = F.contrib.round_ste(_squash(F, _rescale(F, weight, lam, per_channel), a))
    return F.reshape_like(levels * (1 / a), weight)


def dorefa(weight, bits=4, per_channel=False):
    """Quantise weights with DoReFa, equations 4 and 5 (Zhou et al. 2016).

    ``Q = 2 / a * round(a * (W~ + 1) / 2) - 1`` with ``a = 2 ** bits - 1`` and W~ of `dorefa_clamp`
    (the paper's W~ is our (W~ + 1) / 2): a + 1 levels from -1 to 1, none of them 0. A tensor of zeros
    becomes 1 / a, the level above the tie. A NaN in `weight` is NaN in Q at its place.

    Parameters, errors, gradient
    ----------------------------
    As for `asq`.
    """
    a = dorefa_steps(bits)
    F = _namespace(weight)
    levels = F.contrib.round_ste(_squash(F, _flatten(F, weight, per_channel), a / 2) + a / 2)
    return F.reshape_like(levels * (2 / a) - 1, weight)


def linear(weight):
    """Round the weights of each output channel to 127 levels on either side of zero, the last at its largest.

    The "8-bit linear quantization" of the detector (table 5), and what lower.py does with float
    weights. The gradient is that of the weights, straight through all of it.

    Parameters
    ----------
    weight : NDArray or Symbol
        float32, output channels first.

    Returns
    -------
    NDArray or Symbol
        Of the shape and the scale of `weight`. A channel of zeros stays zero.
    """
    F = _namespace(weight)
    flat = F.BlockGrad(_flatten(F, weight, per_channel=True))
    largest = _largest(F, flat)
    step = (largest + (largest == 0)) / asq_steps(8)
    rounded = F.reshape_like(_times(F, step, F.round(_times(F, 1 / step, flat))), weight)
    return weight + F.BlockGrad(rounded - weight)


def asq_clamp(weight, lam, per_channel=False):
    """Return ASQ's W~, the re-scaled weights in [-1, 1] before rounding (equation 6, first two lines).

    ``W' = W / (lambda * sqrt(VAR(W) + 1e-5))`` and ``W~ = tanh(W') / max|tanh(W')|``; parameters as for `asq`.
    """
    F = _namespace(weight)
    return F.reshape_like(_squash(F, _rescale(F, weight, lam, per_channel)), weight)


def dorefa_clamp(weight, per_channel=False):
    """Return tanh(W) / max|tanh(W)|, equation 4 before it is moved to [0, 1]; parameters as for `dorefa`."""
    F = _namespace(weight)
    return F.reshape_like(_squash(F, _flatten(F, weight, per_channel)), weight)


def asq_steps(bits):
    """Return the levels above zero, a = 2 ** (bits - 1) - 1 (equation 6): Q is an integer over a."""
    return 2 ** (_checked(bits) - 1) - 1


def dorefa_steps(bits):
    """Return the steps from -1 to 1, a = 2 ** bits - 1 (equation 5): Q is an odd integer over a."""
    return 2 ** _checked(bits) - 1


class WeightBits(mx.gluon.Constant):
    """The bits of a convolution's weights, saved with them; on the CPU, wherever they are.

    Raises InputError when other bits are loaded into it.
    """

    def __init__(self, bits):
        super().__init__("weight_bits", [bits])
        self.initialize(ctx=mx.cpu())

    def set_data(self, data):
        ours, theirs = (int(array.asscalar()) for array in (self.value, data))
        if ours != theirs:
            raise InputError(f"weights of {theirs} bits do not fit a network prepared for {ours}; give prepare_qat "
                             f"weight_bits={theirs}")

    def _load_init(self, data, ctx, **options):
        self.set_data(data)


def _namespace(array):
    return mx.sym if isinstance(array, mx.sym.Symbol) else mx.nd


def _checked(bits):
    if isinstance(bits, bool) or bits not in range(2, 9):
        raise ValueError(f"bits must be an integer from 2 to 8, not {bits!r}")
    return int(bits)


def _flatten(F, weight, per_channel):
    """One row for each tensor that is quantised by itself: (tensors, 1, values)."""
    return F.reshape(weight, (0, 1, -1) if per_channel else (1, 1, -1))


# MXNet's broadcasting and whole-tensor reductions are slow, in the backward pass above all. Products by BLAS
# and oneDNN's global pooling, tanh and leaky ReLU give the same several times faster; benchmarks/quantize_cost.py
# holds the figures.

def _rescale(F, weight, lam, per_channel):
    """W' of equation 6, flattened."""
    flat = _flatten(F, weight, per_channel)
    ones = F.ones_like(flat)
    count = _inner(F, ones, ones)
    # The variance does not change with the mean that is taken off, to first order: no gradient is lost.
    centred = flat - F.BlockGrad(_times(F, _inner(F, flat, ones) / count, ones))
    variance = _inner(F, centred, centred) / count
    return _times(F, 1 / (F.reshape(lam, (-1, 1, 1)) * F.sqrt(variance + EPSILON)), flat)


def _squash(F, flat, span=1):
    """tanh, with the largest magnitude of each row brought to `span`; a row of zeros stays zero."""
    squashed = F.Activation(flat, act_type="tanh")
    largest = _largest(F, squashed)
    return _times(F, span / (largest + (largest == 0)), squashed)


def _largest(F, flat):
    """The largest magnitude of each row."""
    magnitude = F.LeakyReLU(flat, act_type="leaky", slope=-1)
    return F.Pooling(magnitude, global_pool=True, pool_type="max")


def _inner(F, left, right):
    return F.batch_dot(left, right, transpose_b=True)


def _times(F, factor, rows):
    """Each row times its factor: (tensors, 1, 1) times (tensors, 1, values)."""
    return F.batch_dot(factor, rows)
