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
import json
from collections import namedtuple
from pathlib import Path

import numpy as np
from paper import comparison, value

from gluon_etinynet import InputError, cli, get_model
from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import make, need, raw
from gluon_etinynet.export.folder import write_folder
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.flags import add_picture_arguments, labelled_pictures, print_unreadable
from gluon_etinynet.lowering.from_checkpoint import graph_of_checkpoint
from gluon_etinynet.lowering.network import calibrate_and_lower
from gluon_etinynet.model_zoo import released_checkpoint
from gluon_etinynet.training import evaluate_graph, evaluate_net

ROW = "EtinyNet-1.0"
IMAGENET_VALIDATION = 50000
# The machine of QEMU with its processor, the pictures' side, flash and RAM in KiB.
Board = namedtuple("Board", "mcu machine input_size flash_kb ram_kb")
BOARDS = (Board("STM32F412", "mps2-an386", 224, 1024, 256),
          Board("STM32F746", "mps2-an500", 256, 1024, 320))
Memory = namedtuple("Memory", "fits flash arena static stack instructions")
NOTHING = Memory("no", None, None, None, None, None)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", metavar="FILE",
                        help="float checkpoint of EtinyNet-1.0 (default: the released one)")
    parser.add_argument("--calib-dir", metavar="DIR", help="photographs for the ranges of the feature maps")
    parser.add_argument("--num-images", type=int, default=128,
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
    for board in BOARDS:
        if with_pictures:
            graph = graph_of_checkpoint(params=args.params, calib_dir=args.calib_dir,
                                        num_images=args.num_images, input_size=board.input_size)
            graph.save(save_dir / f"{board.mcu}.npz")
        else:
            graph = random_network(board.input_size)
        memory = measure(graph, save_dir / board.mcu, board)
        results.append((board, memory, accuracy(args, graph, board) if with_pictures else None))
    report(results, save_dir)


def random_network(size):
    net = get_model("etinynet1.0")
    net.initialize()
    noise = np.random.default_rng(0).integers(-128, 128, (2, 3, size, size), np.int8)
    return calibrate_and_lower(net, noise, "etinynet1.0_random")


def measure(graph, folder, board):
    """Link the network for a board and run it once. Returns Memory; sizes in bytes."""
    files = c.emit(graph, "net")
    write_folder(folder, files, c.REPORT, c.TOOL)
    flags = [f"MACHINE={board.machine}", f"MCU={board.mcu.lower()}"]
    try:
        make(folder, "elf", *flags)
    except InputError as error:
        said = error.__cause__.stderr.decode()
        reasons = [line for line in said.splitlines() if "overflowed" in line or "left for the stack" in line]
        if not reasons:
            raise
        return NOTHING._replace(fits=f"no ({reasons[0].split(': ')[-1]})")
    lines = make(folder, "size", *flags).decode().splitlines()
    sections = {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith(".")}
    image = np.random.default_rng(1).integers(-128, 128, graph.image.shape, np.int8)
    lines = make(folder, "qemu", *flags, stdin=raw(image)).decode().splitlines()
    said = dict(line.split() for line in lines)
    constant = sections[".text"] + sections.get(".ARM.exidx", 0) + sections[".data"]
    arena = json.loads(files[c.REPORT])["arena_bytes"]["stored"]
    static = sections[".data"] + sections[".bss"]
    return Memory("yes", constant, arena, static, int(said["stack_bytes"]), int(said["instructions"]))


def accuracy(args, graph, board):
    """What `training.evaluate` says of the float and the integer network; the share of equal classes."""
    source = labelled_pictures(args, board.input_size, graph.output.shape[0])
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
    for board, memory, accuracies in results:
        name = f"{ROW} {board.mcu}"
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
        rows.append([f"{board.mcu} ({board.flash_kb} / {board.ram_kb} KiB)", board.input_size, *cells,
                     memory.fits, *scores, value("4", name, "top1")])
    print(f"Table 4, weights and feature maps of 8 bits\n\n{cli.table(header, rows)}")
    if measurements:
        print(f"\nBeside the paper (memory: what the microcontroller has)\n\n{comparison(measurements)}")
    write_csv(save_dir / "table4.csv", header, rows)
    write_json(save_dir / "metrics.json", {
        "measurements": measurements,
        "results": [{"mcu": board.mcu, "input_size": board.input_size, "memory": memory._asdict(),
                     "accuracy": accuracies and dict(zip(("float", "int8", "same_class"), accuracies))}
                    for board, memory, accuracies in results]})
    print(f"\nwritten: {save_dir}/metrics.json, table4.csv, and the C of each")


if __name__ == "__main__":
    cli.run(main)
