"""Write docs/results.md, the table of README.md and its figure, from measured.csv and paper.csv.

measured.csv holds what was measured, a number a row: its section (of SECTIONS below), what was measured (``row``), on
which pictures or with which settings (``on``), ``quantity`` and ``value``, and the command that measures it, if there
is one here. Row and quantity are those of paper.csv where the paper has such a number, which then stands beside it.
"""

import csv
from pathlib import Path
from textwrap import fill

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import paper

from gluon_etinynet import cli
from gluon_etinynet.files import InputError, atomic_path

ROOT = Path(__file__).resolve().parents[1]
README_MD, RESULTS_MD, FIGURE = (ROOT / path for path in ("README.md", "docs/results.md", "docs/figures/results.png"))
MEASURED_CSV = Path(__file__).with_name("measured.csv")
WIDTH = 120
COLUMNS = ["section", "row", "on", "quantity", "value", "command"]

INTRODUCTION = (
    "`python benchmarks/results.py` writes this page from `benchmarks/measured.csv` and `benchmarks/paper.csv`. What "
    "differs from the paper, and why, is in [fidelity](fidelity.md); `python benchmarks/check.py` holds the "
    "measurements of your own runs against the paper's. VAL, PHOTOGRAPHS and so on stand for your folders. The machine "
    "had 2 CPU cores and no GPU: GPU contexts and float16 are written after MXNet's documentation and untried.")

# Heading and remarks of each section, in the order of docs/results.md.
SECTIONS = {
    "1": ("Table 1: what the networks cost",
        "A BN counts one multiply-add for each of its outputs and four parameters for each channel. Feature maps are "
        "at 8 bits, counted as the paper does."),
    "2": ("Table 2: size and accuracy",
        "Accuracy on ImageNet's 50,000 validation pictures, the paper's, was not measured here: the set is not ours "
        "to ship. That GluonCV's networks have other multiply-adds than the paper lists is explained by `bash "
        "recipes/table2.sh`."),
    "blocks": ("The building-block ablations",
        "The paper's are differences on ImageNet; these are on 8,000 pictures of CIFAR-10 at 64 x 64, EtinyNet-0.75, "
        "10 epochs, 3 seeds: another regime, see [fidelity](fidelity.md)."),
    "3": ("Table 3: 4 bits in every layer",
        "The paper: 40 epochs of ImageNet with labels, from a float network of 65.5 %. Here: block by block from "
        "2,000 unlabelled photographs, the centre and four random parts of each. KL is the mean Kullback-Leibler "
        "divergence of the class probabilities from the float network's: 430 pictures tell top-1 to 2 points at best, "
        "and KL better. The learning rate was chosen on the 430 pictures, which makes their rows a little too good. "
        "Measured with damping 0.1, before channels started with one largest magnitude and lambda where rounding "
        "costs least: today's networks differ."),
    "few-shot": ("What matters for 4 bits from photographs",
        "EtinyNet-1.0, measured as Table 3. All but the last two experiments that no command repeats used 1,600 of the "
        "photographs."),
    "cifar": ("Table 3 on a small set",
        "8,000 pictures of CIFAR-10 at 64 pixels, by labels; top-1 on 2,000 others. Networks that are this far from "
        "convergence lose little by 4 bits: the set says nothing about the schemes."),
    "digits": ("Handwritten digits, from scratch", ""),
    "finetune": ("Fine-tuning the released EtinyNet-1.0", "2,500 pictures of the ten classes of Imagenette."),
    "4": ("Table 4: 8 bits on two microcontrollers",
        "RAM is the arena with the image, and the stack; the paper's column is what the microcontroller has. Its "
        "accuracies are on ImageNet's 50,000 validation pictures."),
    "mcu": ("Exported C",
        "The kernels for the processor (`--mcu`: those for DSP on a Cortex-M4, those for the vector extension Helium "
        "on a Cortex-M55), and portable C; what others take was counted in the same way. An instruction on vectors "
        "takes a Cortex-M55 two cycles or more, so that their count is not one of cycles. The cycles are a model, by "
        "Arm's manual and without wait states of the flash. The paper counts 245 KB for EtinyNet-1.0 and 395 KB for "
        "EtinyNet-SSD."),
    "equal": ("Equality",
        "The fake-quantised network differs from the integer one by at most one step in a layer, which grows from "
        "block to block."),
    "targets": ("The same bytes on every processor",
        "A small classifier and a small detector with every operator, and EtinyNet-0.75 with 4-bit weights at 224; "
        "gcc 12 and clang 14. A build is of one network, compiler, choice of optimisation and sign of plain char; "
        "every layer's map and the result are compared. EtinyNet-0.75 is built with -O2 only and does not fit a "
        "Cortex-M0 or M3; clang's optimisation at link time was not tried on Cortex-M and RISC-V. Instructions "
        "(exact) and the most of the stack are the small classifier's, by gcc -O2. "
        "The rows say what was run here, -O0 by gcc alone; the command runs all choices."),
    "5": ("Table 5: EtinyNet-SSD",
        "SRAM by the paper's schedule (the exported C needs less, see above). The paper's mAP of 56.4 % is on Pascal "
        "VOC, which was not trained here."),
    "6": ("Table 6: EtinyNet-0.75 with 4-bit weights on an FPGA",
        "V = 24 channels a word, TO outputs together (see [fpga](fpga.md)). Cycles are simulated, milliseconds are at "
        "an assumed clock of 100 MHz: the paper does not say its own. For the XC7A100T the core was synthesised by "
        "Yosys, its hierarchy kept, and not placed: its LUTs are 64 % of the 63,400 that there are, more than the 60 % "
        "of the budget. Place and route on an LFE5U-85F (`--parts lfe5u-85`) was not run here for the whole core. "
        "Accuracy was not measured, and energy was not: the paper's 0.62 W are those of its board."),
    "fig3": ("Figure 3", "A level that holds at least 0.1 % of the weights is one in use."),
    "fig4": ("Figure 4", "The paper's J falls: see [fidelity](fidelity.md)."),
}

