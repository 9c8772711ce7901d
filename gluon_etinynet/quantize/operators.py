"""The weight quantisers as operators: ASQ and DoReFa ("Adaptive Scale Quantization", equations 4 to 7), and linear.

The first two squash the weights with tanh, divide by the largest magnitude and round to a few levels. DoReFa
squashes the weights as they are; ASQ first divides them by lambda times their standard deviation, and lambda is
trained. Every function here takes and returns NDArrays or Symbols alike, so one implementation serves imperative
code, hybridised networks, exported graphs, CPU and GPU.

ASQ is also the registered operator ``mx.nd.Custom(weight, lam, op_type="asq", bits=4)``, with its gradient written
out: the same values, faster alone and slower inside a hybridised network (benchmarks/quantize_cost.py).
"""

from .._mxnet import mx

__all__ = ["asq", "dorefa", "linear", "asq_clamp", "dorefa_clamp", "asq_steps", "dorefa_steps"]

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


def linear(weight, limit):
    """Round the weights of each output channel to 127 levels on either side of zero, the outermost at +-`limit`.

    The "8-bit linear quantization" of the detector (table 5). The gradient is that of the weights, straight through
    all of it.

    Parameters
    ----------
    weight : NDArray or Symbol
        float32, output channels first.
    limit : NDArray or Symbol
        Shape (channels,), the magnitude of the outermost level; a channel whose limit is 0 is all zeros.

    Returns
    -------
    NDArray or Symbol
        Of the shape and the scale of `weight`.
    """
    F = _namespace(weight)
    flat, limit = F.BlockGrad(_flatten(F, weight, per_channel=True)), F.reshape(limit, (-1, 1, 1))
    step = (limit + (limit == 0)) / asq_steps(8)
    levels = F.clip(F.round(_times(F, 1 / step, flat)), -asq_steps(8), asq_steps(8))
    rounded = F.reshape_like(_times(F, step, levels), weight)
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


class _AsqOperator(mx.operator.CustomOp):
    """`asq`, and its gradient by hand: straight through the rounding alone."""

    def __init__(self, bits, per_channel):
        super().__init__()
        self._options = bits, per_channel

    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], asq(*in_data, *self._options))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        weight, lam = in_data
        rows = (0, -1) if self._options[1] else (1, -1)
        w, grad, lam = weight.reshape(rows), out_grad[0].reshape(rows), lam.reshape((-1, 1))
        centred = mx.nd.broadcast_sub(w, mx.nd.mean(w, axis=1, keepdims=True))
        deviation = mx.nd.sqrt(mx.nd.mean(mx.nd.square(centred), axis=1, keepdims=True) + EPSILON)
        rescaled = mx.nd.broadcast_div(w, lam * deviation)
        squashed = mx.nd.tanh(rescaled)
        position = mx.nd.argmax(mx.nd.abs(squashed), axis=1, keepdims=True)
        largest = mx.nd.abs(mx.nd.pick(squashed, position[:, 0], keepdims=True))
        largest = largest + (largest == 0)
        # W~ = squashed / largest: the largest moves against all others.
        by_largest = -mx.nd.sum(grad * squashed, axis=1, keepdims=True) / mx.nd.square(largest)
        at_largest = mx.nd.one_hot(position[:, 0], depth=w.shape[1]) * mx.nd.sign(squashed)
        by_squashed = mx.nd.broadcast_div(grad, largest) + mx.nd.broadcast_mul(at_largest, by_largest)
        by_rescaled = by_squashed * (1 - mx.nd.square(squashed))
        inner = mx.nd.sum(by_rescaled * rescaled, axis=1, keepdims=True)
        by_deviation = -inner / deviation
        by_weight = mx.nd.broadcast_div(by_rescaled, lam * deviation)
        by_weight = by_weight + mx.nd.broadcast_mul(centred, by_deviation / deviation / w.shape[1])
        self.assign(in_grad[0], req[0], by_weight.reshape(weight.shape))
        self.assign(in_grad[1], req[1], (-inner / lam).reshape(in_data[1].shape))


@mx.operator.register("asq")
class _AsqProperties(mx.operator.CustomOpProp):
    """Of ``op_type="asq"``: attributes come as text."""

    def __init__(self, bits="4", per_channel="False"):
        super().__init__(need_top_grad=True)
        self._options = int(bits), str(per_channel) in ("True", "1")

    def list_arguments(self):
        return ["weight", "lam"]

    def infer_shape(self, in_shape):
        _checked(self._options[0])  # here, because MXNet dies of an error in the constructor
        return [in_shape[0], [in_shape[0][0]] if self._options[1] else [1]], [in_shape[0]], []

    def create_operator(self, ctx, shapes, dtypes):
        return _AsqOperator(*self._options)
