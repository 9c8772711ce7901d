"""What a core takes of an FPGA's block RAM and multipliers, and whether it fits."""

from typing import NamedTuple, Tuple

from .words import ceil_div

__all__ = ["PARTS", "Part", "block_ram_kbits", "count", "beyond"]

# Widths at depths of a block RAM: parity bits hold data.
_WIDTHS_36K = ((512, 72), (1024, 36), (2048, 18), (4096, 9), (8192, 4), (16384, 2), (32768, 1))
_WIDTHS_18K = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


class Part(NamedTuple):
    """An FPGA: its name, block RAM in units of 18 Kbit, of which `pair` are one block, multipliers, LUTs.

    `product_bits` is the wider input of a multiplier: a wider product takes two. `in_logic` are the depthwise units'
    ROMs, and the `lines` of maps that they keep, that are made of LUTs for want of block RAM.
    `synthesis` is what Yosys is told, and `top` the module: the core or, where that has more ports than a package has
    pins, the board's.
    """
    name: str
    blocks: int
    pair: int
    multipliers: int
    product_bits: int
    luts: int
    in_logic: Tuple
    synthesis: str
    top: str


_XILINX = "synth_xilinx -family xc7 -top etn_top", "etn_top"
_SHORT = ("depthwise_1", "depthwise_1_channels", "depthwise_2", "lines")
PARTS = {"xc7a100t": Part("AMD Artix-7 XC7A100T", 270, 2, 240, 25, 63400, _SHORT, *_XILINX),
         "xc7a200t": Part("AMD Artix-7 XC7A200T", 730, 2, 740, 25, 134600, _SHORT, *_XILINX),
         "lfe5u-85": Part("Lattice ECP5 LFE5U-85", 208, 1, 156, 18, 83640, (), "synth_ecp5 -top etn_board",
                          "etn_board")}


def block_ram_kbits(part, depth, width):
    """Units of 18 Kbit that a memory takes, as Yosys builds it: of blocks of one shape, of that which takes fewest.

    A block is written in lanes of 9 bits. What is left of a word's bits beside whole blocks takes lanes, and several
    rows of blocks share one for it.

    Parameters
    ----------
    part : Part
    depth, width : int
        Words, and bits of a word.
    """
    shapes = [(1, *shape) for shape in _WIDTHS_18K] + [(2, *shape) for shape in _WIDTHS_36K] * (part.pair == 2)
    options = []
    for units, words, bits in shapes:
        rows, (whole, rest) = ceil_div(depth, words), divmod(width, bits)
        sharing = max(1, bits // 9) // ceil_div(rest, 9) if rest else 1
        options.append(units * (rows * whole + ceil_div(rows, sharing) * (rest > 0)))
    return min(options)


def count(part, plan, sizes, acc_bits):
    """What a core takes.

    Parameters
    ----------
    part : Part
    plan : Schedule
    sizes : dict from str to (int, int)
        Words and bits of each memory in block RAM.
    acc_bits : int
        Of an accumulator.

    Returns
    -------
    dict
        `block_ram` (units of 18 Kbit by memory), `multipliers` (by use).
    """
    v, to = plan.word_channels, plan.outputs
    wide = 1 + (acc_bits > part.product_bits)
    products = v * to // 2 * (part.product_bits >= 25)  # those of narrower ones are made in logic (etn_pair.v)
    return {"block_ram": {name: block_ram_kbits(part, *size) for name, size in sizes.items()},
            "multipliers": {"products": products, "requantisation": (to + v) * wide, "average": 1}}


def beyond(part, counted):
    """What `counted`, as `count` returns it, has more than the part, in words: a list."""
    blocks, multipliers = sum(counted["block_ram"].values()), sum(counted["multipliers"].values())
    unit = f"block RAMs of {18 * part.pair} Kbit"
    over = []
    if blocks > part.blocks:
        over.append(f"it takes {blocks / part.pair:g} {unit}, there are {part.blocks // part.pair}")
    if multipliers > part.multipliers:
        over.append(f"it takes {multipliers} multipliers, there are {part.multipliers}")
    return over
