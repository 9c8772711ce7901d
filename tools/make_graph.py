"""Make the integer network of a checkpoint, for tools/export_c.py, tools/export_rom.py and the interpreter.

A float checkpoint gets 8-bit weights, with a scale for each output channel; one quantised by ASQ keeps its own.
Feature maps get 8 bits, with ranges from photographs. The arithmetic is defined in docs/numerics.md.
"""

import argparse

from gluon_etinynet import cli
from gluon_etinynet.flags import add_checkpoint_arguments
from gluon_etinynet.lowering.from_checkpoint import graph_of_checkpoint


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = add_checkpoint_arguments(parser)
    parser.add_argument("--out", required=True, metavar="NPZ", help="integer network to write")
    args = parser.parse_args()
    return args, {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def main():
    args, checkpoint = parse_args()
    graph = graph_of_checkpoint(**checkpoint)
    graph.save(args.out)
    print(f"written: {args.out} ({graph.name}, {len(graph.nodes)} operators, graph {graph.sha256()[:16]})")


if __name__ == "__main__":
    cli.run(main)
