"""Export a network as ONNX: a float checkpoint, or an integer network with QuantizeLinear and DequantizeLinear.

    python tools/export_onnx.py --params FILE --out net.onnx
    python tools/export_onnx.py --graph asq.npz --out asq.onnx

The input is `pixel - 128`, float32, (N, 3, size, size) with any N. A classifier gives logits, a detector its raw
predictions. Weights of 4 bits are INT4, of opset 21.
"""

import argparse
from pathlib import Path

from gluon_etinynet import InputError, cli
from gluon_etinynet.export import onnx_graph
from gluon_etinynet.integer import Graph
from gluon_etinynet.quantities import SIDE


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", metavar="NPZ", help="integer network; or, of a float checkpoint:")
    parser.add_argument("--model", help="network (default: etinynet1.0)")
    parser.add_argument("--params", metavar="FILE", help="checkpoint (default: the released one)")
    parser.add_argument("--input-size", type=SIDE, help="side of the picture (default: 224; a detector's own)")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="file to write")
    args = parser.parse_args()
    if args.graph and (args.model or args.params or args.input_size):
        raise InputError("--graph tells all of a network; leave --model, --params and --input-size out")
    return args


def main():
    args = parse_args()
    if args.graph:
        onnx_graph.save(Graph.load(args.graph), args.out)
    else:
        from gluon_etinynet.loading import load_checkpoint
        from gluon_etinynet.lowering import onnx_network

        model = args.model or "etinynet1.0"
        net, _, _, labels = load_checkpoint(model, args.params)
        onnx_network.save(net, args.out, args.input_size or getattr(net, "size", 224), model, labels)
    print(f"wrote {args.out}: {args.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    cli.run(main)
