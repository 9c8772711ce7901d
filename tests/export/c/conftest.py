"""Fixtures of the firmware's tests."""

import pytest
from c_export import Sanitized, needs

from gluon_etinynet.export.c.kernel_sets import HOST, KERNEL_SETS


@pytest.fixture(scope="session", params=[name for name, kernels in KERNEL_SETS.items() if kernels.serves(HOST)])
def sanitized(request, tmp_path_factory):
    """Compiles networks with sanitizers, by each set of kernels that runs on this computer."""
    needs("cc")
    return Sanitized(tmp_path_factory.mktemp(request.param), request.param)
