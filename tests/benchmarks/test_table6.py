"""Table 6: what is counted, kept and judged; the core's equality on pictures; the lines that tests reach."""

import csv
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from running import assert_one_line, load, needs, run

from gluon_etinynet.export.fpga import simulation
from gluon_etinynet.files import InputError
from gluon_etinynet.integer.random_graphs import etinynet_graph
from gluon_etinynet.report import paper

synthesis = load("benchmarks/synthesis.py")
table6 = load("benchmarks/table6.py")
core_equality = load("benchmarks/core_equality.py")
rtl_coverage = load("benchmarks/rtl_coverage.py")

TOP = """module etn_sum(input clk, input [17:0] a, input [17:0] b, output reg [35:0] q);
    always @(posedge clk) q <= $signed(a) * $signed(b);
endmodule
module etn_memory(input clk, input write, input [9:0] at, input [35:0] in, output reg [35:0] out);
    (* ram_style = "block" *) reg [35:0] words [0:1023];
    always @(posedge clk) begin
        if (write) words[at] <= in;
        out <= words[at];
    end
endmodule
module etn_store(input clk, input write, input [9:0] at, input [35:0] in, output [35:0] out);
    etn_memory memory (clk, write, at, in, out);
endmodule
module etn_top(input clk, input write, input [9:0] at, input [35:0] in, output [35:0] q, output reg [35:0] late);
    wire [35:0] out, p, r;
    etn_store store (clk, write, at, in, out);
    etn_sum one (clk, out[17:0], out[35:18], p);
    etn_sum two (clk, p[17:0], out[17:0], r);
    assign q = r;
    always @(posedge clk) late <= in;
endmodule
"""


def test_cells_are_counted_by_module_and_kept_until_the_sources_change(tmp_path, capsys):
    needs("yosys")

    def synthesised(text):
        (tmp_path / "etn_top.v").write_text(text)
        return synthesis.synthesise(tmp_path, {"etn_top.v": text, "etn_board_tb.v": "not for synthesis"}, "xc7a100t")

    found = synthesised(TOP)
    total = synthesis.count(found["total"])
    assert (total["DSP"], total["BRAM36"], total["FF"]) == (2, 1, 36)  # the products' registers are the DSP blocks'
    assert synthesis.count(found["modules"]["etn_sum"])["DSP"] == 2
    assert synthesis.count(found["modules"]["etn_store"])["BRAM36"] == 1
    capsys.readouterr()
    assert synthesised(TOP) == found and "finished already" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"yosys failed: .*syntax error.*; its log is .*xc7a100t\.log"):
        synthesised(TOP + "module etn_top(")
    assert synthesised(TOP) == found  # what was there stays
    with pytest.raises(RuntimeError, match="nobody has counted: RAMB99"):
        synthesis.count({"LUT6": 3, "RAMB99": 1})


def test_a_damaged_result_is_one_line(tmp_path):
    path = tmp_path / "cycles.json"
    assert synthesis.kept(path, "a", lambda: {"n": 1}) == synthesis.kept(path, "a", lambda: {"n": 2}) == {"n": 1}
    assert synthesis.kept(path, "b", lambda: {"n": 2}) == {"n": 2}
    path.write_text(path.read_text()[:-9])
    with pytest.raises(InputError, match=f"{path}.*delete it"):
        synthesis.kept(path, "b", lambda: {"n": 3})


def test_the_longest_path_is_named_by_instance():
    def step(cell, delay):
        return {"delay": delay, "from": {"cell": "x"}, "to": {"cell": cell}, "type": "logic"}

    path = [step("pw.pairs[0].pair.sum_FF", 0.5), step("pw.pairs[0].pair.sum_LUT4_Z", 1.25),
            step("dw1.lanes[2].requant.t_FF", 2), step("ready_LUT4", 0.25)]
    inputs = {"from": "<async>", "to": "posedge $glbnet$clk", "path": [step("pin", 9)]}
    report = {"fmax": {"$glbnet$clk": {"achieved": 83.456, "constraint": 80}},
              "utilization": {"DP16KD": {"used": 137, "available": 208}, "PCSCLKDIV": {"used": 0, "available": 2}},
              "critical_paths": [inputs, {"from": "posedge $glbnet$clk", "to": "posedge $glbnet$clk", "path": path}]}
    assert synthesis.timing(report) == {
        "clock": 83.46, "used": {"DP16KD": [137, 208]},
        "critical": [["pw.pairs[0].pair", 1.75], ["dw1.lanes[2].requant", 2], ["top", 0.25]]}


def results(lut=38_040, clock=80.0):
    passes = [{"layer": "stem", "kind": "stem", "planned": 150, "simulated": 149},
              {"layer": "logits", "kind": "head", "planned": 50, "simulated": 51}]
    cycles = {outputs: {"planned": 200, "simulated": 200_000, "passes": passes} for outputs in ("4", "8", "16")}
    cells = {"LUT": lut, "FF": 20_000, "DSP": 233, "BRAM36": 127.5}
    return {"cycles": cycles, "xc7a100t": {"tool": "yosys 0", "planned": {"DSP": 233, "BRAM36": 127.5}, "total": cells,
                                           "modules": {"etn_pw": cells}},
            "lfe5u-85": {"tool": "nextpnr 0", "clock": clock, "used": {"DP16KD": [137, 208]}, "cycles": 700_000,
                         "critical": [["pw", 12.5]]}}


