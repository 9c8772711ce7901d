"""What Yosys makes of the Verilog for an FPGA."""

import re
import shutil
import subprocess

from ...files import InputError

__all__ = ["block_rams"]

# What may remain of a ROM beside block RAM: a register of the address, the choice between rows of RAMs.
_BESIDE_BLOCK_RAM = {"$bmux", "$mux", "$pmux", "$dff", "$dffe"}


def block_rams(folder, memory):
    """Block RAMs of 36 Kbit that Yosys maps one ROM to; one of 18 Kbit counts as half.

    Parameters
    ----------
    folder : str or Path
        As `tools/export_rom.py` writes it.
    memory : dict
        An entry of the address map's `memories`.

    Raises
    ------
    InputError
        If Yosys is not installed.
    RuntimeError
        If it fails, or makes anything else than block RAM of the words.
    """
    if not shutil.which("yosys"):
        raise InputError("yosys is not installed; apt-get install yosys")
    rom = "".join(memory["file"].rpartition("_")[:2]) + "rom"  # with the export's prefix; memories have no underscore
    script = (f"read_verilog -defer {rom}.v; chparam -set PATH \"{memory['file']}\" "
              f"-set DEPTH {memory['depth']} -set WIDTH {memory['width']} {rom}; "
              f"synth_xilinx -family xc7 -top {rom} -run :map_ffram; tee -o /dev/stdout stat")
    done = subprocess.run(["yosys", "-q", "-p", script], cwd=str(folder), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        raise RuntimeError(f"yosys on {memory['file']}: {done.stdout.strip()[-500:]}")
    cells = {name: int(count) for name, count in re.findall(r"^\s+(\S+)\s+(\d+)$", done.stdout, re.MULTILINE)}
    other = set(cells) - {"RAMB36E1", "RAMB18E1"} - _BESIDE_BLOCK_RAM
    if other or not cells:
        raise RuntimeError(f"yosys made {', '.join(sorted(other)) or 'nothing'} of {memory['file']}, "
                           "not block RAM")
    return cells.get("RAMB36E1", 0) + cells.get("RAMB18E1", 0) / 2
