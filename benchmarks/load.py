"""Large sets of small pictures: how soon a training of them starts, and whether its memory grows from epoch to epoch.

    python benchmarks/load.py [--records 50000] [--files 100000] [--epochs 6] [--save-dir runs/load]

Makes a record file of so many records, and a folder of so many files (hard links to a few), in a temporary folder;
trains a network of a few layers on either; and prints the seconds to the first batch, pictures a second, the resident
memory after each epoch, and its slope over all epochs but the first, in which libraries are loaded. Exit status 1 if a
start takes longer than 20 seconds or the slope is 1 MB an epoch or more.
"""

import argparse
import os
import struct
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from gluon_etinynet import cli
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.images import index_folder
from gluon_etinynet.data.sources import FolderSource, Loading, RecordSource
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.networks.etinynet import EtinyNet
from gluon_etinynet.quantities import COUNT, Quantity
from gluon_etinynet.training import Config, train

CLASSES, SIDE, BATCH = 10, 32, 256
LONGEST_START = 20  # seconds
STEEPEST = 1.0  # MB an epoch
HEADER = ["data", "pictures", "start, s", "pictures/s", "memory after each epoch, MB", "slope, MB an epoch"]


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=COUNT, default=50_000, help="default: 50000")
    parser.add_argument("--files", type=COUNT, default=100_000, help="default: 100000")
    parser.add_argument("--epochs", type=Quantity(3, 100), default=6, help="default: 6")
    parser.add_argument("--save-dir", type=Path, default=Path("runs/load"), help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    pictures = [cv2.imencode(".jpg", cv2.resize(np.random.RandomState(k).randint(0, 256, (4, 4, 3)).astype(np.uint8),
                                                (40, 40)))[1].tobytes() for k in range(CLASSES)]
    loading = Loading(BATCH, SIDE, train=True, threads=2, classes=CLASSES)
    with tempfile.TemporaryDirectory(prefix="etinynet-load-") as folder:
        rows = [measure("records", args, lambda: records(Path(folder) / "all.rec", pictures, args.records),
                        lambda rec: RecordSource(rec, loading)),
                measure("files", args, lambda: files(Path(folder) / "files", pictures, args.files),
                        lambda root: FolderSource(index_folder(root)[0], loading))]
    print(cli.table(HEADER, rows))
    write_csv(args.save_dir / "load.csv", HEADER, rows)
    write_json(args.save_dir / "metrics.json", {"load": [dict(zip(HEADER, row)) for row in rows], "measurements": []})
    return int(any(float(row[2]) > LONGEST_START or float(row[5]) >= STEEPEST for row in rows))


def measure(name, args, make, source_of):
    place = make()
    began = time.monotonic()
    source = source_of(place)
    next(source.epoch(0))
    start = time.monotonic() - began
    net = EtinyNet(4, [(4, 8), (4, 8), (4, 8), (4, 8)], classes=CLASSES)
    memory, began = [], time.monotonic()

    def log(line):
        if "training:" in line:
            memory.append(resident())
            print(f"{name}: {line}, {memory[-1]:.1f} MB", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        history = train(net, source, None, Config(epochs=args.epochs, lr=0.01), folder, log=log, log_interval=0)
    mx.nd.waitall()
    slope = np.polyfit(range(len(memory) - 1), memory[1:], 1)[0]  # a batch more or less is no growth
    speed = len(history) * source.samples_per_epoch / (time.monotonic() - began)
    return [name, source.samples, f"{start:.1f}", f"{speed:.0f}", " ".join(f"{value:.1f}" for value in memory),
            f"{slope:.2f}"]


def resident():
    """Resident memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def records(path, pictures, count):
    """A record file of `count` pictures, with its index."""
    with open(path, "wb") as out, open(path.with_suffix(".idx"), "w") as index:
        for number in range(count):
            picture = pictures[number % CLASSES]
            content = struct.pack("<IfQQ", 0, number % CLASSES, number, 0) + picture
            index.write(f"{number}\t{out.tell()}\n")
            out.write(struct.pack("<II", 0xCED7230A, len(content)) + content + bytes(-len(content) % 4))
    return path


def files(root, pictures, count):
    """A folder of `count` pictures in a subfolder for each class, all of them links to a few files."""
    for label, picture in enumerate(pictures):
        (root / f"class{label}").mkdir(parents=True)
        (root / f"class{label}" / "0.jpg").write_bytes(picture)
    for number in range(CLASSES, count):
        folder = root / f"class{number % CLASSES}"
        os.link(folder / "0.jpg", folder / f"{number}.jpg")
    return root


if __name__ == "__main__":
    cli.run(main)
