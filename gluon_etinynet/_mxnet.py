"""The one door to MXNet: ``from ._mxnet import mx``.

MXNet 1.9.1 reads ``np.bool``, which NumPy removed in 1.24, and its import and some of its
operators print deprecation warnings that say nothing to our users. Both are dealt with here,
before MXNet is imported; GluonCV must be imported after this module too.
"""

import warnings

import numpy as np

if "bool" not in vars(np):
    np.bool = bool

# SyntaxWarning (invalid escapes) and the others all come from inside mxnet and gluoncv.
for _category in (DeprecationWarning, FutureWarning, SyntaxWarning, UserWarning):
    warnings.filterwarnings("ignore", category=_category, module=r"(mxnet|gluoncv)(\.|$)")

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mxnet as mx
except ImportError as error:
    raise ImportError("gluon_etinynet needs MXNet 1.9.1: pip install 'gluon_etinynet[cpu]', or the "
                      f"mxnet-cu* build for your GPU ({error})") from error

__all__ = ["mx"]
