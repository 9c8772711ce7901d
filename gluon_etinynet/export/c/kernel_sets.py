"""The sets of kernels: a set for a certain processor is an entry here, and a folder below kernels/.

The folder holds only what takes the place of a portable file of the same name, or serves such a file.
"""

from pathlib import Path
from typing import Callable, NamedTuple, Tuple

from ...integer.memory import LineFormat

__all__ = ["HOST", "KERNEL_SETS", "WASM", "KernelSet", "fastest"]

HOST, WASM = "this computer", "WebAssembly"

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
    wasm_flags : tuple of str
        In their place for WebAssembly.
    runs_on : str
        In words for a user.
    processors : tuple of str
        On which the demo runs it, as `Mcu` calls them, HOST or WASM; empty: on all.
    """

    folder: str
    scratch: Callable[[str, int, int], int]
    lines: LineFormat = LineFormat()
    flags: Tuple[str, ...] = ()
    wasm_flags: Tuple[str, ...] = ()
    runs_on: str = "any processor"
    processors: Tuple[str, ...] = ()

    def serves(self, processor):
        """Whether the demo runs on a processor, or HOST, by these kernels."""
        return not self.processors or processor in self.processors

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


def _simd(role, outputs, taps):
    length = -(-taps // 8) * 8
    if role == "stem":  # the weights of all channels, and four columns of int16: etn_stem_row.c
        return outputs * length + 8 * length + 8
    return {"depthwise": 1, "fully connected": 4}.get(role, 2) * length


def _mve(role, outputs, taps):
    length = -(-taps // 16) * 16
    if role == "stem":  # the weights of all channels; 32 columns, and these apart: etn_stem_row.c
        return (outputs + 64) * length + 32 * 16
    return (1 if role in ("depthwise", "fully connected") else 2) * -(-taps // 32) * 32


# Of two that serve a processor, the latter is faster.
KERNEL_SETS = {
    "portable": KernelSet("portable", _portable),
    "dsp": KernelSet("dsp", _dsp, LineFormat(bytes=2, columns=4, channels=8, band=28),
                      runs_on="Cortex-M4, M7 and M33, by GCC or Clang",
                      processors=("Cortex-M4", "Cortex-M7", "Cortex-M33")),
    "simd": KernelSet("simd", _simd, LineFormat(bytes=2, columns=4, channels=8, spare=6), flags=("-msse4.1",),
                      wasm_flags=("-msimd128",), runs_on="x86 with SSE4.1, and WebAssembly with SIMD128",
                      processors=(HOST, WASM)),
    "mve": KernelSet("mve", _mve, LineFormat(columns=4, channels=16, band=56), flags=("-mfloat-abi=hard",),
                     runs_on="Cortex-M55 and M85, by GCC or Clang", processors=("Cortex-M55",)),
}


def fastest(processor):
    """Name of the fastest set for a processor; None: for any."""
    return [name for name, kernels in KERNEL_SETS.items() if kernels.serves(processor)][-1]
