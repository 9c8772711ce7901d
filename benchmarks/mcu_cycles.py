"""Instructions and modelled cycles of one inference on a Cortex-M4, by part and by function.

    python benchmarks/mcu_cycles.py [--kernels dsp] [--graph NETWORK.npz] [--save-dir runs/mcu_cycles]

EtinyNet-1.0 and 0.75 at 224 with random weights, 8 and 4 bits, or the integer networks given. The demo runs under QEMU,
where a plugin (qemu_count.c, made by the host's gcc) counts exactly how often each instruction is executed, how often a
branch is taken and where memory is accessed unaligned. The cycles are a MODEL (cortex_m4.py: each instruction at the
price of Arm's manual, without wait states), no measurement; "least" and "most" take what the manual leaves open at its
ends. There is no column for the Cortex-M7: Arm publishes no timing of its instructions, and llvm-mca's model of its two
pipelines is of single loops, so that no model of a whole program could be defended.

A part goes on until another's function is called: "depthwise" has the copying of rows into line buffers and the fusing
of layers, "stem" the pooling, "final" the average and the fully connected layer.

Beside it stands what others reach (peers.csv). X-CUBE-AI's and Plumerai's cycles were measured on boards whose flash
has wait states behind a cache, on other networks: they are not the same quantity as cycles without wait states.
"""

import argparse
import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cortex_m4 import LEAST, MODEL, MOST, RECORD, cycles, disassembly
from mcu_instructions import PARTS, networks

from gluon_etinynet import cli
from gluon_etinynet.export import c
from gluon_etinynet.export.c.kernel_sets import KERNEL_SETS
from gluon_etinynet.export.c.program import call, make, need
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.report.measured import load_peers

TARGET = ["MACHINE=mps2-an386", "MCU=stm32h743"]  # a Cortex-M4, with flash for every network
RUNTIME, OUTSIDE = len(PARTS) + 1, len(PARTS) + 2  # numbers of parts; those of PARTS begin with 1
# Where a part begins: functions as `short` names them.
BEGINS = {"port_instructions": OUTSIDE, "run": RUNTIME, "stem_begin": 1, "stem_push": 1, "to_line": 2, "block": 2,
          "depthwise_operand": 2, "depthwise_map": 2, "pointwise_rows": 3, "average": 4, "dense": 4}
HEADER = ["network", "kernels", "part", "function", "instructions, M", "cycles, M", "least, M", "most, M",
          "instructions per MAC", "cycles per MAC"]
SHOWN = 0.01  # of the cycles, for a function to be printed


