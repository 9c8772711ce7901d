"""The numbers that flags and functions take: each quantity with its range, in one place.

A quantity is a type for argparse (``type=SEED``), and `Quantity.check` holds a function's argument to the same range.
Not a number and infinity are outside every range.
"""

import argparse
import math

from .files import InputError

__all__ = ["Quantity"]


class Quantity:
    """A range of whole or real numbers.

    Parameters
    ----------
    low, high : number
        The ends, which belong to the range.
    kind : {int, float}
    above : bool
        `low` itself is outside.
    """

    def __init__(self, low, high, kind=int, above=False):
        self.low, self.high, self.kind, self.above = low, high, kind, above

    def __str__(self):
        name = "a whole number" if self.kind is int else "a number"
        return f"{name} {'above' if self.above else 'from'} {self.low} {'up ' if self.above else ''}to {self.high}"

    def __contains__(self, value):
        return math.isfinite(value) and self.low <= value <= self.high and not (self.above and value == self.low)

    def __call__(self, text):
        """Read a flag's value, as argparse asks its types to."""
        try:
            value = self.kind(text)
            inside = value in self
        except (ValueError, OverflowError):
            inside = False
        if not inside:
            raise argparse.ArgumentTypeError(f"{text} is not {self}")
        return value

    def check(self, name, value):
        """Return `value`; raise InputError with `name` if it is outside."""
        try:
            inside = value in self and self.kind(value) == value
        except (TypeError, ValueError, OverflowError):
            inside = False
        if not inside:
            raise InputError(f"{name} = {value} is not {self}")
        return value


COUNT = Quantity(1, 10 ** 9)
COUNT_OR_NONE = Quantity(0, 10 ** 9)
BATCH = Quantity(1, 65536)
EPOCHS = Quantity(1, 100_000)
PARTS = Quantity(0, 5)  # of a backbone: stem and four stages
SEED = Quantity(0, 2 ** 32 - 1)  # what numpy.random.RandomState takes
SIDE = Quantity(8, 2048)  # of a network's input, in pixels
GPUS = Quantity(0, 1024)  # 0 is the CPU
THREADS = Quantity(1, 256)
READERS = Quantity(0, 256)  # threads beside the caller's
CROP_RATIO = Quantity(0.05, 1, float)
SHARE = Quantity(0, 1, float)
MOMENTUM = Quantity(0, 0.9999, float)
LAMBDA = Quantity(0, 1000, float, above=True)  # of ASQ, where it starts
RATE = Quantity(0, 100, float)  # of learning, and what multiplies one
POSITIVE_RATE = Quantity(0, 100, float, above=True)
MEGAHERTZ = Quantity(1, 2000, float)
PERIOD = Quantity(0, 100_000, float)  # epochs or seconds
