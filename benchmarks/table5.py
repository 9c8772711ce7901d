"""Table 5: EtinyNet-SSD's multiply-adds, size, feature-map memory and mAP, each beside the paper's.

The first three are measured from the network. The rest is of a trained detector, as recipes/table5.sh brings it: mAP in
float (--float) and as integers (--integers), from the folders that tools/eval_ssd.py wrote, held against the paper's
where they are of the 4,952 pictures of VOC 2007 test; and what its C takes on an STM32H743, a Cortex-M7 under QEMU:
instructions, stack, flash and RAM. There it must print the interpreter's detections of the data set's first three
pictures. Exit status 1 if a detection differs, there or in the program that tools/eval_ssd.py ran.

Writes metrics.json and table5.csv to --save-dir.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli, get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.images import read_image, resize_square
from gluon_etinynet.export import c
from gluon_etinynet.export.c.kernel_sets import fastest
from gluon_etinynet.export.c.program import MCUS, detection_lines, need, raw, simulate, sizes
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.flags import add_dataset_arguments, read_dataset
from gluon_etinynet.integer import Graph, pixels_to_input, run
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.networks.complexity import measure
from gluon_etinynet.quantize.ptq import quantise
from gluon_etinynet.report.paper import load, side_by_side

ROW = "EtinyNet-SSD"
MODEL, SIZE = "ssd_256_etinynet1.0_voc", 256
COLUMNS = {"madds": "MAdds, M", "size_mb": "params, MB", "sram_kb": "SRAM, KB", "map": "mAP, %"}
VOC_TEST_PICTURES = 4952
MCU, SIMULATED = "stm32h743", 3  # pictures


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--float", metavar="DIR", help="of tools/eval_ssd.py --params")
    add("--integers", metavar="DIR", help="of tools/eval_ssd.py --graph --program, on the same pictures")
    add_dataset_arguments(parser, ["val"])
    add("--save-dir", default="runs/table5", help="default: runs/table5")
    args = parser.parse_args()
    if bool(args.float) != bool(args.integers):
        parser.error("--float and --integers go together")
    return args


def main():
    args = parse_args()
    save_dir = Path(args.save_dir)
    measurements, trained, equal = costs(), {}, True
    if args.integers:
        need("make", "arm-none-eabi-gcc", "qemu-system-arm")
        trained, equal = measured(args)
        cells = [[name, f"{value:.2f}" if isinstance(value, float) else value] for name, value in trained.items()]
        print(cli.table([f"{ROW}, trained", "measured"], cells) + "\n")
        pictures = trained["pictures"]
        ram = next(m for m in measurements if m["quantity"] == "ram_kb")
        ram.update(value=(trained["static RAM, bytes"] + trained["stack, bytes"]) / 1024,
                   note="the demo's, with its stack")
        measurements += [
            {"table": "5", "row": ROW, "quantity": "map", "value": trained["mAP, integers"],
             "comparable": args.dataset == "voc" and not args.val_split and pictures == VOC_TEST_PICTURES,
             "note": f"integers, weights of {trained['bits of a weight']} bits, {pictures} pictures of "
                     f"{Path(args.dataset_root).name}"},
            {"table": "5", "row": f"{ROW} STM32H743", "quantity": "flash_kb", "value": trained["flash, bytes"] / 1024,
             "note": "the demo's, by the linker"}]
    header, rows = side_by_side([entry for entry in load() if entry.table == "5"],
                                {(m["row"], m["quantity"]): m for m in measurements}, COLUMNS)
    print("Table 5: Pascal VOC, 256 x 256; each measured value stands behind the paper's\n")
    print(cli.table(header, rows))
    for m in measurements:
        if m.get("note"):
            print(f"  {m['row']}, {m['quantity']}: {m['note']}")
    write_csv(save_dir / "table5.csv", header, rows)
    write_json(save_dir / "metrics.json", {"measurements": measurements, "trained": trained})
    print(f"\nwritten: {save_dir}/metrics.json, table5.csv")
    return int(not equal)


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


def measured(args):
    """What there is to say of a trained detector, by name, and whether its C is equal to the interpreter."""
    results = {"float": evaluated(args.float), "integers": evaluated(args.integers)}
    of = results["integers"]
    if "program" not in of:
        raise InputError(f"{args.integers} is not of tools/eval_ssd.py --graph NPZ --program FILE: run it with both")
    if results["float"]["n"] != of["n"] or results["float"]["data"] != of["data"]:
        raise InputError(f"{args.float} and {args.integers} are of different pictures: evaluate both on the same")
    values = {f"{mean}, {kind}": value for mean in of["means"] for kind, value in
              ((kind, result["means"][mean]) for kind, result in results.items())}
    values["pictures"] = of["n"]
    values["pictures on which C here is equal"] = of["program"]["equal"]
    graph = Graph.load(of["detector"])
    values["bits of a weight"] = max(graph.weight_bits)
    _, (annotated,) = read_dataset(args, "val", classes=graph.labels)
    on_mcu, same = on_cortex_m(graph, [item.path for item in annotated[:SIMULATED]])
    values.update(on_mcu)
    return values, of["program"]["equal"] == of["n"] and same


def evaluated(folder):
    """The metrics of a folder that tools/eval_ssd.py wrote."""
    path = Path(folder) / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); tools/eval_ssd.py --save-dir {folder} writes it") from error
    if "means" not in metrics or "detector" not in metrics:
        raise InputError(f"{path} is not of tools/eval_ssd.py, which writes it into --save-dir")
    return metrics


def on_cortex_m(graph, paths):
    """What the C takes of the microcontroller, by name, and whether it prints the interpreter's detections."""
    images = pixels_to_input(np.stack([resize_square(read_image(path), SIZE) for path in paths]))
    found = run(graph, images)
    with tempfile.TemporaryDirectory() as work:
        files = c.emit(graph, "ssd", fastest(MCUS[MCU].processor))
        folder = files.write(Path(work) / "firmware")
        demo = sizes(folder, MCU)
        runs = [simulate(folder, MCU, raw(image)) for image in cli.progress(images, desc=MCU)]
    equal = sum(one.lines == detection_lines(detections, graph.labels) for one, detections in zip(runs, found))
    arena = files.manifest["arena_bytes"]
    return {f"pictures of {len(paths)} on which C on the Cortex-M7 is equal": equal,
            "most instructions of a picture, M": max(one.instructions for one in runs) / 1e6,
            "stack, bytes": max(one.stack for one in runs), "flash, bytes": demo.flash, "static RAM, bytes": demo.ram,
            "arena, picture stored, KiB": arena["stored"] / 1024, "arena, pushed by rows, KiB": arena["pushed"] / 1024,
            "constants, bytes": files.manifest["flash_bytes"]["total"]}, equal == len(paths)


if __name__ == "__main__":
    cli.run(main)
