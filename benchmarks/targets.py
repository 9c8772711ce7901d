"""Interpreter = exported C on every processor that can be tried here, by gcc and clang, by every set of kernels.

    python benchmarks/targets.py [--targets x86-64 powerpc] [--optimise O2 lto] [--networks classifier]

Three networks of random weights: a small classifier with every operator (4-bit weights, odd sizes, zero points,
negative multipliers, both shortcuts), a small detector (8-bit weights; heads, decoding, suppression), and
EtinyNet-0.75 at 224 with 4-bit weights, at -O2 and where memory holds it. Each is built with -O2, -O2 -flto, -O0, -Os
and -O3, and with plain char signed and unsigned, and runs twice: with the trace, the image stored, where every layer's
map is compared with the interpreter's; and as users build it, the image stored and pushed by rows, where the class or
all logits, or the detections, are.

Instructions are exact, of an inference with the image stored: QEMU's count on a Cortex-M, valgrind's on x86-64; other
targets have none here. The stack is the most in use, painted and scanned by the demo's port to a Cortex-M.

Rows that are finished, and equal, are kept in the results of --save-dir and not run again while network, runtime and
compiler are the same. Exit status 1 if a byte differs, a program fails, or a row cannot run here.
"""

import argparse
import hashlib
import itertools
import json
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from mcu_instructions import host_instructions
from target_machines import TARGETS, missing, version

from gluon_etinynet import InputError, cli
from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import DoesNotFit, detection_lines, raw, read_inference, split_trace
from gluon_etinynet.files import sole_writer, write_csv, write_json
from gluon_etinynet.integer import first_difference, run, trace
from gluon_etinynet.integer.random_graphs import etinynet_graph, images, ssd_graph
from gluon_etinynet.quantities import COUNT

NETWORKS = {
    "classifier": lambda: etinynet_graph("tiny", 45, 4, classes=11),
    "detector": lambda: ssd_graph("tiny", 45, 8, classes=3, candidates=20, detections=10),
    "etinynet0.75": lambda: etinynet_graph("0.75", 224, 4),
}
OPTIMISE = {"O2": "-O2", "lto": "-O2 -flto", "O0": "-O0", "Os": "-Os", "O3": "-O3"}
LARGE, LARGE_FLAGS = "etinynet0.75", ("O2", "signed")  # it takes a minute at others
COMPILERS = "gcc", "clang"
CHARS = {"signed": "-fsigned-char", "unsigned": "-funsigned-char"}
HEADER = ["target", "runs on", "compiler", "kernels", "network", "flags", "bytes that differ", "first difference",
          "instructions", "stack, bytes"]
RESULT = HEADER.index("bytes that differ")
EQUAL, NO_FIT, NOT_RUN, FAILED = 0, "does not fit", "not run", "failed"


class Job(NamedTuple):
    """What is built one after the other: the runtime's objects are of all networks."""

    target: str
    compiler: str
    kernels: str
    flags: str
    networks: tuple


def parse_args():
    installed = "\n".join(f"  {name}: {target.runs}; apt-get install {packages(target)}"
                          for name, target in TARGETS.items())
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                        epilog=f"The targets, and what they need of Debian 12:\n{installed}")
    for flag, choices in (("targets", TARGETS), ("compilers", COMPILERS), ("networks", NETWORKS),
                          ("optimise", OPTIMISE), ("chars", CHARS)):
        parser.add_argument(f"--{flag}", nargs="+", choices=choices, default=list(choices), metavar=flag.upper()[:-1],
                            help=f"of {', '.join(choices)} (default: all)")
    parser.add_argument("--workers", type=COUNT, default=2, help="how many build and run at a time (default: 2)")
    parser.add_argument("--save-dir", type=Path, default=Path("runs/targets"), help="default: %(default)s")
    return parser.parse_args()


def packages(target):
    needed = f"{target.packages} {' '.join(compiler.packages for compiler in target.compilers.values())}"
    return " ".join(dict.fromkeys(needed.split()))


def main():
    args = parse_args()
    with sole_writer(args.save_dir) as save_dir:
        results = Results(save_dir / "targets.json")
        jobs = list(jobs_of(args))
        with ThreadPoolExecutor(args.workers) as pool, cli.progress(total=len(jobs), desc="targets") as bar:
            futures = [pool.submit(work, job, results) for job in jobs]
            try:
                for future in futures:
                    future.result()
                    bar.update()
            except BaseException:
                for future in futures:
                    future.cancel()
                raise
        rows = [row for job in jobs for row in results.of(job)]
        write_csv(save_dir / "targets.csv", HEADER, rows)
    print(cli.table(HEADER, summary(rows)))
    return int(any(row[RESULT] not in (EQUAL, NO_FIT) for row in rows))


def jobs_of(args):
    """Yield the Jobs that were asked for: every target with some flags before any with others."""
    for level, char in itertools.product(args.optimise, args.chars):
        networks = [name for name in args.networks if name != LARGE or (level, char) == LARGE_FLAGS]
        for name in args.targets if networks else ():
            compilers = {key: of for key, of in TARGETS[name].compilers.items() if key in args.compilers}
            for compiler, kernels in itertools.product(compilers, TARGETS[name].kernels):
                if level != "lto" or compilers[compiler].lto:
                    yield Job(name, compiler, kernels, f"{OPTIMISE[level]} {CHARS[char]}", tuple(networks))


