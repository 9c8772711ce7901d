"""Fixtures of the firmware's tests."""

import pytest
from c_export import Sanitized, needs


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory):
    """Compiles networks with sanitizers."""
    needs("cc")
    return Sanitized(tmp_path_factory.mktemp("sanitized"))
