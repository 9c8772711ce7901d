"""The paper's numbers, read from ``benchmarks/paper.csv``, and what agreeing with one means.

Each row of ``paper.csv`` is one number: ``table`` (``1`` to ``6``, ``fig1``, ``fig3``, ``fig4`` or
``text``), ``row`` (a network, a device or a layer), ``quantity``, ``value``, ``unit``, ``agreement``
and ``recipe``, the script that measures it.

``agreement`` is one of

=============  ======================================================================================
``exact``      the same number, or the same text
``abs X``      within X of the paper, in the row's unit, X included
``rel X%``     within X per cent of the paper's value, X included
``at least``   the paper's value or more
``at most``    the paper's value or less
``cited``      never judged: a number by others, a setting, something that needs hardware, or a
               comparison that follows from other rows; such a row names no recipe
=============  ======================================================================================

A number that the paper repeats at the same precision in its text stands here once, under its table.
What a table marks as unreported has no row. Of the figures stand here the axes, the legend and what
the text says of them, not points read off the picture. Memory in KB is 1024 bytes (245 KB, 576 KB,
the microcontrollers' SRAM and flash), size of parameters in MB or KB is 10^6 or 10^3 bytes: so the
paper's figures come out.

How wide an agreement is: counts to the digit the paper prints, except 680K (the network has
681,304: 0.2 %) and 3.92 MB (4 bytes times 0.98M, not times 976,360); other authors' networks as
GluonCV builds them to 5 %; full ImageNet evaluations to half a point and VOC mAP to one, our margin
for another training run; memory and time are bounds, since using less is no disagreement.

A measured value, as the recipes write it under ``"measurements"`` of their ``metrics.json``, is a
dictionary of ``table``, ``row``, ``quantity`` and ``value`` (in the unit of ``paper.csv``), and of these
where wanted: ``note`` (shown, for instance the data set), ``differs`` (the known reason why this
number is not the paper's, where `REASONS` has none) and ``comparable: false`` (measured under other conditions than the
paper's, so not to be judged).
"""

import csv
import re
from pathlib import Path
from typing import NamedTuple, Union

from .. import cli
from ..files import InputError

__all__ = ["BENCHMARKS", "FLOORS_CSV", "Entry", "load", "value", "agrees", "verdict", "comparison",
           "side_by_side", "shown"]

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"  # of the repository; not installed with the package
PAPER_CSV = BENCHMARKS / "paper.csv"
FLOORS_CSV = BENCHMARKS / "floors.csv"  # of the same form: what our own results must reach
COLUMNS = ["table", "row", "quantity", "value", "unit", "agreement", "recipe"]
AGREEMENT = re.compile(r"exact|at least|at most|cited|abs (?P<abs>\d+(\.\d+)?)|rel (?P<rel>\d+(\.\d+)?)%")

NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


class Entry(NamedTuple):
    """One number of the paper."""

    table: str
    row: str
    quantity: str
    value: Union[float, str]
    unit: str
    agreement: str
    recipe: str

    @property
    def key(self):
        """`(table, row, quantity)`, unique within the paper."""
        return self[:3]


def load(path=PAPER_CSV):
    """Read the paper's numbers.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    list of Entry
        In the file's order; `value` is a float wherever it reads as a decimal number, otherwise text.

    Raises
    ------
    InputError
        Naming file and line, if a row has the wrong number of columns, an empty or repeated key, an
        unknown agreement, text where a number is needed, or a recipe that does not go with it.
    """
    entries = {}
    try:
        with open(path, newline="", encoding="utf-8") as source:
            lines = csv.reader(source)
            if next(lines, None) != COLUMNS:
                raise InputError(f"{path}, line 1: the columns must be {','.join(COLUMNS)}")
            for cells in lines:
                where = f"{path}, line {lines.line_num}"
                entry = _entry(cells, where)
                if entry.key in entries:
                    raise InputError(f"{where}: {' / '.join(entry.key)} stands here twice; keep one")
                entries[entry.key] = entry
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}; restore it from the repository") from error
    return list(entries.values())


def _entry(cells, where):
    if len(cells) != len(COLUMNS):
        raise InputError(f"{where}: {len(cells)} columns instead of {len(COLUMNS)}; quote values with commas")
    entry = Entry(*cells)
    if not all(cells[:4]):
        raise InputError(f"{where}: table, row, quantity and value must not be empty")
    if not AGREEMENT.fullmatch(entry.agreement):
        raise InputError(f"{where}: unknown agreement '{entry.agreement}'; use exact, abs X, rel X%, "
                         "at least, at most or cited")
    if (entry.agreement == "cited") != (entry.recipe == ""):
        raise InputError(f"{where}: a cited number has no recipe, any other names the one that measures it")
    if NUMBER.fullmatch(entry.value):
        return entry._replace(value=float(entry.value))
    if entry.agreement not in ("exact", "cited"):
        raise InputError(f"{where}: '{entry.value}' is not a number, as agreement '{entry.agreement}' needs")
    return entry


