"""Weights outside the firmware: a section of their own, and a blob that is checked."""

import json
import struct
import zlib

import numpy as np
import pytest
from c_export import call, etinynet_graph, export, images, make, needs, raw

from gluon_etinynet.export.c.program import simulated_output
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import run as interpret

AT = 0x21000000  # memory of QEMU's board that the microcontroller of the linker script does not have


def header(folder):
    return struct.unpack("<8I", (folder / "net_weights.bin").read_bytes()[:32])


def test_the_header_tells_version_size_and_crc(tmp_path):
    graph = etinynet_graph("tiny", 33, 4, classes=5)
    folder = export(graph, tmp_path / "network", blob_address=AT)
    content = (folder / "net_weights.bin").read_bytes()
    magic, version, layout, size, crc, network, zero, own = header(folder)
    text = (folder / "include" / "etn.h").read_text()
    assert content[:4] == b"ENtW" and f"#define ETN_VERSION {version}\n" in text
    assert size == len(content) and crc == zlib.crc32(content[32:]) and own == zlib.crc32(content[:28])
    assert network == int(graph.sha256()[:8], 16) and zero == 0
    assert "static const uint8_t" not in (folder / "src" / "net.c").read_text()
    # Other weights of the same shape fit the firmware; another shape does not.
    others = [export(other, tmp_path / str(i), blob_address=AT) for i, other in enumerate((
        etinynet_graph("tiny", 33, 8, classes=5, seed=3), etinynet_graph("tiny", 33, 4, classes=6)))]
    # So do those for another place, whose pointers lead elsewhere, and those with digests where none are read.
    others += [export(graph, tmp_path / "elsewhere", blob_address=AT + 4096),
               export(graph, tmp_path / "digests", blob_address=AT, self_test=True)]
    assert [header(other)[2] == layout for other in others] == [True, False, False, False]


@pytest.mark.slow
def test_a_firmware_runs_by_its_blob_and_refuses_another(tmp_path):
    """On a Cortex-M4: the network's own, one with other weights and scales, and none that is damaged or another's."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    graph, younger = etinynet_graph("tiny", 33, 4, classes=5), etinynet_graph("tiny", 33, 8, classes=5, seed=3)
    folder = export(graph, tmp_path / "network", kernels="dsp", blob_address=AT, self_test=True)
    update = export(younger, tmp_path / "update", kernels="dsp", blob_address=AT, self_test=True)
    other = export(etinynet_graph("tiny", 33, 4, classes=6), tmp_path / "other", kernels="dsp", blob_address=AT)
    path, image = folder / "net_weights.bin", images(graph)[0]

    def said(arguments="--logits"):
        return simulated_output(folder, "stm32f412", raw(image), "CFLAGS=-O1", f"ARGS={arguments}").split()

    right, updated = path.read_bytes(), (update / "net_weights.bin").read_bytes()
    for content, network in ((right, graph), (updated, younger)):
        path.write_bytes(content)
        assert np.array_equal(np.array(said(), np.int32), interpret(network, image[None])[0])
        assert said("--self-test") == [b"self-test", b"passed"]
    objects = sorted(folder.glob("build/*/src/*.o"))
    listed = call(["arm-none-eabi-nm", "-g", "--defined-only", *objects]).decode().splitlines()
    names = [line.split()[-1] for line in listed if len(line.split()) == 3]
    assert any("check_blob" in name for name in names) and all(name.startswith("net_") for name in names)
    for content in (right[:100] + bytes([right[100] ^ 1]) + right[101:], right[:-4] + b"none",
                    bytes(len(right)), right[:12] + b"\xff\xff\xff\x7f" + right[16:],
                    (other / "net_weights.bin").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(InputError, match="failed: net: error: the arena cannot be initialised"):
            said()
    with pytest.raises(InputError) as caught:
        said("--self-test")
    assert caught.value.__cause__.stdout.startswith(b"self-test did not run, status")


def test_weights_go_to_a_section_of_their_own(tmp_path):
    needs("make", "arm-none-eabi-gcc", "arm-none-eabi-objdump")
    folder = export(etinynet_graph("tiny", 33, 4, classes=5), tmp_path / "network")
    flags = ["-mcpu=cortex-m4", "-mthumb", "-std=c99", "-Wall", "-Werror", "-c", folder / "src" / "net.c"]
    call(["arm-none-eabi-gcc", *flags, "-DETN_WEIGHTS_SECTION=\".ext_flash\"", "-o", tmp_path / "net.o"])
    lines = call(["arm-none-eabi-objdump", "-h", tmp_path / "net.o"]).decode().splitlines()
    section = next(i for i, line in enumerate(lines) if " .ext_flash " in line)
    report = json.loads((folder / "report.json").read_text())
    size = int(lines[section].split()[2], 16)
    assert report["flash_bytes"]["total"] <= size < report["flash_bytes"]["total"] + 8 * 60
    assert "READONLY" in lines[section + 1]


def test_a_blob_is_for_the_device_alone(tmp_path):
    needs("make")
    folder = export(etinynet_graph("tiny", 33, classes=5), tmp_path / "network", blob_address=AT)
    with pytest.raises(InputError, match="without --weights-blob"):
        make(folder, "host")
