"""The model of a Cortex-M4's cycles, against sums made by hand from its manual; and what the plugin counts."""

import csv
import json

import numpy as np
import pytest
from running import ROOT, load, needs, run

from gluon_etinynet.export import c
from gluon_etinynet.export.c.program import simulate
from gluon_etinynet.files import InputError
from gluon_etinynet.integer.random_graphs import etinynet_graph

cortex_m4 = load("benchmarks/cortex_m4.py")

LOOP = """
00000040 <net_etn_c7532b91_sum>:
      40:\te9d1 2302 \tldrd\tr2, r3, [r1, #8]
      44:\te8b1 0070 \tldmia.w\tr1!, {r4, r5, r6}
      48:\t6801      \tldr\tr1, [r0, #0]
      4a:\t1a40      \tsubs\tr0, r0, r1
      4c:\tf850 2b04 \tldr.w\tr2, [r0], #4
      50:\t2900      \tcmp\tr1, #0
      52:\td1fb      \tbne.n\t4c <net_etn_c7532b91_sum+0xc>
      54:\tbdf0      \tpop\t{r4, r5, r6, r7, pc}
"""


def price(text, executed=None, left=None, unaligned=None, choice=cortex_m4.MODEL):
    """Cycles by address; each instruction executed once and not left, unless said otherwise by address."""
    code = cortex_m4.disassembly(text)
    records = np.array([(1, at, (executed or {}).get(at, 1), (left or {}).get(at, 0), (unaligned or {}).get(at, 0))
                        for at in code], cortex_m4.RECORD)
    return cortex_m4.cycles(code, records, choice)


def snippet(*lines):
    """objdump's lines of these instructions of 32 bits, or of 16 where they begin with a dot."""
    text, address = ["00000000 <f>:"], 0
    for line in lines:
        name, _, operands = line.lstrip(".").partition(" ")
        text.append(f"{address:8x}:\t{'bf00     ' if line[0] == '.' else 'f000 bf00'} \t{name}\t{operands}")
        address += 2 if line[0] == "." else 4
    return "\n".join(text)


def cycles(*lines, **options):
    return list(price(snippet(*lines), **options).values())


def test_disassembly():
    code = cortex_m4.disassembly(LOOP + "      58:\tbf08      \tit\teq\n      5a:\t4770      \tbxeq\tlr\n"
                                 "      5c:\tf8df 3004 \tldr.w\tr3, [pc, #4]\t@ 64 <x>\n")
    assert " ".join(one.mnemonic for one in code.values()) == "ldrd ldmia ldr sub ldr cmp b pop it bx ldr"
    assert [one.size for one in code.values()] == [4, 4, 2, 2, 4, 2, 2, 2, 2, 2, 4]
    assert code[0x5c].operands == "r3, [pc, #4]" and code[0x40].function == "net_etn_c7532b91_sum"


def test_a_loop_by_hand():
    """Ten turns, nine branches taken; the load behind SUBS, which makes its address, waits in the first only."""
    executed, left = {0x4c: 10, 0x50: 10, 0x52: 10}, {0x52: 9, 0x54: 1}
    expected = {0x40: 3, 0x44: 4, 0x48: 2, 0x4a: 1, 0x4c: 20 + 1, 0x50: 10, 0x52: 10 + 9 * 2, 0x54: 6 + 2}
    assert price(LOOP, executed, left) == expected
    least = price(LOOP, executed, left, choice=cortex_m4.LEAST)
    assert sum(expected.values()) - sum(least.values()) == 10


@pytest.mark.parametrize("lines, expected", [
    # the manual's own examples
    (["ldr r0, [r1]", "ldr r1, [r2]"], [2, 1]),
    (["ldr r0, [r1, r2]", "str r0, [r3, #20]"], [2, 1]),
    (["ldr r0, [r1, r2]", "str r1, [r3, r2]"], [2, 1]),
    (["ldr r0, [r1, r5]", "ldr r1, [r2]", "ldr r2, [r3, #4]"], [2, 1, 1]),
    (["ldmia.w r0, {r1, r2, r3}"], [4]),
    (["stmdb sp!, {r4, r5, r6, r7, r8, r9, sl, fp}"], [9]),
    # not pipelined: the first one's result is the address; behind a store, a pair or several
    (["ldr r0, [r1]", "ldr r2, [r0]"], [2, 2]),
    (["str r0, [r1]", "ldr r2, [r3]"], [1, 2]),
    (["ldrd r0, r1, [r2]", "ldr r3, [r4]"], [3, 2]),
    (["ldr r0, [r1]", "ldrd r2, r3, [r4]"], [2, 3]),
    (["mul r0, r0, r0", "str r0, [r1, r2]"], [1, 2]),
    # an address from data processing; data that is stored is none
    (["add r0, r0, r1", "str r2, [r0]"], [1, 2]),
    (["add r0, r0, r1", "ldrd r2, r3, [r0, #8]"], [1, 4]),
    (["add r0, r0, r1", "strb r0, [r3], #1"], [1, 1]),
    (["cmp r0, r1", "ldr r2, [r0]"], [1, 2]),
    (["smull r0, r1, r2, r3", "ldr r4, [r1]"], [1, 3]),
    # others
    (["smlad r4, r2, ip, r4", "smmla r4, r4, r8, r9", "ssat r4, #8, r4, asr #10"], [1, 1, 1]),
    (["sdiv r0, r1, r2"], [7]),
    ([".cmp r0, r1", ".ite eq", "moveq.w r0, r1", "ldrsbne.w r0, [r1]"], [1, 0, 1, 2]),
    (["cmp r0, r1", ".it eq", "moveq.w r0, r1"], [1, 1, 1])])
