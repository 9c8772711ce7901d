"""The training loop, its checkpoints and curves, several machines, evaluation."""

from ..lazy import lazily

__getattr__, __dir__, __all__ = lazily(__name__, {
    "loop": "Config LR_MODES Task contexts learning_rate train",
    "distributed": "Workers open_workers",
    "evaluation": "Accuracy cross_entropy divergence evaluate evaluate_graph evaluate_net",
})
