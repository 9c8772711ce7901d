"""The requantisation formula against exact rational arithmetic, and the error bound of docs/numerics.md."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gluon_etinynet.integer.requantise import MAX_OFFSET, requantise, requantise_params, requantise_reference

int32 = st.integers(-(2 ** 31) + 1, 2 ** 31 - 1)
int16 = st.integers(-32767, 32767)
int8 = st.integers(-128, 127)
offsets = st.integers(-MAX_OFFSET, MAX_OFFSET)


@st.composite
def legal(draw):
    """(acc, multiplier, shift, offset, shortcut multiplier, shortcut): all that validation lets through."""
    shift = draw(st.integers(0, 16))
    limit = (2 ** 31 - 1) >> shift
    return (draw(st.integers(-limit, limit)), draw(int16), shift, draw(offsets), draw(int16), draw(int8))


def both(acc, m, shift, o, ms, s, **options):
    arguments = [np.array([acc]), np.array([m], np.int16), shift, np.array([o], np.int32), ms,
                 np.array([s], np.int8)]
    slow, fast = requantise_reference(*arguments, **options), requantise(*arguments, **options)
    assert slow.dtype == fast.dtype and slow[0] == fast[0]
    return int(slow[0])


@given(legal())
@example((2 ** 31 - 1, 32767, 0, MAX_OFFSET, 32767, 127))
@example((-(2 ** 31) + 1, 32767, 0, -MAX_OFFSET, -32767, 127))
def test_int8_is_one_floor_of_the_exact_sum(case):
    acc, m, shift, o, ms, s = case
    exact = Fraction(acc * m, 2 ** (26 - shift)) + Fraction(o + ms * s, 1024)
    assert both(*case) == min(max(math.floor(exact), -128), 127)


@given(legal())
@example((2 ** 31 - 1, 32767, 0, MAX_OFFSET, 32767, 127))
@example((-(2 ** 31) + 1, 32767, 0, -MAX_OFFSET, -32767, 127))
def test_int32_is_one_floor_and_never_overflows(case):
    acc, m, shift, o, ms, s = case
    t = math.floor(Fraction(acc * m, 2 ** (16 - shift))) + o + ms * s
    assert -2 ** 31 <= t < 2 ** 31
    assert both(*case, bits=32) == t


@given(legal())
def test_the_hardware_forms_are_the_same_number(case):
    """SMLAWB, SMLABB, SSAT with ASR #10 on 32-bit registers; one wide sum and one shift in an FPGA."""
    acc, m, shift, o, ms, s = case

    def register(value):
        assert -2 ** 31 <= value < 2 ** 31
        return value

    t = register((register(acc << shift) * m >> 16) + o)
    t = register(t + register(ms * s))
    fpga = (acc * m + ((o + ms * s) << (16 - shift))) >> (26 - shift)
    assert both(*case) == max(-128, min(127, t >> 10)) == max(-128, min(127, fpga))


@pytest.mark.parametrize("real, rounded", [(2.5, 3), (-2.5, -2), (-2.51, -3), (2.49, 2), (-0.5, 0), (0.5, 1),
                                           (-1.5, -1), (126.5, 127), (200, 127), (-128.5, -128),
                                           (-300, -128)])
def test_ties_go_towards_plus_infinity(real, rounded):
    """The tie comes from the offset at acc = 0, and from acc = 2 * real at M = 1/2."""
    params = requantise_params([1.0], [real], 8)
    assert both(0, params.multiplier[0], params.shift, params.offset[0], 0, 0) == rounded
    half = requantise_params([0.5], [0.0], 600)
    if real * 2 == int(real * 2):
        assert both(int(real * 2), half.multiplier[0], half.shift, half.offset[0], 0, 0) == rounded


def test_the_worked_example_of_the_page():
    case = (12345, -20000, 3, 7000, 700, -55)
    assert (both(*case), both(*case, bits=32)) == (-61, -61640)


@pytest.mark.parametrize("low, expected", [(-128, -40), (-7, -7), (0, 0)])
def test_relu_after_clamps_at_the_zero_point(low, expected):
    assert both(0, 1, 0, -40 * 1024 + 512, 0, 0, low=low) == expected