def test_sequences(lines, expected):
    assert cycles(*lines) == expected


def test_unaligned_accesses_and_refills():
    assert cycles("ldr r0, [r1]", executed={0: 100}, unaligned={0: 30}) == [230]
    assert cycles("ldr.w pc, [r1, #40]") == [5]
    assert cycles("b.w 100", "bl 200", "bx lr", left={0: 1, 4: 1, 8: 1}) == [3, 3, 3]
    assert cycles("beq.w 100", executed={0: 100}) == [100]
    assert cycles("b.w 100", left={0: 1}, choice=cortex_m4.MOST) == [4]


def test_loads_of_32_bits_on_odd_halfwords():
    lines = [".ldr r0, [r1]", "ldr.w r2, [r3]", ".ldr r4, [r5]"]
    assert [cycles(*lines, choice=choice) for choice in (cortex_m4.MODEL, cortex_m4.MOST)] == [[2, 1, 1], [2, 2, 1]]


def test_an_instruction_without_a_price():
    with pytest.raises(InputError, match="no price for vldr"):
        cycles("vldr s0, [r0]")
    with pytest.raises(InputError, match="lacks"):
        cortex_m4.cycles({}, np.array([(1, 2, 1, 0, 0)], cortex_m4.RECORD))


def test_peers_agree_with_themselves():
    """Cycles per multiply-accumulate follow from the cycles; the parts are not more than the whole."""
    with open(ROOT / "benchmarks/peers.csv", newline="") as table:
        peers = list(csv.DictReader(table))
    assert all(peer["how"] and peer["source"] and None not in peer for peer in peers)
    for peer in peers:
        if peer["cycles, M"]:
            assert float(peer["cycles, M"]) / 113.70592 == pytest.approx(float(peer["cycles per MAC"]), abs=0.005)
        if peer["stem"]:
            assert sum(float(peer[part]) for part in ("stem", "depthwise", "pointwise", "final")) < float(
                peer["total, M"])


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["portable", "dsp"])
def test_what_the_plugin_counts(tmp_path, kernels):
    """As many instructions as the demo's timer has, but for 40 around the calls; branches and bytes as they must be."""
    needs("make", "gcc", "arm-none-eabi-gcc", "qemu-system-arm")
    mcu_cycles = load("benchmarks/mcu_cycles.py")
    graph = etinynet_graph("tiny", 33, 4, classes=5)
    folder = c.emit(graph, "net", kernels).write(tmp_path / "c")
    image = np.random.default_rng(1).integers(-128, 128, graph.image.nbytes, np.int8).tobytes()
    code, records = mcu_cycles.counts(folder, mcu_cycles.build_plugin(tmp_path), image)
    executed = int(records["executed"].sum())
    assert executed == pytest.approx(simulate(folder, "stm32f412", image).instructions, abs=40)
    assert set(records["part"]) == {1, 2, 3, 4, mcu_cycles.RUNTIME}
    for record in records:
        one = code[int(record["address"])]
        if one.mnemonic in ("bl", "blx") or (one.mnemonic, one.operands) == ("bx", "lr") and "it" not in {
                code.get(one.address - 2, one).mnemonic, code.get(one.address - 4, one).mnemonic}:
            assert record["left"] == record["executed"]
        if one.mnemonic not in ("b", "bl", "bx", "blx", "cbz", "cbnz") and "pc" not in one.operands:
            assert record["left"] == 0
        if one.mnemonic in ("ldrb", "ldrsb", "strb", "ldrd", "strd", "ldmia", "push", "smlad"):
            assert record["unaligned"] == 0
    assert records["unaligned"].sum() > 0 or kernels == "portable"


@pytest.mark.slow
def test_cycles_by_part(tmp_path):
    needs("make", "gcc", "arm-none-eabi-gcc", "qemu-system-arm")
    etinynet_graph("tiny", 33, 8, classes=5).save(tmp_path / "tiny.npz")
    done = run("benchmarks/mcu_cycles.py", "--graph", tmp_path / "tiny.npz", "--save-dir", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "MODEL" in done.stdout and "not the same quantity" in done.stdout
    rows = json.loads((tmp_path / "out/mcu_cycles.json").read_text())["rows"]
    for kernels in ("portable", "dsp"):
        total, *parts = [row for row in rows if row["kernels"] == kernels and not row["function"]]
        functions = [row for row in rows if row["kernels"] == kernels and row["function"]]
        for column in ("instructions, M", "cycles, M"):
            whole = pytest.approx(total[column], abs=0.03)
            assert sum(row[column] for row in parts) == whole == sum(row[column] for row in functions)
        assert total["instructions, M"] < total["least, M"] < total["cycles, M"] < total["most, M"]
