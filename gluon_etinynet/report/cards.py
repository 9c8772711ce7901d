"""A card for each network that is measured: what it takes and gives, and what it must not be used for."""

import re
from collections import namedtuple

from .. import cli
from .measured import NAMES

__all__ = ["cards"]

Card = namedtuple("Card", "name title side sections")
Card.__doc__ = """What a card has.

Attributes
----------
name : str
    Of its file.
title : str
side : int
    Of the input, in pixels.
sections : list of (str, list of (str, str, str))
    Heading, and which measurements stand below it: patterns of section, row and `on`.
"""

WEIGHTS = ("The released checkpoint is the authors' (`aztc/EtinyNet`), which states no licence: it is downloaded from "
           "there and is not part of this project. ")
TRAINED_HERE = "No weights of it are released: train it. "
COST, ACCURACY = "Size and cost", "Accuracy"
CODE = "Code: Apache-2.0. "
SIMULATED = "Instructions, memory: GCC 12.2, counted under QEMU 7.2; cycles of a Cortex-M4 are a model, not a board's."
CORE = ("Cycles: Verilator 5.006. Resources: Yosys 0.23, synthesised and not placed. The clock on the LFE5U-85F: "
        "nextpnr, placed and routed.")
NOT_FOR = (
    "Nothing that a person's safety, health, rights or livelihood depends on: it errs often, is sure of itself where "
    "it errs, and a classifier knows no \"none of these\".",
    "Recognising or watching people: ImageNet's and Pascal VOC's pictures were gathered without their consent, and the "
    "classes carry the prejudice of those who named them.",
    "Pictures unlike those that it was trained on (medical, aerial, infrared, drawings) without measuring there first.")

FLOAT, SSD = r"EtinyNet-1\.0", "EtinyNet-SSD"
SMALL = r"EtinyNet-0\.75 \(4-bit\)"
CARDS = [
    Card("etinynet1.0", "EtinyNet-1.0, float", 224, [
        (COST, [("1|2", FLOAT, "")]), (ACCURACY, [("2", FLOAT, ".+")])]),
    Card("etinynet1.0-int8", "EtinyNet-1.0, 8 bits", 224, [
        (COST, [("1", FLOAT, ""), ("2", FLOAT + r" \(8-bit\)", ""), ("4", FLOAT + " STM32.*", ""),
                ("mcu", FLOAT + ", (8-bit weights|picture .*)", "Cortex.*|224 x 224")]),
        (ACCURACY, [("4", FLOAT + " STM32.*", ".+")])]),
    Card("etinynet1.0-int4", "EtinyNet-1.0, 4-bit weights by ASQ", 224, [
        (COST, [("2", FLOAT + r" \(4-bit\)", ""),
                ("mcu", FLOAT + ", (4-bit weights|picture .*)", "Cortex.*|224 x 224")]),
        (ACCURACY, [("3", FLOAT + " ASQ.*", ".*")])]),
    Card("etinynet0.75-int4", "EtinyNet-0.75, 4-bit weights, on an FPGA", 224, [
        (COST, [("2|6", SMALL, ".*")]), (ACCURACY, [])]),
    Card("etinynet-ssd", "EtinyNet-SSD, 8 bits", 256, [
        (COST, [("5", SSD, ""), ("mcu", SSD + ".*", ".*")]),
        (ACCURACY, [("5", SSD + ", (float|8-bit integers)", ".+")])]),
]


def cards(measured, papers):
    """Write the cards.

    Parameters
    ----------
    measured : list of dict
        Of `measured.load`.
    papers : dict of Entry
        By their keys, for units.

    Returns
    -------
    dict of str to str
        Name of the file -> Markdown.
    """
    return {f"{card.name}.md": _text(card, measured, papers) for card in CARDS}


def _text(card, measured, papers):
    detector = card.name.endswith("ssd")
    resized = ("the whole picture, not in proportion" if detector else
               "the short side resized to 256 bilinearly, the centre cut" if card.side == 224 else "")
    released = card.name.startswith("etinynet1.0")
    text = [f"# {card.title}", "", "`python benchmarks/results.py` writes this card from `benchmarks/measured.csv`.",
            "",
            f"- **Input:** RGB, {card.side} x {card.side}, each value `pixel - 128`, from -128 to 127; {resized}.",
            "- **Output:** " + ("boxes with class and score, of Pascal VOC's 20 classes or your own." if detector else
                                "1000 logits, of ImageNet's classes in the order of their wnids, or your own."),
            f"- **Licences:** {CODE}{WEIGHTS if released else TRAINED_HERE}".rstrip()]
    if card.name != "etinynet1.0":
        text.append(f"- **Tools:** {CORE if '0.75' in card.name else SIMULATED}")
    for heading, chosen in card.sections:
        rows = [_row(row, papers) for patterns in chosen for row in measured
                if all(re.fullmatch(*pair) for pair in zip(patterns, (row["section"], row["row"], row["on"])))]
        text += ["", f"## {heading}", "", cli.table(["quantity", "measured", "of", "on, or with", "command"], rows)
                 if rows else "Not measured here: see [results](../results.md) for the command."]
    return "\n".join([*text, "", "## What it must not be used for", "", *(f"- {use}" for use in NOT_FOR)]) + "\n"


def _row(row, papers):
    unit = next((entry.unit for (*_, quantity), entry in papers.items() if quantity == row["quantity"]), "")
    words = NAMES.get(row["quantity"], row["quantity"]) + (f", {unit}" if unit else "")
    return words, row["value"], row["row"], row["on"], f"`{row['command']}`"
