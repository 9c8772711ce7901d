"""The microcontrollers that are simulated."""

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["MCUS", "Mcu"]


class Mcu(NamedTuple):
    """A microcontroller: QEMU's machine and its processor; bytes of flash and RAM, as its linker script has them."""

    machine: str
    processor: str
    flash: int
    ram: int


def _mcu(name, machine, processor):
    script = Path(__file__).with_name("demo") / "cortex_m" / f"{name}.ld"
    lengths = dict(re.findall(r"(FLASH|RAM) .*LENGTH = (\d+[KM])", script.read_text()))
    units = {"K": 1 << 10, "M": 1 << 20}
    return Mcu(machine, processor, *(int(lengths[memory][:-1]) * units[lengths[memory][-1]]
                                     for memory in ("FLASH", "RAM")))


# The first of a machine is the one that make takes by itself.
MCUS = {name: _mcu(name, *board) for name, board in {
    "stm32f412": ("mps2-an386", "Cortex-M4"),
    "stm32f427": ("mps2-an386", "Cortex-M4"),
    "stm32f746": ("mps2-an500", "Cortex-M7"),
    "stm32h743": ("mps2-an500", "Cortex-M7"),
    "nrf51822": ("microbit", "Cortex-M0"),
    "stm32f205": ("mps2-an385", "Cortex-M3"),
    "stm32l552": ("mps2-an505", "Cortex-M33"),
    "apollo510": ("mps3-an547", "Cortex-M55"),
}.items()}
