"""Cycles of a Cortex-M4, a MODEL: how often each instruction was executed, times what the manual says that it takes.

The manual is Arm's Cortex-M4 Technical Reference Manual, r0p1 (DDI 0439), section 3.3. With memory without wait states:

- Data processing, multiplications of any kind among it: 1. A division: 2 to 12.
- A load of one register: 2, but 1 directly behind such a load whose result is not its address. A store of one register:
  1 with an immediate offset, else 2, or 1 behind a load likewise. Nothing is pipelined behind a store. That such an
  instruction moves its base makes no difference: the manual does not say that it does.
- LDRD, STRD, LDM, STM, PUSH and POP of N registers: 1 + N, pipelined with nothing.
- A load or store whose address is the result of data processing directly before it: 1 more.
- A word on an odd halfword or a halfword on an odd byte: 1 more; a word on an odd byte: 2 more. Counted, not assumed.
- A branch that is taken, a return by POP or BX: P more, 1 to 3. How often it was taken is counted. LDR to PC: 3 more.
- IT: 0 directly behind an instruction of 16 bits, which folds it, else 1. What it disables costs as if enabled.

The manual leaves a range for some: `LEAST`, `MODEL` and `MOST` have what is taken for them.
"""

import re
from typing import NamedTuple, Optional

import numpy as np

from gluon_etinynet.files import InputError

__all__ = ["RECORD", "LEAST", "MODEL", "MOST", "Choice", "Instruction", "disassembly", "cycles"]

# What qemu_count.c writes.
RECORD = np.dtype([("part", "<u4"), ("address", "<u4"), ("executed", "<u8"), ("left", "<u8"), ("unaligned", "<u8")])


class Choice(NamedTuple):
    """What the manual leaves open.

    Parameters
    ----------
    refill : int
        P, cycles to fill the pipeline after a branch.
    division : int
        Cycles of SDIV and UDIV.
    odd : bool
        Whether loads and stores of 32 bits on odd halfwords are pipelined, which they "might not".
    """

    refill: int
    division: int
    odd: bool


LEAST, MODEL, MOST = Choice(1, 2, True), Choice(2, 7, True), Choice(3, 12, False)


class Instruction(NamedTuple):
    """One instruction as objdump has it: bytes; mnemonic without width, condition and S; operands; its function."""

    address: int
    size: int
    mnemonic: str
    operands: str
    function: str


_LOADS = {"ldr", "ldrb", "ldrh", "ldrsb", "ldrsh"}
_STORES = {"str", "strb", "strh"}
_SEVERAL = {"ldrd", "strd", "ldmia", "ldmdb", "stmia", "stmdb", "push", "pop"}
_BRANCHES = {"b", "bl", "bx", "blx", "cbz", "cbnz"}
_DIVISIONS = {"sdiv", "udiv"}
_NO_RESULT = {"cmp", "cmn", "tst", "teq", "nop", "pld"}
_LONG = {"smull", "umull", "smlal", "umlal"}
_DATA = _NO_RESULT | _LONG | set("""
    adc add addw adr and asr bfc bfi bic clz eor lsl lsr mla mls mov movt movw mul mvn neg orn orr pkhbt pkhtb rbit
    rev rev16 revsh ror rrx rsb sadd16 sadd8 sbc sbfx sel smlabb smlabt smlatb smlatt smlad smladx smlawb smlawt
    smmla smmlar smmul smmulr smuad smulbb smulbt smultb smultt smulwb smulwt ssat ssat16 ssub16 ssub8 sub subw
    sxtab sxtab16 sxtah sxtb sxtb16 sxth uadd16 uadd8 ubfx usat usat16 usub8 uxtab uxtab16 uxtah uxtb uxtb16
    uxth""".split())
_KNOWN = _LOADS | _STORES | _SEVERAL | _BRANCHES | _DIVISIONS | _DATA
_CONDITIONS = {"eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"}
_LINE = re.compile(r" *([0-9a-f]+):\t((?:[0-9a-f]{4} ?){1,2}) *\t([a-z]\S*)\t?([^@;]*)")
_REGISTER = re.compile(r"\b(?:r\d+|sl|fp|ip|sp|lr|pc)\b")


