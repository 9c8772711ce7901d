"""Mean average precision of a detector on pictures with boxes, as GluonCV's eval_ssd.py measures it on VOC 2007.

    python tools/eval_ssd.py --params runs/train_ssd/best.params --dataset-root ~/.mxnet/datasets/voc
    python tools/eval_ssd.py --graph ssd.npz --dataset custom --dataset-root DIR

The detector is a checkpoint, float or trained or rounded to 8 bits (--params), or an integer network (--graph),
which the interpreter computes. Writes classes.csv, metrics.json and contact_sheet.png to --save-dir; the last line is
`map=56.40 n=4952`.
"""

import argparse
import math
from pathlib import Path

from gluon_etinynet import InputError, cli
from gluon_etinynet.data import Loading
from gluon_etinynet.detection.dataset import DetectionSource
from gluon_etinynet.detection.evaluation import GraphDetector, average_precisions, class_names, write_contact_sheet
from gluon_etinynet.detection.shapes_dataset import SHAPES
from gluon_etinynet.detection.training import load_detector
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.flags import add_dataset_arguments, given_classes, read_dataset
from gluon_etinynet.integer import Graph
from gluon_etinynet.quantities import BATCH, COUNT, GPUS, SHARE, THREADS
from gluon_etinynet.training import contexts


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--params", metavar="FILE", help="checkpoint of tools/train_ssd.py; or:")
    add("--graph", metavar="NPZ", help="integer network, of tools/make_graph.py")
    add_dataset_arguments(parser, ["val"])
    add("--batch-size", type=BATCH, default=32, help="pictures at a time (default: 32)")
    add("--num-gpus", type=GPUS, default=0, help="default: 0, the CPU; the first one computes")
    add("-j", "--num-workers", type=THREADS, default=2, help="threads that read pictures (default: 2)")
    add("--pictures", type=COUNT, default=12, help="on the contact sheet (default: 12)")
    add("--threshold", type=SHARE, default=0.4, help="least score of a detection drawn there (default: 0.4)")
    add("--save-dir", default="runs/eval_ssd", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    check(args)
    ctx = contexts(args.num_gpus)
    detector = load(args, ctx)
    classes, (annotated,) = read_dataset(args, "val", classes=detector.classes)
    source = DetectionSource(annotated, Loading(args.batch_size, detector.size, classes=len(classes),
                                              threads=args.num_workers))
    found = average_precisions(detector, source, ctx)
    save_dir, percent = Path(args.save_dir), {name: 100 * value for name, value in found.items()}
    header = ["class", "average precision, %", "objects"]
    counts = [sum(int(((item.boxes[:, 4] == index) & (item.boxes[:, 5] == 0)).sum()) for item in annotated)
              for index in range(len(classes))]
    rows = [[name, "-" if math.isnan(percent[name]) else f"{percent[name]:.2f}", count]
            for name, count in zip([*classes, "mAP"], [*counts, sum(counts)])]
    print(cli.table(header, rows))
    write_csv(save_dir / "classes.csv", header, rows)
    with ctx[0]:
        write_contact_sheet(save_dir / "contact_sheet.png", detector, annotated, args.pictures, args.threshold)
    write_json(save_dir / "metrics.json", {
        "detector": args.params or args.graph, "data": args.dataset_root, "n": len(annotated), "map": percent["mAP"],
        "classes": {name: None if math.isnan(percent[name]) else percent[name] for name in classes},
        "measurements": measurements(classes, percent["mAP"], args)})
    print(f"map={percent['mAP']:.2f} n={len(annotated)}")


def check(args):
    if bool(args.params) == bool(args.graph):
        raise InputError("give one detector: --params FILE, or --graph NPZ")
    if args.graph and args.num_gpus:
        raise InputError("--num-gpus does not go with --graph: the interpreter computes on the CPU")


def measurements(classes, value, args):
    """What benchmarks/check.py reads: the drawn shapes of tools/make_shapes.py have a floor."""
    if classes != list(SHAPES):
        return []
    return [{"table": "floors", "row": "EtinyNet-SSD on drawn shapes", "quantity": "map", "value": value,
             "comparable": True, "note": args.params or args.graph}]


def load(args, ctx):
    if args.graph:
        graph = Graph.load(args.graph)
        return GraphDetector(graph, class_names(args.graph, graph.classes, given_classes(args) or graph.labels))
    net = load_detector(args.params, given_classes(args))
    net.collect_params().reset_ctx(ctx)
    net.hybridize(static_alloc=True, static_shape=True)
    return net


if __name__ == "__main__":
    cli.run(main)
