"""Ranges of numbers: as the types of flags, and as what functions check."""

import argparse
import ast
import math

import numpy as np
import pytest
from running import ROOT, assert_one_line, run

from gluon_etinynet import InputError, quantities
from gluon_etinynet.data.images import preprocess
from gluon_etinynet.quantities import CROP_RATIO, LAMBDA, SEED, SIDE, Quantity

ALL = {name: value for name, value in vars(quantities).items() if isinstance(value, Quantity)}


@pytest.mark.parametrize("name", ALL)
def test_ends_are_inside_and_what_lies_beyond_is_not(name):
    quantity = ALL[name]
    assert quantity(str(quantity.high)) == quantity.check("x", quantity.high) == quantity.high
    assert (quantity.low in quantity) != quantity.above
    step = 1 if quantity.kind is int else 1e-6
    for value in (quantity.low - step, quantity.high + step, math.nan, math.inf, -math.inf):
        with pytest.raises(argparse.ArgumentTypeError, match=f"^{value} is not a"):
            quantity(str(value))
        with pytest.raises(InputError, match="^x = .* is not a"):
            quantity.check("x", value)
    for text in ("", "one", "1e999", "0x10", "1_000_000_000_000", "9" * 400):
        with pytest.raises(argparse.ArgumentTypeError):
            quantity(text)


def test_whole_numbers_and_others():
    for value in (2.5, "3", None, [1]):
        with pytest.raises(InputError):
            SIDE.check("size", value)
    assert SIDE.check("size", np.int64(32)) == 32
    assert SEED("0") == 0 and CROP_RATIO("1") == 1 and LAMBDA("1e-3") == 1e-3
    with pytest.raises(InputError, match="crop_ratio = 5 is not a number from 0.05 to 1"):
        preprocess(np.zeros((40, 40, 3), np.uint8), 32, crop_ratio=5)


@pytest.mark.parametrize("script", [path.relative_to(ROOT) for folder in ("tools", "benchmarks")
                                    for path in sorted((ROOT / folder).glob("*.py"))], ids=str)
def test_every_number_flag_has_a_range(script):
    calls = [node for node in ast.walk(ast.parse((ROOT / script).read_text())) if isinstance(node, ast.Call)]
    for call in calls:
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        kind = getattr(options.get("type"), "id", None)
        assert kind not in ("int", "float") or "choices" in options, f"{script}, line {call.lineno}"


@pytest.mark.parametrize("script, flag, value, more", [
    ("tools/classify.py", "--crop-ratio", "5", ["x.jpg"]),
    ("tools/detect.py", "--threshold", "nan", ["--params", "x", "x.jpg"]),
    ("tools/train_ssd.py", "--heads-lr-mult", "nan", []),
    ("tools/train_imagenet.py", "--wd", "inf", []),
    ("tools/make_shapes.py", "--seed", "-1", ["x"]),
    ("tools/make_graph.py", "--input-size", "100000", ["--out", "x"]),
])
def test_a_number_out_of_range_is_one_line_that_names_the_flag(script, flag, value, more):
    assert_one_line(run(script, *more, flag, value), f"argument {flag}: {value} is not a")
