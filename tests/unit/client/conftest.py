from __future__ import annotations

import pytest

from tests.unit.client.stub_server import StubServer


@pytest.fixture
def stub() -> StubServer:
    return StubServer()
