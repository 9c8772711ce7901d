"""Names that are imported when they are first used, so that what needs no MXNet never loads it."""

import importlib

__all__ = ["lazily"]


def lazily(package, modules):
    """Return what a package's ``__init__`` needs to offer names of its modules without importing them.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    modules : dict of str to str
        A module below the package -> the names it gives, parted by spaces.

    Returns
    -------
    (callable, callable, list of str)
        ``__getattr__``, ``__dir__`` and ``__all__`` (PEP 562).
    """
    module_of = {name: module for module, names in modules.items() for name in names.split()}

    def getattribute(name):
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)

    return getattribute, lambda: sorted(module_of), sorted(module_of)
