"""ROM files under the tools that read Verilog: simulation with Icarus Verilog, block RAM with Yosys."""

import shutil
import subprocess

import numpy as np
import pytest
from running import ROOT
from small_roms import small_graph, written

from gluon_etinynet.export.fpga import roms
from gluon_etinynet.export.fpga.synthesis import block_rams
from gluon_etinynet.integer.random_graphs import etinynet_graph

FPGA = ROOT / "gluon_etinynet" / "export" / "fpga"
ROM, ROM_TB = FPGA / "rtl" / "rom.v", FPGA / "testbench" / "rom_tb.v"
simulated = pytest.mark.skipif(not (shutil.which("iverilog") and shutil.which("vvp")),
                               reason="needs Icarus Verilog: apt-get install iverilog")
synthesised = pytest.mark.skipif(not shutil.which("yosys"), reason="needs Yosys: apt-get install yosys")


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
def test_a_rom_that_is_not_block_ram_is_an_error(tmp_path):
    files = roms.emit(small_graph(np.random.default_rng(7), (9, 10, 11), 4), 8)
    folder = written(tmp_path / "rom", files)
    clocked = "always @(posedge clk)\n        if (enable) "
    read_at_once = files["rom.v"].replace(clocked, "always @*\n        ")
    assert read_at_once != files["rom.v"]
    without_style = read_at_once.replace("(* rom_style = ROM_STYLE *) ", "")
    assert without_style != read_at_once
    for text in (read_at_once, without_style):
        (folder / "rom.v").write_text(text)
        with pytest.raises(RuntimeError):
            block_rams(folder, roms.read_address_map(folder)["memories"]["depthwise"])
