"""Draw when the units of the FPGA core are busy, cycle by cycle, in one block of EtinyNet-0.75.

    python benchmarks/timing_diagram.py --save-dir docs/figures

The core is exported and simulated in Icarus Verilog with a picture of 64 x 64 pixels; what a unit does in a cycle does
not depend on the weights, which are random. A unit counts as busy in a cycle in which it takes a word (the reader gives
one, the writer writes one). Writes timing.png and timing.csv: unit, row of its map, first cycle, cycles. Takes a
minute.
"""

import subprocess
import tempfile
from itertools import groupby
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from gluon_etinynet import cli
from gluon_etinynet.export.fpga import core, simulation
from gluon_etinynet.files import InputError, atomic_path, write_csv, write_text
from gluon_etinynet.integer.random_graphs import etinynet_graph, images
from gluon_etinynet.quantities import Quantity

V, TO, SIDE = 24, 8, 64
# Of each unit: when it is busy, and what it is called.
UNITS = {"reader": ("dut.x_valid && etn_tb.dut.x_ready", "from memory"), "dw1": ("dut.dw1.window", "depthwise 1"),
         "pw": ("dut.pw.issue", "pointwise"), "dw2": ("dut.dw2.window", "depthwise 2"),
         "writer": ("dut.write", "to memory")}
COLOURS = ("#0072B2", "#7FB8DA")  # of even and odd rows
STYLE = {"font.size": 8, "axes.linewidth": 0.7, "axes.spines.top": False, "axes.spines.right": False,
         "savefig.dpi": 200, "figure.constrained_layout.use": True}


def parse_args():
    parser = cli.Parser(description=__doc__.split("\n")[0])
    parser.add_argument("--block", type=Quantity(1, 14), default=1, help="which of the 14 blocks (default: 1)")
    parser.add_argument("--cycles", type=Quantity(50, 5000), default=420,
                        help="how many of its cycles, from its start, are drawn (default: 420)")
    parser.add_argument("--save-dir", default="runs/timing", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    graph = etinynet_graph("0.75", SIDE, 4, classes=10)
    with tempfile.TemporaryDirectory() as folder:
        files = core.emit(graph, V, TO)
        files.write(folder)
        busy = activity(Path(folder), images(graph, 1)[0], args.block)
    layers = files.manifest["passes"][args.block]["layers"]
    source = next(node for node in graph.nodes if node.output == layers[0]).inputs[0]
    heights = dict.fromkeys(UNITS, graph.tensors[layers[-1]].shape[1])
    heights["reader"] = graph.tensors[source].shape[1]
    runs = {unit: spans(cycles, heights[unit]) for unit, cycles in busy.items()}
    out = Path(args.save_dir)
    draw(runs, args.block, args.cycles, out / "timing.png")
    write_csv(out / "timing.csv", ["unit", "row", "first_cycle", "cycles"],
              [[unit, row, first, count] for unit, found in runs.items() for row, first, count in found])
    length = 1 + max(cycles[-1] for cycles in busy.values())
    print(cli.table(["unit", "busy cycles", "of the block's"],
                    [[unit, len(cycles), f"{100 * len(cycles) / length:.0f} %"] for unit, cycles in busy.items()]))
    print(f"block {args.block}: {length} cycles; {out / 'timing.png'}")


def activity(folder, image, block):
    """The cycles of a pass, from its start, in which each unit is busy: {unit: list of int}."""
    bits = ", ".join(f"etn_tb.{signal}" for signal, _ in UNITS.values())
    write_text(folder / "activity.v", "module activity;\n"
               "    always @(posedge etn_tb.clk) begin\n"
               f"        if (etn_tb.dut.pass == {block} && etn_tb.busy)\n"
               f"            $display(\"%b%b\", etn_tb.dut.go, {{{bits}}});\n"
               f"        if (etn_tb.dut.pass == {block + 1}) $finish;\n"
               "    end\nendmodule\n")
    write_text(folder / simulation.PIXELS, "".join(simulation.pixel_lines(image)))
    sources = sorted(path.name for path in folder.glob("*.v") if path.name != "etn_board_tb.v")
    for command in (["iverilog", "-g2005", "-o", "simulator", "-s", "etn_tb", "-s", "activity", *sources],
                    ["vvp", "-n", "simulator"]):
        try:
            done = subprocess.run(command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  universal_newlines=True)
        except OSError as error:
            raise InputError(f"cannot run {command[0]}: {error.strerror}; apt-get install iverilog") from error
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout[-500:]}")
    lines = [line for line in done.stdout.splitlines() if len(line) == 1 + len(UNITS) and not line.strip("01")]
    lines = lines[next(number for number, line in enumerate(lines) if line[0] == "1") + 1:]
    return {unit: [cycle for cycle, line in enumerate(lines) if line[number] == "1"]
            for number, unit in enumerate(UNITS, 1)}


def spans(cycles, rows):
    """Runs of cycles without a gap that belong to one row: (row, first cycle, cycles)."""
    share = len(cycles) // rows
    numbered = [(number // share, cycle) for number, cycle in enumerate(cycles)]
    found = []
    for _, run in groupby(enumerate(numbered), lambda item: (item[1][0], item[1][1] - item[0])):
        run = [one for _, one in run]
        found.append((run[0][0], run[0][1], len(run)))
    return found


def draw(runs, block, cycles, path):
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.5, 2.9))
        for place, found in enumerate(runs.values()):
            for row, first, count in found:
                axes.broken_barh([(first, count)], (place - 0.3, 0.6), color=COLOURS[row % 2], linewidth=0)
            for row in sorted({row for row, _, _ in found}):
                of_row = [(first, first + count) for number, first, count in found if number == row]
                middle = (of_row[0][0] + of_row[-1][1]) / 2
                if middle < cycles:
                    axes.text(middle, place - 0.33, str(row), ha="center", va="bottom", fontsize=6.5)
        axes.set_yticks(range(len(UNITS)), [label for _, label in UNITS.values()])
        axes.set_ylim(len(UNITS) - 0.4, -0.75)
        axes.set_xlim(0, cycles)
        axes.set_xlabel(f"cycle of block {block}, EtinyNet-0.75 at {SIDE} pixels, V = {V}, TO = {TO}; "
                        "numbers: row of the map")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", metadata={"Software": None})
        plt.close(figure)


if __name__ == "__main__":
    cli.run(main)
