"""What libraries say of damaged pictures: heard, not seen, and told of the right picture."""

import concurrent.futures
import os
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from running import ROOT, assert_one_line

from gluon_etinynet.data.decoders import decode_and_hear
from gluon_etinynet.data.images import decode

NOISE = np.random.RandomState(0).randint(0, 256, (40, 50, 3)).astype(np.uint8)


def encoded(suffix):
    return cv2.imencode(suffix, NOISE)[1].tobytes()


def damaged_jpeg():
    """Bytes of the compressed data left out, the end marker in its place."""
    content = encoded(".jpg")
    return content[:-400] + content[-2:]


def damaged_png():
    content = bytearray(encoded(".png"))
    content[len(content) // 2] ^= 1
    return bytes(content)


def odd_png():
    """A text chunk with a keyword that libpng warns of; the pixels are whole."""
    chunk = b"tEXt" + b" \0a"
    content = encoded(".png")
    return content[:33] + (3).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + content[33:]


@pytest.mark.parametrize("content, complaint", [
    (damaged_jpeg(), "Corrupt JPEG data: premature end of data segment"), (damaged_png(), "libpng error: "),
    (encoded(".jpg")[:-2] + b"\0\0" + b"\xff\xd9", ""), (odd_png(), ""), (encoded(".png"), "")])
def test_the_complaint_is_returned_and_nothing_printed(content, complaint, capfd):
    image, said = decode_and_hear(content)
    assert said.startswith(complaint) and bool(said) == bool(complaint)
    assert capfd.readouterr() == ("", "")
    if complaint:
        with pytest.raises(ValueError, match=complaint):
            decode(content)
    else:
        np.testing.assert_array_equal(decode(content), cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def test_opencv_itself_prints():
    """What the above is held against."""
    code = f"import sys, cv2, numpy; cv2.imdecode(numpy.frombuffer({damaged_jpeg()!r}, numpy.uint8), 1)"
    assert b"Corrupt JPEG" in subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE).stderr


def test_threads_hear_of_their_own_picture(capfd):
    contents = [damaged_jpeg(), encoded(".jpg"), damaged_png(), encoded(".png")] * 100
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        complaints = [said for _, said in pool.map(decode_and_hear, contents)]
    assert [said[:6] for said in complaints] == ["Corrup", "", "libpng", ""] * 100
    os.write(2, b"as before")
    assert capfd.readouterr().err == "as before"


def test_a_tool_says_one_line(tmp_path):
    (tmp_path / "a.png").write_bytes(damaged_png())
    code = ("import sys\nfrom gluon_etinynet import cli\nfrom gluon_etinynet.data.images import read_image\n"
            "cli.run(lambda: read_image(sys.argv[1]))")
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"], stderr=subprocess.PIPE, cwd=ROOT,
                          universal_newlines=True)
    assert_one_line(done, "a.png is not a picture that can be used (OpenCV cannot decode it: libpng error")


def test_a_closed_standard_error_does_no_harm(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(".png"))
    code = ("import os, sys\nos.close(2)\nfrom gluon_etinynet.data.images import read_image\n"
            "print([read_image(sys.argv[1]).shape for _ in range(2)])")
    said = subprocess.run([sys.executable, "-c", code, tmp_path / "a.png"], stdout=subprocess.PIPE, cwd=ROOT).stdout
    assert said == b"[(40, 50, 3), (40, 50, 3)]\n"


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_a_png_whose_chunk_is_longer_than_the_file_is_not_given_to_opencv(kind):
    """It takes memory for what the length says, 2 GB here, before it looks for the bytes."""
    content = bytearray(encoded(".png"))
    content[content.index(kind) - 4] = 0x7f
    with pytest.raises(ValueError, match="no whole header"):
        decode(bytes(content))


def test_bytes_behind_the_end_of_a_png_are_no_damage():
    decode(encoded(".png") + b"\x7f" * 20)
