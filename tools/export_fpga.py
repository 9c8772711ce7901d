"""Write an integer network as a core for an FPGA: Verilog, ROM files, a testbench and make files.

docs/fpga.md describes the core. The network has weights of at most 4 bits and ends in a global average and a fully
connected layer; all of it lies in on-chip memory.
"""

import argparse

from gluon_etinynet import cli
from gluon_etinynet.export.fpga import core
from gluon_etinynet.export.fpga.planner import OUTPUTS, WORD_CHANNELS
from gluon_etinynet.export.fpga.resources import PARTS
from gluon_etinynet.integer import Graph


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", required=True, metavar="NPZ", help="integer network with weights of at most 4 bits")
    parser.add_argument("--word-channels", type=int, default=24, choices=WORD_CHANNELS,
                        help="channels of a word of memory (default: 24, which divides those of EtinyNet-0.75; 32 "
                             "suits EtinyNet-1.0)")
    parser.add_argument("--outputs", type=int, default=8, choices=OUTPUTS,
                        help="output channels that are computed together, at most those of a word (default: 8)")
    parser.add_argument("--part", default="xc7a100t", choices=PARTS, help="FPGA that it has to fit (default: xc7a100t)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--force", action="store_true", help="write into a folder that holds other files")
    return parser.parse_args()


def main():
    args = parse_args()
    files = core.emit(Graph.load(args.graph), args.word_channels, args.outputs, args.part)
    files.write(args.out, args.force)
    report, part = files.manifest, PARTS[args.part]
    print(cli.table(["pass", "layers", "cycles"],
                    [[one["pass"], one["layers"][-1], f"{one['cycles']:,}"] for one in report["passes"]]))
    print(f"\nwrote {args.out}: {report['network']}, {report['cycles']:,} cycles a picture (planned)\n"
          f"block RAMs of {18 * part.pair} Kbit: {sum(report['block_ram_18k'].values()) / part.pair:g} of "
          f"{part.blocks // part.pair}; multipliers: {sum(report['multipliers'].values())} of {part.multipliers}\n"
          f"next: make -C {args.out} sim IMAGE=photo.raw")


if __name__ == "__main__":
    cli.run(main)
