"""What was measured here, read from ``benchmarks/measured.csv``.

Measured.csv holds what was measured, a number a row: its section (of SECTIONS), what was measured (``row``), on
which pictures or with which settings (``on``), ``quantity`` and ``value``, and the command that measures it, if there
is one here. Row and quantity are those of paper.csv where the paper has such a number, which then stands beside it.
"""

import csv

from ..files import InputError
from . import paper

__all__ = ["HEADLINES", "NAMES", "SECTIONS", "columns", "find", "load", "load_peers"]

MEASURED_CSV, PEERS_CSV = (paper.BENCHMARKS / name for name in ("measured.csv", "peers.csv"))
COLUMNS = ["section", "row", "on", "quantity", "value", "command"]

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
        "costs least, but for the network of 9,023 photographs, which is of today's method: two thousand of as many "
        "classes as possible, 2,500 of Imagenette's ten classes (among them none of the 500) and 4,523 of VOC, the "
        "centre of each. On the 930 pictures together it is 0.9 points below float, as fake-quantised network and in "
        "integers, and the two choose the same class on 94 to 95 %."),
    "few-shot": ("What matters for 4 bits from photographs",
        "EtinyNet-1.0, measured as Table 3, by the method before where nothing else is said. The table by bits is of "
        "today's method, on two thousand photographs of as many classes as possible and 4,523 of VOC, none of the ten "
        "classes' sets. At 4 bits ASQ keeps more of the classes and DoReFa is nearer in KL: neither is ahead. At 3, "
        "where levels are few, ASQ is. (4 bits were run before channels that never fired were held silent.) All but "
        "the last two experiments that no command repeats used 1,600 of the photographs."),
    "cifar": ("Table 3 on a small set",
        "8,000 pictures of CIFAR-10 at 64 pixels, by labels; top-1 on 2,000 others. Networks that are this far from "
        "convergence lose little by 4 bits: the set says nothing about the schemes."),
    "digits": ("Handwritten digits, from scratch", ""),
    "finetune": ("Fine-tuning the released EtinyNet-1.0", "2,500 pictures of the ten classes of Imagenette."),
    "speed": ("Speed of training",
        "On two threads of one core, the mean of two runs, each beside one of the version before in turn. There ReLU "
        "was `F.relu`, which is outside oneDNN and brings every map to NCHW and back."),
    "4": ("Table 4: 8 bits on two microcontrollers",
        "RAM is the arena with the image, and the stack; the paper's column is what the microcontroller has. Its "
        "accuracies are on ImageNet's 50,000 validation pictures."),
    "mcu": ("Exported C",
        "The kernels for the processor (`--mcu`: those for DSP on a Cortex-M4, those for the vector extension Helium "
        "on a Cortex-M55), and portable C; what others take was counted in the same way. An instruction on vectors "
        "takes a Cortex-M55 two cycles or more, so that their count is not one of cycles. The cycles are a model, by "
        "Arm's manual and without wait states of the flash. The paper counts 245 KB for EtinyNet-1.0 and 395 KB for "
        "EtinyNet-SSD."),
    "camera": ("From a camera to a class",
        "The released EtinyNet-1.0 in 8 bits (another export than Table 4's), as exported C with `--camera`. Each "
        "photograph is made a frame of 320 x 240 pixels, whose centre of 210 is enlarged to 224: the image is the "
        "same in C and Python. Beside the formats stands OpenCV's way on the same frames in 24 bits. Two photographs "
        "of the 430 are 0.47 points; of the frames' classes in 24 bits 6 in 100 differ by the resampling alone. The "
        "network learnt from colours: grey costs."),
    "equal": ("Equality",
        "The fake-quantised network differs from the integer one by at most one step in a layer, which grows from "
        "block to block."),
    "targets": ("The same bytes on every processor",
        "A small classifier and a small detector with every operator, and EtinyNet-0.75 with 4-bit weights at 224; "
        "gcc 12 and clang 14. A build is of one network, compiler, choice of optimisation and sign of plain char; "
        "every layer's map and the result are compared. EtinyNet-0.75 is built with -O2 only and does not fit a "
        "Cortex-M0 or M3; clang's optimisation at link time was not tried on Cortex-M and RISC-V. Instructions "
        "(exact) and the most of the stack are the small classifier's, by gcc -O2. Every choice of optimisation (-O0, "
        "-Os, -O2, -O3, -O2 -flto), compiler and sign of plain char was run."),
    "5": ("Table 5: EtinyNet-SSD",
        "SRAM by the paper's schedule (the exported C needs less, see above). The paper trained on 16,551 pictures of "
        "VOC 2007 and 2012 and has 56.4 % mAP on the 4,952 of VOC 2007 test. Here a part of both was at hand: 4,297 "
        "pictures to train on, 226 kept aside, on which the best epoch was chosen, and 530 of the test, no chance "
        "sample: five classes have 40 objects or more in it, and only their mean says much. In integers cat has 84 %, "
        "car and bus 67, train 64, and person 26: half of its test boxes are below 33 pixels. How the network was "
        "trained, in three runs of 85 epochs together, and what was tried without gain, is in "
        "[fidelity](fidelity.md#detection); a fourth run of 42 epochs gained nothing. The rows of 4 bits are of the "
        "first run (`python tools/quantize.py --model ssd_256_etinynet1.0_voc --params FILE --scheme asq --photographs "
        "VOC/VOC2007/ImageSets/Main/trainval.txt VOC/VOC2012/ImageSets/Main/trainval.txt --num-images 1000 --steps "
        "400 --batch-size 16`). There, what is fitted to pictures as they are, not augmented, gained up to 3.4 points "
        "on the test pictures; on the 226 it gained nothing. Before channels that never fired in the float training "
        "(22 of 6,272) were held silent, one picture in 64 woke one up, and 12.5 points were lost with maps in float. "
        "The demo at 4 bits took 357 KiB of flash where 8 bits took 630. [Loss and mAP of the third run's 36 "
        "epochs](figures/ssd_training.png); [precision over recall](figures/ssd_precision_recall.png) of the float "
        "network."),
    "6": ("Table 6: EtinyNet-0.75 with 4-bit weights on an FPGA",
        "V = 24 channels a word, TO outputs together (see [fpga](fpga.md)). Cycles are simulated, milliseconds are at "
        "an assumed clock of 100 MHz: the paper does not say its own. For the XC7A100T the core was synthesised by "
        "Yosys, its hierarchy kept, and not placed: of the 63,400 LUTs that there are the budget is 60 %, 38,040. On "
        "an LFE5U-85F (`--parts lfe5u-85`: the whole board, TO = 4, 100 classes, speed grade 6) nextpnr places and "
        "routes it in an hour of one core: 187 of 208 block RAMs, 57 of 156 multipliers, 62 % of the LUTs; its "
        "longest path is the reading of the pointwise weights. The quickstart's ten digits take 33 s, the building of "
        "the simulation included. Accuracy was not measured, and energy was not: the paper's 0.62 W are those of its "
        "board."),
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
    ("in 8-bit integers, on a part of VOC 2007 test: mean AP of five classes, %", None,
     ("5", "EtinyNet-SSD, 8-bit integers", "VOC 2007 test", "mean of bus, car, cat, person and train, %")),
    ("EtinyNet-0.75 in 4 bits on an FPGA: ms a picture, at an assumed 100 MHz",
     ("6", "EtinyNet-0.75 (4-bit)", "latency_ms"), ("6", "EtinyNet-0.75 (4-bit)", "TO = 16", "latency_ms")),
    ("handwritten digits in 4 bits, as C, top-1, %", None,
     ("digits", "ASQ, 4 bits, as C on the host", "", "top-1, %")),
]

