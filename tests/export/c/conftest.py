"""Fixtures of the firmware's tests."""

import pytest
from c_export import Sanitized, needs


@pytest.fixture(scope="session", params=["portable", "simd"])
def sanitized(request, tmp_path_factory):
    """Compiles networks with sanitizers, by each set of kernels that runs on this computer."""
    needs("cc")
    return Sanitized(tmp_path_factory.mktemp(request.param), request.param)
