"""Mean average precision of a detector on pictures with boxes, as GluonCV's eval_ssd.py measures it on VOC 2007.

    python tools/eval_ssd.py --params runs/train_ssd/best.params --dataset-root ~/.mxnet/datasets/voc
    python tools/eval_ssd.py --graph ssd.npz --dataset custom --dataset-root DIR

    python tools/eval_ssd.py --graph ssd.npz --program firmware/build/host/ssd ...

The detector is a checkpoint, float or trained or rounded to 8 bits (--params), or an integer network (--graph),
which the interpreter computes; a program that tools/export_c.py's folder builds with `make host` (--program) must print
the interpreter's detections of every picture, otherwise the exit status is 1. Beside mAP over the classes that occur
stands the mean over those with 40 objects and more, which says more of a small set. Writes classes.csv, metrics.json,
precision_recall.png, precision_recall.csv and contact_sheet.png to --save-dir; the last line is `map=56.40 n=4952`.
"""

import argparse
import math
import statistics
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli
from gluon_etinynet.data import Loading
from gluon_etinynet.detection.curves import write_precision_recall
from gluon_etinynet.detection.dataset import DetectionSource, require_objects
from gluon_etinynet.detection.evaluation import average_precisions, graph_detector, write_contact_sheet
from gluon_etinynet.detection.shapes_dataset import SHAPES
from gluon_etinynet.detection.training import load_detector
from gluon_etinynet.export.c.program import detects
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.flags import add_dataset_arguments, given_classes, read_dataset
from gluon_etinynet.quantities import BATCH, COUNT, GPUS, SHARE, THREADS
from gluon_etinynet.reading import is_file
from gluon_etinynet.training import contexts

FREQUENT = 40  # objects of a class, from which on its average precision is more than chance


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--params", metavar="FILE", help="checkpoint of tools/train_ssd.py; or:")
    add("--graph", metavar="NPZ", help="integer network, of tools/make_graph.py")
    add("--program", metavar="FILE", help="with --graph: run this program on every picture too")
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
    equal = []
    detector = load(args, ctx, equal)
    classes, (annotated,) = read_dataset(args, "val", classes=detector.classes)
    require_objects(annotated, "--val-split")
    source = DetectionSource(annotated, Loading(args.batch_size, detector.size, classes=len(classes),
                                              threads=args.num_workers))
    curves = {}
    percent = {name: 100 * value for name, value in average_precisions(detector, source, ctx, curves=curves).items()}
    equal = equal[:]  # those of the contact sheet are not counted
    counts = objects(annotated, classes)
    frequent = [name for name in classes if counts[name] >= FREQUENT]
    means = {"mAP": percent["mAP"], **({f"classes with {FREQUENT} and more":
                                        statistics.mean(percent[name] for name in frequent)} if frequent else {})}
    header = ["class", "average precision, %", "objects"]
    rows = [[name, "-" if math.isnan(percent[name]) else f"{percent[name]:.2f}", counts[name]] for name in classes]
    rows += [[name, f"{value:.2f}", sum(counts[one] for one in of)]
             for (name, value), of in zip(means.items(), (classes, frequent))]
    print(cli.table(header, rows))
    save_dir = Path(args.save_dir)
    write_csv(save_dir / "classes.csv", header, rows)
    write_precision_recall(save_dir, curves, percent)
    with ctx[0]:
        write_contact_sheet(save_dir / "contact_sheet.png", detector, annotated, args.pictures, args.threshold)
    metrics = {"detector": args.params or args.graph, "data": args.dataset_root, "n": len(annotated), "means": means,
               "map": percent["mAP"], "measurements": measurements(classes, percent["mAP"], args),
               "classes": {name: None if math.isnan(percent[name]) else percent[name] for name in classes}}
    if args.program:
        metrics["program"] = {"file": args.program, "equal": sum(equal)}
        print(f"{args.program}: {sum(equal)} of {len(equal)} pictures equal")
    write_json(save_dir / "metrics.json", metrics)
    print(f"map={percent['mAP']:.2f} n={len(annotated)}")
    return int(not all(equal))


def check(args):
    if bool(args.params) == bool(args.graph):
        raise InputError("give one detector: --params FILE, or --graph NPZ")
    if args.program and not args.graph:
        raise InputError("--program is compared with the interpreter: give --graph, of which it was exported")
    if args.program and not is_file(args.program):
        raise InputError(f"{args.program} is missing; build it with: make -C DIR host")
    if args.graph and args.num_gpus:
        raise InputError("--num-gpus does not go with --graph: the interpreter computes on the CPU")


def measurements(classes, value, args):
    """What benchmarks/check.py reads: the drawn shapes of tools/make_shapes.py have a floor."""
    if classes != list(SHAPES):
        return []
    return [{"table": "floors", "row": "EtinyNet-SSD on drawn shapes", "quantity": "map", "value": value,
             "comparable": True, "note": args.params or args.graph}]


def objects(annotated, classes):
    """How many objects of each class count: those that are not difficult."""
    labels = np.concatenate([item.boxes[item.boxes[:, 5] == 0, 4] for item in annotated]).astype(int)
    return dict(zip(classes, np.bincount(labels, minlength=len(classes)).tolist()))


def load(args, ctx, equal):
    if args.graph:
        detector = graph_detector(args.graph, given_classes(args))
        if args.program:
            detector.see = lambda images, found: equal.extend(
                detects(args.program, detector.graph, image, one) for image, one in zip(images, found))
        return detector
    net = load_detector(args.params, given_classes(args))
    net.collect_params().reset_ctx(ctx)
    net.hybridize(static_alloc=True)
    return net


if __name__ == "__main__":
    cli.run(main)