reals = st.floats(-16, 16, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-12)


@given(st.lists(st.tuples(reals, st.floats(-300, 300) | st.floats(-9000, 9000)), min_size=1, max_size=6),
       st.integers(1, 2 ** 24), st.data())
def test_error_stays_within_the_stated_bound(channels, bound, data):
    multiplier, offset = map(np.array, zip(*channels))
    ratio, zero_point = data.draw(st.floats(0.01, 31)), data.draw(int8)
    try:
        params = requantise_params(multiplier, offset, bound, (ratio, zero_point))
    except ValueError as error:
        assert "does not fit" in str(error) and np.abs(offset).max() > 8191 - 128 * ratio - 1
        return
    assert bound << params.shift < 2 ** 31
    assert params.multiplier.dtype == np.int16 and params.offset.dtype == np.int32
    assert np.abs(params.offset).max() <= MAX_OFFSET and np.abs(params.multiplier.astype(int)).max() <= 32767
    if params.shift:
        # One step less would not have held the largest.
        assert np.rint(np.abs(multiplier).max() * 2.0 ** (27 - params.shift)) > 32767
    for c, (real, shift_in) in enumerate(channels):
        acc, s = data.draw(st.integers(-bound, bound)), data.draw(int8)
        exact = Fraction(real) * acc + Fraction(shift_in) + Fraction(ratio) * (s - zero_point)
        got = both(acc, params.multiplier[c], params.shift, params.offset[c], params.shortcut_multiplier, s)
        if params.clamped[c]:
            assert abs(params.multiplier[c]) == 32767 and np.sign(params.multiplier[c]) == np.sign(real)
            continue
        error = abs(Fraction(np.clip(float(exact), -128, 127)) - got)
        assert error <= (Fraction(1, 2) + abs(acc) * Fraction(2) ** (params.shift - 27) + Fraction(1, 2 ** 11)
                         + abs(s - zero_point) * Fraction(1, 2 ** 11) + Fraction(1, 10 ** 9))


@given(st.floats(1e-9, 1e9), st.integers(1, 2 ** 24), st.data())
def test_a_nearly_dead_channel_is_clamped_monotone_and_exact_at_zero(huge, bound, data):
    sign = data.draw(st.sampled_from([1.0, -1.0]))
    params = requantise_params([sign * huge, 1e-3], [7.0, 0.0], bound)
    last = max(shift for shift in range(17) if bound << shift < 2 ** 31)
    assert params.clamped[0] == (np.rint(huge * 2.0 ** (26 - last)) > 32767)
    a, b = sorted(data.draw(st.tuples(st.integers(-bound, bound), st.integers(-bound, bound))))
    q = [both(x, params.multiplier[0], params.shift, params.offset[0], 0, 0) for x in (a, 0, b)]
    assert q[1] == 7
    assert (q[2] - q[0]) * sign >= 0


@pytest.mark.parametrize("arguments, message", [
    (([np.nan], [0.0], 1), "not finite"),
    (([1.0], [np.inf], 1), "not finite"),
    (([1.0], [0.0], 2 ** 31), "32 bits"),
    (([1.0], [0.0], 1, (32.0, 0)), "shortcut multiplier"),
    (([1.0], [2.0 ** 23], 1, None, 32), "larger output scale"),
])
def test_what_cannot_be_represented_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        requantise_params(*arguments)


def test_an_offset_far_outside_is_limited_and_stays_saturated():
    params = requantise_params([1e-3, 1e-3], [1e9, -1e9], 100, (2, -128))
    for c, expected in enumerate((127, -128)):
        assert {both(acc, params.multiplier[c], params.shift, params.offset[c], params.shortcut_multiplier, s)
                for acc in (-100, 0, 100) for s in (-128, 127)} == {expected}
    # Where what comes in may bring it back into the range, a limited offset would be wrong.
    with pytest.raises(ValueError, match="the offset of channel 1, -9000 output steps, does not fit"):
        requantise_params([0.01, 0.01], [5000, -9000], 1 << 20)
    exact = requantise_params([0.01], [-5000], 1 << 20)
    assert abs(both(500_000, exact.multiplier[0], exact.shift, exact.offset[0], 0, 0)) <= 1  # 5000 - 5000
