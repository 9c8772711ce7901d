"""Table 6: EtinyNet-0.75 with 4-bit weights on an FPGA: cycles, memory, logic and a clock, beside the paper's.

Three parts, each of which `--parts` can choose:

cycles      Cycles by pass, as the planner predicts them and as Verilator counts them on pictures that follow one
            another, for each number of outputs that are computed together; a minute for each.
xc7a100t    LUTs, flip-flops, DSP blocks and block RAM of the whole core on the paper's XC7A100T: synthesised by Yosys,
            not placed, so that no clock is known there. A quarter of an hour.
lfe5u-85    The core for 100 classes, which fits a Lattice LFE5U-85F, with its board (etn_board.v), synthesised, placed
            and routed by nextpnr: the clock that it reaches there and its longest path. An hour, with nextpnr as
            WebAssembly.

Each is held against a budget; exit status 1 if a figure misses it. Parts that are finished are kept in --save-dir and
used again while the sources are the same: an interrupted command goes on. The weights are random: cycles and clock do
not depend on them, logic in the width of biases only. Energy is not measured.
"""

import argparse
from pathlib import Path

import numpy as np
from synthesis import count, kept, place, sources_of, synthesise, written

from gluon_etinynet import cli
from gluon_etinynet.export.c.program import need
from gluon_etinynet.export.fpga import core, simulation
from gluon_etinynet.export.fpga.planner import OUTPUTS
from gluon_etinynet.export.fpga.resources import PARTS
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.integer import run
from gluon_etinynet.integer.random_graphs import etinynet_graph, images
from gluon_etinynet.report.paper import comparison, value

ROW, V, SIZE = "EtinyNet-0.75 (4-bit)", 24, 224
XILINX, LATTICE = "xc7a100t", "lfe5u-85"
LATTICE_CLASSES, LATTICE_OUTPUTS = 100, 4  # what its block RAM takes, and what was placed
ASSUMED = 100  # MHz; the paper does not say its own clock
BRAM_KB = 4.5
# The most, but for the clock, of which it is the least. LUTs are 60 % of the part's.
BUDGET = {"cycles": 262_000, "LUT": round(0.6 * PARTS[XILINX].luts), "DSP": PARTS[XILINX].multipliers, "BRAM36": 128,
          "clock, MHz": 80}
LEAST = {"clock, MHz"}


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=RUN, default=list(RUN), help="default: all")
    parser.add_argument("--outputs", type=int, choices=OUTPUTS,
                        help="output channels together of the core that is held against the budget, but for "
                             f"{LATTICE}'s, which has {LATTICE_OUTPUTS} (default: 16)")
    parser.add_argument("--save-dir", default="runs/table6", help="default: %(default)s")
    args = parser.parse_args()
    if args.outputs and args.parts == [LATTICE]:
        parser.error(f"--outputs goes with cycles or {XILINX}: {LATTICE}'s core has {LATTICE_OUTPUTS}")
    args.outputs = args.outputs or 16
    return args


def main():
    args = parse_args()
    save_dir = Path(args.save_dir)
    if "cycles" in args.parts:
        need("make", "verilator")
    results = {part: RUN[part](save_dir, args.outputs) for part in RUN if part in args.parts}
    return report(results, args.outputs, save_dir)


# ---- The parts ----

def exported(save_dir, part, outputs, classes=1000, size=SIZE):
    """A core in a folder of its own: the network, the folder, its Export."""
    graph = etinynet_graph("0.75", size, 4, classes)
    files = core.emit(graph, V, outputs, part)
    return graph, written(files, save_dir / f"core-{part}-{outputs}"), files


def cycles(save_dir, chosen):
    """By number of outputs, the layers, planned and simulated cycles of each pass."""
    found = {}
    for outputs in OUTPUTS:
        graph, folder, files = exported(save_dir, XILINX, outputs)
        found[str(outputs)] = kept(folder / "build" / "cycles.json", sources_of(files),
                                   lambda at=(graph, folder, files): simulated(*at))
    return found


