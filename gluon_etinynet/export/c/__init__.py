"""Firmware: the runtime as it stands here, and the network's tables beside it."""

from .emit import emit, read_arrays, read_weights

__all__ = ["emit", "read_arrays", "read_weights"]
