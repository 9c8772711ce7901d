"""What is left of a command that is killed, and whether the same command then ends as if nothing had been.

    python benchmarks/kill.py [--times 100] [--jobs training quantising export record] [--save-dir runs/kill]

Runs each job once to its end and measures it. Then, so many times: starts it in a folder of its own, sends SIGKILL to
it and its children at a moment drawn from the second half of that time (in the first MXNet is loaded), looks for files
that are half written, runs the same command again, and compares what it writes with the undisturbed run, byte by byte.
Prints, for each job: kills, kills that hit a running job, files half written, second runs that failed, and results that
differ. Exit status 1 if one of the last three is not 0. surroundings.py tries full disks and the like.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from gluon_etinynet import InputError, cli, get_model
from gluon_etinynet.files import PARTIAL, write_csv, write_json
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.networks.params_file import read_params
from gluon_etinynet.npz import read_npz
from gluon_etinynet.quantities import COUNT, SEED

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ["--input-size", "32", "--batch-size", "8", "-j", "1", "--val-dir", "{work}/pictures"]
# The tool and its flags, {} being the folder of the run and {work} that above; and which files must come out the same.
JOBS = {
    "training": (["train_imagenet.py", "--model", "etinynet0.75", "--data-dir", "{work}/pictures", *PICTURES,
                  "--num-epochs", "2", "--resume", "--save-dir", "{}/out"],
                 ["out/best.params", "out/classes.txt", "out/epoch-0001/net.params", "out/epoch-0001/optimizer.npz"]),
    "quantising": (["quantize.py", "--model", "etinynet0.75", "--params", "{work}/net.params",
                    "--photographs", "{work}/pictures", *PICTURES, "--crops", "0", "--steps", "2",
                    "--save-dir", "{}/out"], ["out/net.params"]),
    "export": (["export_c.py", "--graph", "{work}/graph.npz", "--out", "{}/out"], None),
    "record": (["make_rec.py", "{work}/pictures", "{}/out/all"], ["out/all.rec", "out/all.idx", "out/all.classes.txt"]),
}
READERS = {".json": lambda path: json.loads(path.read_text()), ".params": read_params,
           ".npz": lambda path: read_npz(path, "write it anew")}
HEADER = ["job", "kills", "while it ran", "files half written", "second runs that failed", "results that differ"]


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=COUNT, default=100, help="kills of each job (default: 100)")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS), help="default: all")
    parser.add_argument("--seed", type=SEED, default=0, help="of the moments (default: 0)")
    parser.add_argument("--save-dir", type=Path, default=Path("runs/kill"), help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    random = np.random.RandomState(args.seed)
    with tempfile.TemporaryDirectory(prefix="etinynet-kill-") as work:
        prepare(Path(work))
        rows = [killed(job, Path(work), args.times, random) for job in args.jobs]
    print(cli.table(HEADER, rows))
    write_csv(args.save_dir / "kill.csv", HEADER, rows)
    write_json(args.save_dir / "kill.json", [dict(zip(HEADER, row)) for row in rows])
    return int(any(sum(row[3:]) for row in rows))


def prepare(work):
    """What the jobs read."""
    etinynet_graph("tiny", 32, 4, classes=5).save(work / "graph.npz")
    net = get_model("etinynet0.75", classes=2)
    net.initialize()
    net.save_parameters(str(work / "net.params"))
    for index in range(16):
        (work / "pictures" / f"class{index % 2}").mkdir(parents=True, exist_ok=True)
        picture = np.random.RandomState(index).randint(0, 256, (40, 40, 3)).astype(np.uint8)
        cv2.imwrite(str(work / "pictures" / f"class{index % 2}" / f"{index}.png"), picture)


def killed(job, work, times, random):
    """One row of the table."""
    words, names = JOBS[job]
    began = time.monotonic()
    expected = undisturbed(job, work)
    seconds = time.monotonic() - began
    hit = half = failed = different = 0
    for number in cli.progress(range(times), desc=job):
        folder = work / f"{job}-{number}"
        process = start(words, folder)
        time.sleep(seconds * random.uniform(0.5, 1.0))
        hit += process.poll() is None
        kill(process)
        half += len(half_written(folder))
        try:
            wait(start(words, folder), job)
        except InputError as error:
            print(error)
            failed += 1
            continue
        if contents(folder, names) != expected:
            print(f"{job}, kill {number}: other files than those of the undisturbed run")
            different += 1
    return [job, times, hit, half, failed, different]


def undisturbed(job, work):
    """What the job writes, by the paths in its folder."""
    words, names = JOBS[job]
    folder = work / f"{job}-whole"
    wait(start(words, folder), f"{job}: the undisturbed run")
    expected = contents(folder, names)
    if not expected or None in expected.values():
        raise InputError(f"{job}: the undisturbed run has not written {', '.join(expected) or 'anything'}")
    return expected


def start(words, folder, before=(), environment=None, stderr=subprocess.STDOUT):
    """Start a job; `before` are words before the command, `environment` the whole of it."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(ROOT / "tools" / words[0]),
               *(word.format(folder, work=folder.parent) for word in words[1:])]
    return subprocess.Popen([*before, *command], env=surrounding() if environment is None else environment,
                            stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True)


def surrounding(**changes):
    """The environment of a job: ours and `changes`, without those that are None."""
    changed = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", **changes)
    return {name: value for name, value in changed.items() if value is not None}


def kill(process):
    with contextlib.suppress(ProcessLookupError):  # it has ended, and its children too
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait(process, name):
    said, _ = process.communicate()
    if process.returncode:
        last = (said.strip().splitlines() or ["nothing"])[-1]
        raise InputError(f"{name} ended with status {process.returncode} and said: {last}")


def contents(folder, names):
    """The files that count, by their paths in the folder; None for one that is missing."""
    names = names or [str(path.relative_to(folder)) for path in (folder / "out").rglob("*") if path.is_file()]
    return {name: (folder / name).read_bytes() if (folder / name).is_file() else None for name in names}


def half_written(folder):
    """Files in their places that their readers do not take."""
    found = []
    for path in (path for path in folder.rglob("*") if path.suffix in READERS and PARTIAL not in str(path)):
        try:
            READERS[path.suffix](path)
        except (InputError, ValueError) as error:
            print(f"half written: {error}")
            found.append(path)
    return found


if __name__ == "__main__":
    cli.run(main)
