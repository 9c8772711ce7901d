"""Interpreter = C on this computer = C on a Cortex-M4, M7 and M55 under QEMU, byte for byte, on photographs.

EtinyNet-1.0 of the released weights (or --params) in 8 bits at 224 and 256, calibrated on --calib-dir;
EtinyNet-0.75 and a small network of random weights in 8 and 4 bits; or the integer networks given by --graph.
On this computer every photograph is run twice: by the program that shows the tensors of every layer, and by
the one without observation, which shows the logits; one of them gets the image stored and the other by rows,
in turn. Under QEMU the first photographs. Exit status 1 if any byte differs; the first tensor that does is
named.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from gluon_etinynet import cli
from gluon_etinynet.data.images import pictures_below, read_inputs
from gluon_etinynet.export import c
from gluon_etinynet.export.c.kernel_sets import fastest
from gluon_etinynet.export.c.program import MCUS, call, logits, make, need, raw, read_trace, simulated_output
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.integer import Graph, first_difference, trace
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.lowering.from_checkpoint import graph_of_checkpoint
from gluon_etinynet.quantities import COUNT, COUNT_OR_NONE

CORTEX_M = ("stm32f412", "stm32f746", "apollo510")
WAYS = {"stored": (), "pushed": ("--pushed",)}
HEADER = ["network", "processor", "image", "pictures", "compared", "pictures that differ", "first difference"]


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, metavar="DIR", help="photographs, in folders or not")
    parser.add_argument("--num-images", type=COUNT, help="use only so many of them (default: all)")
    parser.add_argument("--cortex-m", type=COUNT_OR_NONE, default=3, metavar="N",
                        help="photographs that are run under QEMU (default: 3)")
    parser.add_argument("--graph", nargs="+", metavar="NPZ",
                        help="integer networks; or, to make those named above:")
    parser.add_argument("--params", metavar="FILE",
                        help="checkpoint of EtinyNet-1.0 (default: the released one)")
    parser.add_argument("--calib-dir", metavar="DIR", help="photographs for its feature maps' ranges")
    parser.add_argument("--save-dir", default="runs/c_equality", help="default: %(default)s")
    args = parser.parse_args()
    if bool(args.graph) == bool(args.calib_dir):
        parser.error("give either --calib-dir DIR or --graph NPZ")
    return args


def main():
    args = parse_args()
    need("make", "cc", *["arm-none-eabi-gcc", "qemu-system-arm"] * bool(args.cortex_m))
    files = pictures_below(args.data_dir)[:args.num_images]
    rows = []
    for name, graph in networks(args):
        started = time.time()
        folder = c.emit(graph, "net").write(Path(args.save_dir) / name)
        found = on_host(folder, graph, files)
        for mcu in CORTEX_M if args.cortex_m else ():
            kernels = fastest(MCUS[mcu].processor)
            folder = c.emit(graph, "net", kernels).write(Path(args.save_dir) / f"{name}-{kernels}")
            found += on_cortex_m(folder, graph, files[:args.cortex_m], mcu)
        rows += [[name, *row] for row in found]
        print(f"{name}: {len(files)} photographs, {time.time() - started:.0f} s", flush=True)
    print(f"\n{cli.table(HEADER, rows)}")
    save_dir = Path(args.save_dir)
    write_csv(save_dir / "c_equality.csv", HEADER, rows)
    write_json(save_dir / "c_equality.json",
               {"data": args.data_dir, "rows": [dict(zip(HEADER, row)) for row in rows]})
    return int(any(row[-1] != "none" for row in rows))


def networks(args):
    """Yield (name, Graph)."""
    if args.graph:
        for path in args.graph:
            yield Path(path).stem, Graph.load(path)
        return
    for size in (224, 256):
        yield f"etinynet1.0-int8-{size}", graph_of_checkpoint(params=args.params, calib_dir=args.calib_dir,
                                                              input_size=size)
    for width, size in (("0.75", 224), ("tiny", 50)):
        for bits in (8, 4):
            yield f"random{width}-int{bits}-{size}", etinynet_graph(width, size, bits)


def network_input(path, graph):
    return read_inputs([path], graph.image.shape[1])[0]


class Comparison:
    """Counts pictures, and those that differ; keeps the first difference. `what` ends with what is compared."""

    def __init__(self, *what):
        self.what, self.pictures, self.differ, self.first = what, 0, 0, "none"

    def add(self, path, difference):
        """`difference`: what differs in this picture, or None."""
        self.pictures += 1
        if difference is not None:
            self.differ += 1
            self.first = f"{difference} of {path.name}" if self.differ == 1 else self.first

    def row(self):
        *where, compared = self.what
        return [*where, self.pictures, compared, self.differ, self.first]


def on_host(folder, graph, files):
    """Rows of the table."""
    for observe in ("", "trace"):
        make(folder, "host", f"OBSERVE={observe}")
    program, traced = (folder / "build" / kind / "net" for kind in ("host", "host-trace"))
    layers = {way: Comparison("this computer", way, "every layer") for way in WAYS}
    results = {way: Comparison("this computer", way, "logits") for way in WAYS}
    for index, path in enumerate(cli.progress(files, desc="this computer")):
        image = network_input(path, graph)
        golden = trace(graph, image[None])
        way, other = list(WAYS)[::1 if index % 2 else -1]
        seen = read_trace(graph, call([traced, *WAYS[way]], raw(image)), image)
        layers[way].add(path, named(first_difference(golden, seen)))
        same = np.array_equal(logits(program, image, *WAYS[other]), golden[graph.output.name].ravel())
        results[other].add(path, None if same else graph.output.name)
    return [comparison.row() for comparison in [*layers.values(), *results.values()] if comparison.pictures]


def on_cortex_m(folder, graph, files, mcu):
    """One row of the table, in a list."""
    layers = Comparison(MCUS[mcu].processor, "stored", "every layer")
    for path in cli.progress(files, desc=MCUS[mcu].processor):
        image = network_input(path, graph)
        golden = trace(graph, image[None])
        output = simulated_output(folder, mcu, raw(image), "OBSERVE=trace")
        layers.add(path, named(first_difference(golden, read_trace(graph, output, image))))
    return [layers.row()]


def named(difference, where="C"):
    """A Difference in words, or None."""
    if difference is None:
        return None
    return (f"{difference.tensor}{list(difference.index)}: {difference.a} in the interpreter, "
            f"{difference.b} in {where}, {difference.count} values,")


if __name__ == "__main__":
    cli.run(main)
