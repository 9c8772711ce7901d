"""Damaged and crafted files: each must be read, or refused in one line that names it.

    python benchmarks/fuzz.py --cases 300 --format all --seed 0

Real files of each format, which this script makes, are changed by bits and bytes, cut, grown, and by what a crafted
file has: right checksums around wrong contents, other sizes in headers, other values in JSON and tables. Processes
with 2 GB more memory than they start with read them. A fault is a traceback, more than one line or one that does not
name the file, a signal, more memory or more time. The files of every fault are kept below --out. With --compile,
networks that were accepted are exported to C as well, and every layer is compared with the interpreter, byte for byte,
under sanitizers. Exit status 1 if there is a fault.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
import traceback
from pathlib import Path

import cv2
import fuzz_files
import numpy as np
from fuzz_changes import LARGE, change
from fuzz_networks import difference

from gluon_etinynet import InputError, cli
from gluon_etinynet.export.c.program import Sanitized, need
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.integer import Graph
from gluon_etinynet.quantities import COUNT, COUNT_OR_NONE, PERIOD, SEED, Quantity

MEMORY = 2 << 30  # bytes above the start
PATIENCE = 5  # times the seconds of a case, where it has hardly computed in them: others use the machine, or it waits
OUTCOMES = ("refused", "accepted", "fault")
HEADER = ["format", "cases", *OUTCOMES, "seconds", "first fault"]


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=COUNT, default=300, help="of each format (default: %(default)s)")
    parser.add_argument("--format", nargs="+", choices=[*fuzz_files.FORMATS, "all"], default=["all"])
    parser.add_argument("--seed", type=SEED, default=0, help="of the changes (default: %(default)s)")
    parser.add_argument("--children", type=Quantity(1, 2), default=2, help="processes (default: %(default)s)")
    parser.add_argument("--seconds", type=PERIOD, default=20, help="that a case may take (default: %(default)s)")
    parser.add_argument("--compile", type=COUNT_OR_NONE, default=0, metavar="N",
                        help="export so many accepted networks to C (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    if args.compile:
        need("cc")
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    cv2.setLogLevel(0)  # here, where pictures are made that no format holds
    names = list(fuzz_files.FORMATS) if "all" in args.format else args.format
    rows, faults = [], []
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as at_end:
        work = Path(work)
        for name in names:
            fuzz_files.FORMATS[name].make(original(work, name))
        children = [Child(names, work, args.seconds) for _ in range(args.children)]
        for child in children:
            at_end.callback(child.stop)
        for name in names:
            begin = time.monotonic()
            found = fuzz(name, args, work, children)
            if args.compile and name in ("graph", "detector"):
                compared = compare_accepted(found, name, args, work)
                print(f"{name}: {compared} networks in C", flush=True)
            for number, (outcome, text) in sorted(found.items()):
                if outcome == "fault":
                    keep = args.out / f"{name}-seed{args.seed}-{number}"
                    shutil.rmtree(keep, ignore_errors=True)
                    shutil.copytree(case(work, name, args.seed, number).parent, keep, symlinks=True,
                                    ignore=lambda folder, names: [each for each in names if special(folder, each)])
                    faults.append({"format": name, "case": number, "fault": text, "files": str(keep)})
            counts = collections.Counter(outcome for outcome, _ in found.values())
            first = next((fault["fault"].splitlines()[0] for fault in faults if fault["format"] == name), "none")
            rows.append([name, len(found), *(counts[outcome] for outcome in OUTCOMES),
                         round(time.monotonic() - begin), first])
            print(", ".join(f"{key}: {value}" for key, value in zip(HEADER, rows[-1])), flush=True)
    print(f"\n{cli.table(HEADER, rows)}")
    write_csv(args.out / "fuzz.csv", HEADER, rows)
    write_json(args.out / "fuzz.json", {"seed": args.seed, "rows": [dict(zip(HEADER, row)) for row in rows],
                                        "faults": faults})
    return int(bool(faults))


def compare_accepted(found, name, args, work):
    """Make faults of those networks that were accepted and whose C is not the interpreter's; return how many C has."""
    sanitized, compared = Sanitized(work / "c"), 0
    accepted = [number for number, (outcome, _) in sorted(found.items()) if outcome == "accepted"]
    for number in cli.progress(accepted, desc="C"):
        if compared == args.compile:
            break
        graph = Graph.load(case(work, name, args.seed, number))
        try:
            program = sanitized.program(graph)
        except InputError as error:
            if error.__cause__ is not None:  # a compiler's; without one: what C does not serve
                found[number] = "fault", str(error)
            continue
        compared += 1
        wrong = difference(graph, program)
        if wrong:
            found[number] = "fault", wrong
    return compared


