"""Top-1 and top-5 accuracy of an integer network on labelled pictures, as ImageNet counts them.

The pictures are those of tools/eval_imagenet.py, or scikit-learn's test digits. On request, beside it: the checkpoint
that the network was made of (--params); a program that tools/export_c.py's folder builds with `make host` (--program),
and, on some of the pictures, a simulation of the core of tools/export_fpga.py (--core), whose every logit must be the
interpreter's; otherwise the exit status is 1. The last line is `top1=76.05 top5=93.26 n=430`; metrics.json says the
same.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli
from gluon_etinynet.export.c.program import logits as logits_of
from gluon_etinynet.export.fpga import core, simulation
from gluon_etinynet.files import write_json
from gluon_etinynet.flags import add_picture_arguments, labelled_pictures, print_unreadable
from gluon_etinynet.integer import Graph
from gluon_etinynet.loading import load_checkpoint
from gluon_etinynet.quantities import COUNT
from gluon_etinynet.reading import is_file, read_json
from gluon_etinynet.training import evaluate_graph, evaluate_net


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", required=True, metavar="NPZ",
                        help="integer network, of tools/make_graph.py")
    add_picture_arguments(parser)
    parser.add_argument("--digits", action="store_true", help="scikit-learn's handwritten test digits")
    parser.add_argument("--params", metavar="FILE",
                        help="classify with this checkpoint too, float or quantised; or released")
    parser.add_argument("--model", default="etinynet1.0", help="its network (default: etinynet1.0)")
    parser.add_argument("--program", metavar="FILE", help="run this program on every picture too")
    parser.add_argument("--core", metavar="DIR", help="simulate this core, as tools/export_fpga.py writes it, too")
    parser.add_argument("--core-pictures", type=COUNT, default=10, metavar="N",
                        help="on so many of the pictures, evenly spaced (default: 10)")
    parser.add_argument("--simulator", default="verilator", choices=simulation.SIMULATORS, help="default: verilator")
    parser.add_argument("--save-dir", default="runs/eval_graph",
                        help="folder of metrics.json (default: %(default)s)")
    return parser.parse_args()


def main():
    args = parse_args()
    graph = Graph.load(args.graph)
    if graph.detection is not None:
        raise InputError(f"{args.graph} is a detector; tools/eval_ssd.py --graph measures its mAP")
    source = labelled_pictures(args, input_size(graph), graph.classes, graph.labels)
    net = load_checkpoint(args.model, args.params).net if args.params else None
    if args.program and not is_file(args.program):
        raise InputError(f"{args.program} is missing; build it with: make -C DIR host")
    if args.core:
        report = read_json(Path(args.core) / core.REPORT, "give a folder of tools/export_fpga.py", graph_sha256=str)
        if report["graph_sha256"] != graph.sha256():
            raise InputError(f"{args.core} is the core of another network than {args.graph}; export it again")
    equal, simulated = [], Spaced(source.samples, args.core_pictures)

    def compare(images, logits):
        if args.core:
            simulated.add(images, logits)
        if args.program:
            equal.extend(np.array_equal(logits_of(args.program, image), own)
                         for image, own in zip(images, logits))

    started = time.time()
    result, classes = evaluate_graph(graph, source, compare)
    seconds = time.time() - started
    metrics = {"graph": args.graph, "sha256": graph.sha256(), "data": data_name(args),
               "crop_ratio": args.crop_ratio, "input_size": input_size(graph), "top1": 100 * result["top1"],
               "top5": 100 * result["top5"], "n": result["samples"], "unreadable": print_unreadable(source),
               "measurements": []}
    print(f"{result['samples'] / seconds:.1f} images/s")
    if args.program:
        metrics["program"] = {"file": args.program, "equal": sum(equal)}
        print(f"{args.program}: {sum(equal)} of {len(equal)} pictures equal")
    if args.core:
        images, logits = simulated.pictures()
        started = time.time()
        run = simulation.simulate(args.core, images, args.simulator)
        same = [np.array_equal(one, own) for one, own in zip(run.logits, logits)]
        same += [False] * (len(images) - len(same))
        equal.extend(same)
        metrics["core"] = {"folder": args.core, "simulator": args.simulator, "pictures": len(same), "equal": sum(same),
                           "cycles": run.cycles}
        print(f"{args.core} in {args.simulator}: {sum(same)} of {len(same)} pictures equal, "
              f"{max(run.cycles, default=0):,} cycles a picture, {time.time() - started:.0f} s")
    if net is not None:
        net.hybridize()
        other, logits = evaluate_net(net, source)
        same = float(np.mean(classes == logits.argmax(axis=1)))
        top1, top5 = 100 * other["top1"], 100 * other["top5"]
        metrics["checkpoint"] = {"params": args.params, "top1": top1, "top5": top5, "same_class": 100 * same}
        print(f"{args.params}: top1={top1:.2f} top5={top5:.2f}, the same class as the integer network on "
              f"{100 * same:.2f} %")
    write_json(Path(args.save_dir) / "metrics.json", metrics)
    print(f"top1={metrics['top1']:.2f} top5={metrics['top5']:.2f} n={metrics['n']}")
    return int(not all(equal))


class Spaced:
    """Of `samples` pictures that come in batches, `count` evenly spaced ones with their logits."""

    def __init__(self, samples, count):
        self.wanted = set(np.linspace(0, samples - 1, min(count, samples)).astype(int).tolist())
        self.seen, self.images, self.logits = 0, [], []

    def add(self, images, logits):
        for number, (image, values) in enumerate(zip(images, logits), self.seen):
            if number in self.wanted:
                self.images.append(image)
                self.logits.append(values.ravel())
        self.seen += len(images)

    def pictures(self):
        """Arrays of int8 and int32."""
        return np.stack(self.images), np.stack(self.logits)


def input_size(graph):
    """The side of its pictures, of a network that a tool of this package can give pictures to."""
    channels, rows, columns = graph.image.shape
    if channels != 3 or rows != columns or graph.output.quant.bits != 32 or graph.output.shape[1:] != (1, 1):
        raise InputError(f"network {graph.name} is no classifier of square RGB pictures")
    return rows


def data_name(args):
    return "scikit-learn digits" if args.digits else args.rec_val or args.data_dir


if __name__ == "__main__":
    cli.run(main)
