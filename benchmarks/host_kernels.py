"""How long an inference of the exported C takes on this computer: portable kernels against those for vectors, in pairs.

    python benchmarks/host_kernels.py [--pairs 15] [--graph NETWORK.npz] [--save-dir runs/host_kernels]

EtinyNet-1.0 at 224 with random weights, 8 and 4 bits, or the integer networks given. Each pair runs the one program and
then the other, and takes the processor's time of each, start and reading of the picture included; the ratio is the
median of the pairs'.
"""

import argparse
import resource
import statistics
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli
from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import call, make, need, raw
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.integer import Graph, run
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.quantities import COUNT

SETS = ("portable", "simd")
HEADER = ["network", *(f"{name}, ms" for name in SETS), "ratio"]


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", nargs="+", metavar="NPZ", help="integer networks (default: random weights)")
    parser.add_argument("--pairs", type=COUNT, default=15, help="default: %(default)s")
    parser.add_argument("--cflags", default="-O2", help="the compiler's optimisation (default: -O2)")
    parser.add_argument("--save-dir", type=Path, default=Path("runs/host_kernels"), help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("make", "cc")
    rows = []
    for name, graph in networks(args.graph):
        image = np.random.default_rng(1).integers(-128, 128, graph.image.shape).astype(np.int8)
        programs = [built(graph, kernels, args.save_dir / f"{name}-{kernels}", args.cflags) for kernels in SETS]
        logits = run(graph, image[None])[0].ravel()
        for program in programs:
            if not np.array_equal(np.array(call([program, "--logits"], raw(image)).split(), np.int32), logits):
                raise InputError(f"{program} computes other logits than the interpreter")
        pairs = [[seconds(program, raw(image)) for program in programs] for _ in range(args.pairs)]
        medians = [1000 * statistics.median(times) for times in zip(*pairs)]
        ratio = statistics.median(fast / slow for slow, fast in pairs)
        rows.append([name, *(f"{value:.1f}" for value in medians), f"{ratio:.2f}"])
    print(cli.table(HEADER, rows))
    write_csv(args.save_dir / "host_kernels.csv", HEADER, rows)
    write_json(args.save_dir / "host_kernels.json", {"rows": [dict(zip(HEADER, row)) for row in rows]})


def networks(paths):
    """Yield (name, Graph)."""
    for path in paths or ():
        yield Path(path).stem, Graph.load(path)
    if not paths:
        for bits in (8, 4):
            yield f"etinynet1.0-int{bits}", etinynet_graph("1.0", 224, bits)


def built(graph, kernels, folder, cflags):
    make(c.emit(graph, "net", kernels).write(folder), "host", f"CFLAGS={cflags}")
    return folder / "build" / "host" / "net"


def seconds(program, image):
    """Of the processor, that the program took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call([program], image)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    cli.run(main)
