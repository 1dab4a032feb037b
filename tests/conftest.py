"""Fixtures for all tests. The server is real: a test that cannot start one fails."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from shared.settings import Settings
from tests.instance import Access, Instance

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("tests", deadline=None, max_examples=50)
hypothesis.settings.register_profile("soak", deadline=None, max_examples=500)
# For who only asks whether a test fails: the example is not made smaller.
hypothesis.settings.register_profile(
    "fails", deadline=None, max_examples=50, phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate)
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="also run the long tests that are marked soak")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--hypothesis-profile") is None:
        hypothesis.settings.load_profile("soak" if config.getoption("--soak") else "tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--soak"):
        for item in items:
            if "soak" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="long; runs with --soak"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One instance for the tests that do not kill its parts."""
    instance = Instance(tmp_path_factory.mktemp("server") / "data").start()
    yield instance
    instance.stop()


@pytest.fixture
def access(server: Instance) -> Access:
    """A token for a space that nobody else uses."""
    return server.access()


@pytest.fixture
def settings(server: Instance) -> Settings:
    """How the adapters reach the server's MongoDB and Redis."""
    return server.settings
