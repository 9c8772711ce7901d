"""Write the report: one HTML page with every number of the paper and ours beside it, the figures, and what was not run.

    python tools/report.py --runs runs --out report.html --photographs PHOTOGRAPHS

What the recipes have written below the folder of runs comes before what is recorded in benchmarks/measured.csv. With
photographs, the integer networks that lie below it (the newest classifier and the newest detector) look at some of
them. The page needs no network and nothing beside it.
"""

import argparse
from pathlib import Path

from gluon_etinynet import InputError, cli
from gluon_etinynet.data.datasets import names_of
from gluon_etinynet.data.images import pictures_below
from gluon_etinynet.files import write_text
from gluon_etinynet.quantities import COUNT
from gluon_etinynet.report.page import emit, evidence_of, look


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE", help="default: %(default)s")
    parser.add_argument("--photographs", type=Path, metavar="DIR", help="folder of pictures")
    parser.add_argument("--num-images", type=COUNT, default=12, help="how many of them to show (default: %(default)s)")
    return parser.parse_args()


def main():
    args = parse_args()
    evidence, found = evidence_of(args.runs)
    seen = []
    if args.photographs:
        paths = pictures_below(args.photographs)
        paths = paths[::max(1, len(paths) // args.num_images)][:args.num_images]
        for detects in (False, True):
            graph = next((graph for graph in evidence.graphs if (graph.detection is not None) == detects), None)
            if graph:
                seen += look(graph, names_of(graph.labels), cli.progress(paths))
        if not seen:
            raise InputError(f"{args.runs} has no integer network that could look at {args.photographs}; "
                             "tools/make_graph.py --out RUNS/network.npz makes one")
    page = emit(evidence, found, seen)
    write_text(args.out, page)
    print(f"wrote {args.out}: {len(page.encode()) / 1e6:.2f} MB; open it in a browser")


if __name__ == "__main__":
    cli.run(main)
