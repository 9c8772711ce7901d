"""EtinyNet (AAAI 2022) in MXNet/Gluon: the networks, their training, 4-bit quantisation and export."""

from .lazy import lazily

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazily(__name__, {
    "files": "InputError",
    "model_zoo": "detector_names get_model model_names",
    "networks.etinynet": "DLB EtinyNet FeatureTaps LB etinynet0_75 etinynet1_0",
    "networks.parameters": "load_features load_parameters",
    "networks.params_file": "read_params",
})
