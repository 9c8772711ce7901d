"""Lines of the core's Verilog that its tests reach, counted by Verilator.

Runs tests/export/fpga with programs `iverilog` and `vvp` on the PATH that build with Verilator instead, and count. A
line is reached if each statement of it was executed in one of the simulations. Tests that plant a fault do not count:
they show nothing that the others do not, and each would be built anew; nor do those on what the simulators say. Prints
the share by file and every line that was not reached; exit status 1 below --least. Some minutes.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from gluon_etinynet import cli
from gluon_etinynet.export.c.program import need
from gluon_etinynet.files import InputError, write_csv, write_json
from gluon_etinynet.quantities import Quantity

ROOT = Path(__file__).resolve().parents[1]
RTL = ROOT / "gluon_etinynet" / "export" / "fpga" / "rtl"
TESTS = ["tests/export/fpga/test_core.py", "tests/export/fpga/test_core_units.py"]
WITHOUT = "not fault and not stride and not verilator and not 0_75 and not missing_rom_ends and not share_a_multiplier"
HEADER = ["file", "lines", "reached", "%", "not reached"]

# `iverilog -g2005 -Wall -s TOP [-PTOP.NAME=VALUE] -o OUT FILES`; what was built of the same sources is used again.
IVERILOG = """#!{python}
import hashlib, os, pathlib, subprocess, sys
words = sys.argv[1:]
top, out = (words[words.index(flag) + 1] for flag in ("-s", "-o"))
sources = [word for word in words if word.endswith(".v") or word.endswith(".vh")]
parameters = ["-G" + word.split(".", 1)[1] for word in words if word.startswith("-P")]
texts = [pathlib.Path(name).read_text() for name in sorted([*sources, *map(str, pathlib.Path().glob("*.vh"))])]
key = hashlib.sha256("\\n".join([top, *parameters, *texts]).encode()).hexdigest()[:16]
binary = pathlib.Path({work!r}) / key / "simulation"
if not binary.exists():
    binary.parent.mkdir()
    done = subprocess.run(["verilator", "--cc", "--exe", "--build", "--timing", "-Wno-fatal", "--coverage-line",
        "--top-module", top, "--prefix", "Vtop", "--Mdir", str(binary.parent / "objects"), "-o", str(binary),
        "-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0", *parameters, *sources, {work!r} + "/main.cpp"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        sys.exit(done.stdout[-2000:])
os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
pathlib.Path(out).write_text(str(binary))
"""
VVP = """#!{python}
import os, pathlib, subprocess, sys, tempfile
binary = pathlib.Path(sys.argv[2]).read_text()
handle, os.environ["COVERAGE"] = tempfile.mkstemp(".dat", dir={work!r})
os.close(handle)
done = subprocess.run([binary, *sys.argv[3:]], stdout=subprocess.PIPE, universal_newlines=True)
print(*(line for line in done.stdout.splitlines() if not line.startswith("- ")), sep="\\n")  # "- a.v:9: $finish"
sys.exit(done.returncode)
"""
MAIN = """#include <cstdlib>
#include "Vtop.h"
#include "verilated_cov.h"
int main(int argc, char **argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop top(&context);
    while (!context.gotFinish()) {
        top.eval();
        if (!top.eventsPending()) break;
        context.time(top.nextTimeSlot());
    }
    top.final();
    context.coveragep()->write(getenv("COVERAGE"));
}
"""


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--least", type=Quantity(0, 100, float), default=95, help="per cent (default: 95)")
    parser.add_argument("--save-dir", default="runs/rtl_coverage", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("verilator", "make", "g++")
    with tempfile.TemporaryDirectory() as work:
        prepare(Path(work))
        environment = dict(os.environ, PATH=f"{work}{os.pathsep}{os.environ['PATH']}", CI="")
        status = subprocess.run([sys.executable, "-m", "pytest", "-q", "-n0", "-k", WITHOUT, *TESTS], cwd=str(ROOT),
                                env=environment).returncode
        if status:
            raise InputError(f"the tests failed under Verilator, with status {status}: no coverage is counted")
        points = merged(path.read_text(errors="replace") for path in Path(work).glob("*.dat"))
    rows, share = by_file(points)
    print(f"\n{cli.table(HEADER, rows)}\n\n{share:.1f} % of the lines, at least {args.least:g} % are wanted")
    write_csv(Path(args.save_dir) / "rtl_coverage.csv", HEADER, rows)
    write_json(Path(args.save_dir) / "rtl_coverage.json", {"share": share, "files": [dict(zip(HEADER, row))
                                                                                     for row in rows]})
    return int(share < args.least)


def prepare(work):
    """Write the programs that stand in for Icarus."""
    (work / "main.cpp").write_text(MAIN)
    for name, text in (("iverilog", IVERILOG), ("vvp", VVP)):
        (work / name).write_text(text.format(python=sys.executable, work=str(work)))
        (work / name).chmod(0o755)


def merged(texts):
    """How often each statement was executed in all runs, {(file, line, column, kind, lines): times}."""
    counts = {}
    for text in texts:
        for point, times in re.findall(r"^C '(.*)' (\d+)$", text, re.MULTILINE):
            fields = dict(part.split("\2", 1) for part in point.split("\1")[1:])
            key = tuple(fields.get(name, "") for name in ("f", "l", "n", "o", "S"))
            counts[key] = counts.get(key, 0) + int(times)
    return counts


def by_file(points):
    """Rows of the table, and the share of lines that were reached."""
    reached = {}
    for (file, _, _, _, lines), times in points.items():
        if (RTL / Path(file).name).exists():
            for span in filter(None, lines.split(",")):
                first, _, last = span.partition("-")
                for line in range(int(first), int(last or first) + 1):
                    key = (Path(file).name, line)
                    reached[key] = reached.get(key, True) and times > 0
    rows = []
    for file in sorted({file for file, _ in reached}):
        lines = {line: hit for (name, line), hit in reached.items() if name == file}
        missed = [str(line) for line in sorted(lines) if not lines[line]]
        rows.append([file, len(lines), sum(lines.values()), f"{100 * sum(lines.values()) / len(lines):.0f}",
                     " ".join(missed)])
    return rows, 100 * sum(reached.values()) / len(reached)


if __name__ == "__main__":
    cli.run(main)
