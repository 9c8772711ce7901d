"""The networks that the tables count: ours by name, and those of Table 2 that GluonCV can build."""

import importlib

import gluon_etinynet._mxnet  # noqa: F401  (before GluonCV, which needs the same care)
from gluon_etinynet import InputError, get_model, model_names

__all__ = ["COMPARABLE", "build"]

# Table 2's name: GluonCV's module, its constructor, the width.
COMPARABLE = {
    "MobileNetV1-0.5": ("mobilenet", "MobileNet", 0.5),
    "MobileNetV2-0.35": ("mobilenet", "MobileNetV2", 0.35),
    "MobileNetV2-0.15": ("mobilenet", "MobileNetV2", 0.15),
}


def build(name):
    """Return the network called `name`: one of `model_names()` or of `COMPARABLE`, not initialised."""
    if name in COMPARABLE:
        module, constructor, width = COMPARABLE[name]
        return getattr(importlib.import_module(f"gluoncv.model_zoo.{module}"), constructor)(width)
    if name in model_names():
        return get_model(name)
    raise InputError(f"no network is called {name}; there are: {', '.join(model_names() + list(COMPARABLE))}")
