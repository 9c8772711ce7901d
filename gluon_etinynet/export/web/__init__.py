"""One HTML page in which the exported C, compiled to WebAssembly, sees pictures."""

from .page import emit

__all__ = ["emit"]
