"""The arithmetic units of the core beside Python, and what Yosys makes of them."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from running import ROOT

from gluon_etinynet.integer.requantise import requantise_reference

RTL = ROOT / "gluon_etinynet" / "export" / "fpga" / "rtl"
UNITS = [RTL / f"etn_{name}.v" for name in ("delay", "multiples", "requant", "skew", "pair", "product", "taps")]
simulated = pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog: apt-get install iverilog")
synthesised = pytest.mark.skipif(not shutil.which("yosys"), reason="needs Yosys: apt-get install yosys")


def call(command, folder):
    done = subprocess.run([str(word) for word in command], cwd=str(folder), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def vectors(rng, count):
    """Random fields, the first of which are corners: (name, first bit, bits, values)."""
    def field(low, high, *corners):
        values = rng.integers(low, high + 1, count)
        values[:len(corners)] = corners
        return values

    bytes_8, bytes_9 = rng.integers(-128, 128, (count, 8)), rng.integers(-128, 128, (count, 9))
    weights = rng.integers(-7, 8, (count, 2, 8))
    taps = rng.integers(-7, 8, (count, 9))
    for i, (a, low, high) in enumerate([(-128, -7, 7), (-128, 7, -7), (127, -7, -7), (-128, 7, 7), (1, -1, 0)]):
        bytes_8[i], bytes_9[i], weights[i, 0], weights[i, 1], taps[i] = a, a, low, high, low
    down = rng.integers(0, 17, count)
    limit = (1 << 31) - 1 >> (16 - down)  # acc << L stays below 2^31
    acc = rng.integers(-(1 << 24) + 1, 1 << 24, count)
    small = rng.random(count) < 0.5
    acc[small] = rng.integers(-2000, 2001, small.sum())
    acc = np.clip(acc, -limit, limit)
    multiplier = field(-32767, 32767)
    offset = field(-(1 << 23) + 1, (1 << 23) - 1)
    near = rng.random(count) < 0.7
    offset[near] = rng.integers(-60000, 60001, near.sum())
    shortcut_multiplier, shortcut = field(-32767, 32767), field(-128, 127)
    shortcut_multiplier[near] //= 16
    # Ties: 2.5 -> 3, -2.5 -> -2, and beside them; each end of the clamp.
    for i, tie in enumerate([2560, -2560, -2561, 2559, 127 * 1024 + 511, 127 * 1024 + 512, -128 * 1024 - 513]):
        acc[i], offset[i], shortcut[i] = 0, tie + 512, 0
    # What numerics.md works out.
    acc[7], multiplier[7], down[7], offset[7], shortcut_multiplier[7], shortcut[7] = 12345, -20000, 13, 7000, 700, -55
    relu = field(0, 1, *[0] * 8)
    low = field(-128, 127, *[-128] * 8)
    return {"relu": relu, "down": down, "ms": shortcut_multiplier, "low": low, "acc": acc, "m": multiplier,
            "o": offset, "s": shortcut, "bytes_8": bytes_8, "weights": weights, "bytes_9": bytes_9, "taps": taps}


def word(v, i):
    places = [(v["relu"][i], 0, 1), (v["down"][i], 1, 5), (v["ms"][i], 6, 16), (v["low"][i], 22, 8),
              (v["acc"][i], 30, 25), (v["m"][i], 55, 16), (v["o"][i], 71, 24), (v["s"][i], 95, 8)]
    places += [(a, 128 + 8 * k, 8) for k, a in enumerate(v["bytes_8"][i])]
    low, high = v["weights"][i]  # as the memory has them: a negative weight borrows from the one beside it
    places += [(w, 192 + 4 * k, 4) for k, w in enumerate([*low, *(high - (low < 0))])]
    places += [(a, 256 + 8 * k, 8) for k, a in enumerate(v["bytes_9"][i])]
    places += [(w, 328 + 4 * k, 4) for k, w in enumerate(v["taps"][i])]
    return sum((int(value) & (1 << bits) - 1) << first for value, first, bits in places)


@simulated
@pytest.mark.parametrize("product_bits", [25, 18])  # of a DSP48, of ECP5's multiplier
def test_requantisation_and_products_are_pythons(tmp_path, product_bits):
    count = 2000
    v = vectors(np.random.default_rng(3), count)
    (tmp_path / "vectors.hex").write_text("".join(f"{word(v, i):0128x}\n" for i in range(count)))
    call(["iverilog", "-g2005", "-Wall", "-s", "units_tb", f"-Punits_tb.COUNT={count}",
          f"-Punits_tb.PRODUCT_BITS={product_bits}", "-o", "units", *UNITS,
          ROOT / "tests" / "export" / "fpga" / "units_tb.v"], tmp_path)
    seen = np.array([line.split() for line in call(["vvp", "-n", "units"], tmp_path).splitlines()], np.int64)

    acc = np.where(v["relu"] == 1, np.maximum(v["acc"], 0), v["acc"])
    for i in range(count):
        arguments = (acc[i:i + 1], v["m"][i:i + 1], int(16 - v["down"][i]), v["o"][i:i + 1], int(v["ms"][i]),
                     v["s"][i:i + 1])
        assert seen[i, 0] == requantise_reference(*arguments, low=int(v["low"][i]))[0], i
        assert seen[i, 1] == requantise_reference(*arguments, bits=32)[0], i
    assert seen[7, 0] == -61
    np.testing.assert_array_equal(seen[:7, 0], [3, -2, -3, 2, 127, 127, -128])
    sums = (v["weights"] * v["bytes_8"][:, None]).sum(axis=2)
    np.testing.assert_array_equal(seen[:, 2:4], sums)
    np.testing.assert_array_equal(seen[:, 4], (v["taps"] * v["bytes_9"]).sum(axis=1))


@synthesised
def test_two_products_share_a_multiplier_and_taps_take_none(tmp_path):
    (tmp_path / "top.v").write_text("""module top(input clk, input [511:0] a, output [111:0] b);
        etn_pair #(.V(8)) pair (clk, a[63:0], a[95:64], a[127:96], b[15:0], b[31:16]);
        etn_taps taps (clk, a[199:128], a[235:200], b[47:32]);
        etn_requant requant (.clk(clk), .relu(a[236]), .down(a[241:237]), .shortcut_1(a[353:336]),
            .shortcut_3(a[371:354]), .shortcut_minus_1(a[389:372]),
            .low(a[265:258]), .acc(a[290:266]), .multiplier(a[306:291]), .offset(a[326:307]), .shortcut(a[334:327]),
            .t(b[79:48]), .q(b[87:80]));
        endmodule""")
    said = call(["yosys", "-q", "-p", f"read_verilog top.v {' '.join(map(str, UNITS))}; synth_xilinx -family xc7 "
                 "-top top -run :map_luts; tee -o /dev/stdout stat"], tmp_path)
    modules = dict(re.findall(r"=== (.*?) ===(.*?)(?=\n===|\Z)", said, re.DOTALL))
    counted = {name: sum(map(int, re.findall(r"DSP48E1\s+(\d+)", text)))
               for name, text in modules.items() if "etn_" in name}
    assert sorted(filter(None, counted.values())) == [1, 8], counted
    assert counted["etn_taps"] == 0
