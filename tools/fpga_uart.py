"""Classify photographs on a board that runs a core of tools/export_fpga.py, over a serial line.

Prints the largest logits, with their classes. docs/fpga.md, "On a board", says what goes over the line. A picture that
was not answered is named with what the board says of it, and the exit status is 2.
"""

import argparse
import os
import select
import termios
import tty
from pathlib import Path

from gluon_etinynet import InputError, cli
from gluon_etinynet.data.datasets import imagenet_classes
from gluon_etinynet.data.images import read_crop
from gluon_etinynet.export.fpga import core, memories, serial
from gluon_etinynet.quantities import CROP_RATIO
from gluon_etinynet.reading import read_json

PATIENCE = 5  # seconds without a byte; the board says of a picture that stopped after half a second that it did
RATES = sorted(int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit() and int(name[1:]) > 1200)


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="photograph, of any size")
    parser.add_argument("--core", required=True, metavar="DIR", help="folder of the core that the board runs")
    parser.add_argument("--port", required=True, metavar="FILE", help="serial port, as /dev/ttyUSB1")
    parser.add_argument("--baud", type=int, default=115200, choices=RATES, metavar="RATE",
                        help="of the bitstream's BAUD, one that this computer has (default: 115200)")
    parser.add_argument("--crop-ratio", type=CROP_RATIO, default=0.875,
                        help="side of the crop as a part of the resized short side (default: 0.875)")
    return parser.parse_args()


def main():
    args = parse_args()
    report = read_json(Path(args.core) / core.REPORT, "give a folder of tools/export_fpga.py", image=list, classes=int)
    _, rows, columns = report["image"]
    if rows != columns:
        raise InputError(f"{args.core} is a core for pictures of {rows} x {columns} pixels, not square ones")
    described = dict(zip(*imagenet_classes()))
    labels = report.get("labels") or [f"class {number}" for number in range(report["classes"])]
    line, failed = Line(args.port, args.baud), 0
    for path in args.images:
        print(path)
        try:
            picture = read_crop(path, rows, args.crop_ratio)
            line.send(serial.request(picture))
            found = serial.answer(line.read, min(memories.TOP, report["classes"]))
            if any(number >= report["classes"] for number, _ in found.top):
                raise InputError(f"the board has a class {max(found.top)[0]}: its core is not {args.core}")
        except InputError as error:
            failed += 1
            print(f"  {error}")
            continue
        for number, logit in found.top:
            print(f"  {logit:10d}  {described.get(labels[number], labels[number])}")
        print(f"  {found.cycles:,} cycles after the last pixel")
    return 2 if failed else 0


class Line:
    """A serial port, 8 bits without parity."""

    def __init__(self, port, baud):
        self.port = port
        try:
            self.file = os.open(port, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.file)
            settings = termios.tcgetattr(self.file)
            # What another program may have left: handshake lines, which a board lacks, and changed characters.
            settings[0] &= ~(termios.INLCR | termios.IGNCR | termios.IXOFF)
            settings[2] = settings[2] & ~(termios.CRTSCTS | termios.CSTOPB) | termios.CLOCAL | termios.CREAD
            settings[4] = settings[5] = getattr(termios, f"B{baud}")
            termios.tcsetattr(self.file, termios.TCSANOW, settings)
        except (OSError, termios.error) as error:
            raise InputError(f"{port} cannot be used as a serial port: {error}") from error

    def send(self, content):
        """Send bytes; what came unasked before is thrown away."""
        self._call(termios.tcflush, termios.TCIFLUSH)
        while content:
            content = content[self._call(os.write, content[:4096]):]
        self._call(termios.tcdrain)

    def read(self, count):
        """The next bytes, fewer where none comes for some seconds."""
        content = b""
        while len(content) < count and select.select([self.file], [], [], PATIENCE)[0]:
            more = self._call(os.read, count - len(content))
            if not more:
                break
            content += more
        return content

    def _call(self, function, *arguments):
        try:
            return function(self.file, *arguments)
        except (OSError, termios.error) as error:
            raise InputError(f"{self.port} failed: {error}") from error


if __name__ == "__main__":
    cli.run(main)
