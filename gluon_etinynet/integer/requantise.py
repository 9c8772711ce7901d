"""From accumulator to output: the formula of docs/numerics.md section 2, and the choice of its parameters."""

from collections import namedtuple

import numpy as np

__all__ = ["FRACTION_BITS", "MAX_OFFSET", "MAX_SHIFT", "RequantiseParams", "requantise_params",
           "requantise_reference", "requantise"]

FRACTION_BITS = 10
MAX_SHIFT = 16
MAX_OFFSET = (1 << 23) - 1
_MAX_MULTIPLIER = (1 << 15) - 1
# The limit of an offset that is too large keeps `o` below 2^23 when the shortcut's zero point (less than 4096 steps)
# comes on top.
_MAX_STEPS = 4095

RequantiseParams = namedtuple("RequantiseParams", "multiplier shift offset shortcut_multiplier clamped")


def requantise_params(multiplier, offset, bound, shortcut=None, bits=8):
    """Choose the integers for `y = multiplier * acc + offset (+ shortcut)` (numerics.md section 2).

    Parameters
    ----------
    multiplier : array of float, shape (C,)
        M, output steps per accumulator step; negative values are legal.
    offset : array of float, shape (C,)
        D, output steps at acc = 0, the output's zero point included and the shortcut's zero point not.
    bound : int or array of int, shape (C,)
        Largest |acc| that can occur, as `accumulator_bound` gives it.
    shortcut : (float, int), optional
        Output steps per step of the second input, and that input's zero point.
    bits : {8, 32}
        Of the output; 32 is for logits.

    Returns
    -------
    RequantiseParams
        multiplier (int16, (C,)), shift (int), offset (int32, (C,)), shortcut_multiplier (int or None) and
        clamped (bool, (C,): channels whose multiplier did not fit, see "Nearly dead channels").

    Raises
    ------
    ValueError
        If a number is not finite, an accumulator bound reaches 2^31, the shortcut's multiplier is not
        below 32, or an offset does not fit: that of a logit, or of a channel that is not saturated whatever comes in.
    """
    multiplier, offset = np.asarray(multiplier, np.float64), np.asarray(offset, np.float64)
    if not (np.isfinite(multiplier).all() and np.isfinite(offset).all()):
        raise ValueError("a multiplier or offset is not finite")
    bounds = np.broadcast_to(bound, multiplier.shape)
    bound = int(np.max(bound))
    if not 0 <= bound < 1 << 31:
        raise ValueError(f"accumulator bound {bound} does not fit 32 bits")
    fraction = FRACTION_BITS if bits == 8 else 0

    largest = np.abs(multiplier).max(initial=0.0)
    shift, last = 0, _max_shift(bound)
    while shift < last and np.rint(np.ldexp(largest, 16 + fraction - shift)) > _MAX_MULTIPLIER:
        shift += 1
    exact = np.rint(np.ldexp(multiplier, 16 + fraction - shift))
    m = np.clip(exact, -_MAX_MULTIPLIER, _MAX_MULTIPLIER)

    ms, of_zero_point, reach = None, 0, np.abs(multiplier) * bounds
    if shortcut is not None:
        real, zero_point = shortcut
        if not (np.isfinite(real) and abs(np.rint(np.ldexp(real, fraction))) <= _MAX_MULTIPLIER):
            raise ValueError(f"shortcut multiplier {real} is not below {1 << (15 - fraction)}")
        ms = int(np.rint(np.ldexp(real, fraction)))
        of_zero_point, reach = ms * int(zero_point), reach + 255 * abs(real)
    if bits == 8:
        offset = _limited(offset, np.ldexp(np.abs(offset), fraction) + 512 + abs(of_zero_point) < MAX_OFFSET, reach)
    elif np.abs(offset).max(initial=0.0) > MAX_OFFSET:
        raise ValueError("the offset of a logit reaches 2^23; choose a larger output scale")
    o = np.rint(np.ldexp(offset, fraction)).astype(np.int64) + ((1 << fraction) >> 1) - of_zero_point
    return RequantiseParams(m.astype(np.int16), shift, o.astype(np.int32), ms, m != exact)


def _limited(offset, fits, reach):
    """Offsets, those that do not fit at +-4095 steps: saturated all the same, if what comes in reaches less far."""
    wrong = ~fits & (reach > _MAX_STEPS - 256)
    if wrong.any():
        channel = int(wrong.argmax())
        raise ValueError(f"the offset of channel {channel}, {offset[channel]:.0f} output steps, does not fit: the "
                         "channel hardly varied where its batch normalisation was trained; train on, or set gamma to 0")
    return np.where(fits, offset, np.clip(offset, -_MAX_STEPS, _MAX_STEPS))


def _max_shift(bound):
    """Largest L up to 16 with bound * 2^L < 2^31."""
    return min(MAX_SHIFT, 31 - max(bound, 1).bit_length())


def requantise_reference(acc, multiplier, shift, offset, shortcut_multiplier=None, shortcut=None, low=-128,
                         bits=8):
    """The formula in 64-bit integers, term by term.

    Parameters
    ----------
    acc : array of int, shape (C, ...)
    multiplier, offset : array of int, shape (C,)
    shift : int
    shortcut_multiplier, shortcut : int and array of int, shape of `acc`, optional
    low : int
        Lower end of the clamp.
    bits : {8, 32}

    Returns
    -------
    array of int8 or int32, shape of `acc`
    """
    column = (-1,) + (1,) * (np.ndim(acc) - 1)
    m = np.asarray(multiplier, np.int64).reshape(column)
    t = ((np.asarray(acc, np.int64) << shift) * m) >> 16
    t = t + np.asarray(offset, np.int64).reshape(column)
    if shortcut is not None:
        t = t + shortcut_multiplier * np.asarray(shortcut, np.int64)
    if bits == 32:
        return t.astype(np.int32)
    return np.clip(t >> FRACTION_BITS, low, 127).astype(np.int8)


def requantise(acc, multiplier, shift, offset, shortcut_multiplier=None, shortcut=None, low=-128, bits=8):
    """The same as `requantise_reference` for `acc` of any dtype that holds integers, in float64.

    Exact because every term is a multiple of 2^-26 below 2^22 (of 2^-16 below 2^31 for 32 bits), which
    float64 holds, and because floors nest (numerics.md section 2).
    """
    column = (-1,) + (1,) * (np.ndim(acc) - 1)
    fraction = FRACTION_BITS if bits == 8 else 0
    t = np.multiply(acc, np.ldexp(np.asarray(multiplier, np.float64), shift - 16 - fraction).reshape(column),
                    dtype=np.float64)
    t += np.ldexp(np.asarray(offset, np.float64), -fraction).reshape(column)
    if shortcut is not None:
        t += np.multiply(shortcut, np.ldexp(float(shortcut_multiplier), -fraction), dtype=np.float64)
    np.floor(t, out=t)
    if bits == 32:
        return t.astype(np.int32)
    return np.clip(t, low, 127, out=t).astype(np.int8)