@pytest.mark.parametrize("found, missed", [(results(), []), (results(lut=38_041), ["LUT"]),
                                           (results(clock=79.99), ["clock, MHz"]), ({}, [])])
def test_a_figure_that_misses_its_budget_is_said(found, missed, tmp_path, capsys):
    assert table6.report(found, 16, tmp_path) == int(bool(missed))
    with open(tmp_path / "table6.csv", newline="") as table:
        verdicts = {row["figure"]: row["verdict"] for row in csv.DictReader(table)}
    assert [name for name, verdict in verdicts.items() if verdict == "missed"] == missed
    assert list(verdicts.values()).count("kept") == (5 - len(missed) if found else 0)
    said = capsys.readouterr().out
    assert "Energy was not measured" in said and ("not run here" in said) == (not found)
    measured = {m["quantity"]: m for m in json.loads((tmp_path / "metrics.json").read_text())["measurements"]}
    entries = {entry.key: entry for entry in paper.load()}
    judged = {name: paper.verdict(entries["6", m["row"], name], m) for name, m in measured.items()}
    expected = {"dram": "agrees", "latency_ms": "other conditions", "fps": "other conditions", "onchip_kb": "agrees"}
    assert judged == (expected if found else {"dram": "agrees"})
    if found:
        assert (measured["latency_ms"]["value"], measured["onchip_kb"]["value"]) == (2.0, 573.75)


@pytest.mark.parametrize("computed, events", [(1, []), (2, ["limit"])])
def test_a_core_that_hangs_is_no_equality(computed, events, tmp_path, monkeypatch):
    """It answers one picture of two, or says that it did not end."""
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((40, 50, 3), np.uint8))
    run_of = SimpleNamespace(logits=[None] * computed, events=events, cycles=[], lines=[], top=[])
    monkeypatch.setattr(simulation, "simulate", lambda *arguments, **options: run_of)
    with pytest.raises(RuntimeError, match=f"{computed} of 2 pictures were computed"):
        core_equality.compare(tmp_path, etinynet_graph("tiny", 32, 4), 8, sorted(tmp_path.glob("*.png")), "icarus")


def test_a_simulator_that_dies_is_named(tmp_path, monkeypatch):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "verilator").write_text("#!/bin/sh\necho out of memory\nexit 9\n")
    (tmp_path / "build" / "verilator").chmod(0o755)
    monkeypatch.setattr(simulation, "build", lambda folder, simulator: None)
    with pytest.raises(InputError, match="ended with status 9: out of memory"):
        simulation.simulate(tmp_path, ["1000000\n"])


def test_the_core_is_the_interpreter_on_pictures_and_a_difference_is_named(tmp_path):
    needs("make", "iverilog")
    graph, pictures = etinynet_graph("tiny", 32, 4, classes=7), tmp_path / "pictures"
    graph.save(tmp_path / "tiny.npz")
    pictures.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (40, 50, 3), np.uint8)
        cv2.imwrite(str(pictures / f"{number}.png"), noise)
    arguments = ["--data-dir", pictures, "--graph", tmp_path / "tiny.npz", "--word-channels", 8, "--outputs", 4,
                 "--simulator", "icarus"]
    done = run("benchmarks/core_equality.py", *arguments, "--save-dir", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "core_equality.json").read_text())["rows"]
    assert [row["pictures that differ"] for row in found] == [0, 0, 0]
    assert [row["pictures"] for row in found] == [3, 3, 1]

    node = next(node for node in graph.nodes if node.output == "stage3.1.pw")
    node.attrs["offset"][2] += 1 << 12
    layers, _, _ = core_equality.compare(tmp_path / "out" / "core", graph, 8, sorted(pictures.iterdir()), "icarus")[0]
    assert layers.differ == 3 and layers.first.startswith("stage3.1.pw[0, 2,") and "0.png" in layers.first


def test_the_core_needs_a_folder_of_pictures(tmp_path):
    needs("make", "verilator")
    assert_one_line(run("benchmarks/core_equality.py", "--data-dir", tmp_path), "no pictures")


def test_a_line_is_reached_if_all_its_statements_were():
    def dat(*points):
        return "# SystemC::Coverage-3\n" + "".join(
            f"C '\1f\2{file}\1l\2{line}\1n\2{n}\1page\2v_line/x\1o\2{kind}\1S\2{lines}\1h\2TOP.{file}' {times}\n"
            for file, line, n, kind, lines, times in points)

    first = dat(("etn_ram.v", 20, 1, "block", "20-21,23", 9), ("etn_ram.v", 22, 2, "if", "22", 0),
                ("etn_ram.v", 23, 3, "else", "23", 0), ("etn_tb.v", 7, 1, "block", "7", 0))
    second = dat(("etn_ram.v", 22, 2, "if", "22", 4), ("etn_ram.v", 23, 3, "else", "23", 0))
    assert rtl_coverage.by_file(rtl_coverage.merged([first])) == ([["etn_ram.v", 4, 2, "50", "22 23"]], 50)
    assert rtl_coverage.by_file(rtl_coverage.merged([first, second])) == ([["etn_ram.v", 4, 3, "75", "23"]], 75)


def test_a_flag_without_effect_is_refused(tmp_path):
    done = run("benchmarks/table6.py", "--parts", "lfe5u-85", "--outputs", 8, "--save-dir", tmp_path / "out")
    assert done.returncode == 2 and "has 4" in done.stderr and not (tmp_path / "out").exists()
