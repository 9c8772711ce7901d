"""Export an integer network as C: a folder with the runtime, the network's tables, a demo and build files.

The network is either a file (--graph), or made of a checkpoint (--params and --calib-dir) as by
tools/make_graph.py.
"""

import argparse

from gluon_etinynet import InputError, cli
from gluon_etinynet.data.camera import FORMATS, Camera
from gluon_etinynet.export import c
from gluon_etinynet.export.c.kernel_sets import HOST, KERNEL_SETS, fastest
from gluon_etinynet.export.c.program import MCUS
from gluon_etinynet.flags import add_checkpoint_arguments
from gluon_etinynet.integer import Graph
from gluon_etinynet.lowering.from_checkpoint import graph_of_checkpoint


def address(text):
    """An address of 32 bits at which a blob can lie."""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 < value < 1 << 32 or value % 8:
        raise argparse.ArgumentTypeError(f"{text} is no address of 32 bits, a multiple of 8, as 0x90000000")
    return value


def camera(text):
    try:
        return Camera.parse(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", metavar="NPZ", help="integer network; or, to make one:")
    names = add_checkpoint_arguments(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--prefix", default="etinynet",
                        help="begins every global name, so that several networks link (default: etinynet)")
    parser.add_argument("--mcu", choices=MCUS, help="microcontroller, whose fastest kernels are taken")
    parser.add_argument("--kernels", choices=["auto", *KERNEL_SETS], default="auto",
                        help="inner loops for "
                             + "; ".join(f"{name}: {kernels.runs_on}" for name, kernels in KERNEL_SETS.items())
                             + " (default: by --mcu, without it portable)")
    parser.add_argument("--camera", metavar="FORMAT:WxH", type=camera,
                        help=f"take the rows of a camera, as rgb565le:320x240; formats: {', '.join(FORMATS)}")
    parser.add_argument("--self-test", action="store_true",
                        help="add a function that runs the network on a picture and names the layer that goes wrong")
    parser.add_argument("--weights-blob", metavar="ADDRESS", type=address,
                        help="write the weights to a binary file, checked by its CRC, for memory at this address, as "
                             "0x90000000")
    parser.add_argument("--force", action="store_true", help="write into a folder that holds other files")
    args = parser.parse_args()
    return args, {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def main():
    args, checkpoint = parse_args()
    if bool(args.graph) == bool(checkpoint):
        raise InputError("give either --graph NPZ, or --params FILE --calib-dir DIR to make the network of a "
                         "checkpoint")
    if args.mcu and args.kernels != "auto" and not KERNEL_SETS[args.kernels].serves(MCUS[args.mcu].processor):
        raise InputError(f"--kernels {args.kernels} is for {KERNEL_SETS[args.kernels].runs_on}, and {args.mcu} has a "
                         f"{MCUS[args.mcu].processor}; leave --kernels out")
    graph = Graph.load(args.graph) if args.graph else graph_of_checkpoint(**checkpoint)
    kernels = fastest(MCUS[args.mcu].processor if args.mcu else None) if args.kernels == "auto" else args.kernels
    files = c.emit(graph, args.prefix, kernels, args.camera, args.self_test,
                   args.weights_blob)
    files.write(args.out, args.force)
    print(summary(files.manifest, args.out, args.mcu))


def summary(report, out, mcu):
    flash, arena = report["flash_bytes"], report["arena_bytes"]
    target = f"qemu MACHINE={MCUS[mcu].machine} MCU={mcu}" if mcu else "qemu"
    if KERNEL_SETS[report["kernels"]].serves(HOST) and "weights_blob" not in report:
        target = "host"
    return (f"wrote {out}: {report['network']}, {report['macs'] / 1e6:.1f} M multiply-accumulates, "
            f"{report['kernels']} kernels\n"
            f"flash of constants: {flash['total']:,} bytes ({flash['weights']:,} of weights)\n"
            f"arena: {arena['stored']:,} bytes with the image stored, {arena['pushed']:,} pushed by rows\n"
            f"next: make -C {out} {target}")


if __name__ == "__main__":
    cli.run(main)
