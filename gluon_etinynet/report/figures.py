"""The figures of the report: each a function of `Evidence` that returns SVG, or None where nothing was run for it."""

from collections import namedtuple

import numpy as np

from ..export.c.mcus import MCUS
from ..export.fpga.resources import PARTS
from ..integer import plan, stages
from ..integer.random_graphs import etinynet_graph
from .measured import find
from .svg import LABEL, LIMIT, ROW, WIDTH, Axes, across, bars, drawing, legend, line, rectangle, text

__all__ = ["FIGURES", "Evidence"]

Evidence = namedtuple("Evidence", "papers measured peers tables graphs")
Evidence.__doc__ = """What the figures are drawn from.

Attributes
----------
papers : dict of Entry
    By their keys.
measured : list of dict
    Of `measured.load`.
peers : list of dict
    Of ``benchmarks/peers.csv``.
tables : dict of str to list of dict
    The rows of fig3.csv, fig4.csv and fig4_histograms.csv, as far as they were written.
graphs : list of Graph
    Found below the folder of runs, the newest first.
"""

Figure = namedtuple("Figure", "name heading caption command draw")
KIB = 1024
NETWORK, BITS = "EtinyNet-1.0", (("", "float"), (" (8-bit)", "8 bits"), (" (4-bit)", "4 bits"))
PARTS_OF_TIME = ("stem", "depthwise", "pointwise", "final")  # what is left of a total are passes of their own


def value(evidence, section, row, quantity, on=""):
    """A number of measured.csv."""
    return float(find(evidence.measured, section, row, on, quantity)["value"])


def theirs(evidence, *key):
    return evidence.papers[key].value


def top1(evidence):
    """Of EtinyNet-1.0 in float, 8 and 4 bits: (paper's, ours on 430 pictures, size in MB)."""
    keys = (("2", NETWORK), ("4", f"{NETWORK} STM32F412"), ("3", f"{NETWORK} ASQ"))
    return [(theirs(evidence, *key, "top1"), value(evidence, *key, "top1", "430"),
             value(evidence, "2", NETWORK + bits, "size_mb")) for key, (bits, _) in zip(keys, BITS)]


def size_and_accuracy(evidence):
    axes = Axes((0.3, 10), (40, 80), (44, 58, 392, 266), logarithmic=True)
    parts, _ = legend(["EtinyNet, measured on 430 pictures", "EtinyNet, the paper", "others, the paper"])
    parts += axes.frame((0.3, 0.5, 1, 2, 5, 10), range(40, 81, 10), "size of the weights, MB", "top-1, %")
    limit = theirs(evidence, "fig1", "TinyML", "size_mb")
    parts += [line(axes.x(limit), 58, axes.x(limit), 266, "limit"),
              text(axes.x(limit) - 5, 254, "TinyML", "end", "soft")]
    names = dict.fromkeys(row for table, row, _ in evidence.papers if table == "2")
    for name in names:
        ours, size = "EtinyNet" in name, theirs(evidence, "2", name, "size_mb")
        accuracy = theirs(evidence, "2", name, "top1")
        parts.append(axes.dot(size, accuracy, 2 if ours else 3, f"{name}: {size} MB, {accuracy} %"))
        if ours:
            parts.append(text(axes.x(size) - 8, axes.y(accuracy) + 15, name.replace("EtinyNet-", ""), "middle", "soft"))
    for (_, accuracy, size), (_, bits) in zip(top1(evidence), BITS):
        parts.append(axes.dot(size, accuracy, 1, f"{NETWORK}, {bits}, measured: {size} MB, {accuracy} %"))
    return drawing("Size and accuracy of the paper's networks", 300, parts)


def accuracy_by_bits(evidence):
    axes, points = Axes((-0.3, 2.3), (50, 80), (44, 46, 392, 226)), top1(evidence)
    parts, _ = legend(["measured, 430 pictures", "paper, 50,000 pictures"])
    parts += axes.frame((), range(50, 81, 10), "bits of a weight, and their size", "top-1, %")
    for number, which in ((1, 1), (2, 0)):
        parts.append(axes.curve([(place, point[which]) for place, point in enumerate(points)], number))
        for place, point in enumerate(points):
            parts += [axes.dot(place, point[which], number), text(
                axes.x(place), axes.y(point[which]) - 9, f"{point[which]:.1f}", "middle", "value")]
    parts += [text(axes.x(place), 241, f"{bits}, {size} MB", "middle", "soft")
              for place, ((_, bits), (*_, size)) in enumerate(zip(BITS, points))]
    return drawing("Accuracy by bits of a weight", 262, parts)


