"""The one door to MXNet: ``from ._mxnet import mx``.

MXNet 1.9.1 and GluonCV print deprecation warnings that say nothing to our users, at import and in some operators:
they are filtered here. MXNet also reads ``np.bool``, which NumPy removed in 1.24: the package's ``__init__`` gives it
back, so where NumPy is newer (Python 3.12) ``import gluon_etinynet`` must come before ``import mxnet``.
"""

import contextlib
import importlib
import os
import sys
import types
import warnings

import numpy as np

__all__ = ["mx"]


def _quieten():
    for category in (DeprecationWarning, FutureWarning, SyntaxWarning):
        warnings.filterwarnings("ignore", category=category, module=r"(.*[/.])?(mxnet|gluoncv)([/.]|$)")
    # GluonCV, at import, where PyTorch is installed beside MXNet.
    warnings.filterwarnings("ignore", r"Both `mxnet==.*` and `torch==.*` are installed", UserWarning)
    # MXNet, for every graph that is read back from a file.
    warnings.filterwarnings("ignore", r"\s*Cannot decide (type|shape) for the following arguments", UserWarning)


def _explain(error):
    """One line on why MXNet cannot be imported, with the remedy."""
    if isinstance(error, ModuleNotFoundError) and error.name == "mxnet":
        return ("gluon_etinynet needs MXNet 1.9.1: pip install 'gluon_etinynet[cpu]', or the mxnet-cu* build "
                "for your GPU")
    if int(np.__version__.split(".")[0]) >= 2:
        return f"MXNet 1.9.1 does not run with NumPy {np.__version__}: pip install 'numpy<2'"
    if isinstance(error, ModuleNotFoundError) and error.name.split(".")[0] == "distutils":
        return "MXNet 1.9.1 imports distutils, which Python no longer has: pip install setuptools"
    reason = " ".join(str(error).split())
    return f"MXNet is installed but cannot be loaded ({reason}); on Debian and Ubuntu, try: apt-get install libgomp1"


def _show_in_one_line(error):
    """Let a script that dies of `error` say so in one line: a traceback through our imports helps nobody."""
    usual = sys.excepthook

    def hook(kind, value, trace):
        if value is error:
            print(f"{os.path.basename(sys.argv[0]) or 'python'}: error: {value}", file=sys.stderr)
        else:
            usual(kind, value, trace)

    sys.excepthook = hook


class _Later(types.ModuleType):
    """Stands for a module that is loaded when something of it is used."""

    def __getattr__(self, name):
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def _imported_as(stand_ins):
    """Within the block, what is imported by these names where it has not been yet; None: as if not installed."""
    for name, stand_in in stand_ins.items():
        sys.modules.setdefault(name, stand_in)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name, name) is stand_in:
                del sys.modules[name]


# What MXNet imports and hardly ever uses is half of its import. Of scikit-learn it wants the base of a class that
# it has deprecated itself; the others are loaded if it does use them.
_UNUSED = {"sklearn": None, **{name: _Later(name) for name in ("scipy.stats", "requests", "onnx")}}

_quieten()
try:
    with warnings.catch_warnings(), _imported_as(_UNUSED):
        warnings.simplefilter("ignore")
        import mxnet as mx
except (ImportError, OSError, AttributeError) as _error:
    _failure = ImportError(_explain(_error))
    _show_in_one_line(_failure)
    raise _failure from _error
