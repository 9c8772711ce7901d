"""Instructions of one inference by part: on a Cortex-M under QEMU (exact) and on this computer (callgrind).

EtinyNet-1.0 and 0.75 at 224 with random weights, 8 and 4 bits, through tools/export_c.py's emitter; or the
integer networks given. Instructions do not depend on the weights but for the branches of saturation. Beside
them, what others' kernels take for EtinyNet-1.0 on a Cortex-M4, counted in the same way (peers.csv; their
additions are passes of their own). Flash is that of the demo's ELF.

Additions of shortcuts have no time of their own: they are one multiply-accumulate in the requantisation of
the pointwise or depthwise convolution that they are fused with. The copying of rows into line buffers counts
for the depthwise convolution that reads them.
"""

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np

from gluon_etinynet import cli
from gluon_etinynet.export import c
from gluon_etinynet.export.c.kernel_sets import HOST, KERNEL_SETS
from gluon_etinynet.export.c.program import MCUS, call, instructions_by_layer, make, need, simulate, sizes
from gluon_etinynet.files import InputError, write_csv, write_json
from gluon_etinynet.integer import Graph
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.report.measured import load_peers

PARTS = {"stem": ("stem", "maxpool"), "depthwise": ("depthwise",), "pointwise": ("pointwise",),
         "final": ("average", "fully connected")}
HOST_PARTS = {"stem": ("stem_weights", "stem_row", "maxpool_row"),
              "depthwise": ("to_line", "depthwise_operand", "depthwise_map"), "pointwise": ("pointwise_rows",),
              "final": ("average", "dense")}


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", nargs="+", metavar="NPZ",
                        help="integer networks (default: random weights)")
    parser.add_argument("--mcu", nargs="+", choices=MCUS, default=["stm32f412", "apollo510"],
                        help="default: stm32f412 apollo510")
    parser.add_argument("--kernels", nargs="+", choices=KERNEL_SETS, default=list(KERNEL_SETS),
                        help=f"default: {' '.join(KERNEL_SETS)}")
    parser.add_argument("--cflags", default="-O2", help="the compilers' optimisation (default: -O2)")
    parser.add_argument("--save-dir", default="runs/mcu_instructions", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("make", "cc", "arm-none-eabi-gcc", "qemu-system-arm", "valgrind")
    save_dir = Path(args.save_dir)
    rows = []
    for name, graph in networks(args.graph):
        image = np.random.default_rng(1).integers(-128, 128, graph.image.nbytes, np.int8).tobytes()
        for kernels in args.kernels:
            files = c.emit(graph, "net", kernels)
            folder = files.write(save_dir / f"{name}-{kernels}")
            roles = [layer["role"] for layer in files.manifest["layers"]]
            for mcu in (mcu for mcu in args.mcu if KERNEL_SETS[kernels].serves(MCUS[mcu].processor)):
                rows.append([name, kernels, MCUS[mcu].processor,
                             *on_cortex_m(folder, mcu, args.cflags, image, roles)])
            if KERNEL_SETS[kernels].serves(HOST):
                rows.append([name, kernels, HOST, *on_host(folder, args.cflags, image), "", ""])
    header = ["network", "kernels", "processor", "total, M", *PARTS, "flash, bytes", "stack, bytes"]
    peers = [[peer["name"], "", peer["processor"], *(peer[key] for key in ("total, M", *PARTS)), "", ""]
             for peer in load_peers() if peer["total, M"]]
    print(cli.table(header, rows + peers))
    write_csv(save_dir / "mcu_instructions.csv", header, rows)
    write_json(save_dir / "mcu_instructions.json",
               {"cflags": args.cflags, "rows": [dict(zip(header, row)) for row in rows]})


def networks(paths):
    """Yield (name, Graph)."""
    if paths:
        for path in paths:
            graph = Graph.load(path)
            if graph.detection is not None:
                raise InputError(f"{path} is a detector; benchmarks/table5.py counts its instructions")
            yield Path(path).stem, graph
        return
    for width in ("1.0", "0.75"):
        for bits in (8, 4):
            yield f"etinynet{width}-int{bits}", etinynet_graph(width, 224, bits)


def on_cortex_m(folder, mcu, cflags, image, roles):
    """Total, parts (M instructions), flash and stack (bytes)."""
    flash, whole = sizes(folder, mcu, cflags).flash, simulate(folder, mcu, image, cflags)
    layers = instructions_by_layer(folder, mcu, image, cflags)
    parts = [sum(count for layer, count in layers.items() if roles[layer] in names) for names in PARTS.values()]
    return [millions(whole.instructions), *map(millions, parts), flash, whole.stack]


def on_host(folder, cflags, image):
    """Total and parts (M instructions)."""
    make(folder, "host", f"CFLAGS={cflags}")
    counts = host_instructions(folder / "build" / "host" / "net", image)
    parts = [sum(counts[name] for name in names) for names in HOST_PARTS.values()]
    return [millions(counts["run"]), *map(millions, parts)]


def host_instructions(program, image):
    """What callgrind counts: instructions by function of the runtime, with those of functions that it calls."""
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "callgrind.out"
        call(["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", program], image)
        listing = call(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out]).decode()
    line = r"^ *([\d,]+) .*:(?:net_etn_[0-9a-f]{8}_|etn_)(\w+)"
    return {name: int(count.replace(",", "")) for count, name in re.findall(line, listing, re.MULTILINE)}


def millions(count):
    return round(count / 1e6, 1)


if __name__ == "__main__":
    cli.run(main)
