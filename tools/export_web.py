"""Export an integer network as one HTML page, in which its C, compiled to WebAssembly, sees pictures in a browser.

    python tools/export_web.py --graph int8.npz asq.npz --out demo

The page needs no network: pictures are chosen, dropped, pasted, or come from the camera, and are prepared as Python
does. It has two programs, with SIMD and without, and takes the one that the browser runs. Two networks stand side by
side.
"""

import argparse
from pathlib import Path

from gluon_etinynet import InputError, cli
from gluon_etinynet.data.datasets import names_of
from gluon_etinynet.export import web
from gluon_etinynet.files import write_text
from gluon_etinynet.integer import Graph
from gluon_etinynet.quantities import CROP_RATIO

PAGE = "demo.html"


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", nargs="+", required=True, metavar="NPZ", help="integer networks, one or two")
    parser.add_argument("--out", required=True, metavar="DIR", help=f"folder to write {PAGE} into")
    parser.add_argument("--crop-ratio", type=CROP_RATIO, default=0.875,
                        help="side of a classifier's crop as a part of the resized short side (default: 0.875)")
    parser.add_argument("--digits", action="store_true",
                        help="the classes are scikit-learn's handwritten digits: the page has a pad to draw on")
    return parser.parse_args()


def main():
    args = parse_args()
    graphs = [Graph.load(path) for path in args.graph]
    if args.digits and any(graph.labels != list("0123456789") for graph in graphs):
        raise InputError("--digits: the classes of the network are not the digits from 0 to 9; leave --digits out")
    page = web.emit(graphs, [names_of(graph.labels) for graph in graphs], args.crop_ratio, args.digits)
    path = Path(args.out) / PAGE
    write_text(path, page)
    print(f"wrote {path}: {len(page.encode()) / 1e6:.1f} MB; open it in a browser")


if __name__ == "__main__":
    cli.run(main)
