"""Pictures to a board over a serial line and its answers: the bytes of both (docs/fpga.md, "On a board"), and a
simulation of the board at its pins."""

import struct
import subprocess
import zlib
from pathlib import Path
from typing import List, NamedTuple, Tuple

import numpy as np

from ...files import InputError, write_text

__all__ = ["Answer", "STATUS", "definitions", "request", "answer", "simulate"]

REQUEST, ANSWER = 0xa5, 0x5a
STATUS = {"OK": "", "START": "a picture did not begin with its start byte", "STOP_BIT": "a byte had no stop bit",
          "TIMEOUT": "the picture was not whole", "CHECKSUM": "the picture was altered on the line",
          "OVERRUN": "bytes came before the board could take them",
          "ROM": "a ROM of the board does not hold its words"}
SCRIPT = "serial.txt"


class Answer(NamedTuple):
    """The largest logits, (class, logit), the largest first; cycles from the picture's last pixel to its last logit."""
    top: List[Tuple[int, int]]
    cycles: int


def definitions(clock):
    """What etn_board.v has to know of all this, and the Hz of the board's clock, as lines of etn_config.vh."""
    lines = [("BOARD_CLOCK", clock), ("REQUEST", f"8'h{REQUEST:02x}"), ("ANSWER", f"8'h{ANSWER:02x}")]
    lines += [(f"STATUS_{name}", f"3'd{number}") for number, name in enumerate(STATUS)]
    return "".join(f"`define ETN_{name} {value}\n" for name, value in lines)


def request(picture):
    """The bytes that send a picture, array of uint8 of shape (rows, columns, 3), RGB."""
    pixels = np.ascontiguousarray(picture, np.uint8).tobytes()
    return bytes([REQUEST]) + pixels + struct.pack("<I", zlib.crc32(pixels))


def answer(read, top):
    """Read what the board says of one picture.

    Parameters
    ----------
    read : callable
        ``read(n)`` returns the next n bytes of the line, fewer if there are no more.
    top : int
        Classes in an answer: of the exported folder's report.json.

    Returns
    -------
    Answer

    Raises
    ------
    InputError
        If the board says what was wrong, or nothing that can be understood.
    """
    head = read(2)
    if len(head) < 2:
        raise InputError("the board does not answer; check the port, the rate, and that its LED says ready")
    if head[0] != ANSWER or head[1] >= len(STATUS):
        raise InputError(f"the board answers with bytes {head.hex()}, which begin no answer; check the rate")
    status = list(STATUS)[head[1]]
    size = 4 + (6 * top + 4 if status == "OK" else 0)
    rest = read(size)
    if len(rest) != size or struct.unpack("<I", rest[-4:])[0] != zlib.crc32(head + rest[:-4]):
        raise InputError("the board's answer was torn or altered on the line; send the picture again")
    if status != "OK":
        raise InputError(f"the board says: {STATUS[status]}")
    *values, cycles = struct.unpack(f"<{top}H{top}iI", rest[:-4])
    return Answer(list(zip(values[:top], values[top:])), cycles)


def simulate(folder, script, skew=0.0):
    """Run the board's testbench in Icarus Verilog, at an eighth of the clock as rate.

    Parameters
    ----------
    folder : str or Path
        As `tools/export_fpga.py` writes it.
    script : list of (str, int)
        What happens on its pins: ``("send", byte)``, ``("torn", byte)`` for one without a stop bit, ``("wait", bits)``,
        ``("answer", n)`` until n bytes more have come, ``("lights", 0)``, ``("reset", cycles)``.
    skew : float
        Part by which the sender is too slow, as 0.02.

    Returns
    -------
    received : bytes
    lights : list of str
        What ready, busy and error were, as "100", at each "lights".

    Raises
    ------
    InputError
        If the simulator is missing, or an answer does not come.
    """
    folder = Path(folder)
    write_text(folder / SCRIPT, "".join(f"{what[0]} {number}\n" for what, number in script))
    said = []
    for command in (["make", "-s", "build/board"], ["vvp", "-n", "build/board", f"+slower={round(1e6 * skew)}"]):
        done = subprocess.run(command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True)
        said = done.stdout.splitlines()
        wrong = [line for line in said if line.split(" ")[0] not in ("u", "l")]
        if done.returncode or wrong:
            raise InputError(f"{' '.join(command)} in {folder} says: {(wrong or ['nothing'])[0]}")
    words = [line.split() for line in said]
    return (bytes(int(word, 16) for kind, word in words if kind == "u"), [word for kind, word in words if kind == "l"])
