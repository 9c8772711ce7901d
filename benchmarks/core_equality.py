"""Interpreter = FPGA core in simulation, byte for byte in every layer, on photographs that follow one another.

EtinyNet-0.75 of random weights in 4 bits at 224 pixels, or the integer network given by --graph, is written as
tools/export_fpga.py writes it and simulated. The pictures of a batch stand ready one behind the other: the core takes
the next as soon as it is done with one. Exit status 1 if any byte of any map at the end of a unit, any logit, or the
order of the classes differs; the first tensor that does is named.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from c_equality import Comparison, named
from synthesis import written

from gluon_etinynet import cli
from gluon_etinynet.data.images import pictures_below, read_inputs
from gluon_etinynet.export.c.program import need
from gluon_etinynet.export.fpga import core, simulation
from gluon_etinynet.export.fpga.planner import OUTPUTS, WORD_CHANNELS
from gluon_etinynet.export.fpga.resources import PARTS
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.integer import Graph, first_difference, trace
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.quantities import COUNT

BATCH = 8  # pictures of a simulation; each leaves some megabytes of text
HEADER = ["network", "core", "pictures", "compared", "pictures that differ", "first difference"]


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, metavar="DIR", help="photographs, in folders or not")
    parser.add_argument("--num-images", type=COUNT, help="use only so many of them (default: all)")
    parser.add_argument("--graph", metavar="NPZ", help="integer network (default: EtinyNet-0.75, random weights)")
    parser.add_argument("--word-channels", type=int, default=24, choices=WORD_CHANNELS, help="default: 24")
    parser.add_argument("--outputs", type=int, default=16, choices=OUTPUTS, help="default: 16")
    parser.add_argument("--part", choices=PARTS, default="xc7a100t", help="default: xc7a100t")
    parser.add_argument("--simulator", choices=simulation.SIMULATORS, default="verilator",
                        help="default: verilator; icarus compiles in a second and runs 200 times slower")
    parser.add_argument("--save-dir", default="runs/core_equality", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("make", {"icarus": "iverilog"}.get(args.simulator, args.simulator))
    save_dir = Path(args.save_dir)
    graph = Graph.load(args.graph) if args.graph else etinynet_graph("0.75", 224, 4)
    files = pictures_below(args.data_dir)[:args.num_images]
    folder = written(core.emit(graph, args.word_channels, args.outputs, args.part), save_dir / "core")
    started = time.time()
    found, cycles = compare(folder, graph, args.word_channels, files, args.simulator)
    label = f"V = {args.word_channels}, TO = {args.outputs}"
    rows = [[graph.name, label, *comparison.row()] for comparison in found]
    print(f"\n{cli.table(HEADER, rows)}\n\n{cycles[0]:,} to {cycles[1]:,} cycles a picture; "
          f"{time.time() - started:.0f} s")
    write_csv(save_dir / "core_equality.csv", HEADER, rows)
    write_json(save_dir / "core_equality.json",
               {"data": args.data_dir, "cycles": cycles, "graph_sha256": graph.sha256(),
                "rows": [dict(zip(HEADER, row)) for row in rows]})
    return int(any(comparison.differ for comparison in found))


def compare(folder, graph, word_channels, files, simulator):
    """Simulate the core in `folder` on picture files.

    Returns
    -------
    comparisons : list of Comparison
        Of every layer; of the class with the largest logit; of the core's own list of the largest, which the last
        picture of a batch leaves.
    cycles : (int, int)
        The fewest and the most that a picture took.
    """
    layers, top1, listed = map(Comparison, ("every layer", "top-1", "the largest logits, sorted"))
    cycles = []
    for first in cli.progress(range(0, len(files), BATCH), desc=f"{simulator}, batches"):
        batch = files[first:first + BATCH]
        pictures = read_inputs(batch, graph.image.shape[1])
        run = simulation.simulate(folder, pictures, simulator, trace=True)
        if len(run.logits) != len(batch) or run.events:
            raise RuntimeError(f"{folder}: {len(run.logits)} of {len(batch)} pictures were computed; the core says "
                               f"{', '.join(run.events) or 'nothing'}")
        cycles += run.cycles
        for path, picture, lines, logits in zip(batch, pictures, run.lines, run.logits):
            expected = trace(graph, picture[None])
            got = {**simulation.traces(graph, word_channels, lines), graph.output.name: logits[None, :, None, None]}
            layers.add(path, named(first_difference({name: expected[name] for name in got}, got), "the core"))
            classes = expected[graph.output.name].ravel()
            top1.add(path, differing(classes.argmax(), logits.argmax()))
        order = np.argsort(-classes.astype(np.int64), kind="stable")[:len(run.top)]
        listed.add(batch[-1], differing([(int(c), int(classes[c])) for c in order], run.top))
    return [layers, top1, listed], (min(cycles), max(cycles))


def differing(expected, got):
    return None if expected == got else f"{expected} in the interpreter, {got} in the core,"


if __name__ == "__main__":
    cli.run(main)
