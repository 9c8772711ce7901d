"""The sets of kernels: a set for a certain processor is an entry here, and a folder below kernels/.

The folder holds only what takes the place of a portable file of the same name.
"""

from pathlib import Path
from typing import Dict, NamedTuple, Tuple

__all__ = ["KERNEL_SETS", "KernelSet"]

_HERE = Path(__file__).resolve().parent


class KernelSet(NamedTuple):
    """What the emitter must know of a set of kernels.

    Parameters
    ----------
    folder : str
        Below kernels/.
    scratch : dict from str to int
        The kernels' ``widened`` by the role of a layer, in bytes per weight of an output channel.
    line_bytes : {1, 2}
        Of an element of the lines that feed depthwise and pointwise convolutions.
    flags : tuple of str
        What the compiler must be told, beside C99.
    """

    folder: str
    scratch: Dict[str, int]
    line_bytes: int = 1
    flags: Tuple[str, ...] = ()

    def sources(self):
        """The runtime and these kernels: a file's name in the exported folder -> its path in the package."""
        kernels = _HERE / "kernels"
        rooms = _HERE / "runtime", kernels / "portable", kernels / self.folder
        return {path.name: path for room in rooms for path in room.glob("*.[ch]")}


KERNEL_SETS = {
    "portable": KernelSet("portable", {"stem": 3, "depthwise": 1, "pointwise": 2, "class predictor": 2,
                                       "box predictor": 2, "fully connected": 1}),
}
