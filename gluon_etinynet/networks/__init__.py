"""The networks as Gluon HybridBlocks, their parameters and what they cost."""
