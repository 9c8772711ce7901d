"""Walking over the blocks of any Gluon network."""

import contextlib
import copy

__all__ = ["all_blocks", "imperative", "copied"]


def all_blocks(net):
    """All blocks of a network, parents first."""
    found = [net]
    for child in net._children.values():
        found += all_blocks(child)
    return found


@contextlib.contextmanager
def imperative(net):
    """Run a network's blocks one by one, so that hooks see what passes between them."""
    active, flags = net._active, dict(net._flags)
    net.hybridize(False)
    try:
        yield
    finally:
        net.hybridize(active, **flags)


def copied(net):
    """A network like this one, with parameters of its own."""
    with imperative(net):  # traced graphs cannot be copied
        return copy.deepcopy(net)