def simulated(graph, folder, files):
    """Run two pictures, one behind the other; their logits have to be the interpreter's."""
    print(f"{folder}: Verilator", flush=True)
    pictures = images(graph, 2)
    done = simulation.simulate(folder, pictures)
    expected = np.concatenate([run(graph, picture[None]).reshape(1, -1) for picture in pictures])
    if not np.array_equal(done.logits, expected) or done.events:
        raise RuntimeError(f"{folder}: the core's logits are not the interpreter's")
    if done.cycles[0] != done.cycles[1] or done.passes[0] != done.passes[1]:
        raise RuntimeError(f"{folder}: two pictures took {done.cycles} cycles")
    begins = [0, *done.passes[0][1:], done.cycles[0]]
    planned = files.manifest
    return {"planned": planned["cycles"], "simulated": done.cycles[0], "passes": [
        {"layer": one["layers"][-1], "kind": one["pass"], "planned": one["cycles"], "simulated": after - before}
        for one, before, after in zip(planned["passes"], begins, begins[1:])]}


def on_xilinx(save_dir, outputs):
    """Resources by module and in total, by Yosys; the planner's count of block RAM and multipliers."""
    _, folder, files = exported(save_dir, XILINX, outputs)
    found = synthesise(folder, files, XILINX)
    planned = {"BRAM36": sum(files.manifest["block_ram_18k"].values()) / 2,
               "DSP": sum(files.manifest["multipliers"].values())}
    return {"tool": found["tool"], "planned": planned, "total": count(found["total"]),
            "modules": {name: count(cells) for name, cells in found["modules"].items()}}


def on_lattice(save_dir, _):
    """Clock, use and critical path of the smaller network, by Yosys and nextpnr."""
    _, folder, files = exported(save_dir, LATTICE, LATTICE_OUTPUTS, LATTICE_CLASSES)
    netlist = folder / "build" / "netlist.json"
    tool = synthesise(folder, files, LATTICE, netlist)["tool"]
    placed = place(netlist, BUDGET["clock, MHz"])
    return {**placed, "tool": f"{tool}, {placed['tool']}", "cycles": files.manifest["cycles"]}


RUN = {"cycles": cycles, XILINX: on_xilinx, LATTICE: on_lattice}


# ---- What is said of them ----

def report(results, outputs, save_dir):
    """Print and write everything; the exit status."""
    figures, measurements = {}, [at("dram", "none", "all weights and maps lie in the core's own memories")]
    print(f"\nTable 6: {ROW} at {SIZE} x {SIZE}, words of {V} channels")
    if "cycles" in results:
        figures["cycles"] = results["cycles"][str(outputs)]["simulated"]
        print_cycles(results["cycles"])
        note = f"{figures['cycles']:,} cycles in simulation, at an assumed {ASSUMED} MHz"
        milliseconds = figures["cycles"] / ASSUMED / 1e3
        measurements += [at("latency_ms", milliseconds, note, False), at("fps", 1e3 / milliseconds, note, False)]
    if XILINX in results:
        figures.update({kind: results[XILINX]["total"][kind] for kind in BUDGET if kind in results[XILINX]["total"]})
        print_resources(results[XILINX])
        measurements.append(at("onchip_kb", BRAM_KB * figures["BRAM36"], f"{figures['BRAM36']:g} BRAM36, "
                               f"{results[XILINX]['tool']}, not placed"))
    if LATTICE in results:
        figures["clock, MHz"] = results[LATTICE]["clock"]
        print_clock(results[LATTICE], results.get("cycles"), outputs)
    rows = [[name, figures.get(name, "not run here"), f"{'at least' if name in LEAST else 'at most'} {limit:,}",
             verdict(name, figures)] for name, limit in BUDGET.items()]
    print(f"\nBudget, TO = {outputs}\n\n{cli.table(['', 'measured', 'budget', ''], rows)}")
    print(f"\nBeside the paper\n\n{comparison(measurements)}")
    print(f"\nAccuracy (paper: {value('6', ROW, 'top1')} %) is Table 3's to measure: the core computes the integer "
          "network's bits.\nEnergy was not measured: the paper's "
          f"{value('6', ROW, 'power_w')} W are those of its board.")
    write_csv(save_dir / "table6.csv", ["figure", "measured", "budget", "verdict"], rows)
    write_json(save_dir / "metrics.json", {"measurements": measurements, "budget": BUDGET, "outputs": outputs,
                                           "figures": figures, "results": results})
    print(f"\nwritten: {save_dir}/metrics.json, table6.csv")
    return int(any(row[-1] == "missed" for row in rows))