def histogram_of_weights(evidence):
    if "fig3.csv" not in evidence.tables:
        return None
    drawings, rows = [], evidence.tables["fig3.csv"]
    for layer in dict.fromkeys(row["layer"] for row in rows):
        kinds = {kind: [(float(row["position"]), float(row["share"])) for row in rows
                        if (row["layer"], row["distribution"]) == (layer, kind)]
                 for kind in ("Ori.", "Quan.", "Quan. with a level at 0")}
        fine, coarse = kinds["Ori."], kinds["Quan. with a level at 0"]
        step, width = coarse[1][0] - coarse[0][0], fine[1][0] - fine[0][0]
        scale = step / width  # areas are equal, as the figure of the paper has them
        high = max([share * scale for _, share in fine] + [share for _, share in (*kinds["Quan."], *coarse)])
        axes = Axes((-1.1, 1.1), (0, high * 1.05), (44, 64, 392, 234))
        parts, _ = legend(["weights", "DoReFa, equation 5", "DoReFa, with a level at 0"])
        parts += axes.frame((-1, -0.5, 0, 0.5, 1), np.round(np.linspace(0, high, 4), 2), f"re-scaled weight of {layer}",
                            "share")
        parts += [axes.column(place - step * 0.45, place + step * 0.45, share, 2, f"{place:.3f}: {100 * share:.1f} %")
                  for place, share in kinds["Quan."]]
        parts += [axes.column(place - width / 2, place + width / 2, share * scale, 1) for place, share in fine
                  if abs(place) <= 1.1]
        outline = [(edge, share) for place, share in coarse for edge in (place - step / 2, place + step / 2)]
        parts.append(axes.curve([point for point in outline if abs(point[0]) <= 1.1], 3))
        drawings.append(drawing(f"Weights of {layer} before and after DoReFa", 270, parts))
    return "".join(drawings)


def balance_of_weights(evidence):
    if not {"fig4.csv", "fig4_histograms.csv"} <= set(evidence.tables):
        return None
    rows, points = evidence.tables["fig4_histograms.csv"], evidence.tables["fig4.csv"]
    lambdas = [name for name in rows[0] if name != "position"]
    axes = Axes((-1, 1), (0, max(float(row[name]) for row in rows for name in lambdas) * 1.05), (44, 46, 392, 216))
    parts, _ = legend([name.replace("lambda_", "λ = ") for name in lambdas])
    parts += axes.frame((-1, -0.5, 0, 0.5, 1), np.round(np.linspace(0, axes.upwards[1], 4), 2), "re-scaled weight",
                        "frequency")
    parts += [axes.curve([(float(row["position"]), float(row[name])) for row in rows], number)
              for number, name in enumerate(lambdas, start=1)]
    drawings = [drawing("Re-scaled weights for five λ", 252, parts)]
    for quantity, name in (("J", "quantisation error J"), ("E", "entropy E, nats")):
        curve = [(float(row["lambda"]), float(row[quantity])) for row in points]
        high = max(y for _, y in curve) * 1.1
        axes = Axes((0.4, 5.6), (0, high), (44, 30, 392, 150))
        parts = [*axes.frame(range(1, 6), np.round(np.linspace(0, high, 4), 1), "λ", name), axes.curve(curve, 1)]
        drawings.append(drawing(f"{name} by λ", 186, parts))
    return "".join(drawings)


