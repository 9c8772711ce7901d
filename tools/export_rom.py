"""Write the weights, multipliers, offsets and biases of an integer network as ROM files for an FPGA.

The word layouts are in docs/rom.md. What was written is read back and held against the network.
"""


from gluon_etinynet import cli
from gluon_etinynet.export.fpga import roms
from gluon_etinynet.integer import Graph


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
    files.write(args.out, args.force)
    roms.verify(args.out, graph)
    print(cli.table(["memory", "words", "bits", "kilobits"], [
        [name, memory["depth"], memory["width"], f"{memory['depth'] * memory['width'] / 1000:.1f}"]
        for name, memory in files.manifest["memories"].items()]))
    print(f"\nwritten and read back: {args.out} ({graph.name}, graph {graph.sha256()[:16]})")


if __name__ == "__main__":
    cli.run(main)