def value(table, row, quantity):
    """Return the paper's value for a key; `KeyError` if the paper has none."""
    return {entry.key: entry.value for entry in load()}[table, row, quantity]


def agrees(entry, measured):
    """Whether a measured value agrees with the paper's.

    Parameters
    ----------
    entry : Entry
    measured : float or str
        In the entry's unit.

    Returns
    -------
    bool
        False for a measured NaN.

    Raises
    ------
    InputError
        If the entry is cited, or if one value is text and the other a number.
    """
    name = " / ".join(entry.key)
    if entry.agreement == "cited":
        raise InputError(f"{name} is only cited: give it an agreement and a recipe in paper.csv, or mark "
                         "the measurement \"comparable\": false")
    if isinstance(measured, str) != isinstance(entry.value, str):
        raise InputError(f"{name}: the paper has {shown(entry.value)}, measured was {measured!r}; "
                         "both must be numbers or both text")
    if isinstance(measured, str):
        return measured == entry.value
    # The slack lets 3.94 be within 0.02 of 3.92, which it misses by 2e-17 in binary.
    slack = 1e-9 * abs(entry.value)
    difference = measured - entry.value
    if entry.agreement == "at least":
        return difference >= -slack
    if entry.agreement == "at most":
        return difference <= slack
    width = AGREEMENT.fullmatch(entry.agreement)
    allowed = float(width["abs"] or 0) + float(width["rel"] or 0) / 100 * abs(entry.value)
    return abs(difference) <= allowed + slack


# Why a number that is counted is not the paper's.
REASONS = {
    ("2", "MobileNetV1-0.5", "madds"): "110 M is its count at 192 x 192",
    ("2", "MobileNetV2-0.35", "madds"): "GluonCV does not round widths to multiples of 8",
    ("2", "MobileNetV2-0.15", "madds"): "GluonCV does not round widths to multiples of 8; rounded it would be 31 M, "
                                        "not 39 M either",
    ("5", "EtinyNet-SSD", "madds"): "anchors for small people, see docs/fidelity.md; the paper does not tell its own",
}


def verdict(entry, measurement):
    """The verdict on a measurement (see the module): the text that the tables show.

    `agrees`, `differs`, `differs (explained: reason)` or `other conditions`.
    """
    if not measurement.get("comparable", True):
        return "other conditions"
    if agrees(entry, measurement["value"]):
        return "agrees"
    reason = measurement.get("differs") or REASONS.get(entry.key)
    return f"differs (explained: {reason})" if reason else "differs"


def comparison(measurements):
    """Format measurements as a table with the paper's value beside each.

    Parameters
    ----------
    measurements : list of dict
        As written to `metrics.json`.

    Returns
    -------
    str

    Raises
    ------
    KeyError
        If the paper has no such number.
    """
    entries = {entry.key: entry for entry in load()}
    rows = []
    for measurement in measurements:
        entry = entries[measurement["table"], measurement["row"], measurement["quantity"]]
        rows.append([entry.row, entry.quantity, entry.unit, shown(entry.value), shown(measurement["value"]),
                     verdict(entry, measurement), measurement.get("note", "")])
    header = ["row", "quantity", "unit", "paper", "measured", "verdict", "note"]
    if not any(row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    return cli.table(header, rows)


def shown(number):
    """A value as the tables print it: up to seven significant digits, text as it is."""
    return number if isinstance(number, str) else f"{number:.7g}"


def side_by_side(entries, found, columns):
    """One line for each row of the paper's table: its numbers, each with the measured one behind it.

    Parameters
    ----------
    entries : list of Entry
    found : dict of (row, quantity) to measurement
    columns : dict of quantity to its heading

    Returns
    -------
    header, rows
    """
    header = ["model"] + [text for name in columns.values() for text in (name, "measured")]
    rows = []
    for row in dict.fromkeys(entry.row for entry in entries if entry.quantity in columns):
        cells = [row]
        for quantity in columns:
            entry = next((e for e in entries if (e.row, e.quantity) == (row, quantity)), None)
            measured = found.get((row, quantity))
            cells.append(shown(entry.value) if entry else "-")
            if measured is None:
                cells.append("" if entry is None else "cited" if entry.agreement == "cited" else "not run here")
            else:
                mark = {"agrees": "", "other conditions": " (*)"}.get(verdict(entry, measured), " (differs)")
                cells.append(f"{measured['value']:.2f}{mark}")
        rows.append(cells)
    return header, rows
