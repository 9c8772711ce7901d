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
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli
from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import detection_lines, detects, make, need, raw, simulate, sizes
from gluon_etinynet.files import write_json
from gluon_etinynet.quantities import COUNT

MCU = "stm32h743"
POINT = 0.01  # the most that 8 bits may cost


def parse_args():
    from gluon_etinynet.flags import add_dataset_arguments

    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", required=True, metavar="FILE", help="checkpoint of tools/train_ssd.py")
    add_dataset_arguments(parser)
    parser.add_argument("--num-images", type=COUNT, default=256,
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
    files.write(save_dir / "c")
    report = files.manifest
    values["pictures"] = len(images)
    values["pictures on which C differs"] = count_differences(save_dir / "c", args.cflags, graph, images, found)
    values.update(measure_costs(save_dir / "c", args.cflags, graph, images[0], found[0]))
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
    from gluon_etinynet.detection.evaluation import GraphDetector, average_precisions
    from gluon_etinynet.detection.training import load_detector
    from gluon_etinynet.flags import given_classes, read_dataset
    from gluon_etinynet.lowering.network import lower
    from gluon_etinynet.quantize.ptq import quantise

    net = load_detector(args.params, given_classes(args))
    _, (train, val) = read_dataset(args, "train", "val", classes=net.classes)
    net.hybridize()
    loading = Loading(32, net.size, classes=len(net.classes))
    source = DetectionSource(val, loading)
    values = {"mAP, float": average_precisions(net, source)["mAP"]}
    batches = DetectionSource(train[:args.num_images], loading).epoch(0)
    calibration = np.concatenate([data.asnumpy() for data, _ in batches]).astype(np.int8)
    graph = lower(quantise(net, calibration), (net.size, net.size), "ssd_256_etinynet", net.classes)
    images, found = [], []
    detector = GraphDetector(graph, net.classes, see=lambda *batch: (images.extend(batch[0]), found.extend(batch[1])))
    values["mAP, int8"] = average_precisions(detector, source)["mAP"]
    return graph, images, found, values


def count_differences(folder, cflags, graph, images, found):
    """Build for this computer; pictures whose detections differ from the interpreter's."""
    make(folder, "host", f"CFLAGS={cflags}")
    program = folder / "build" / "host" / "ssd"
    return sum(not detects(program, graph, image, one) for image, one in zip(images, found))


def measure_costs(folder, cflags, graph, image, found):
    """Instructions, stack, flash and static RAM on the Cortex-M7."""
    demo, inference = sizes(folder, MCU, cflags), simulate(folder, MCU, raw(image), cflags)
    if inference.lines != detection_lines(found, graph.labels):
        raise InputError("the detections on the Cortex-M7 differ from the interpreter's")
    return {"Cortex-M7 instructions": inference.instructions, "stack, bytes": inference.stack,
            "flash of the demo, bytes": demo.flash, "static RAM of the demo, bytes": demo.ram}


if __name__ == "__main__":
    cli.run(main)