def at(quantity, number, note, comparable=True):
    return {"table": "6", "row": ROW, "quantity": quantity, "value": number, "note": note, "comparable": comparable}


def verdict(name, figures):
    if name not in figures:
        return ""
    within = figures[name] >= BUDGET[name] if name in LEAST else figures[name] <= BUDGET[name]
    return "kept" if within else "missed"


def print_cycles(found):
    passes = zip(*(one["passes"] for one in found.values()))
    rows = [[same[0]["kind"], same[0]["layer"], *(f"{one[key]:,}" for one in same for key in ("planned", "simulated"))]
            for same in passes]
    rows.append(["", "all", *(f"{one[key]:,}" for one in found.values() for key in ("planned", "simulated"))])
    header = ["pass", "up to layer", *(text for outputs in found for text in (f"TO = {outputs}, planned", "simulated"))]
    print(f"\nCycles\n\n{cli.table(header, rows)}\n")
    rows = [[f"TO = {outputs}", f"{one['simulated']:,}", f"{one['simulated'] / ASSUMED / 1e3:.2f}",
             f"{ASSUMED * 1e6 / one['simulated']:.0f}"] for outputs, one in found.items()]
    rows.append(["paper, if that was its clock", f"{value('6', ROW, 'latency_ms') * ASSUMED * 1e3:,.0f}",
                 value("6", ROW, "latency_ms"), value("6", ROW, "fps")])
    print(cli.table(["", "cycles", f"ms at {ASSUMED} MHz (assumed)", "pictures a second"], rows))


def print_resources(found):
    kinds = list(found["total"])
    rows = [[name, *(f"{cells[kind]:,g}" for kind in kinds)] for name, cells in sorted(found["modules"].items())]
    rows.append(["etn_top, all", *(f"{found['total'][kind]:,g}" for kind in kinds)])
    rows.append(["planned", *(f"{found['planned'][kind]:,g}" if kind in found["planned"] else "" for kind in kinds)])
    part = PARTS[XILINX]
    rows.append([f"{part.name} has", f"{part.luts:,}", f"{2 * part.luts:,}", part.multipliers, part.blocks / part.pair])
    print(f"\nResources by {found['tool']}: synthesised, not placed\n\n{cli.table(['module', *kinds], rows)}")


def print_clock(found, cycles_found, outputs):
    rows = [[kind, f"{used:,}", f"{available:,}"] for kind, (used, available) in found["used"].items()]
    clock, planned = found["clock"], found["cycles"]
    print(f"\n{PARTS[LATTICE].name}, {LATTICE_CLASSES} classes, TO = {LATTICE_OUTPUTS}, with its board, placed and "
          f"routed by {found['tool']}\n\n{cli.table(['cells', 'used', 'available'], rows)}\n\n"
          f"{clock:.1f} MHz: {planned:,} cycles (planned) are {planned / clock / 1e3:.2f} ms, "
          f"{clock * 1e6 / planned:.0f} pictures a second")
    if cycles_found:
        count = cycles_found[str(outputs)]["simulated"]
        print(f"The core of TO = {outputs} and 1000 classes, if it reached this clock: {count / clock / 1e3:.2f} ms, "
              f"{clock * 1e6 / count:.0f} pictures a second")
    print("\nThe longest path between registers\n\n"
          + cli.table(["within, or towards", "ns"], [[name, f"{delay:.2f}"] for name, delay in found["critical"]]))


if __name__ == "__main__":
    cli.run(main)
