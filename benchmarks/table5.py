"""Table 5: EtinyNet-SSD's multiply-adds, size, feature-map memory and mAP, each beside the paper's.

The first three are measured from the network. mAP is measured where a checkpoint (--params) and a data set
are given, per class and over all, as GluonCV's eval_ssd.py does; on the 4,952 pictures of VOC 2007 test it
is held against the paper's, on others it is only shown. --int8 measures it once more with weights and
feature maps rounded to 8 bits, ranges taken from the training pictures.

Writes metrics.json, table5.csv and, with --params, classes.csv to --save-dir.
"""

import argparse
import math
from pathlib import Path

import numpy as np

from gluon_etinynet import cli, get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.sources import Loading
from gluon_etinynet.detection.dataset import DetectionSource
from gluon_etinynet.detection.evaluation import average_precisions
from gluon_etinynet.detection.training import load_detector, round_to_8_bits
from gluon_etinynet.export import c
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.flags import add_dataset_arguments, given_classes, read_dataset
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.networks.complexity import measure
from gluon_etinynet.quantities import BATCH, GPUS, THREADS
from gluon_etinynet.quantize.ptq import quantise
from gluon_etinynet.quantize.qat import feature_map_quantisers
from gluon_etinynet.report.paper import load, side_by_side
from gluon_etinynet.training import contexts

ROW = "EtinyNet-SSD"
MODEL, SIZE = "ssd_256_etinynet1.0_voc", 256
COLUMNS = {"madds": "MAdds, M", "size_mb": "params, MB", "sram_kb": "SRAM, KB", "map": "mAP, %"}
VOC_TEST_PICTURES = 4952
CALIBRATION_PICTURES = 128


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--params", metavar="FILE", help="checkpoint of tools/train_ssd.py; its mAP is measured")
    add_dataset_arguments(parser)
    add("--int8", action="store_true", help="measure it rounded to 8 bits too")
    add("--batch-size", type=BATCH, default=32, help="default: 32")
    add("--num-gpus", type=GPUS, default=0, help="default: 0, the CPU")
    add("-j", "--num-workers", type=THREADS, default=2, help="threads that read pictures (default: 2)")
    add("--save-dir", default="runs/table5", help="default: runs/table5")
    args = parser.parse_args()
    if args.int8 and not args.params:
        parser.error("--int8 measures mAP: it needs --params")
    return args


def main():
    args = parse_args()
    save_dir = Path(args.save_dir)
    measurements = costs()
    if args.params:
        measurements += accuracy(args, save_dir)
    header, rows = side_by_side([entry for entry in load() if entry.table == "5"],
                                {(m["row"], m["quantity"]): m for m in measurements}, COLUMNS)
    print("Table 5: Pascal VOC, 256 x 256; each measured value stands behind the paper's\n")
    print(cli.table(header, rows))
    for m in measurements:
        if m.get("note"):
            print(f"  {m['row']}, {m['quantity']}: {m['note']}")
    write_csv(save_dir / "table5.csv", header, rows)
    write_json(save_dir / "metrics.json", {"measurements": measurements})
    print(f"\nwritten: {save_dir}/metrics.json, table5.csv"
          + (", classes.csv" if args.params else ""))


def costs():
    """Size at 8 bits a parameter, multiply-adds, and memory as the paper counts it and as the exported C takes it."""
    net = get_model(MODEL)
    net.initialize()
    counts, arena = measure(net, SIZE), arena_bytes(net)
    values = [(ROW, "madds", counts.madds / 1e6), (ROW, "size_mb", counts.bytes_at(8) / 1e6),
              (ROW, "sram_kb", counts.feature_map_bytes / 1024),
              (f"{ROW} STM32H743", "ram_kb", arena["stored"] / 1024)]
    measurements = [{"table": "5", "row": row, "quantity": quantity, "value": value}
                    for row, quantity, value in values]
    measurements[2]["note"] = "the paper's schedule: picture and pooled stem, before there are taps or predictions"
    measurements[3]["note"] = (f"ours: arena of the exported C, {arena['stored'] / 1024:.1f} KiB with the picture "
                               f"stored, {arena['pushed'] / 1024:.1f} with it pushed by rows")
    return measurements


def arena_bytes(net):
    """What the exported C needs, which does not depend on the weights' values."""
    noise = np.random.default_rng(0).integers(-128, 128, (2, 3, SIZE, SIZE), np.int8)
    reestimate_batch_norm(net, [mx.nd.array(noise, dtype="float32")])  # lest random weights leave int32's range
    graph = lower(quantise(net, noise), (SIZE, SIZE), "etinynet_ssd_random")
    return c.emit(graph, "net").manifest["arena_bytes"]


def accuracy(args, save_dir):
    """mAP of the checkpoint, float and at 8 bits where wanted; writes classes.csv."""
    ctx = contexts(args.num_gpus)
    net = load_detector(args.params, given_classes(args))
    net.collect_params().reset_ctx(ctx)
    classes, (val,) = read_dataset(args, "val", classes=net.classes)
    loading = Loading(args.batch_size, net.size, classes=len(classes), threads=args.num_workers)
    source = DetectionSource(val, loading)
    whole = args.dataset == "voc" and not args.val_split and len(val) == VOC_TEST_PICTURES
    as_loaded = "8 bit" if feature_map_quantisers(net) else "float"
    found = {as_loaded: precisions(net, source, ctx)}
    if args.int8 and as_loaded == "float":
        _, (train,) = read_dataset(args, "train", classes=net.classes)
        pictures = DetectionSource(train[:CALIBRATION_PICTURES], loading)
        round_to_8_bits(net, [data.as_in_context(ctx[0]) for data, _ in pictures.epoch()])
        found["8 bit"] = precisions(net, source, ctx)
    header = ["class"] + [f"{name}, %" for name in found]
    rows = [[name] + [cell(values[name]) for values in found.values()] for name in classes + ["mAP"]]
    print(f"{len(val)} pictures of {args.dataset_root}, average precision (11 points, as VOC 2007)\n")
    print(cli.table(header, rows) + "\n")
    write_csv(save_dir / "classes.csv", header, rows)
    last = list(found)[-1]  # the paper's is at 8 bits
    return [{"table": "5", "row": ROW, "quantity": "map", "value": 100 * found[last]["mAP"], "comparable": whole,
             "note": f"{last}, {len(val)} pictures of {Path(args.dataset_root).name}"}]


def precisions(net, source, ctx):
    net.hybridize(static_alloc=True, static_shape=True)
    return average_precisions(net, source, ctx)


def cell(value):
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


if __name__ == "__main__":
    cli.run(main)
