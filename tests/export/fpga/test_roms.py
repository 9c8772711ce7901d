"""ROM files: the layout word by word, reading back, faults, simulation with Icarus Verilog, Yosys."""

import copy
import hashlib
import re
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running import ROOT, load, run

from gluon_etinynet.export.fpga import roms
from gluon_etinynet.export.fpga.synthesis import block_rams
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import Graph, Node, QuantParams, Tensor
from gluon_etinynet.integer.random_graphs import conv_attrs, etinynet_graph

FPGA = ROOT / "gluon_etinynet" / "export" / "fpga"
ROM, ROM_TB = FPGA / "rtl" / "rom.v", FPGA / "testbench" / "rom_tb.v"
bram = load("benchmarks/bram.py")
simulated = pytest.mark.skipif(not (shutil.which("iverilog") and shutil.which("vvp")),
                               reason="needs Icarus Verilog: apt-get install iverilog")
synthesised = pytest.mark.skipif(not shutil.which("yosys"), reason="needs Yosys: apt-get install yosys")


def written(folder, files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def with_checksums(files):
    """The files with SHA256SUMS made anew, as someone would who edits them on purpose."""
    sums = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
                   for name, text in files.items() if name != roms.CHECKSUMS)
    return dict(files, **{roms.CHECKSUMS: sums})


def with_word(files, memory, word, change):
    """The files with one word changed in all three views."""
    lines = files[f"{memory}.mem"].splitlines()
    old = lines[word]
    new = f"{change(int(old, 16)):0{len(old)}x}"
    lines[word] = new
    files = dict(files, **{f"{memory}.mem": "".join(line + "\n" for line in lines)})
    for view, pattern in (("coe", r"(?:[0-9a-f]+[,;]\n)"), ("mif", r"(?:[0-9A-F]+ : [0-9a-f]+;\n)")):
        text = files[f"{memory}.{view}"]
        start = text.index("vector=\n") + 8 if view == "coe" else 0
        place = re.findall(pattern, text[start:])[word]
        files[f"{memory}.{view}"] = text.replace(place, place.replace(old, new), 1)
    return with_checksums(files)


def small_graph(rng, channels, bits, biased=True):
    """Stem, depthwise, pointwise, an odd kernel, average and classes, of any number of channels."""
    graph = Graph("small", Tensor("image", (3, 9, 8), QuantParams(1.0)))
    first, second, classes = channels
    x = graph.image
    for name, shape, groups in (("stem", (first, 3, 3, 3), 1), ("dw", (first, 1, 3, 3), first),
                                ("pw", (second, first, 1, 1), 1), ("wide", (second, 1, 1, 5), second)):
        attrs = conv_attrs(rng, x, 3, shape, bits, groups=groups)
        attrs["pad"] = shape[2] // 2
        if not biased or name == "wide":
            attrs["bias"] = None
        x = graph.append(Node("conv2d", [x.name], name, attrs), QuantParams(0.1, 3))
    average = {"multiplier": np.array([12345], np.int16), "shift": 1, "offset": np.array([-54321], np.int32)}
    x = graph.append(Node("avgpool", [x.name], "average", average), QuantParams(0.05, 5))
    attrs = conv_attrs(rng, x, 0, (classes, second, 1, 1), bits, out_bits=32)
    if not biased:
        attrs["bias"] = None
    graph.append(Node("conv2d", [x.name], "logits", attrs), QuantParams(1e-4, 0, 32))
    return graph


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


# ---- Layout and reading back ----

@settings(max_examples=30)
@given(seed=st.integers(0, 1 << 30), v=st.sampled_from(roms.WORD_CHANNELS), bits=st.sampled_from([2, 3, 4]),
       channels=st.tuples(*[st.integers(1, 70)] * 3), biased=st.booleans())