# The rows of README's table: words, the paper's number (table, row, quantity) if it has one, and ours (section, row,
# the beginning of `on`, quantity).
HEADLINES = [
    ("EtinyNet-1.0: parameters, thousands", ("1", "EtinyNet-1.0", "params"), ("1", "EtinyNet-1.0", "", "params")),
    ("multiply-adds, millions", ("1", "EtinyNet-1.0", "madds"), ("1", "EtinyNet-1.0", "", "madds")),
    ("top-1 in float, %", ("2", "EtinyNet-1.0", "top1"), ("2", "EtinyNet-1.0", "430", "top1")),
    ("top-1 in 8 bits, %", ("4", "EtinyNet-1.0 STM32F412", "top1"), ("4", "EtinyNet-1.0 STM32F412", "430", "top1")),
    ("top-1 with 4-bit weights, %", ("3", "EtinyNet-1.0 ASQ", "top1"), ("3", "EtinyNet-1.0 ASQ", "430", "top1")),
    ("size at 4 bits, MB", ("2", "EtinyNet-1.0 (4-bit)", "size_mb"), ("2", "EtinyNet-1.0 (4-bit)", "", "size_mb")),
    ("memory for picture and feature maps, KiB", ("text", "EtinyNet-1.0", "feature_map_kb"),
     ("mcu", "EtinyNet-1.0, picture stored", "", "arena, KiB")),
    ("EtinyNet-SSD: memory for picture and feature maps, KiB", ("5", "EtinyNet-SSD", "sram_kb"),
     ("mcu", "EtinyNet-SSD, picture stored", "", "arena, KiB")),
    ("EtinyNet-0.75 in 4 bits on an FPGA: ms a picture, at an assumed 100 MHz",
     ("6", "EtinyNet-0.75 (4-bit)", "latency_ms"), ("6", "EtinyNet-0.75 (4-bit)", "TO = 16", "latency_ms")),
    ("handwritten digits in 4 bits, as C, top-1, %", None,
     ("digits", "ASQ, 4 bits, as C on the host", "", "top-1, %")),
]
BEGIN, END = "<!-- benchmarks/results.py writes this table -->\n\n", "\n<!-- and ends here -->\n"

NAMES = {"params": "parameters", "madds": "MAdds", "size_mb": "size", "top1": "top-1", "top5": "top-5",
         "feature_map_kb": "feature maps", "flash_kb": "flash", "ram_kb": "RAM", "sram_kb": "SRAM",
         "top1_change": "change of top-1", "latency_ms": "time", "fps": "pictures", "onchip_kb": "memory",
         "valid_levels": "levels in use", "std": "standard deviation"}
# The figure: its two curves, and three ways of counting memory.
OURS, THEIRS = "measured, 430 validation pictures", "paper, all 50,000"
WAYS = "as the paper counts", "picture stored", "picture pushed by rows"
ORANGE, GREY = "#D55E00", "#8A8A8A"


def main():
    measured = load()
    for path, text in ((RESULTS_MD, results(measured)), (README_MD, readme(README_MD.read_text("utf-8"), measured))):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    draw(FIGURE, figures_numbers(measured))
    print(f"written: {', '.join(str(path.relative_to(ROOT)) for path in (RESULTS_MD, README_MD, FIGURE))}")