NAMES = {"params": "parameters", "madds": "MAdds", "size_mb": "size", "top1": "top-1", "top5": "top-5",
         "feature_map_kb": "feature maps", "flash_kb": "flash", "ram_kb": "RAM", "sram_kb": "SRAM",
         "top1_change": "change of top-1", "latency_ms": "time", "fps": "pictures", "onchip_kb": "memory",
         "valid_levels": "levels in use", "std": "standard deviation"}


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
                             "must be given, and the section must be one of report/measured.py")
    return rows


def load_peers():
    """Read the rows of peers.csv: what others' kernels take; parts and figures not known are empty."""
    with open(PEERS_CSV, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def columns(rows, section, papers):
    """One line for each thing measured, one column for each quantity, the paper's number beside it where it has one.

    Parameters
    ----------
    rows : list of dict
        Of `load`, of one section.
    section : str
    papers : dict of Entry
        By their keys.

    Returns
    -------
    header : list of str
    cells : list of tuple of str
    """
    units = {quantity: entry.unit for (_, _, quantity), entry in papers.items()}
    things = list(dict.fromkeys((row["row"], row["on"]) for row in rows))
    header, cells = ["", "on, or with"], [[name for name, _ in things], [on for _, on in things]]
    for quantity in dict.fromkeys(row["quantity"] for row in rows):
        unit = units.get(quantity)
        header.append(NAMES.get(quantity, quantity) + (f", {unit}" if unit else ""))
        own = {(row["row"], row["on"]): row["value"] for row in rows if row["quantity"] == quantity}
        cells.append([own.get(thing, "") for thing in things])
        theirs = {}
        for name, on in own:  # beside the first of several sets of pictures
            entry = papers.get((section, name, quantity)) or papers.get(("text", name, quantity))
            if entry and name not in [other for other, _ in theirs]:
                theirs[name, on] = paper.shown(entry.value)
        if theirs:
            header.append("paper")
            cells.append([theirs.get(thing, "") for thing in things])
    filled = [index for index, column in enumerate(cells) if any(column)]
    return [header[i] for i in filled], list(zip(*(cells[i] for i in filled)))


def find(measured, section, name, on, quantity):
    """Return the first row of these, `on` being how its own begins."""
    return next(row for row in measured if (row["section"], row["row"], row["quantity"]) == (section, name, quantity)
                and row["on"].startswith(on))
