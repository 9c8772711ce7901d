"""EtinyNet (AAAI 2022) in MXNet/Gluon: the networks, their training, 4-bit quantisation and export.

These are the public names, and docs/api.md lists them. Each is imported when it is first used, so that what works
without MXNet (reading files, the integer network, export) never loads it.
"""

import numpy

from .lazy import lazily

if "bool" not in vars(numpy):
    numpy.bool = bool  # MXNet 1.9.1 reads it at import; NumPy has deprecated it since 1.20, and 1.24 to 1.26 lack it

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazily(__name__, {
    "reading": "InputError",
    "model_zoo": "get_model model_names detector_names",
    "loading": "load_checkpoint",
    "networks.etinynet": "LB DLB EtinyNet FeatureTaps etinynet1_0 etinynet0_75",
    "networks.parameters": "load_parameters load_features",
    "networks.params_file": "read_params",
    "networks.complexity": "measure",
    "networks.batch_norm": "reestimate_batch_norm",
    "quantize.operators": "asq dorefa",
    "quantize.schemes": "ASQ DoReFa",
    "quantize.qat": "prepare_qat",
    "quantize.ranges": "calibrate",
    "quantize.ptq": "quantise",
    "detection.ssd": "EtinyNetSSD",
    "lowering.network": "lower",
    "integer": "Graph",
})