def architecture(evidence):
    """The blocks of EtinyNet-1.0, and what is in the arena while each runs."""
    graph = etinynet_graph("1.0", 224)
    paper_kb = theirs(evidence, "text", NETWORK, "feature_map_kb")
    found, steps = stages(graph), plan(graph, "blocks").steps
    label, parts, peak = LABEL + 42, [], 0
    scale = (WIDTH - label - 8) / (paper_kb * 1.02)
    head, top = legend(["maps, in place of one another", "lines between convolutions"])
    top += 2 * LIMIT
    kinds = {"stem": "stem", "head": ""}
    for index, (stage, step) in enumerate(zip(found, steps)):
        maps = max((b.offset + b.size for b in step.buffers if b.kind == "map")) / KIB
        lines = sum(b.size for b in step.buffers if b.kind == "line") / KIB
        dense = any(len(node.inputs) == 2 for node in stage.nodes)
        kind = kinds.get(stage.kind, "DLB" if dense else "LB") or stage.nodes[0].output
        channels, rows, columns = graph.tensors[stage.nodes[-1].output].shape
        y, shape = top + index * ROW, f"{rows} x {columns} x {channels}"
        parts += [text(0, y + 16, kind), text(label - 8, y + 16, shape, "end", "soft"),
                  rectangle(label, y + 4, maps * scale, ROW - 9, "s1", f"{shape}: maps {maps:.1f} KiB"),
                  rectangle(label + maps * scale, y + 4, lines * scale, ROW - 9, "s2", f"lines {lines:.1f} KiB")]
        peak = max(peak, maps + lines)
    bottom = top + ROW * len(found)
    parts += across([("the paper's peak, KiB:", paper_kb), ("the peak here, KiB:", round(peak, 1))],
                    lambda kib: label + kib * scale, top, bottom)
    return drawing(f"Blocks of {NETWORK} and their memory", bottom + 6, head + parts)


def levels_by_layer(evidence):
    graph = next((g for g in evidence.graphs if g.weight_bits == [4]), None)
    if graph is None:
        return None
    layers = [node for node in graph.nodes if node.op == "conv2d"]
    levels, label, height = range(-7, 8), LABEL + 10, 15
    cell, top, parts = (WIDTH - label) / 15, 24, []
    for column, level in enumerate(levels):
        parts.append(text(label + (column + 0.5) * cell, 14, level, "middle", "soft"))
    for row, node in enumerate(layers):
        weight, y = node.attrs["weight"], top + row * height
        parts.append(text(label - 6, y + 11, node.output, "end", "soft"))
        for column, level in enumerate(levels):
            share = float(np.mean(weight == level))
            parts.append(rectangle(label + column * cell, y, cell - 1, height - 1, "s1",
                                   f"{node.output}: {100 * share:.1f} % of the weights are {level}",
                                   min(0.04 + share / 0.25, 0.999)))
    return drawing(f"Levels of the weights of {graph.name} by layer", top + len(layers) * height + 4, parts)


def memory_by_way(evidence):
    rows = []
    for model, paper_key in (("1.0", ("text", NETWORK, "feature_map_kb")), ("SSD", ("5", "EtinyNet-SSD", "sram_kb"))):
        rows.append((f"{model}: the paper", [0, theirs(evidence, *paper_key)]))
        rows += [(f"{model}: {way}", [value(evidence, "mcu", f"EtinyNet-{model}, picture {words}", "arena, KiB")])
                 for way, words in (("stored", "stored"), ("by rows", "pushed by rows"))]
    return _two_kinds("Memory for picture and feature maps", rows, "KiB")


def _two_kinds(title, rows, unit, limits=()):
    """Bars of ours, and of the paper's, which are the second part of a row."""
    return bars(title, rows, ["measured", "the paper's"], unit, limits)


def instructions_by_part(evidence):
    network = "EtinyNet-1.0, 8-bit weights"
    ours = [value(evidence, "mcu", network, f"{part}, M", "Cortex-M4") for part in PARTS_OF_TIME]
    rows = [("these kernels", [*ours, 0])]
    for peer in evidence.peers:
        if peer["network"] == NETWORK and peer["processor"] == "Cortex-M4" and peer["bits"] == "8" and peer["stem"]:
            name = peer["name"].replace(" requantisation", "").replace("TinyEngine -O3 with ", "TinyEngine, ")
            parts = [float(peer[part]) for part in PARTS_OF_TIME]
            rows.append((name, [*parts, round(float(peer["total, M"]) - sum(parts), 1)]))
    return bars("Instructions of an inference on a Cortex-M4", sorted(rows, key=lambda row: sum(row[1])),
                [*PARTS_OF_TIME, "other"], "million instructions")


