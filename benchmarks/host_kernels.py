"""How long an inference of the exported C takes on this computer: portable kernels against those for vectors, in pairs.

    python benchmarks/host_kernels.py [--wasm] [--pairs 15] [--graph NETWORK.npz] [--save-dir runs/host_kernels]

EtinyNet-1.0 at 224 with random weights, 8 and 4 bits, or the integer networks given. Each pair runs the one program and
then the other, and takes the processor's time of each, start and reading of the picture included; the ratio is the
median of the pairs'. With --wasm the programs are WebAssembly and run in node, and the time is that of an inference
after four others, when node has compiled it.
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
IN_NODE = """
const fs = require("fs"), { run } = require(process.argv[1]);
const program = new WebAssembly.Module(fs.readFileSync(process.argv[2])), image = new Uint8Array(fs.readFileSync(0));
for (let i = 0; i < 4; i++)
    run(program, [], image);
const before = process.cpuUsage();
run(program, [], image);
const spent = process.cpuUsage(before);
console.log((spent.user + spent.system) / 1e6);
"""
HEADER = ["network", *(f"{name}, ms" for name in SETS), "ratio"]


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", nargs="+", metavar="NPZ", help="integer networks (default: random weights)")
    parser.add_argument("--wasm", action="store_true", help="as WebAssembly in node")
    parser.add_argument("--pairs", type=COUNT, default=15, help="default: %(default)s")
    parser.add_argument("--cflags", default="-O2", help="the compiler's optimisation (default: -O2)")
    parser.add_argument("--save-dir", type=Path, default=Path("runs/host_kernels"), help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("make", *(("clang", "wasm-ld", "node") if args.wasm else ("cc",)))
    build, seconds = (wasm, seconds_in_node) if args.wasm else (host, seconds_of_process)
    rows = []
    for name, graph in networks(args.graph):
        image = np.random.default_rng(1).integers(-128, 128, graph.image.shape).astype(np.int8)
        programs = [build(c.emit(graph, "net", kernels).write(args.save_dir / f"{name}-{kernels}"), args.cflags)
                    for kernels in SETS]
        logits = run(graph, image[None])[0].ravel()
        for program in programs:
            if not np.array_equal(np.array(call([*program, "--logits"], raw(image)).split(), np.int32), logits):
                raise InputError(f"{program[-1]} computes other logits than the interpreter")
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


def host(folder, cflags):
    """Build an exported folder for this computer; returns the command that runs it."""
    make(folder, "host", f"CFLAGS={cflags}")
    return [folder / "build" / "host" / "net"]


def wasm(folder, cflags):
    make(folder, "wasm", f"CFLAGS={cflags}")
    return ["node", (folder / "demo" / "wasm" / "run.js").resolve(), folder / "build" / "wasm" / "net.wasm"]


def seconds_of_process(command, image):
    """Of the processor, that a command took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call(command, image)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds_in_node(command, image):
    """Of the processor, that an inference took within node."""
    node, *paths = command
    return float(call([node, "-e", IN_NODE, *paths], image))


if __name__ == "__main__":
    cli.run(main)
