"""Firmware: the runtime as it stands here, and the network's tables beside it."""

from .emit import emit

__all__ = ["emit"]
