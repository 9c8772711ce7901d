"""Block RAM that the ROMs of 4-bit EtinyNets take in an Artix-7, counted by Yosys beside the paper's 576 KB.

Covered: the weights, multipliers, offsets and biases as tools/export_rom.py writes them, mapped by
`synth_xilinx -family xc7` up to block RAM (logic is not mapped, nothing is placed or routed). The activation
memory is sized, not synthesised. Without --graph the weights are random: the count of a ROM depends on its
depth and width, not on what it holds, but for the width of offsets and biases, which is printed. About a
minute of processor time a network.
"""

import tempfile
from pathlib import Path

from gluon_etinynet import cli
from gluon_etinynet.export.fpga import roms
from gluon_etinynet.export.fpga.synthesis import block_rams
from gluon_etinynet.files import write_json
from gluon_etinynet.integer import Graph
from gluon_etinynet.integer.random_graphs import etinynet_graph

XC7A100T, PAPER = 135, 128  # block RAMs of 36 Kbit; the paper's 576 KB are 128 x 4.5 KB
NETWORKS = {"0.75": 24, "1.0": 32}  # the channels of a word that divide the network's


def parse_args():
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--graph", help="integer network with weights of at most 4 bits "
                                        "(default: EtinyNet-0.75 and 1.0 with random weights)")
    parser.add_argument("--word-channels", type=int, choices=roms.WORD_CHANNELS, default=24,
                        help="channels in a weight word of --graph (default: 24)")
    parser.add_argument("--save-dir", default="runs/bram", help="folder of the results (default: runs/bram)")
    return parser.parse_args()


def main():
    args = parse_args()
    if args.graph:
        networks = [(Graph.load(args.graph), args.word_channels)]
    else:
        networks = [(random_network(width), channels) for width, channels in NETWORKS.items()]
    results = []
    for graph, channels in networks:
        with tempfile.TemporaryDirectory() as folder:
            roms.emit(graph, channels).write(folder)
            results.append(report(graph, folder))
    write_json(Path(args.save_dir) / "bram.json", results)
    print(f"\nwritten: {args.save_dir}/bram.json")


def random_network(width):
    return etinynet_graph(width, bits=4)


def report(graph, folder):
    """Count and print the block RAMs of the ROMs in `folder`. Returns them as a dictionary."""
    address_map = roms.read_address_map(folder)
    channels = address_map["word_channels"]
    counts = {name: block_rams(folder, memory) for name, memory in address_map["memories"].items()}
    total, words = sum(counts.values()), activation_words(graph, channels)
    activations = -(-words // 4096) * -(-channels * 8 // 9)
    left = XC7A100T - total - activations
    rows = [[name, memory["depth"], memory["width"], memory["lane_bits"], counts[name]]
            for name, memory in address_map["memories"].items()]
    rows += [["ROMs", "", "", "", total], ["activations (sized)", words, channels * 8, 8, activations],
             ["sum", "", "", "", total + activations]]
    print(f"\n{graph.name}, words of {channels} channels\n\n"
          + cli.table(["memory", "words", "bits", "bits a lane", "BRAM36"], rows)
          + f"\n\n{total} BRAM36 of ROM = {total * 4.5:g} KB; paper, all its memory: {PAPER} = "
            f"{PAPER * 4.5:g} KB; XC7A100T: {XC7A100T}.\nWith the activations the XC7A100T "
            + (f"has {left} left" if left >= 0 else f"is {-left} short")
          + " (line buffers and control are not counted).", flush=True)
    return {"network": graph.name, "word_channels": channels, "memories": counts, "roms": total,
            "activations_sized": activations, "xc7a100t": XC7A100T, "paper": PAPER}


def activation_words(graph, channels):
    """Words of `channels` bytes for the largest map, or input and output where a layer cannot work in place.

    In place is a layer whose output has its input's shape. Of the image and the stem's map only rows are
    held.
    """
    def words(name):
        depth, rows, columns = graph.tensors[name].shape
        return -(-depth // channels) * rows * columns

    streamed = {graph.image.name, graph.nodes[0].output}
    sizes = []
    for node in graph.nodes[1:]:
        source = node.inputs[0]
        in_place = source in streamed or graph.tensors[source].shape == graph.tensors[node.output].shape
        sizes.append(words(node.output) + (0 if in_place else words(source)))
    return max(sizes)


if __name__ == "__main__":
    cli.run(main)
