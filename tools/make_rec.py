"""Pack a folder of labelled pictures into PREFIX.rec, .idx, .lst and .classes.txt, with MXNet's im2rec.

Every record is checked; PREFIX.rec.checked says so, and training does not check them again.
"""

import concurrent.futures
import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gluon_etinynet import cli
from gluon_etinynet.data.images import index_folder, read_image
from gluon_etinynet.data.record_check import read_index, validate_records
from gluon_etinynet.files import PARTIAL, sole_writer, unwritable, write_classes
from gluon_etinynet.quantities import SEED, THREADS, Quantity
from gluon_etinynet.reading import InputError, read_lines

# Through our door to MXNet: im2rec alone does not start with numpy 1.24 and later.
IM2REC = ("import gluon_etinynet._mxnet, runpy, sys; sys.argv[0] = 'im2rec'; "
          "runpy.run_module('mxnet.tools.im2rec', run_name='__main__')")
PATIENCE = 30  # seconds in which the file does not grow; the readers of im2rec wait for ever for a writer that died


def parse_args():
    parser = cli.Parser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with a labels.csv or a subfolder for each class")
    parser.add_argument("prefix", type=Path, help="of the files to make")
    parser.add_argument("--resize", type=Quantity(0, 8192), default=0,
                        help="short side in pixels; 0 (default) keeps the size")
    parser.add_argument("--quality", type=Quantity(1, 100), default=95,
                        help="of the JPEG encoding, 1 to 100 (default: %(default)s)")
    parser.add_argument("--pass-through", action="store_true",
                        help="keep the files as they are, byte for byte")
    parser.add_argument("--classes", type=Path,
                        help="file with the name of one class a line, in the order of the network's outputs; "
                             "by default those that occur, sorted")
    parser.add_argument("--seed", type=SEED, default=100, help="of the order (default: %(default)s)")
    parser.add_argument("--num-thread", type=THREADS, default=os.cpu_count(),
                        help="processes that read and encode (default: %(default)s)")
    args = parser.parse_args()
    if args.pass_through and (args.resize or args.quality != 95):
        parser.error("--pass-through keeps the files as they are: it goes without --resize and --quality")
    return args


def main():
    args = parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end im2rec and remove what it made, as at Ctrl-C
    classes = read_lines(args.classes) if args.classes else None
    items, classes = index_folder(args.folder, classes)
    if args.pass_through:
        check_formats(path for path, _ in items)
    check_pictures([path for path, _ in items], args.num_thread)
    # Runs of one class would make batches, and the shares of several workers, unlike the whole.
    random.Random(args.seed).shuffle(items)
    prefix = args.prefix
    try:
        # A folder of its own: records of other names may be made beside it at the same time.
        with sole_writer(prefix.parent / f".making-{prefix.name}") as room, \
                tempfile.TemporaryDirectory(dir=room, prefix=PARTIAL) as folder:
            made = Path(folder) / prefix.name
            write_list(f"{made}.lst", items, args.folder)
            pack(made, len(items), args)
            check_records(made, len(items))
            write_classes(f"{made}.classes.txt", classes)
            # Killed from here on, an earlier set has no index: records do not pass with the classes of others.
            Path(f"{prefix}.idx").unlink(missing_ok=True)
            for extension in (".rec.checked", ".classes.txt", ".lst", ".rec", ".idx"):
                os.replace(f"{made}{extension}", f"{prefix}{extension}")
    except OSError as error:
        raise unwritable(f"{prefix}.rec", error) from error
    size = os.path.getsize(f"{prefix}.rec") / 1e6
    print(f"{prefix}.rec: {len(items)} pictures, {len(classes)} classes, {size:.1f} MB")


def check_formats(paths):
    """Refuse what MXNet cannot read from a record as it is."""
    for path in paths:
        with open(path, "rb") as file:
            if not file.read(8).startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
                raise InputError(f"{path} is neither JPEG nor PNG; leave out --pass-through, and it is encoded anew")


def check_pictures(paths, threads):
    """Read all pictures: OpenCV, and so im2rec, fills the missing part of a truncated one with grey."""
    def complaint(path):
        try:
            read_image(path)
        except InputError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        answers = cli.progress(pool.map(complaint, paths), total=len(paths), desc="reading")
        complaints = [text for text in answers if text]
    if complaints:
        more = f"; and {len(complaints) - 5} more" if len(complaints) > 5 else ""
        raise InputError("; ".join(complaints[:5]) + more)


def write_list(path, items, folder):
    with open(path, "w") as out:
        for number, (picture, label) in enumerate(items):
            name = os.path.relpath(picture, folder)
            if "\t" in name or "\n" in name or name != name.strip():
                raise InputError(f"{str(picture)!r}: im2rec cannot read names with tabs, line ends or spaces "
                                 "around them; rename it")
            out.write(f"{number}\t{label}\t{name}\n")


def pack(prefix, samples, args):
    """Run im2rec on PREFIX.lst."""
    command = [sys.executable, "-c", IM2REC, str(prefix.resolve()), str(args.folder.resolve()),
               "--num-thread", str(args.num_thread)]
    if args.pass_through:
        command += ["--pass-through"]
    else:
        command += ["--resize", str(args.resize), "--quality", str(args.quality)]
    index, rec = Path(f"{prefix}.idx"), Path(f"{prefix}.rec")
    size, since = 0, time.monotonic()
    with open(f"{prefix}.log", "w+") as log, cli.progress(total=samples, desc="packing") as bar:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            while process.poll() is None:
                time.sleep(0.2)
                if index.exists():
                    bar.update(index.read_bytes().count(b"\n") - bar.n)
                if rec.exists() and rec.stat().st_size != size:
                    size, since = rec.stat().st_size, time.monotonic()
                elif time.monotonic() - since > PATIENCE:
                    raise OSError(errno.EIO, f"im2rec has written nothing for {PATIENCE} s")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            log.seek(0)
            last = (log.read().strip().splitlines() or [f"status {process.returncode}"])[-1]
            wanting = errno.EMFILE if os.strerror(errno.EMFILE) in last else errno.EIO
            raise OSError(wanting, f"im2rec failed: {last}")


def check_records(prefix, samples):
    written = len(read_index(f"{prefix}.idx"))
    if written != samples:
        raise OSError(errno.EIO, f"im2rec has written {written} of {samples} records")
    validate_records(f"{prefix}.rec", f"{prefix}.idx")


if __name__ == "__main__":
    cli.run(main)
