import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon_etinynet.integer import pack, unpack, weight_limit


@given(st.sampled_from([2, 3, 4, 8]), st.integers(0, 5), st.integers(0, 40), st.integers(0, 2 ** 32 - 1))
def test_round_trip(bits, rows, n, seed):
    limit = weight_limit(bits)
    values = np.random.default_rng(seed).integers(-limit, limit + 1, (rows, n), dtype=np.int8)
    packed = pack(values, bits)
    assert packed.dtype == np.uint8 and packed.shape == (rows, -(-n * bits // 8))
    np.testing.assert_array_equal(unpack(packed, bits, n), values)


@pytest.mark.parametrize("bits, values, expected", [
    (4, [1, -7, 7], [0x91, 0x07]),  # low nibble first, unused bits 0
    (2, [1, -1, 0, 1, -1], [0x4D, 0x03]),
    (3, [1, 2, -3], [0b01010001, 0b1]),
    (8, [-127, 127], [0x81, 0x7F]),
])
def test_bytes(bits, values, expected):
    assert pack(np.array([values]), bits).tolist() == [expected]


@pytest.mark.parametrize("bits, value", [(4, -8), (4, 8), (2, -2), (8, -128)])
def test_a_value_that_does_not_fit_is_refused(bits, value):
    with pytest.raises(ValueError, match=f"range of {bits} bits"):
        pack(np.array([[value]]), bits)


def test_other_widths_are_refused():
    with pytest.raises(ValueError, match="choose 2, 3, 4 or 8"):
        pack(np.zeros((1, 1)), 5)
