"""The functions of exported networks, called in any order and with any arguments by libFuzzer, under sanitizers.

    python benchmarks/fuzz_api.py --seconds 600 --seed 0

A classifier and a detector are exported and built with fuzz_api.c, which knows the status of every call as the header
has it, and that an image gives one result however it is fed. A fault is another status or result, what the address and
undefined-behaviour sanitizers find, or more than 20 s. The calls of a fault are kept below --out; the program kept
beside them runs them again. Exit status 1 if there is a fault. Needs clang and its runtime (libclang-rt-dev).
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

from gluon_etinynet import cli
from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import call, need
from gluon_etinynet.files import write_csv
from gluon_etinynet.integer.random_graphs import etinynet_graph, ssd_graph
from gluon_etinynet.quantities import SEED, Quantity

HARNESS = Path(__file__).with_suffix(".c")
FLAGS = ["-std=c99", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-sanitize-recover=all",
         "-fsanitize=fuzzer,address,undefined"]
NETWORKS = {"classifier": lambda: etinynet_graph("tiny", 33, 4, classes=5),
            "detector": lambda: ssd_graph("tiny", 33, classes=2)}
HEADER = ["network", "seconds", "sequences of calls", "fault"]


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=Quantity(1, 100_000), default=60,
                        help="for each network (default: %(default)s)")
    parser.add_argument("--network", choices=[*NETWORKS, "all"], default="all")
    parser.add_argument("--seed", type=SEED, default=0, help="of libFuzzer (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz_api"), help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("clang")
    rows = []
    for name in NETWORKS if args.network == "all" else [args.network]:
        with tempfile.TemporaryDirectory() as work:
            export = c.emit(NETWORKS[name](), "net").write(Path(work) / "export")
            program = build(export, args.out / name)
            executed, fault = fuzz(program, args.seconds, args.seed)
        rows.append([name, args.seconds, executed, fault or "none"])
    print(cli.table(HEADER, rows))
    write_csv(args.out / "fuzz_api.csv", HEADER, rows)
    return int(any(row[-1] != "none" for row in rows))


def build(export, folder):
    """Compile an exported folder of the prefix `net` with the harness to a program in `folder`; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    program = (folder / "fuzz").resolve()
    runtime = sorted((export / "src").glob("etn_*.c"))
    call(["clang", *FLAGS, "-I", export / "src", "-o", program, HARNESS, *runtime])
    return program


def fuzz(program, seconds, seed):
    """Sequences of calls that were tried, and the first line on a fault, or None."""
    with tempfile.TemporaryDirectory() as corpus:
        done = subprocess.run([program, corpus, f"-max_total_time={seconds}", "-timeout=20", "-max_len=200",
                               f"-seed={seed or 2 ** 32 - 1}",  # 0 is any seed
                               "-print_final_stats=1", f"-artifact_prefix={program.parent}/"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    counted = re.search(r"stat::number_of_executed_units: (\d+)", done.stdout)
    executed = int(counted.group(1)) if counted else 0
    if done.returncode == 0 and executed:
        return executed, None
    words = "not so:", "runtime error:", "ERROR:"
    said = [line for word in words for line in done.stdout.splitlines() if word in line]
    return executed, (said or [f"exit status {done.returncode}"])[0]


if __name__ == "__main__":
    cli.run(main)