def disassembly(text):
    """Read what ``arm-none-eabi-objdump -d`` says.

    Returns
    -------
    dict from int to Instruction
        By address.
    """
    found, function = {}, ""
    for line in text.splitlines():
        name = re.fullmatch(r"[0-9a-f]+ <(\S+)>:", line)
        if name:
            function = name[1]
        match = _LINE.match(line)
        if match:
            address, size = int(match[1], 16), len(match[2].replace(" ", "")) // 2
            found[address] = Instruction(address, size, _plain(match[3]), match[4].strip(), function)
    return found


def _plain(mnemonic):
    """A mnemonic without width, condition and S; as it is if it is not known."""
    name = re.sub(r"\.[nw]$", "", mnemonic)
    if re.fullmatch("it[te]{0,3}", name):
        return "it"
    if name in _KNOWN:
        return name
    if name[-2:] in _CONDITIONS and name[:-2] in _KNOWN:
        return name[:-2]
    return name[:-1] if name[-1] == "s" and name[:-1] in _DATA else name


def cycles(code, records, choice=MODEL):
    """Cycles of the instructions of a part of a program.

    Parameters
    ----------
    code : dict from int to Instruction
    records : array of RECORD
        Of one part.
    choice : Choice

    Returns
    -------
    dict from int to int
        By address.

    Raises
    ------
    InputError
        If the model has no price for an instruction, naming it.
    """
    by_address = {int(one["address"]): one for one in records}
    result = {}
    for address, record in by_address.items():
        if address not in code:
            raise InputError(f"an instruction was executed at {address:#x} that the disassembly lacks")
        one, executed = code[address], int(record["executed"])
        before = next((code[address - size] for size in (2, 4)
                       if address - size in by_address and code[address - size].size == size), None)
        after = 0
        if before is not None:
            after = min(executed, int(by_address[before.address]["executed"] - by_address[before.address]["left"]))
        result[address] = (after * _price(one, before, choice) + (executed - after) * _price(one, None, choice)
                           + _refills(one, record, choice) + int(record["unaligned"]))
    return result


def _price(one, before: Optional[Instruction], choice):
    """Cycles of an instruction that comes directly after another, or after a branch (None); without refill."""
    name = one.mnemonic
    if name == "it":
        return int(before is None or before.size == 4)
    if name in ("tbb", "tbh"):
        return 3
    if name in _DIVISIONS:
        return choice.division
    if name in _DATA or name in _BRANCHES:
        return 1
    late = before is not None and before.mnemonic in _DATA | _DIVISIONS and bool(_results(before) & _address(one))
    if name in _SEVERAL:
        return 1 + _count(one) + late
    if name not in _LOADS | _STORES:
        raise InputError(f"the model has no price for {name} {one.operands} in {one.function}")
    behind = (before is not None and before.mnemonic in _LOADS and not _results(before) & _address(one)
              and (choice.odd or one.size == 2 or one.address % 4 == 0))
    immediate = name in _STORES and len(_address(one)) == 1
    return (1 if behind or immediate else 2) + late


def _refills(one, record, choice):
    """Cycles to fill the pipeline again, where something else came next than what is behind an instruction."""
    if one.mnemonic in ("tbb", "tbh") or one.mnemonic == "ldr" and "pc" in _results(one):
        return 3 * int(record["executed"])  # even where it leads to what is behind it
    several = one.mnemonic in ("pop", "ldmia") and "pc" in one.operands
    branches = several or one.mnemonic in _BRANCHES or "pc" in _results(one)
    return choice.refill * int(record["left"]) if branches else 0


def _results(one):
    if one.mnemonic in _NO_RESULT:
        return set()
    return set(_REGISTER.findall(one.operands)[:2 if one.mnemonic in _LONG else 1])


def _address(one):
    """Registers that an address is made of."""
    if one.mnemonic in ("push", "pop"):
        return {"sp"}
    within = re.search(r"\[([^]]*)\]", one.operands)
    return set(_REGISTER.findall(within[1] if within else one.operands)[:2 if within else 1])


def _count(one):
    """Registers that are loaded or stored."""
    if one.mnemonic in ("ldrd", "strd"):
        return 2
    return len(_REGISTER.findall(re.search(r"\{(.*)\}", one.operands)[1]))