def microcontrollers(evidence):
    drawings = []
    for quantity, name, has in (("flash_kb", "flash", lambda mcu: mcu.flash), ("ram_kb", "RAM", lambda mcu: mcu.ram)):
        rows = []
        for mcu in ("STM32F412", "STM32F746", "STM32H743"):
            rows.append((f"{mcu} has", [0, has(MCUS[mcu.lower()]) // KIB]))
            rows += [(row["row"].replace(f" {mcu}", ""), [float(row["value"])]) for row in evidence.measured
                     if row["quantity"] == quantity and row["row"].endswith(mcu)] or [("not run here", [0])]
        drawings.append(bars(name, rows, [f"{name} that is taken", "that there is"], "KiB"))
    return "".join(drawings)


def fpga(evidence):
    row, clock_khz = "EtinyNet-0.75 (4-bit)", 100_000
    cycles = [(f"{on}", [value(evidence, "6", row, "cycles", on)]) for on in ("TO = 16", "TO = 8", "TO = 4")]
    cycles.append(("the paper", [0, theirs(evidence, "6", row, "latency_ms") * clock_khz]))
    memory = [("memory", [value(evidence, "6", row, "onchip_kb")]),
              ("the paper", [0, theirs(evidence, "6", row, "onchip_kb")])]
    there = theirs(evidence, "6", "XC7A100T", "onchip_kb")
    return (_two_kinds("Cycles of an inference", cycles, "cycles; the paper's at 100 MHz")
            + _two_kinds("Memory on the chip", memory, "KB", [("XC7A100T", there)]) + _shares_of_part(evidence, row))


def _shares_of_part(evidence, row):
    part = PARTS["xc7a100t"]
    there = {"LUTs": part.luts, "DSP blocks": part.multipliers, "block RAM of 36 Kbit": part.blocks / part.pair}
    taken = {name: value(evidence, "6", row, name, "TO = 16, synthesised") for name in there}
    rows = [(name.replace(" of 36 Kbit", ""), [round(100 * taken[name] / there[name], 1)]) for name in there]
    return bars(f"Share of an {part.name}", rows, unit="% of the part", limits=[("all", 100)])


FIGURES = [
    Figure("figure1", "Figure 1: size and accuracy", "The paper's networks, and ours on an easier set of 430 pictures.",
           "bash recipes/table2.sh", size_and_accuracy),
    Figure("figure3", "Figure 3: what DoReFa does to weights",
           "Equation 5 has no level at zero; the paper's text counts zeros as if there were one.",
           "bash recipes/fig3.sh", histogram_of_weights),
    Figure("figure4", "Figure 4: what λ does in ASQ", "The entropy falls as the paper says; its J does not.",
           "bash recipes/fig4.sh", balance_of_weights),
    Figure("architecture", "The network, and its memory block by block",
           "Each block overwrites its input as it goes; a few lines are kept between its convolutions. Portable C, the "
           "picture stored, without what the kernels widen.", "python benchmarks/mcu_instructions.py", architecture),
    Figure("bits", "Accuracy by bits", "The paper's on ImageNet's 50,000 validation pictures, ours on 430 of them.",
           "bash recipes/table3.sh --photographs PHOTOGRAPHS --val-dir VAL --seeds 0 1", accuracy_by_bits),
    Figure("levels", "Levels of the weights, layer by layer",
           "4 bits: the stronger the colour, the more of a layer's weights.",
           "python tools/make_graph.py --params runs/asq/net.params --calib-dir PHOTOGRAPHS --out runs/asq.npz",
           levels_by_layer),
    Figure("memory", "Memory for picture and feature maps", "The exported C, whole, beside what the paper counts.",
           "python benchmarks/mcu_instructions.py", memory_by_way),
    Figure("instructions", "Instructions by part",
           "EtinyNet-1.0 in 8 bits at 224 x 224, counted under QEMU; other kernels add shortcuts apart.",
           "python benchmarks/mcu_instructions.py", instructions_by_part),
    Figure("microcontrollers", "Flash and RAM of three microcontrollers",
           "The demo with its code, constants and stack.", "bash recipes/table4.sh", microcontrollers),
    Figure("fpga", "The FPGA core",
           "EtinyNet-0.75 in 4 bits: simulated cycles, and resources after synthesis by Yosys.",
           "bash recipes/table6.sh", fpga),
]
