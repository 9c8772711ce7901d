"""EtinyNet (AAAI 2022) in MXNet/Gluon: the networks, their training, 4-bit quantisation and export.

Names are imported when they are first used, so that what works without MXNet (reading files, the
integer network) never loads it.
"""

import importlib

__version__ = "0.1.0"

EXPORTS = {
    "InputError": "files",
    "detector_names": "model_zoo",
    "get_model": "model_zoo",
    "load_features": "model_zoo",
    "load_parameters": "model_zoo",
    "model_names": "model_zoo",
    "DLB": "etinynet",
    "EtinyNet": "etinynet",
    "FeatureTaps": "etinynet",
    "LB": "etinynet",
    "etinynet0_75": "etinynet",
    "etinynet1_0": "etinynet",
    "read_params": "params_file",
}

__all__ = sorted(EXPORTS)


def __getattr__(name):
    if name not in EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("." + EXPORTS[name], __name__), name)


def __dir__():
    return sorted(set(globals()) | set(EXPORTS))
