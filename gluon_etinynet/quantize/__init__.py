"""Quantisers, fake-quantised networks, and the methods that quantise after training."""

from ..lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__, {
    "operators": "asq asq_clamp asq_steps dorefa dorefa_clamp dorefa_steps linear",
    "statistics": "entropy quantisation_error",
    "qat": "prepare_qat",
    "ranges": "calibrate",
    "equalise": "equalise",
    "reconstruct": "distil reconstruct",
})
