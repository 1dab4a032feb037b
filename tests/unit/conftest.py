"""What holds for all unit tests."""

from __future__ import annotations

from typing import NoReturn

import pytest


@pytest.fixture(scope="session")
def server() -> NoReturn:
    """Takes the place of the suite's instance."""
    pytest.fail("A unit test starts no server: tests/integration is the place of one that does.")
