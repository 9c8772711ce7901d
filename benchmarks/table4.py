"""Table 4: EtinyNet-1.0 in 8 bits on two microcontrollers: what it takes of their memory, and its accuracy.

For each microcontroller the network is exported to C and linked by the linker script with its flash and RAM:
what does not fit does not link. Flash and static RAM (the arena holds image and feature maps) are those of
the ELF, the stack is the most that an inference under QEMU touched. With photographs for validation
(--data-dir or --rec-val) and for calibration (--calib-dir) the accuracy of the integer network stands beside
that of the float one at the same input size; on the 50,000 pictures of ImageNet's validation set it is held
against the paper's. Without them only memory is measured, of a network with random weights: it does not
depend on their values.

Writes metrics.json, table4.csv, each network as .npz, and its C to --save-dir.
"""

import argparse
from collections import namedtuple
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli, get_model
from gluon_etinynet.export import c
from gluon_etinynet.export.c.kernel_sets import fastest
from gluon_etinynet.export.c.program import MCUS, DoesNotFit, need, raw, simulate, sizes
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.flags import add_picture_arguments, labelled_pictures, print_unreadable
from gluon_etinynet.lowering.from_checkpoint import graph_of_checkpoint
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.model_zoo import released_checkpoint
from gluon_etinynet.quantities import COUNT
from gluon_etinynet.quantize.ptq import quantise
from gluon_etinynet.report.paper import comparison, value
from gluon_etinynet.training import evaluate_graph, evaluate_net

ROW = "EtinyNet-1.0"
IMAGENET_VALIDATION = 50000
INPUT_SIZE = {"stm32f412": 224, "stm32f746": 256}
Memory = namedtuple("Memory", "fits flash arena static stack instructions")
NOTHING = Memory("no", None, None, None, None, None)


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", metavar="FILE",
                        help="float checkpoint of EtinyNet-1.0 (default: the released one)")
    parser.add_argument("--calib-dir", metavar="DIR", help="photographs for the ranges of the feature maps")
    parser.add_argument("--num-images", type=COUNT, default=128,
                        help="how many of them to look at (default: 128)")
    add_picture_arguments(parser)
    parser.add_argument("--save-dir", default="runs/table4", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    with_pictures = bool(args.data_dir or args.use_rec or args.rec_val)
    if with_pictures != bool(args.calib_dir):
        raise InputError("accuracy needs both photographs for validation (--data-dir DIR, or --use-rec with "
                         "--rec-val FILE) and others for calibration (--calib-dir DIR); without either, "
                         "memory alone is measured")
    need("make", "arm-none-eabi-gcc", "qemu-system-arm")
    save_dir, results = Path(args.save_dir), []
    for mcu, size in INPUT_SIZE.items():
        if with_pictures:
            graph = graph_of_checkpoint(params=args.params, calib_dir=args.calib_dir,
                                        num_images=args.num_images, input_size=size)
            graph.save(save_dir / f"{mcu.upper()}.npz")
        else:
            graph = random_network(size)
        memory = measure(graph, save_dir / mcu.upper(), mcu)
        results.append((mcu, memory, accuracy(args, graph, size) if with_pictures else None))
    return report(results, save_dir)


def random_network(size):
    net = get_model("etinynet1.0")
    net.initialize()
    noise = np.random.default_rng(0).integers(-128, 128, (2, 3, size, size), np.int8)
    return lower(quantise(net, noise), (size, size), "etinynet1.0_random")


def measure(graph, folder, mcu):
    """Link the network for a microcontroller and run it once. Returns Memory; sizes in bytes."""
    files = c.emit(graph, "net", fastest(MCUS[mcu].processor))
    files.write(folder)
    try:
        flash, static = sizes(folder, mcu)
    except DoesNotFit as error:
        return NOTHING._replace(fits=f"no ({error.reason})")
    image = np.random.default_rng(1).integers(-128, 128, graph.image.shape, np.int8)
    inference = simulate(folder, mcu, raw(image))
    arena = files.manifest["arena_bytes"]["stored"]
    return Memory("yes", flash, arena, static, inference.stack, inference.instructions)


def accuracy(args, graph, size):
    """What `training.evaluate` says of the float and the integer network; the share of equal classes."""
    source = labelled_pictures(args, size, graph.classes, graph.labels)
    net = get_model("etinynet1.0", pretrained=args.params or released_checkpoint())
    net.hybridize()
    before, logits = evaluate_net(net, source)
    after, integers = evaluate_graph(graph, source)
    print_unreadable(source)
    return before, after, float(np.mean(logits.argmax(axis=1) == integers))


def report(results, save_dir):
    header = ["microcontroller", "input", "flash, KiB", "RAM static, KiB", "stack, B", "RAM, KiB",
              "M instructions", "fits", "float top-1", "int8 top-1", "same class, %", "pictures",
              "paper: top-1"]
    rows, measurements = [], []
    for mcu, memory, accuracies in results:
        name = f"{ROW} {mcu.upper()}"
        cells = ["-"] * 5
        if memory.fits == "yes":
            ram = (memory.static + memory.stack) / 1024
            flash, static = memory.flash / 1024, memory.static / 1024
            cells = [f"{flash:.1f}", f"{static:.1f}", memory.stack, f"{ram:.1f}",
                     f"{memory.instructions / 1e6:.1f}"]
            measurements += [{"table": "4", "row": name, "quantity": "flash_kb", "value": flash},
                             {"table": "4", "row": name, "quantity": "ram_kb", "value": ram,
                              "note": f"arena {memory.arena / 1024:.1f} KiB, stack {memory.stack} bytes"}]
        scores = ["not run here", "not run here", "-", "-"]
        if accuracies:
            before, after, same = accuracies
            floats, integers, count = 100 * before["top1"], 100 * after["top1"], after["samples"]
            scores = [f"{floats:.2f}", f"{integers:.2f}", f"{100 * same:.2f}", count]
            measurements.append({"table": "4", "row": name, "quantity": "top1", "value": integers,
                                 "note": f"{count} pictures, float {floats:.1f}",
                                 "comparable": count == IMAGENET_VALIDATION})
        has = f"{MCUS[mcu].flash // 1024} / {MCUS[mcu].ram // 1024} KiB"
        rows.append([f"{mcu.upper()} ({has})", INPUT_SIZE[mcu], *cells, memory.fits, *scores,
                     value("4", name, "top1")])
    print(f"Table 4, weights and feature maps of 8 bits\n\n{cli.table(header, rows)}")
    if measurements:
        print(f"\nBeside the paper (memory: what the microcontroller has)\n\n{comparison(measurements)}")
    write_csv(save_dir / "table4.csv", header, rows)
    write_json(save_dir / "metrics.json", {
        "measurements": measurements,
        "results": [{"mcu": mcu.upper(), "input_size": INPUT_SIZE[mcu], "memory": memory._asdict(),
                     "accuracy": accuracies and dict(zip(("float", "int8", "same_class"), accuracies))}
                    for mcu, memory, accuracies in results]})
    print(f"\nwritten: {save_dir}/metrics.json, table4.csv, and the C of each")
    return int(any(memory.fits != "yes" for _, memory, _ in results))


if __name__ == "__main__":
    cli.run(main)
