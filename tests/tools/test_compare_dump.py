"""tools/compare_dump.py on what the exported C has computed, faults planted in it."""

import numpy as np
import pytest
from c_export import call, etinynet_graph, export, images, make, needs, raw
from running import assert_one_line, run

from gluon_etinynet.data.camera import Camera
from gluon_etinynet.integer import pixels_to_input


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A network, its C built with the trace, and a picture."""
    needs("make", "cc")
    work = tmp_path_factory.mktemp("dump")
    graph = etinynet_graph("tiny", 33, 4, classes=5)
    graph.save(work / "net.npz")
    (work / "image.raw").write_bytes(raw(images(graph)[0]))
    return work, graph, export(graph, work / "c")


def dump(folder, content, observe="trace"):
    make(folder, "host", "CFLAGS=-O0", f"OBSERVE={observe}")
    return call([folder / "build" / f"host-{observe}" / "net"], content)


def compared(work, content, *picture):
    (work / "dump").write_bytes(content)
    done = run("tools/compare_dump.py", "--graph", work / "net.npz", "--dump", work / "dump",
               *(picture or ("--image", work / "image.raw")))
    return done.returncode, done.stdout.splitlines(), done


def test_equal_in_bytes_and_in_a_log_of_text(work):
    folder, graph, c = work
    picture = (folder / "image.raw").read_bytes()
    assert compared(folder, dump(c, picture))[:2] == (0, ["equal: all 20 tensors"])
    log = b"boot 1.0\r\n" + dump(c, picture, "hex").replace(b"\n", b"\r\n") + b"done.\r\n"
    assert log.isascii() and compared(folder, log)[:2] == (0, ["equal: all 20 tensors"])


FAULTS = {
    "the padding is 0": ("src/etn_block.c", {"->in_zero_point": "->in_zero_point * 0"}),
    "the last shift rounds down": ("src/etn_requantise.h", {"(t >> 10)": "((t - 512) >> 10)"}),
    "the nibbles of the weights are exchanged": ("src/etn_weights.c", {
        "both & 15": "both >> 4", "both >> 4 ^": "(both & 15) ^", "*packed & 15": "*packed >> 4"}),
}


@pytest.mark.parametrize("cause", FAULTS)
def test_a_planted_fault_is_named(cause, work):
    folder, graph, c = work
    name, changes = FAULTS[cause]
    source = c / name
    text = faulty = source.read_text()
    for right, wrong in changes.items():
        assert right in text
        faulty = faulty.replace(right, wrong)
    source.write_text(faulty)
    try:
        status, said, _ = compared(folder, dump(c, (folder / "image.raw").read_bytes()))
    finally:
        source.write_text(text)
    likely = [line for line in said if line.startswith("  likely")]
    assert status == 1 and len(likely) == 1 and cause in likely[0]
    if "padding" in cause:
        assert " 0 inside;" in said[1] and " is the first that differs" in said[0]


def test_other_pictures_are_told_apart(work):
    """Blue for red, pixels for pixels - 128, and the bytes of RGB565 exchanged."""
    folder, graph, c = work
    camera = Camera("rgb565le", 40, 40)
    seen = camera.encode(np.random.RandomState(0).randint(0, 256, (40, 40, 3)).astype(np.uint8))
    (folder / "frame.raw").write_bytes(seen.tobytes())
    of_camera = "--frame", folder / "frame.raw", "--camera", "rgb565le:40x40"
    image = images(graph)[0]
    for given, words, picture in ((raw(image[::-1]), "blue, green, red", ()),
                                  (raw((image.view(np.uint8) ^ 128).view(np.int8)), "pixel - 128", ()),
                                  (raw(image[:, ::-1]), "upside down", ())):
        status, said, _ = compared(folder, dump(c, given), *picture)
        assert status == 1 and words in said[-1] and "stem.conv" in said[0]
    right = pixels_to_input(camera.image(seen, 33, 33))
    assert compared(folder, dump(c, raw(right)), *of_camera)[0] == 0


def test_where_is_told_if_nothing_explains_it(work):
    """One channel's offset: the layer and the channel."""
    folder, graph, c = work
    source = c / "src" / "net.c"
    text = source.read_text()
    begin = text.index("{", text.index(" offset_5[")) + 1
    source.write_text(text[:begin] + "0, 0, 9, " + text[begin:].split(", ", 3)[3])
    try:
        status, said, _ = compared(folder, dump(c, (folder / "image.raw").read_bytes()))
    finally:
        source.write_text(text)
    assert status == 1 and said[0].split(", ")[1] == graph.nodes[5].output
    assert any("only the channels 0 of" in line for line in said)


def test_what_cannot_be_compared(work):
    folder, graph, c = work
    whole = dump(c, (folder / "image.raw").read_bytes())
    assert_one_line(compared(folder, whole[:-700])[2], "not whole")
    assert_one_line(compared(folder, whole[:5] + whole[6:])[2], "is damaged at byte 0")
    assert_one_line(compared(folder, whole, "--image", folder / "net.npz")[2], "give the one that the device has seen")
    assert_one_line(compared(folder, whole, "--frame", folder / "net.npz")[2], "--camera")
