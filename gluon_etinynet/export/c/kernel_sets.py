"""The sets of kernels: a set for a certain processor is an entry here, and a folder below kernels/.

The folder holds only what takes the place of a portable file of the same name, or serves such a file.
"""

from pathlib import Path
from typing import Callable, NamedTuple, Tuple

from ...integer.memory import LineFormat

__all__ = ["KERNEL_SETS", "KernelSet", "fastest"]

_HERE = Path(__file__).resolve().parent


class KernelSet(NamedTuple):
    """What the emitter must know of a set of kernels.

    Parameters
    ----------
    folder : str
        Below kernels/.
    scratch : callable
        Bytes of the kernels' ``widened``, of the role of a layer, its output channels, and the weights of one of them.
    lines : LineFormat
        Of lines and operands, as its etn_line.h has them.
    flags : tuple of str
        What the compiler must be told, beside C99.
    processors : tuple of str
        Whose fastest set it is, as `program.Mcu` calls them; empty if it is for any, this computer's too.
    """

    folder: str
    scratch: Callable[[str, int, int], int]
    lines: LineFormat = LineFormat()
    flags: Tuple[str, ...] = ()
    processors: Tuple[str, ...] = ()

    def sources(self):
        """The runtime and these kernels: a file's name in the exported folder -> its path in the package."""
        kernels = _HERE / "kernels"
        rooms = _HERE / "runtime", kernels / "portable", kernels / self.folder
        return {path.name: path for room in rooms for path in room.glob("*.[ch]")}


def _portable(role, outputs, taps):
    if role == "stem":
        return (outputs + 1) * taps
    return {"depthwise": 1, "fully connected": 1}.get(role, 2) * taps


def _dsp(role, outputs, taps):
    if role == "stem":  # weights of 14 pairs, and eight groups of four columns: etn_stem_row.c
        return max(112 * -(-outputs // 2) + 8 * 224, taps)
    if role == "fully connected":
        return 2 * -(-taps // 8) * 8 + taps
    return taps if role == "depthwise" else 4 * -(-taps // 8) * 8 + taps


KERNEL_SETS = {
    "portable": KernelSet("portable", _portable),
    "dsp": KernelSet("dsp", _dsp, LineFormat(bytes=2, columns=4, channels=8, band=28),
                     processors=("Cortex-M4", "Cortex-M7")),
}


def fastest(processor):
    """Name of the fastest set for a processor."""
    return next((name for name, kernels in KERNEL_SETS.items() if processor in kernels.processors), "portable")
