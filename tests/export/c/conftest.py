"""Fixtures of the firmware's tests."""

import pytest
from c_export import Sanitized, needs


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory):
    """Compiles networks with sanitizers."""
    needs("cc")
    return Sanitized(tmp_path_factory.mktemp("sanitized"))


@pytest.fixture(scope="session")
def vectorised(tmp_path_factory):
    """The same with the kernels for vectors of 128 bits."""
    needs("cc")
    return Sanitized(tmp_path_factory.mktemp("vectorised"), "simd")
