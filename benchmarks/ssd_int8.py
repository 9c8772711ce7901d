"""EtinyNet-SSD in integers: mAP beside the float network's, C = interpreter, cost on a Cortex-M7.

The checkpoint is lowered as by tools/make_graph.py, with ranges from the training pictures of the data set.
mAP is that of GluonCV (VOC 2007, 11 points) on the validation pictures, for the float network and for the
integer interpreter. The C is built for this computer and must print the interpreter's detections for each of
those pictures; one of them runs on a simulated Cortex-M7 with an STM32H743's memory, where instructions are
counted.

Writes metrics.json, graph.npz and the exported folder c to --save-dir; exit status 1 where C differs, or mAP
is more than a point below float.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli
from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import call, detection_lines, make, need, raw
from gluon_etinynet.export.folder import write_folder
from gluon_etinynet.files import write_json
from gluon_etinynet.integer import run

MACHINE = ("MACHINE=mps2-an500", "MCU=stm32h743")
POINT = 0.01  # the most that 8 bits may cost


def parse_args():
    from gluon_etinynet.flags import add_dataset_arguments

    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", required=True, metavar="FILE", help="checkpoint of tools/train_ssd.py")
    add_dataset_arguments(parser)
    parser.add_argument("--num-images", type=int, default=256,
                        help="training pictures from which ranges are taken (default: 256)")
    parser.add_argument("--cflags", default="-O2", help="the compilers' optimisation (default: -O2)")
    parser.add_argument("--save-dir", default="runs/ssd_int8", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("make", "cc", "arm-none-eabi-gcc", "qemu-system-arm")
    save_dir = Path(args.save_dir)
    graph, images, found, values = measure_accuracy(args)
    graph.save(save_dir / "graph.npz")
    files = c.emit(graph, "ssd")
    write_folder(save_dir / "c", files, c.REPORT, c.TOOL)
    report = json.loads(files[c.REPORT])
    values["pictures"] = len(images)
    values["pictures on which C differs"] = count_differences(save_dir / "c", args.cflags, images, found)
    values.update(measure_costs(save_dir / "c", args.cflags, images[0], found[0]))
    values["arena, image stored, bytes"] = report["arena_bytes"]["stored"]
    values["arena, pushed by rows, bytes"] = report["arena_bytes"]["pushed"]
    values["constants, bytes"] = report["flash_bytes"]["total"]
    values["MACs of convolutions"] = report["macs"]
    print(cli.table(["EtinyNet-SSD", "measured"], values.items()))
    write_json(save_dir / "metrics.json", values)
    agrees = not values["pictures on which C differs"] and values["mAP, int8"] > values["mAP, float"] - POINT
    return 0 if agrees else 1


def measure_accuracy(args):
    """Graph, validation pictures (int8), the interpreter's detections, and mAP of both networks."""
    from gluon_etinynet.data import Loading
    from gluon_etinynet.detection.dataset import DetectionSource
    from gluon_etinynet.detection.training import load_detector
    from gluon_etinynet.flags import read_dataset
    from gluon_etinynet.lowering.network import calibrate_and_lower

    net = load_detector(args.params, args.classes and args.classes.split(","))
    _, (train, val) = read_dataset(args, "train", "val", classes=net.classes)
    loading = Loading(32, net.size, classes=len(net.classes))
    images, labels = pictures(DetectionSource(val, loading))
    net.hybridize()
    values = {"mAP, float": mean_precision(net, floating(net, images), labels)}
    calibration, _ = pictures(DetectionSource(train[:args.num_images], loading))
    graph = calibrate_and_lower(net, calibration, "ssd_256_etinynet")
    found = run(graph, images)
    values["mAP, int8"] = mean_precision(net, map(padded, found), labels)
    return graph, images, found, values


def pictures(source):
    batches = [(data.asnumpy(), label.asnumpy()) for data, label in source.epoch(0)]
    return (np.concatenate([data for data, _ in batches]).astype(np.int8),
            [label for _, labels in batches for label in labels])


def floating(net, images):
    """Yield ids, scores and boxes of each picture."""
    from gluon_etinynet._mxnet import mx

    for image in images:
        yield [array[0].asnumpy() for array in net(mx.nd.array(image[None], dtype="float32"))]


def padded(found):
    """Detections of the interpreter as GluonCV's SSD returns them."""
    return found["class"][:, None], found["score"][:, None] / 65536, found["box"] / 16


def mean_precision(net, detections, labels):
    from gluoncv.utils.metrics.voc_detection import VOC07MApMetric

    metric = VOC07MApMetric(iou_thresh=0.5, class_names=list(net.classes))
    for (ids, scores, boxes), label in zip(detections, labels):
        one = [array[None].astype(np.float32) for array in (np.clip(boxes, 0, net.size), ids, scores)]
        metric.update(*one, label[None, :, :4], label[None, :, 4:5], label[None, :, 5:6])
    return float(metric.get()[1][-1])


def count_differences(folder, cflags, images, found):
    """Build for this computer; pictures whose detections differ from the interpreter's."""
    make(folder, "host", f"CFLAGS={cflags}")
    program = folder / "build" / "host" / "ssd"
    return sum(call([program], raw(image)).decode().splitlines() != detection_lines(one)
               for image, one in zip(images, found))


def measure_costs(folder, cflags, image, found):
    """Instructions, stack, flash and static RAM on the Cortex-M7."""
    said = make(folder, "qemu", *MACHINE, f"CFLAGS={cflags}", stdin=raw(image)).decode().splitlines()
    if said[:-2] != detection_lines(found):
        raise InputError("the detections on the Cortex-M7 differ from the interpreter's")
    costs = dict(line.split() for line in said[-2:])
    sections = make(folder, "size", *MACHINE, f"CFLAGS={cflags}").decode().splitlines()
    sizes = dict(line.split()[:2] for line in sections if line.startswith("."))
    return {"Cortex-M7 instructions": int(costs["instructions"]), "stack, bytes": int(costs["stack_bytes"]),
            "flash of the demo, bytes": int(sizes[".text"]) + int(sizes[".data"]),
            "static RAM of the demo, bytes": int(sizes[".data"]) + int(sizes[".bss"])}


if __name__ == "__main__":
    cli.run(main)