def test_every_value_is_in_its_place_and_is_read_back(tmp_path_factory, seed, v, bits, channels, biased):
    graph = small_graph(np.random.default_rng(seed), channels, bits, biased)
    files = roms.emit(graph, v)
    folder = written(tmp_path_factory.mktemp("rom"), files)
    roms.verify(folder, graph)
    arrays = roms.read(folder)
    for node in graph.nodes:
        for key in ("weight", "multiplier", "offset", "bias"):
            expected, got = node.attrs.get(key), arrays[node.output][key]
            assert (expected is None) == (got is None)
            if expected is not None:
                assert got.dtype == expected.dtype
                np.testing.assert_array_equal(got, expected)
    assert ("bias.mem" in files) == biased

    # The layout of docs/rom.md, computed by cutting each array into words from the outside in.
    expected = {"pointwise": [], "depthwise": [], "requantise": [], "bias": []}
    for node in graph.nodes:
        weight = node.attrs.get("weight")
        if weight is not None and node.output in ("pw", "logits"):
            for first in range(0, len(weight), 8):
                for start in range(0, weight.shape[1], v):
                    block = np.zeros((8, v), int)
                    part = weight[first:first + 8, start:start + v, 0, 0]
                    block[:len(part), :part.shape[1]] = part
                    expected["pointwise"].append(word_of(block.ravel(), 4))
        elif weight is not None:
            for first in range(0, len(weight), v):
                for tap in weight[first:first + v].reshape(len(weight[first:first + v]), -1).T:
                    expected["depthwise"].append(word_of(tap, 4))
        bias = node.attrs.get("bias")
        for first in range(0, len(node.attrs["multiplier"]), 8):
            m, o = (node.attrs[key][first:first + 8] for key in ("multiplier", "offset"))
            lanes = [(int(mm) & 0xffff) + ((int(oo) & 0xfffff) << 16) for mm, oo in zip(m, o)]
            expected["requantise"].append(word_of(lanes, 36))
            bits_of_bias = files.manifest["field_bits"]["bias"]
            expected["bias"].append(0 if bias is None else word_of(bias[first:first + 8], bits_of_bias))
    for memory in ("pointwise", "depthwise", "requantise") + (("bias",) if biased else ()):
        assert [int(line, 16) for line in files[f"{memory}.mem"].splitlines()] == expected[memory], memory


def word_of(lanes, bits):
    return sum((int(value) % (1 << bits)) << (bits * lane) for lane, value in enumerate(lanes))


def test_the_example_of_the_documentation():
    weight = np.zeros((9, 10, 1, 1), np.int8)
    weight[0, 0], weight[0, 1], weight[1, 0], weight[0, 8], weight[8, 0] = -7, 3, 5, 2, -1
    graph = Graph("example", Tensor("image", (10, 1, 1), QuantParams(1.0)))
    attrs = conv_attrs(np.random.default_rng(0), graph.image, 0, weight.shape, 4, weight=weight)
    attrs["bias"] = None
    graph.append(Node("conv2d", ["image"], "pw", attrs), QuantParams(0.1))
    assert [line.lstrip("0") for line in roms.emit(graph, 8)["pointwise.mem"].splitlines()] == [
        "500000039", "2", "f", ""]


