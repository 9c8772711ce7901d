"""tools/report_c.py: a page for the engineer, whose figures agree with each other and with what is measured."""

import json

import pytest
from c_export import etinynet_graph, export, needs
from running import assert_one_line, load, run

from gluon_etinynet.export.c.program import simulated_output
from gluon_etinynet.export.c.stack import deepest, read_calls
from gluon_etinynet.files import InputError


def node(name, label):
    return f'node: {{ title: "{name}" label: "{name}\\na.c:1:2\\n{label}" }}\n'


def edge(source, target):
    return f'edge: {{ sourcename: "{source}" targetname: "{target}" label: "a.c:3:4" }}\n'


def test_the_deepest_calls(tmp_path):
    """Through a function of another file; what a library does is not known."""
    (tmp_path / "a.ci").write_text(node("a", "16 bytes (static)") + node("a.c:b", "40 bytes (dynamic,bounded)")
                                   + edge("a", "a.c:b") + edge("a", "c") + edge("a", "memcpy"))
    (tmp_path / "b.ci").write_text(node("c", "8 bytes (static)") + node("d", "100 bytes (static)") + edge("c", "d"))
    calls = read_calls(sorted(tmp_path.glob("*.ci")))
    assert deepest(calls, "a") == (124, ["a 16", "c 8", "d 100"])
    assert deepest(calls, "a.c:b") == (40, ["b 40"])
    (tmp_path / "b.ci").write_text(node("c", "8 bytes (static)") + edge("c", "a"))
    with pytest.raises(InputError, match="calls itself"):
        deepest(read_calls(tmp_path.glob("*.ci")), "a")
    (tmp_path / "b.ci").write_text(node("c", "8 bytes (dynamic)"))
    with pytest.raises(InputError, match="the stack of c is not bounded"):
        read_calls(tmp_path.glob("*.ci"))


DISASSEMBLED = """
00000000 <in_assembly>:
   0:\tstmdb\tsp!, {r4, r5, r6, lr}
   4:\tsub\tsp, #20
   8:\tldmia.w\tsp!, {r4, r5, r6, pc}

0000000c <small>:
   c:\tpush\t{r4, lr}

"""


def test_what_assembly_pushes_is_counted(tmp_path):
    (tmp_path / "a.ci").write_text(node("a", "16 bytes (static)") + node("a.c:in_assembly", "0 bytes (static)")
                                   + node("small", "8 bytes (static)") + edge("a", "a.c:in_assembly"))
    calls = read_calls([tmp_path / "a.ci"], lambda path: DISASSEMBLED)
    assert deepest(calls, "a") == (52, ["a 16", "in_assembly 36"]) and deepest(calls, "small")[0] == 8


@pytest.mark.slow
def test_a_report(tmp_path):
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    folder = export(etinynet_graph("tiny", 33, classes=5), tmp_path / "c", kernels="dsp", camera="yuyv:64x48",
                    self_test=True)
    done = run("tools/report_c.py", folder, "--mcu", "stm32f412", "--mhz", 50, "--save-dir", tmp_path / "out")
    assert done.returncode == 0 and (tmp_path / "out" / "report.md").read_text().strip() == done.stdout.strip()
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    stack = {name.split("_of_")[0]: of["bytes"] for name, of in found["stack"].items()}
    functions = "init", "self_test", "push_row", "camera_begin", "camera_row", "run"
    assert set(stack) == {f"net_{name}" for name in functions}
    flags = load("tools/report_c.py").CFLAGS
    assert simulated_output(folder, "stm32f412", b"", "ARGS=--self-test", f"CFLAGS={flags}") == b"self-test passed\n"
    # Measured with the demo's main and start, whose frames are small.
    assert max(stack.values()) <= found["counted"]["stack"] <= max(stack.values()) + 200
    assert found["stack"][next(name for name in found["stack"] if "_run_of_" in name)]["calls"][-1] == "run_tiles 56"
    counted = found["counted"]
    layers = sum(counted["layers"].values())
    assert 0.9 * counted["instructions"] < layers < 1.3 * counted["instructions"]
    for rows, count in (("image", 33), ("camera", 48)):
        of = counted["rows"][rows]
        assert of["mean"] < of["most"] < of["all"] < counted["instructions"] + of["all"]
        assert of["mean"] == round(of["all"] / count)
    assert f"{counted['rows']['camera']['most'] / 50e3:,.2f} |" in done.stdout
    assert found["sections"]["bss"] > found["arena_bytes"]["stored"]


@pytest.mark.slow
@pytest.mark.parametrize("address, counts", [(0x21000000, True), (0x90000000, False)])
def test_weights_in_memory_of_their_own(address, counts, tmp_path):
    """QEMU's board has memory at the first address only; flash and stack are told all the same."""
    needs("make", "arm-none-eabi-gcc", "qemu-system-arm")
    folder = export(etinynet_graph("tiny", 33, classes=5), tmp_path / "c", kernels="dsp", blob_address=address)
    done = run("tools/report_c.py", folder, "--mcu", "stm32f412", "--save-dir", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert done.returncode == 0 and found["stack"] and bool(found["counted"]) == counts
    assert ("at 0x90000000, where it may have no memory: instructions are not counted" in done.stdout) != counts


def test_a_folder_of_another_tool(tmp_path):
    needs("make", "arm-none-eabi-gcc")
    (tmp_path / "report.json").write_text('{"tool": "another", "layers": []}')
    assert_one_line(run("tools/report_c.py", tmp_path, "--mcu", "stm32f412", "--save-dir", tmp_path / "out"), "another")
    assert_one_line(run("tools/report_c.py", tmp_path / "none", "--mcu", "stm32f412"), "export_c.py")
    assert not (tmp_path / "out").exists()
