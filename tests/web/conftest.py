"""Node, and the SDK compiled; the vectors that its rules are held to."""

from __future__ import annotations

import os
from pathlib import Path

import node
import pytest


@pytest.fixture(scope="session")
def sdk() -> node.Node:
    """Without Node or the packages the tests fail in CI; on a laptop they are skipped, and say why."""
    try:
        return node.ensure()
    except node.NotInstalledError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def build() -> Path:
    """Where the compiled SDK is."""
    return node.SDK / "build"
