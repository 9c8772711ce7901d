"""Export an integer network as C: a folder with the runtime, the network's tables, a demo and build files."""

import argparse
import json

from gluon_etinynet import cli
from gluon_etinynet.emit import c
from gluon_etinynet.emit.folder import write_folder
from gluon_etinynet.integer import Graph


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", required=True, metavar="NPZ", help="integer network")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--prefix", default="etinynet",
                        help="begins every global name, so that several networks link (default: etinynet)")
    parser.add_argument("--force", action="store_true", help="write into a folder that holds other files")
    return parser.parse_args()


def main():
    args = parse_args()
    export(Graph.load(args.graph), args)


def export(graph, args):
    files = c.emit(graph, args.prefix)
    write_folder(args.out, files, c.REPORT, c.TOOL, args.force)
    print(summary(files, args.out))


def summary(files, out):
    report = json.loads(files[c.REPORT])
    flash, arena = report["flash_bytes"], report["arena_bytes"]
    return (f"wrote {out}: {report['network']}, {report['macs'] / 1e6:.1f} M multiply-accumulates\n"
            f"flash of constants: {flash['total']:,} bytes ({flash['weights']:,} of weights)\n"
            f"arena: {arena['stored']:,} bytes with the image stored, {arena['pushed']:,} pushed by rows\n"
            f"next: make -C {out} host")


if __name__ == "__main__":
    cli.run(main)
