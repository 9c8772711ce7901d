"""Write the weights, multipliers, offsets and biases of an integer network as ROM files for an FPGA.

The word layouts are in docs/rom.md. What was written is read back and held against the network.
"""

from pathlib import Path

from gluon_etinynet import InputError, cli
from gluon_etinynet.export.fpga import roms
from gluon_etinynet.integer import Graph
from gluon_etinynet.reading import is_folder, list_folder


def parse_args():
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--graph", required=True,
                        help="integer network with weights of at most 4 bits (.npz)")
    parser.add_argument("--word-channels", type=int, default=24, choices=roms.WORD_CHANNELS,
                        help="channels in a weight word (default: 24, which divides those of EtinyNet-0.75; "
                             "32 suits EtinyNet-1.0)")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--prefix", default="",
                        help="begins the names of modules and files, so that several networks fit into one design "
                             "(default: none)")
    parser.add_argument("--force", action="store_true", help="write into a folder that holds other files")
    return parser.parse_args()


def main():
    args = parse_args()
    graph = Graph.load(args.graph)
    files = roms.emit(graph, args.word_channels, args.prefix)
    if not args.force:
        check_prefix(Path(args.out), files)
    files.write(args.out, args.force)
    roms.verify(args.out, graph)
    print(cli.table(["memory", "words", "bits", "kilobits"], [
        [name, memory["depth"], memory["width"], f"{memory['depth'] * memory['width'] / 1000:.1f}"]
        for name, memory in files.manifest["memories"].items()]))
    print(f"\nwritten and read back: {args.out} ({graph.name}, graph {graph.sha256()[:16]})")


def check_prefix(out, files):
    """ROMs of another prefix in the folder would go: their address map has the same name."""
    there = list_folder(out) if is_folder(out) else []
    if any(path.name.endswith("rom.v") and path.name not in files for path in there):
        raise InputError(f"{out} holds ROMs of another prefix, which would be lost; export into another folder, and "
                         "copy both into one")


if __name__ == "__main__":
    cli.run(main)
