"""What a network tells of itself: its layers, one after the other, once.

Every block has a method ``layers(name, source)`` that yields its `Layer`s, and whoever walks over a network
(quantisation, lowering, comparison, tables) is a loop over them. The last layer of a block has the block's own
name, so that the next block knows what it reads. A network's ``parts()`` are coarser.
"""

from collections import namedtuple

from .._mxnet import mx

__all__ = ["IMAGE", "Layer", "Part", "chain", "layers_of", "read_last"]

IMAGE = "image"  # the name of what the first layer reads


class Layer(namedtuple("Layer", "name source conv norm relu shortcut rounded pool",
                       defaults=(None, None, False, None, None, None))):
    """Convolution -> ReLU -> BN -> + shortcut -> pooling, as far as they are there, and one feature map out.

    Attributes
    ----------
    name : str
        Of the feature map: the structural name of its block, or of a layer within it.
    source : str
        Name of the map that is read; `IMAGE` for the first.
    conv : Conv2D or None
        None for a global average.
    norm : BatchNorm or None
    relu : bool
        Whether a ReLU stands between convolution and BN.
    shortcut : str or None
        Name of the map that is added behind BN.
    rounded : (HybridBlock, str) or None
        Where the quantiser hangs that rounds the map to 8 bits: a block and its attribute. None for logits and
        predictions, which stay as they are.
    pool : MaxPool2D or GlobalAvgPool2D or None
    """

    __slots__ = ()

    @property
    def quantiser(self):
        """The quantiser of the map, or None if the network has none (yet)."""
        block, attribute = self.rounded or (None, "")
        return getattr(block, attribute, None)

    @property
    def reads(self):
        """Names of all maps that are read."""
        return [self.source] + ([self.shortcut] if self.shortcut else [])


class Part(namedtuple("Part", "name block feeds", defaults=(True,))):
    """What a network computes in one go: a block that reads the map of the last part before it that feeds others.

    Attributes
    ----------
    name : str
        Structural name.
    block : HybridBlock
        Shares its parameters with the network.
    feeds : bool
        Whether the next part reads what this one puts out; else both read the same.
    """

    __slots__ = ()


def chain(block, name):
    """Yield (structural name, block) of the blocks that run one after the other when sequences are taken apart."""
    if not isinstance(block, mx.gluon.nn.HybridSequential):
        yield name, block
        return
    for child, part in block._children.items():
        yield from chain(part, f"{name}.{child}")


def layers_of(block, name, source):
    """Yield the layers of a block or of a sequence of blocks.

    Raises
    ------
    ValueError
        Naming the first block that does not tell its layers.
    """
    for part_name, part in chain(block, name):
        if not hasattr(part, "layers"):
            raise ValueError(f"{part_name} is of class {type(part).__name__}, which does not tell its layers: "
                             "EtinyNets of LB and DLB do")
        yield from part.layers(part_name, source)
        source = part_name


def read_last(layers):
    """Return {name of a layer: maps that no later layer reads}, its own map among them if nobody reads it.

    A loop over layers that drops these after each holds no more maps than the network needs.
    """
    last = {}
    for layer in layers:
        last.update(dict.fromkeys([*layer.reads, layer.name], layer.name))
    spent = {layer.name: [] for layer in layers}
    for name, reader in last.items():
        spent[reader].append(name)
    return spent