class Spent(NamedTuple):
    """Of a function within a part: instructions and cycles."""

    instructions: int
    cycles: int
    least: int
    most: int


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", nargs="+", metavar="NPZ", help="integer networks (default: random weights)")
    serving = [name for name, kernels in KERNEL_SETS.items() if kernels.serves("Cortex-M4")]
    parser.add_argument("--kernels", nargs="+", choices=serving, default=serving, help="default: all")
    parser.add_argument("--cflags", default="-O2", help="the compiler's optimisation (default: -O2)")
    parser.add_argument("--save-dir", default="runs/mcu_cycles", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("make", "gcc", "arm-none-eabi-gcc", "arm-none-eabi-objdump", "qemu-system-arm")
    save_dir = Path(args.save_dir)
    rows = []
    with tempfile.TemporaryDirectory() as work:
        plugin = build_plugin(Path(work))
        for name, graph in networks(args.graph):
            image = np.random.default_rng(1).integers(-128, 128, graph.image.nbytes, np.int8).tobytes()
            for kernels in args.kernels:
                files = c.emit(graph, "net", kernels)
                folder = files.write(save_dir / f"{name}-{kernels}")
                rows += table_rows(name, kernels, files.manifest["layers"], profile(folder, plugin, image, args.cflags))
    peers = load_peers()
    report(rows, peers)
    write_csv(save_dir / "mcu_cycles.csv", HEADER, rows)
    write_json(save_dir / "mcu_cycles.json",
               {"cflags": args.cflags, "rows": [dict(zip(HEADER, row)) for row in rows], "peers": peers,
                "choices": {name: {"refill": of.refill, "division": of.division, "odd": of.odd}
                            for name, of in (("least", LEAST), ("model", MODEL), ("most", MOST))}})


def build_plugin(folder):
    """Compile qemu_count.c for this computer; return its path."""
    plugin = folder / "qemu_count.so"
    call(["gcc", "-shared", "-fPIC", "-O2", "-o", plugin, Path(__file__).with_name("qemu_count.c")])
    return plugin


def profile(folder, plugin, image, cflags="-O2"):
    """Run an exported folder's demo; return a dict from (part's number, function) to Spent."""
    code, records = counts(folder, plugin, image, cflags)
    spent = {}
    for part in np.unique(records["part"]):
        spent.update(_by_function(int(part), code, records[records["part"] == part]))
    return spent


def counts(folder, plugin, image, cflags="-O2"):
    """Run an exported folder's demo; return its Instructions by address, and the RECORDs of the inference."""
    flags = [*TARGET, f"CFLAGS={cflags}"]
    make(folder, "elf", *flags)
    elf, = Path(folder).glob("build/cortex-m4-stm32h743/*.elf")
    code = disassembly(call(["arm-none-eabi-objdump", "-d", elf]).decode())
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "counts"
        marks = "".join(f",begin={address:#x}:{number}" for address, number in _beginnings(elf))
        make(folder, "qemu", *flags, f"QEMU=qemu-system-arm -plugin {plugin},out={out}{marks}", stdin=image)
        records = np.fromfile(out, RECORD)
    return code, records[(records["part"] > 0) & (records["part"] < OUTSIDE)]


def _beginnings(elf):
    """Yield (address, part's number) of the functions where a part begins."""
    for line in call(["arm-none-eabi-nm", elf]).decode().splitlines():
        address, kind, name = line.split()[-3:]
        # Capital T: what the runtime exports, and not static functions of the same short name.
        if kind == "T" and short(name) in BEGINS:
            yield int(address, 16) & ~1, BEGINS[short(name)]


def short(symbol):
    """A function's name in the runtime's sources."""
    name = re.sub(r"\.(isra|constprop|part)\.\d+$", "", symbol)
    return re.sub(r"^(\w+_)?etn_([0-9a-f]{8}_)?", "", name)


def _by_function(part, code, records):
    spent = defaultdict(lambda: [0, 0, 0, 0])
    of_choice = [cycles(code, records, choice) for choice in (MODEL, LEAST, MOST)]
    for record in records:
        address = int(record["address"])
        values = int(record["executed"]), *(of[address] for of in of_choice)
        total = spent[part, short(code[address].function)]
        total[:] = [a + b for a, b in zip(total, values)]
    return {key: Spent(*values) for key, values in spent.items()}


def table_rows(name, kernels, layers, spent):
    """Rows of the table: the whole and every part (no function), and a part's functions, the most costly first."""
    names = {**dict(enumerate(PARTS, 1)), RUNTIME: "runtime"}
    macs = {part: sum(layer["macs"] for layer in layers if layer["role"] in roles) for part, roles in PARTS.items()}
    rows = [[name, kernels, "total", "", *_figures(spent.values(), sum(macs.values()))]]
    for number, part in names.items():
        functions = {function: of for (at, function), of in spent.items() if at == number}
        rows.append([name, kernels, part, "", *_figures(functions.values(), macs.get(part, 0))])
        for function, of in sorted(functions.items(), key=lambda item: -item[1].cycles):
            rows.append([name, kernels, part, function, *_figures([of], macs.get(part, 0))])
    return rows


def _figures(spent, macs):
    total = Spent(*(sum(values) for values in zip(*spent))) if spent else Spent(0, 0, 0, 0)
    per_mac = [round(value / macs, 3) if macs else "" for value in total[:2]]
    return [*(round(value / 1e6, 3) for value in total), *per_mac]


def report(rows, peers):
    wholes = [row for row in rows if not row[3]]
    print("Cycles: a MODEL by Arm's manual of the Cortex-M4, zero wait states. What the manual leaves open:")
    for label, choice in (("model", MODEL), ("least", LEAST), ("most", MOST)):
        print(f"  {label}: {choice.refill} more for a branch taken, {choice.division} for a division, loads of 32 bits "
              f"on odd halfwords {'pipelined' if choice.odd else 'not pipelined'}")
    print(cli.table([head for head in HEADER if head != "function"], [row[:3] + row[4:] for row in wholes if row[4]]))
    whole = {tuple(row[:2]): row[5] for row in rows if row[2] == "total"}
    print("\nWhere the cycles go:")
    print(cli.table(HEADER, [row for row in rows if row[3] and row[5] > SHOWN * whole[tuple(row[:2])]]))
    print("\nOthers (peers.csv); cycles of CMSIS-NN and TinyEngine by an earlier model. X-CUBE-AI's and "
          "Plumerai's were measured on boards,\nwith wait states of the flash behind a cache, on other networks: not "
          "the same quantity as cycles without wait states.")
    shown = ["name", "network", "processor", "total, M", "cycles, M", "cycles per MAC", "how"]
    print(cli.table(shown, [[peer[key] for key in shown] for peer in peers]))


if __name__ == "__main__":
    cli.run(main)