def load(path=MEASURED_CSV):
    """Read measured.csv: a list of dict of its columns.

    Raises
    ------
    InputError
        Naming file and line, if a row has other columns, an unknown section, or no row, quantity or value.
    """
    with open(path, newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    for number, row in enumerate(rows, start=2):
        complete = list(row) == COLUMNS and None not in row.values() and row["row"] and row["quantity"] and row["value"]
        if not complete or row["section"] not in SECTIONS:
            raise InputError(f"{path}, line {number}: the columns must be {','.join(COLUMNS)}; row, quantity and value "
                             "must be given, and the section must be one of results.py")
    return rows


def results(measured):
    """The text of docs/results.md."""
    papers = {entry.key: entry for entry in paper.load()}
    text = ["# What was measured", "", fill(INTRODUCTION, WIDTH)]
    for section, (heading, remark) in SECTIONS.items():
        text += ["", f"## {heading}"] + (["", fill(remark, WIDTH)] if remark else [])
        rows = [row for row in measured if row["section"] == section]
        for command in dict.fromkeys(row["command"] for row in rows):
            by = f"By `{command}`:" if command else "Experiments that no command here repeats:"
            text += ["", by, "", table([row for row in rows if row["command"] == command], section, papers)]
    return "\n".join(text) + "\n"


def table(rows, section, papers):
    """One line for each thing measured, one column for each quantity, the paper's number beside it where it has one."""
    units = {quantity: entry.unit for (_, _, quantity), entry in papers.items()}
    things = list(dict.fromkeys((row["row"], row["on"]) for row in rows))
    header, columns = ["", "on, or with"], [[name for name, _ in things], [on for _, on in things]]
    for quantity in dict.fromkeys(row["quantity"] for row in rows):
        unit = units.get(quantity)
        header.append(NAMES.get(quantity, quantity) + (f", {unit}" if unit else ""))
        own = {(row["row"], row["on"]): row["value"] for row in rows if row["quantity"] == quantity}
        columns.append([own.get(thing, "") for thing in things])
        theirs = {}
        for name, on in own:  # beside the first of several sets of pictures
            entry = papers.get((section, name, quantity)) or papers.get(("text", name, quantity))
            if entry and name not in [other for other, _ in theirs]:
                theirs[name, on] = paper.shown(entry.value)
        if theirs:
            header.append("paper")
            columns.append([theirs.get(thing, "") for thing in things])
    filled = [index for index, column in enumerate(columns) if any(column)]
    return cli.table([header[i] for i in filled], list(zip(*(columns[i] for i in filled))))


def readme(text, measured):
    """README.md with the table of HEADLINES put where the old one is."""
    rows = []
    for words, theirs, (section, name, on, quantity) in HEADLINES:
        row = find(measured, section, name, on, quantity)
        rows.append([words, paper.shown(paper.value(*theirs)) if theirs else "", row["value"], f"`{row['command']}`"])
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    return before + BEGIN + cli.table(["", "paper", "measured", "command"], rows) + "\n" + END + after


def find(measured, section, name, on, quantity):
    return next(row for row in measured if (row["section"], row["row"], row["quantity"]) == (section, name, quantity)
                and row["on"].startswith(on))


def draw(path, numbers):
    """Accuracy against the bits of a weight; memory of the exported C beside what the paper counts."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3), constrained_layout=True,
                                         gridspec_kw={"width_ratios": [1, 1.25]})
    for label, colour, marker in ((OURS, ORANGE, "o"), (THEIRS, GREY, "s")):
        left.plot(range(3), numbers[label], color=colour, marker=marker, label=label)
        for place, value in enumerate(numbers[label]):
            left.annotate(f"{value:.1f}", (place, value), xytext=(0, 7), textcoords="offset points", ha="center",
                          fontsize=8, color=colour)
    left.set_xticks(range(3))
    left.set_xticklabels(map("{}\n{:.2f} MB".format, ("float", "8 bits", "4 bits"), numbers["MB"]))
    left.set(xlim=(-0.3, 2.3), ylim=(55, 86), ylabel="ImageNet top-1, %", title="EtinyNet-1.0, by bits of a weight")
    left.legend(loc="upper right", fontsize=8, frameon=False)

    bars = [(f"{model}: {way}", value) for model in ("1.0", "SSD") for way, value in zip(WAYS, numbers[model])]
    for place, (name, value) in enumerate(bars):
        right.barh(place, value, color=GREY if name.endswith(WAYS[0]) else ORANGE, height=0.7)
        right.text(value + 4, place, f"{value:g}", va="center", fontsize=8)
    right.set_yticks(range(len(bars)))
    right.set_yticklabels([name for name, _ in bars], fontsize=8)
    right.invert_yaxis()
    right.set(xlim=(0, 440), xlabel="KiB", title="RAM for picture and feature maps, 8 bits")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None, "Description": str(numbers)})
    plt.close(figure)


def figures_numbers(measured):
    """What `draw` draws; the picture holds it as its description, too."""
    def own(*key):
        return float(find(measured, *key)["value"])

    top1 = [key for words, *key in HEADLINES if words.startswith("top-1")]
    memory = {model: [own("mcu", f"EtinyNet-{model}, {way}", "", "arena, KiB") for way in WAYS[1:]]
              for model in ("1.0", "SSD")}
    return {"MB": [own("2", f"EtinyNet-1.0{bits}", "", "size_mb") for bits in ("", " (8-bit)", " (4-bit)")],
            OURS: [own(*ours) for _, ours in top1], THEIRS: [paper.value(*theirs) for theirs, _ in top1],
            "1.0": [paper.value("text", "EtinyNet-1.0", "feature_map_kb"), *memory["1.0"]],
            "SSD": [paper.value("5", "EtinyNet-SSD", "sram_kb"), *memory["SSD"]]}


if __name__ == "__main__":
    cli.run(main)
