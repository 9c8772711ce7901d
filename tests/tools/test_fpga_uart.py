"""tools/fpga_uart.py: photographs through a pseudo-terminal to a board that another thread plays."""

import json
import os
import struct
import termios
import threading
import tty
import zlib

import cv2
import numpy as np
import pytest
from running import assert_one_line, load, run

from gluon_etinynet.data.images import read_crop
from gluon_etinynet.export.fpga import serial

SIDE, CLASSES = 16, 3


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "core").mkdir()
    report = {"image": [3, SIDE, SIDE], "classes": CLASSES, "labels": ["cat", "dog", "owl"]}
    (tmp_path / "core" / "report.json").write_text(json.dumps(report))
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels)
    return tmp_path


def classify(folder, replies):
    """Run the tool on two photographs; a board that says these of them. Returns what it printed and was sent."""
    board, port = os.openpty()
    tty.setraw(port)
    size, taken = len(serial.request(np.zeros((SIDE, SIDE, 3)))), []

    def play():
        for reply in replies:
            content = b""
            while len(content) < size:
                content += os.read(board, size - len(content))
            taken.append(content)
            os.write(board, reply)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    done = run("tools/fpga_uart.py", "--core", folder / "core", "--port", os.ttyname(port), folder / "0.png",
               folder / "1.png")
    thread.join(10)
    os.close(board)
    os.close(port)
    return done, taken


def sealed(content):
    return content + struct.pack("<I", zlib.crc32(content))


GOOD = sealed(struct.pack("<BB3H3iI", serial.ANSWER, 0, 2, 0, 1, 77, 5, -3, 1234))


def test_classes_are_named(folder):
    done, taken = classify(folder, [GOOD, GOOD])
    assert done.returncode == 0, done.stderr
    assert taken == [serial.request(read_crop(folder / f"{number}.png", SIDE)) for number in range(2)]
    lines = done.stdout.splitlines()
    assert [line.split() for line in lines[1:4]] == [["77", "owl"], ["5", "cat"], ["-3", "dog"]]
    assert lines[4] == "  1,234 cycles after the last pixel" and lines[5] == str(folder / "1.png")


def test_a_fault_is_told_and_the_next_photograph_sent(folder):
    fault = sealed(bytes([serial.ANSWER, list(serial.STATUS).index("CHECKSUM")]))
    done, _ = classify(folder, [fault, GOOD])
    assert done.returncode == 2 and "altered on the line" in done.stdout and "owl" in done.stdout
    done, _ = classify(folder, [GOOD[:9] + b"\1" + GOOD[10:], b"??????"])
    assert done.returncode == 2 and "owl" not in done.stdout and "check the rate" in done.stdout


def test_a_port_is_set_up_whatever_was_left_in_it():
    board, port = os.openpty()
    settings = termios.tcgetattr(port)
    settings[0] |= termios.INLCR | termios.IXOFF
    settings[2] = settings[2] & ~termios.CLOCAL | termios.CRTSCTS | termios.CSTOPB
    termios.tcsetattr(port, termios.TCSANOW, settings)
    line = load("tools/fpga_uart.py").Line(os.ttyname(port), 230400)
    found = termios.tcgetattr(port)
    assert not found[0] & (termios.INLCR | termios.IXOFF | termios.ICRNL) and not found[3] & termios.ECHO
    assert not found[2] & (termios.CRTSCTS | termios.CSTOPB) and found[2] & termios.CLOCAL
    assert found[4:6] == [termios.B230400] * 2
    os.write(board, b"\r\n\x11")
    assert line.read(3) == b"\r\n\x11"
    for file in (line.file, port, board):
        os.close(file)


def test_what_it_refuses(folder):
    command = ["tools/fpga_uart.py", "--core", folder / "core", folder / "0.png", "--port"]
    assert_one_line(run(*command, folder / "absent"), "absent")
    assert_one_line(run(*command, folder / "0.png"), "serial port")
    assert_one_line(run("tools/fpga_uart.py", "--core", folder, "--port", "x", folder / "0.png"), "report.json")
