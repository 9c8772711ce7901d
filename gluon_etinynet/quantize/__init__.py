"""Quantisers, fake-quantised networks, and the methods that quantise after training, side by side."""

from ..lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__, {
    "operators": "asq asq_clamp asq_steps dorefa dorefa_clamp dorefa_steps linear",
    "schemes": "ASQ DoReFa Linear",
    "statistics": "entropy quantisation_error",
    "qat": "prepare_qat",
    "ptq": "quantise",
    "ranges": "calibrate",
})
