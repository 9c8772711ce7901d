"""The training loop, its checkpoints and curves, several machines, evaluation."""

from ..lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__, {
    "loop": "Config contexts cross_entropy evaluate learning_rate train",
    "evaluation": "divergence evaluate_graph evaluate_net",
})