class Results:
    """Rows of the table by what they are of, in a file that is written after each."""

    def __init__(self, path):
        self.path, self.lock, self.rows = path, Lock(), {}
        if path.exists():
            try:
                kept = json.loads(path.read_text("utf-8"))["rows"]
                self.rows = {entry["of"]: [entry[name] for name in HEADER] for entry in kept}
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path} does not hold the results of targets.py; remove it") from error

    def has(self, key):
        return key in self.rows and self.rows[key][RESULT] in (EQUAL, NO_FIT)

    def put(self, key, row):
        with self.lock:
            older = [other for other in self.rows if other.rpartition(" ")[0] == key.rpartition(" ")[0]]
            for other in older:
                del self.rows[other]
            self.rows[key] = row
            entries = [{"of": of, **dict(zip(HEADER, values))} for of, values in self.rows.items()]
            write_json(self.path, {"rows": entries})
            print(" | ".join(str(value) for value in row if value != ""), flush=True)

    def of(self, job):
        return [self.rows[key] for key in keys(job)]


# ---- One job ----

@lru_cache(maxsize=None)
def network(name):
    """The Graph, an image, and what the interpreter computes of it."""
    graph = NETWORKS[name]()
    image = images(graph)[0]
    return graph, image, trace(graph, image[None])


@lru_cache(maxsize=None)
def exported(name, kernels):
    return c.emit(network(name)[0], "net", kernels)


@lru_cache(maxsize=None)
def compiler_version(target, compiler):
    """One line, or what is to be installed."""
    of = TARGETS[target].compilers[compiler]
    lacking = missing(TARGETS[target], of)
    return f"apt-get install {lacking}" if lacking else version(of)


def keys(job):
    """What a job's rows are of, one key for each of its networks: with other sources or tools it is another."""
    for name in job.networks:
        runtime = sorted((path, text) for path, text in exported(name, job.kernels).items()
                         if path.startswith("src/etn_") and path != "src/etn_prefix.h")
        what = [runtime, network(name)[0].sha256(), compiler_version(job.target, job.compiler)]
        yield f"{'/'.join(job[:4])}/{name} {hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]}"


def work(job, results):
    """Build and run what is not in the results yet."""
    target, words = TARGETS[job.target], compiler_version(job.target, job.compiler)
    with tempfile.TemporaryDirectory() as folder:
        built = None
        for key, name in zip(keys(job), job.networks):
            if results.has(key):
                continue
            if words.startswith("apt-get"):
                found = [NOT_RUN, f"not run here: {words}", "", ""]
            else:
                mine = exported(name, job.kernels).write(Path(folder) / name)
                if built:
                    share_objects(built, mine)
                built, found = mine, tried(mine, job, name)
            results.put(key, [job.target, target.runs, job.compiler, job.kernels, name, job.flags, *found])


def share_objects(built, folder):
    """Give an exported folder the runtime's objects of another, so that make finds them up to date."""
    for flags in built.glob("build/*/flags"):
        there = folder / flags.parent.relative_to(built)
        (there / "src").mkdir(parents=True)
        for path in (flags, *flags.parent.glob("src/etn_*.o")):  # the flags are the older ones
            shutil.copy(path, there / path.relative_to(flags.parent))


def tried(folder, job, name):
    """The last four cells of a row."""
    try:
        return compared(folder, job, name)
    except DoesNotFit as error:
        return [NO_FIT, error.reason, "", ""]
    except InputError as error:
        return [FAILED, " ".join(str(error).split())[-200:], "", ""]


def compared(folder, job, name):
    graph, image, golden = network(name)
    target = TARGETS[job.target]
    compiler = target.compilers[job.compiler]
    program = target.build(folder, compiler, job.flags, "trace")
    seen, _ = split_trace(graph, program(raw(image)), image)
    differ = sum(int((golden[name].view(np.uint8) != seen[name].view(np.uint8)).sum()) for name in golden)
    difference = first_difference(golden, seen)
    named = "none" if difference is None else f"{difference.tensor}{list(difference.index)}"

    program = target.build(folder, compiler, job.flags, "")
    stored = read_inference(program(raw(image)))
    wide = [] if graph.detection else ["--logits"]
    pushed = read_inference(program(raw(image), *wide, "--pushed"))
    for way, inference in (("stored", stored), ("pushed", pushed)):
        wrong = wrong_bytes(inference.lines, expected(graph, image, way))
        differ += wrong
        if wrong and named == "none":
            named = f"the result, image {way}"
    instructions = stored.instructions or ""
    if job.target == "x86-64":
        counts = host_instructions(folder / "build" / "host" / "net", raw(image))
        instructions = counts.get("detect" if graph.detection else "run", "")  # none where it is inlined
    return [differ, named, instructions, stored.stack or ""]


def expected(graph, image, way):
    """The lines that a program prints of its result."""
    result = run(graph, image[None])[0]
    if graph.detection:
        return detection_lines(result)
    logits = result.ravel()
    return [str(value) for value in logits] if way == "pushed" else [f"class {logits.argmax()}",
                                                                      f"score {logits.max()}"]


def wrong_bytes(lines, expected_lines):
    """Bytes of text that differ."""
    a, b = ("\n".join(text).encode() for text in (lines, expected_lines))
    return sum(x != y for x, y in itertools.zip_longest(a, b))


# ---- The table ----

def summary(rows):
    """A row for all flags of a target, compiler, set of kernels and network that ran equal; the others as they are."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[:5]), []).append(row)
    lines = []
    for group in groups.values():
        equal = [row for row in group if row[RESULT] == EQUAL]
        if equal:
            shown = next((row for row in equal if row[5].startswith("-O2 -f") and "lto" not in row[5]), equal[0])
            flags = shown[5] if len(group) == 1 else f"{len(equal)} of {len(group)}; figures at {shown[5]}"
            lines.append([*shown[:5], flags, *shown[RESULT:]])
        lines += [row for row in group if row[RESULT] != EQUAL]
    return lines


if __name__ == "__main__":
    cli.run(main)