def test_views_hold_the_same_words_and_the_header_their_sizes():
    files = roms.emit(etinynet_graph("tiny", 32, 4, 10), 8)
    header = dict(re.findall(r"localparam (\w+) = (\d+);", files["etinynet_roms.vh"]))
    for name, memory in files.manifest["memories"].items():
        words = files[f"{name}.mem"].split("\n")
        assert words.pop() == "" and len(words) == memory["depth"] == int(header[f"{name.upper()}_DEPTH"])
        assert {len(word) for word in words} == {-(-memory["width"] // 4)}
        assert memory["width"] == memory["lanes"] * memory["lane_bits"]
        assert memory["width"] == int(header[f"{name.upper()}_WIDTH"])
        radix, vector = files[f"{name}.coe"].split("memory_initialization_vector=")
        assert radix == "memory_initialization_radix=16;\n" and vector.strip(" \n;").split(",\n") == words
        rows = re.findall(r"^([0-9A-F]+) : (\w+);$", files[f"{name}.mif"], re.MULTILINE)
        assert [(int(address, 16), word) for address, word in rows] == list(enumerate(words))
        assert f"DEPTH = {memory['depth']};\nWIDTH = {memory['width']};\n" in files[f"{name}.mif"]


@pytest.mark.parametrize("offset, bits", [((1 << 19) - 1, 20), (-(1 << 19), 20), (1 << 19, 21),
                                          (-(1 << 23) + 1, 24)])
def test_extreme_values_are_held(tmp_path, offset, bits):
    graph = small_graph(np.random.default_rng(1), (5, 9, 3), 4)
    attrs = graph.nodes[1].attrs
    attrs["offset"][:2], attrs["multiplier"][:2] = (offset, -1), (32767, -32767)
    attrs["shift"], attrs["bias"][:2] = 0, (1 << 30, -(1 << 30))
    files = roms.emit(graph, 8)
    roms.verify(written(tmp_path / "rom", files), graph)
    fields = files.manifest["field_bits"]
    assert fields == {"weight": 4, "multiplier": 16, "offset": bits, "bias": 32}


def test_networks_of_the_paper_have_the_words_that_were_sized():
    expected = {("0.75", 24): ((3290, 768), (1206, 96), (741, 288)),
                ("1.0", 32): ((3568, 1024), (1152, 128), (910, 288))}
    for (width, v), sizes in expected.items():
        graph = etinynet_graph(width, bits=4)
        memories = roms.emit(graph, v).manifest["memories"]
        assert tuple((memories[name]["depth"], memories[name]["width"])
                     for name in ("pointwise", "depthwise", "requantise")) == sizes
        assert bram.activation_words(graph, v) == 3920


def test_same_network_same_bytes():
    assert roms.emit(etinynet_graph("tiny", 32, 4), 24) == roms.emit(etinynet_graph("tiny", 32, 4), 24)


# ---- Faults ----

@pytest.fixture(scope="module")
def small():
    graph = small_graph(np.random.default_rng(7), (9, 10, 11), 4)
    return graph, roms.emit(graph, 8)


def test_a_changed_weight_is_named(small, tmp_path):
    graph, files = small
    layers = {layer["name"]: layer for layer in files.manifest["layers"]}
    base = layers["pw"]["weight_base"]
    value = graph.nodes[2].attrs["weight"][8, 8, 0, 0]
    # Output 8 is lane group 0 of the second row of words, input 8 lane 0 of the second word of that row.
    changed = with_word(files, "pointwise", base + 3, lambda word: word ^ 1)
    with pytest.raises(InputError) as caught:
        roms.verify(written(tmp_path / "rom", changed), graph)
    other = signed((int(value) & 15) ^ 1, 4)
    assert str(caught.value).endswith(f"pointwise.mem: word {base + 3} holds {other} where "
                                      f"pw/weight[8, 8, 0, 0] of the network is {value}")


@pytest.mark.parametrize("memory, key, bit", [("requantise", "multiplier", 0), ("requantise", "offset", 16),
                                              ("bias", "bias", 0)])
def test_a_changed_parameter_is_named(small, tmp_path, memory, key, bit):
    graph, files = small
    folder = written(tmp_path / "rom", with_word(files, memory, 0, lambda word: word ^ 1 << bit))
    with pytest.raises(InputError, match=rf"{memory}.mem: word 0 holds .* where stem/{key}\[0\]"):
        roms.verify(folder, graph)


def test_roms_of_another_network_are_refused(small, tmp_path):
    graph, files = small
    other = copy.deepcopy(graph)
    other.nodes[0].attrs["bias"] = None
    with pytest.raises(InputError, match="stem/bias is not of the network's shape"):
        roms.verify(written(tmp_path / "rom", files), other)


FAULTS = {
    "altered": (lambda f: dict(f, **{"pointwise.mem": f["pointwise.mem"].replace("1", "2", 1)}),
                r"pointwise\.mem has been altered"),
    "module altered": (lambda f: dict(f, **{"rom.v": f["rom.v"] + "\n"}), r"rom\.v has been altered"),
    "short": (lambda f: with_checksums(dict(f, **{"bias.mem": f["bias.mem"].split("\n", 1)[1]})),
              r"bias\.mem has \d+ lines, its memory \d+ words"),
    "comment": (lambda f: with_checksums(dict(f, **{"bias.mem": "//" + f["bias.mem"][2:]})),
                r"bias\.mem: line 1 is no word of \d+ bits"),
    "view differs": (lambda f: with_checksums(dict(f, **{"bias.coe": f["bias.coe"].replace("=16", "=2")})),
                     r"bias\.coe does not hold the words of bias\.mem"),
    "padding": (lambda f: with_word(f, "depthwise", 27, lambda word: word | 1 << 31),
                r"depthwise\.mem: word 27 holds a value where it should be zero"),
    "no checksum": (lambda f: dict(f, **{roms.CHECKSUMS: ""}), r"etinynet_roms\.json has been altered"),
    "no map": (lambda f: dict(f, **{roms.ADDRESS_MAP: "{}"}),
               r"etinynet_roms\.json is missing or no address map"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_folder_is_refused(small, tmp_path, fault):
    change, message = FAULTS[fault]
    with pytest.raises(InputError, match=message):
        roms.read(written(tmp_path / "rom", change(small[1])))


def test_a_missing_file_is_named(small, tmp_path):
    folder = written(tmp_path / "rom", small[1])
    (folder / "depthwise.mif").unlink()
    with pytest.raises(InputError, match=r"cannot read .*depthwise\.mif"):
        roms.read(folder)


def test_unsupported_words_are_refused(small):
    with pytest.raises(ValueError, match="16 channels"):
        roms.emit(small[0], 16)


# ---- The command line ----

def export(*arguments):
    return run("tools/export_rom.py", *arguments)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_export_writes_what_the_checksums_say_and_writes_it_again(small, tmp_path):
    graph, files = small
    graph.save(tmp_path / "model.npz")
    arguments = ("--graph", tmp_path / "model.npz", "--word-channels", 8, "--out", tmp_path / "new" / "rom")
    for _ in range(2):
        done = export(*arguments)
        assert done.returncode == 0, done.stderr
        assert contents(tmp_path / "new" / "rom") == {name: text.encode() for name, text in files.items()}
    assert "written and read back" in done.stdout
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["rom"]


def test_a_folder_of_others_is_refused_without_force(small, tmp_path):
    small[0].save(tmp_path / "model.npz")
    out = tmp_path / "rom"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    arguments = ("--graph", tmp_path / "model.npz", "--out", out)
    refused = export(*arguments)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "is not empty and no export of" in refused.stderr
    assert contents(out) == {"thesis.txt": b"years of work"}
    assert export(*arguments, "--force").returncode == 0
    assert (out / "thesis.txt").read_text() == "years of work" and roms.read_address_map(out)
    in_the_way = export("--graph", tmp_path / "model.npz", "--out", out / "thesis.txt")
    assert in_the_way.returncode == 2 and "is a file" in in_the_way.stderr


def test_weights_of_8_bits_are_refused_in_one_line(tmp_path):
    etinynet_graph("tiny", 32, 8).save(tmp_path / "model.npz")
    refused = export("--graph", tmp_path / "model.npz", "--out", tmp_path / "rom")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "stem.conv has weights of 8 bits" in refused.stderr and not (tmp_path / "rom").exists()


def test_word_channels_change_the_words(small, tmp_path):
    small[0].save(tmp_path / "model.npz")
    for v in roms.WORD_CHANNELS:
        out = tmp_path / str(v)
        done = export("--graph", tmp_path / "model.npz", "--out", out, "--word-channels", v)
        assert done.returncode == 0, done.stderr
        assert roms.read_address_map(out)["memories"]["depthwise"]["lanes"] == v


# ---- Simulation ----

def simulate(folder, top, sources, status=0, **parameters):
    options = [f'-P{top}.{name}="{value}"' if isinstance(value, str) else f"-P{top}.{name}={value}"
               for name, value in parameters.items()]
    captured = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "universal_newlines": True}
    built = subprocess.run(["iverilog", "-g2005", "-Wall", "-s", top, "-o", "simulation", *options,
                            *map(str, sources)], cwd=str(folder), **captured)
    assert built.returncode == 0, built.stdout
    assert not built.stdout, built.stdout
    ran = subprocess.run(["vvp", "-n", "simulation"], cwd=str(folder), **captured)
    assert ran.returncode == status, ran.stdout
    return ran.stdout.splitlines()


@simulated
@pytest.mark.parametrize("width, v, bits", [("tiny", 8, 2), ("tiny", 32, 3), ("0.75", 24, 4)])
def test_every_word_read_through_the_rom_is_the_packers(tmp_path, width, v, bits):
    files = roms.emit(etinynet_graph(width, 64, bits), v)
    folder = written(tmp_path / "rom", files)
    for name, memory in files.manifest["memories"].items():
        seen = simulate(folder, "rom_tb", [folder / "rom.v", ROM_TB], PATH=memory["file"], WIDTH=memory["width"],
                        DEPTH=memory["depth"])
        assert seen == files[memory["file"]].splitlines(), name


@simulated
def test_a_rom_of_one_word(tmp_path):
    (tmp_path / "rom.mem").write_text("2a\n")
    assert simulate(tmp_path, "rom_tb", [ROM, ROM_TB], PATH="rom.mem", WIDTH=7, DEPTH=1) == ["2a"]


@simulated
@pytest.mark.parametrize("lines", [None, ["1", "2"]])
def test_a_missing_or_short_file_stops_the_simulation(tmp_path, lines):
    if lines:
        (tmp_path / "rom.mem").write_text("\n".join(lines) + "\n")
    seen = simulate(tmp_path, "rom_tb", [ROM, ROM_TB], status=1, PATH="rom.mem", WIDTH=8, DEPTH=3)
    assert f"rom: rom.mem does not hold word {len(lines or [])} of 3" in seen


@simulated
def test_a_rom_without_a_file_stops_the_simulation(tmp_path):
    assert "rom:  does not hold word 0 of 3" in simulate(tmp_path, "rom_tb", [ROM, ROM_TB], status=1, PATH="", DEPTH=3)


def two_exports(folder):
    """Of different sizes, with a prefix and without; the names of their Verilog files."""
    names = []
    for prefix, channels in (("", (9, 10, 11)), ("other", (5, 6, 7))):
        files = roms.emit(small_graph(np.random.default_rng(3), channels, 4), 8, prefix)
        assert not set(files) & set(names) - {roms.ADDRESS_MAP, roms.CHECKSUMS}
        written(folder, files)
        names += [name for name in files if name.endswith(".v")]
    (folder / "top.v").write_text(
        "module top(input clk, output [255:0] a, output [255:0] b);\n"
        "etinynet_roms first (.clk(clk), .depthwise_enable(1'b1), .depthwise_address(0), .depthwise_data(a));\n"
        "other_roms second (.clk(clk), .depthwise_enable(1'b1), .depthwise_address(0), .depthwise_data(b));\n"
        "endmodule\n")
    return names


@simulated
def test_two_exports_are_one_design(tmp_path):
    names = two_exports(tmp_path / "rom")
    (tmp_path / "rom" / "tb.v").write_text(
        "module tb; reg clk = 0; wire [255:0] a, b; top dut (.clk(clk), .a(a), .b(b));\n"
        "initial begin #1 clk = 1; #1 $display(\"%h\", a[31:0]); $display(\"%h\", b[31:0]); end endmodule\n")
    built = subprocess.run(["iverilog", "-g2012", "-o", "simulation", "tb.v", "top.v", *names], cwd=tmp_path / "rom")
    ran = subprocess.run(["vvp", "-n", "simulation"], cwd=tmp_path / "rom", stdout=subprocess.PIPE)
    assert built.returncode == ran.returncode == 0
    assert ran.stdout.decode().split() == [(tmp_path / "rom" / f"{prefix}depthwise.mem").read_text().split()[0]
                                           for prefix in ("", "other_")]
    ran = subprocess.run(["vvp", "-n", "rom/simulation"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert ran.returncode == 1, "started in a folder without the words"


@synthesised
def test_yosys_reads_all_files_of_two_exports(tmp_path):
    names = two_exports(tmp_path / "rom")
    for files, top in ((["etinynet_roms.v", "rom.v"], "etinynet_roms"), ([*names, "top.v"], "top")):
        subprocess.run(["yosys", "-q", "-p", f"read_verilog {' '.join(files)}; hierarchy -check -top {top}"],
                       cwd=tmp_path / "rom", check=True)


@pytest.mark.parametrize("prefix", ["2net", "a-b", "_", "x\n", "é", "x" * 65])
def test_a_prefix_that_is_none(small, prefix):
    with pytest.raises(InputError, match="prefix .* is none"):
        roms.emit(small[0], 8, prefix)


def test_an_export_with_a_prefix_reads_back(small, tmp_path):
    files = roms.emit(small[0], 8, "net")
    roms.verify(files.write(tmp_path / "rom"), small[0])
    assert "localparam NET_OUTPUTS = 8;" in files["net_roms.vh"]
    assert {name for name in files if not name.startswith("net_")} == {roms.ADDRESS_MAP, roms.CHECKSUMS}


@simulated
@pytest.mark.parametrize("biased", [True, False])
def test_the_module_that_holds_all_roms_reads_each(tmp_path, biased):
    graph = small_graph(np.random.default_rng(3), (9, 10, 11), 4, biased)
    files = roms.emit(graph, 8)
    folder = written(tmp_path / "rom", files)
    names = list(files.manifest["memories"])
    ports = ", ".join(f".{n}_enable(1'b1), .{n}_data({n}), "
                      f".{n}_address(address[$clog2({n.upper()}_DEPTH)-1:0])"
                      for n in names)
    (folder / "tb.v").write_text(
        "module tb;\n`include \"etinynet_roms.vh\"\nreg clk = 0; integer address;\n"
        + "".join(f"wire [{n.upper()}_WIDTH-1:0] {n};\n" for n in names)
        + f"etinynet_roms dut (.clk(clk), {ports});\ninitial begin\n#1;\n"
        + "".join(f"for (address = 0; address < {n.upper()}_DEPTH; address = address + 1) begin\n"
                  f"#1 clk = 1; #1 clk = 0; $display(\"%h\", {n}); end\n" for n in names)
        + "end\nendmodule\n")
    seen = simulate(folder, "tb", ["tb.v", "etinynet_roms.v", "rom.v"])
    assert seen == [line for n in names for line in files[f"{n}.mem"].splitlines()]


# ---- Mapping to block RAM ----

@synthesised
@pytest.mark.parametrize("prefix", ["", "my_net"])
def test_yosys_maps_a_rom_to_block_ram_and_nothing_else(tmp_path, prefix):
    files = roms.emit(etinynet_graph("tiny", 32, 4, 10), 8, prefix)
    memory = files.manifest["memories"]["depthwise"]
    assert (memory["depth"], memory["width"]) == (117, 32)
    assert block_rams(written(tmp_path / "rom", files), memory) == 0.5  # 512 x 36


@synthesised
@pytest.mark.slow
def test_a_rom_that_is_not_block_ram_is_an_error(small, tmp_path):
    folder, files = written(tmp_path / "rom", small[1]), small[1]
    clocked = "always @(posedge clk)\n        if (enable) "
    read_at_once = files["rom.v"].replace(clocked, "always @*\n        ")
    assert read_at_once != files["rom.v"]
    for text in (read_at_once, read_at_once.replace('(* rom_style = "block" *) ', "")):
        (folder / "rom.v").write_text(text)
        with pytest.raises(RuntimeError):
            block_rams(folder, roms.read_address_map(folder)["memories"]["depthwise"])


@synthesised
@pytest.mark.slow
def test_roms_of_etinynet_0_75_leave_room_within_the_papers_576_kb(tmp_path):
    files = roms.emit(etinynet_graph("0.75", bits=4), 24)
    folder = written(tmp_path / "rom", files)
    counts = {name: block_rams(folder, memory)
              for name, memory in files.manifest["memories"].items()}
    print(f"BRAM36: {counts}, sum {sum(counts.values())}; paper: {bram.PAPER}")
    assert counts["pointwise"] == 75 and counts["depthwise"] == 4 and counts["requantise"] == 8
    # 22 hold the activations, 6 the line buffers.
    assert sum(counts.values()) + 22 + 6 <= bram.PAPER