def special(folder, name):
    """Whether an entry of a folder cannot be copied: a pipe, or a file that is large but for its holes."""
    path = Path(folder, name)
    return not (path.is_symlink() or path.is_dir()) and (not path.is_file() or path.stat().st_size > LARGE)


def original(work, name):
    """The folder of the unchanged files of a format."""
    return work / name / "original"


def case(work, name, seed, number):
    """Make the files of one case in a folder of its own; return the path that is read."""
    kind, folder = fuzz_files.FORMATS[name], work / name / f"case-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original(work, name), folder)
    position = list(fuzz_files.FORMATS).index(name)
    change(folder, kind.within, np.random.default_rng([seed, position, number]))
    return folder / kind.path


def fuzz(name, args, work, children):
    """{number of the case: (outcome, text)}, by all children at once."""
    found = {}
    with cli.progress(total=args.cases, desc=name) as bar, \
            concurrent.futures.ThreadPoolExecutor(len(children)) as pool:
        def take(first):
            for number in range(first, args.cases, len(children)):
                path = case(work, name, args.seed, number)
                found[number] = children[first].read(name, path)
                shutil.rmtree(path.parent)
                bar.update()

        for done in [pool.submit(take, first) for first in range(len(children))]:
            done.result()
    return found


class Child:
    """A process that reads one file after the other; where one ends it, another takes its place."""

    def __init__(self, names, work, seconds):
        self.names, self.work, self.seconds, self.process = names, work, seconds, None

    def read(self, name, path):
        """Outcome and text."""
        if self.process is None:
            self._start()
        self.pipe.send((name, path))
        begin, fault = self._busy(), f"not finished in {self.seconds:g} s"
        try:
            for _ in range(PATIENCE):
                if self.pipe.poll(self.seconds):
                    return self.pipe.recv()
                if self._busy() - begin > self.seconds / 2:
                    break
        except EOFError:
            self.process.join()
            fault = f"the process ended with {self.process.exitcode}"
        self.stop()
        return "fault", fault

    def _busy(self):
        """Seconds that the process has computed."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _start(self):
        context = multiprocessing.get_context("spawn")  # MXNet must not be forked
        self.pipe, theirs = context.Pipe()
        originals = {name: original(self.work, name) for name in self.names}
        self.process = context.Process(target=serve, args=(originals, theirs), daemon=True)
        self.process.start()
        theirs.close()
        try:
            ready = self.pipe.poll(120) and self.pipe.recv()
        except EOFError:
            ready = None
        if ready != "ready":
            self.stop()
            raise InputError(f"a process cannot read the unchanged files: {ready}")

    def stop(self):
        if self.process is not None:
            self.pipe.close()  # it ends at that, unless it hangs
            self.process.join(2)
            self.process.kill()
            self.process.join()
            self.process = None


def serve(originals, pipe):
    """What a child does."""
    complaints = tempfile.TemporaryFile()
    os.dup2(complaints.fileno(), 2)  # libraries write there on their own: it must stay empty
    try:
        with tempfile.TemporaryDirectory() as copies:  # reading leaves an index beside a record, others copy meanwhile
            for name, folder in originals.items():
                copy = shutil.copytree(folder, Path(copies, name))
                fuzz_files.FORMATS[name].read(Path(copy, fuzz_files.FORMATS[name].path))
    except Exception:
        pipe.send(traceback.format_exc())
        return
    os.ftruncate(2, 0)
    pipe.send("ready")
    last = None
    while True:
        try:
            name, path = pipe.recv()
        except EOFError:
            return
        if name != last:
            last, pages = name, int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))
        try:
            pipe.send(outcome(fuzz_files.FORMATS[name], path))
        except MemoryError:
            pipe.send(("fault", "more memory than the limit"))


def outcome(kind, path):
    """Outcome and text of reading one file in this process."""
    os.lseek(2, 0, os.SEEK_SET)
    result = read_one(kind, path)
    said = os.pread(2, 1000, 0).decode(errors="replace")
    os.ftruncate(2, 0)
    return ("fault", f"standard error has lines of its own: {said}") if said and result[0] != "fault" else result


def read_one(kind, path):
    try:
        kind.read(path)
    except InputError as error:
        text = str(error)
        if len(text.splitlines()) != 1 or not text.isprintable():
            return "fault", f"not one line: {text!r}"
        if str(path.parent) not in text:
            return "fault", f"the file is not named: {text}"
        if isinstance(error.__cause__, MemoryError) or "Failed to allocate" in text:
            return "fault", f"more memory than the limit: {text}"
        return "refused", text
    except Exception as error:
        return "fault", f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    return "accepted", ""


if __name__ == "__main__":
    cli.run(main)
