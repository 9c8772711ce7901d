"""Graph -> a folder of Verilog: the core, its ROMs and configuration, a testbench and make files (docs/fpga.md)."""

import json
from pathlib import Path

import jinja2

from ... import __version__
from ...files import InputError
from ..folder import Export
from . import resources, serial
from .memories import TOP, accumulator_bits, configuration, line_memories, memories, rom_module, style
from .planner import OPERAND_WORDS, OUTPUTS, schedule
from .words import to_hex

__all__ = ["emit", "REPORT"]

TOOL = "gluon_etinynet export_fpga"
REPORT = "report.json"
_HERE = Path(__file__).resolve().parent
# Of each part a board: its name, its pins, and the Hz of its clock.
_BOARDS = {"xc7a100t": ("Digilent Arty A7-100T", "arty_a7_100.xdc", 100_000_000),
           "xc7a200t": ("Digilent Nexys Video", "nexys_video.xdc", 100_000_000),
           "lfe5u-85": ("Radiona ULX3S 85F", "ulx3s.lpf", 25_000_000)}


def emit(graph, word_channels, outputs, part="xc7a100t"):
    """Write `graph` as a core.

    Parameters
    ----------
    graph : Graph
        A classifier with weights of at most 4 bits: a stem, blocks, a global average and a fully connected layer.
    word_channels : {8, 24, 32}
        V, the channels of a word.
    outputs : {4, 8, 16}
        TO, the output channels that are computed together; at most V.
    part : str
        One of `resources.PARTS`, which it has to fit.

    Returns
    -------
    Export
        The same arguments give the same text. Its manifest, report.json, has cycles by layer and what it takes.

    Raises
    ------
    InputError
        If the core has no place for a node, naming it, or the part none for the core, with the numbers.
    """
    graph.validate()
    plan = schedule(graph, word_channels, outputs)
    device = resources.PARTS[part]
    roms = memories(graph, plan, device)
    counted = _count(part, graph, plan, roms)
    too_much = resources.beyond(device, counted)
    if too_much:
        raise InputError(f"the core does not fit {device.name}: {'; '.join(too_much)}: "
                         f"{_remedy(part, graph, word_channels)}")

    sources = {path.name: path.read_text() for path in sorted((_HERE / "rtl").glob("*.v"))}
    digest, title = graph.sha256(), " ".join(graph.name.split())
    notice = f"Written by {TOOL} {__version__} from the network {title}, SHA-256 {digest[:16]}. Do not edit."
    sources["etn_roms.v"] = f"// {notice}\n{rom_module(roms)}"
    files = dict(sources)
    board, pins, clock = _BOARDS[part]
    definitions = configuration(graph, plan, roms, device) + serial.definitions(clock)
    files["etn_config.vh"] = f"// {notice}\n{definitions}"
    for name in ("etn_tb.v", "etn_board_tb.v"):
        files[name] = (_HERE / "testbench" / name).read_text()
    for name, memory in roms.items():
        files[f"{name}.mem"] = "".join(line + "\n" for line in to_hex(memory.bits, 1))
    _, rows, columns = graph.image.shape
    view = {
        "notice": notice, "network": title, "rows": rows, "columns": columns,
        "classes": graph.classes, "top": min(TOP, graph.classes), "v": word_channels, "to": outputs,
        "cycles": f"{plan.cycles:,}", "part": device.name, "synthesis": device.synthesis, "sources": list(sources),
        "memories": [f"{name}.mem" for name in roms], "block_kbit": 18 * device.pair,
        "blocks": f"{sum(counted['block_ram'].values()) / device.pair:g}", "part_blocks": device.blocks // device.pair,
        "multipliers": sum(counted["multipliers"].values()), "part_multipliers": device.multipliers,
        "board": board, "pins": pins, "clock_mhz": clock // 1_000_000,
    }
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(str(_HERE / "templates")), trim_blocks=True,
                                     lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    for name in ("Makefile.j2", "README.md.j2", f"{pins}.j2"):
        files[name[:-len(".j2")]] = environment.get_template(name).render(view)
    files[REPORT] = json.dumps(_report(graph, plan, roms, part, counted, [*files, REPORT]), indent=1) + "\n"
    return Export(files, REPORT)


def _count(part, graph, plan, roms):
    device, word = resources.PARTS[part], 8 * plan.word_channels
    sizes = {name: (memory.depth, memory.width) for name, memory in roms.items() if memory.style == "block"}
    sizes.update({"activations": (plan.memory_words, word), "operands": (OPERAND_WORDS, word)})
    if style("lines", device) == "block":
        sizes.update((name, (1 << bits, 2 * width)) for name, bits, width in line_memories(plan))
    return resources.count(device, plan, sizes, accumulator_bits(graph))


def _remedy(part, graph, v):
    """What would fit, tried out."""
    found = []
    for other in (part, *(other for other in resources.PARTS if other != part)):
        for to in sorted((to for to in OUTPUTS if to <= v), reverse=True):
            plan = schedule(graph, v, to)
            roms = memories(graph, plan, resources.PARTS[other])
            if not resources.beyond(resources.PARTS[other], _count(other, graph, plan, roms)):
                found.append(f"--outputs {to}" + f" --part {other}" * (other != part))
                break
    if found:
        return f"it fits with {' or '.join(found)}"
    return f"no part that is known takes it in words of {v}; train fewer classes"


def _report(graph, plan, roms, part, counted, files):
    layers = [{"pass": one.kind, "layers": [node.output for node in one.nodes], "cycles": one.cycles,
               "source": one.fields.get("source"), "target": one.fields.get("target")} for one in plan.passes]
    return {
        "tool": TOOL, "version": __version__, "network": graph.name, "graph_sha256": graph.sha256(), "files": files,
        "word_channels": plan.word_channels, "outputs": plan.outputs, "image": list(graph.image.shape),
        "classes": graph.classes, "labels": graph.labels, "cycles": plan.cycles, "passes": layers, "part": part,
        "block_ram_18k": counted["block_ram"], "multipliers": counted["multipliers"],
        "memories": {name: {"depth": memory.depth, "width": memory.width, "style": memory.style}
                     for name, memory in roms.items()},
        "activations": {"depth": plan.memory_words, "width": 8 * plan.word_channels},
    }
