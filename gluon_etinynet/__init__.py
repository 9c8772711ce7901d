"""EtinyNet (AAAI 2022) in MXNet/Gluon."""
__version__ = "0.1.0"
