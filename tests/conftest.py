"""Fixtures for all tests. The server is real: a test that cannot start one fails."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from httpx._transports import default as transports

from shared.settings import Settings
from tests.instance import ROOT, Access, Instance
from tests.left_tasks import pytest_fixture_setup, pytest_runtest_teardown
from tests.patience import PATIENCE_SECONDS, SERVER_CONSTANTS, STORE_TIMEOUT_SECONDS, set_constants

__all__ = ("pytest_fixture_setup", "pytest_runtest_teardown")

# By itself it gives up after five seconds.
for _kind in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _kind, PATIENCE_SECONDS)
# The adapters that a test opens itself wait for as long as those of the servers.
set_constants(SERVER_CONSTANTS)
# What a client trusts takes twenty milliseconds to read, and thousands of clients are made.
vars(transports)["create_ssl_context"] = cache(vars(transports)["create_ssl_context"])
# How long an example takes, or making it, says nothing on a busy machine.
_SLOW: Any = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("tests", max_examples=25, **_SLOW)
hypothesis.settings.register_profile("soak", max_examples=500, **_SLOW)
# For who only asks whether a test fails: the example is not made smaller.
hypothesis.settings.register_profile(
    "fails", max_examples=25, phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate), **_SLOW
)


LONGEST = (
    "architecture/test_static.py",  # mypy, in a new checkout
    "protocol/test_openapi.py",
    "acceptance/test_rings_of_daemons.py",
    "chaos/test_kill.py",
    "acceptance/test_three_daemons.py",
    "web/test_app.py",
    "web/test_app_hostile.py",
    "web/test_sdk.py",
    "unit/client/workspace/test_first_look.py",
    "integration/test_roundtrip.py",
    "web/test_app_parts.py",
    "isolation/test_isolation.py",
    "integration/test_too_large.py",
    "acceptance/test_serve.py",
    "integration/test_put_back_devices.py",
    "acceptance/test_restored_server.py",
    "contract/test_transaction.py",
    "integration/test_stopped_syncs.py",
    "integration/test_import.py",
    "acceptance/test_client_commands.py",
    "acceptance/test_hosted.py",
    "web/test_app_keys.py",
    "web/test_sdk_browser.py",
    "contract/test_upstream.py",
    "integration/test_replica_set.py",
    "web/test_app_people.py",
    "integration/test_put_back_upstreams.py",
    "web/test_app_worker.py",
    "web/test_sdk_convergence.py",
    "integration/test_bounds.py",
    "integration/test_live.py",
    "acceptance/test_many_writers.py",
    "acceptance/test_wheel.py",
    "web/test_sdk_killed.py",
    "web/test_sdk_rxdb.py",
    "web/test_sdk_server.py",
)
"""Are begun first, so that no process works on one of them when the others have nothing left."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="also run the long tests that are marked soak")


def pytest_configure(config: pytest.Config) -> None:
    Instance.loads = config.getoption("--soak")  # the long runs measure, too
    if config.getoption("--hypothesis-profile") is None:
        hypothesis.settings.load_profile("soak" if config.getoption("--soak") else "tests")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """In a new checkout the tests must be compiled, which takes twice as long as all else until the first test. All
    processes of a run would compile all of them, at the same time; so each begins with a share of its own."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    named = [Path(argument.partition("::")[0]) for argument in session.config.args]
    files = sorted(path for one in named for path in ([one] if one.is_file() else one.rglob("test_*.py")))
    for path in files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        with suppress(Exception, pytest.skip.Exception):  # is told of when it is collected
            import_module(".".join(path.resolve().relative_to(ROOT).with_suffix("").parts))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    order = {ROOT / "tests" / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
    if not config.getoption("--soak"):
        for item in items:
            if "soak" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="long; runs with --soak"))


def pytest_collection_finish() -> None:
    """The tests that were collected live until the end: the collector need not go through them again and again. Nor
    need it look after each few thousand objects at what a test holds, as the programs let it, whose modules are
    loaded by now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One instance for the tests that do not kill its parts. A transaction of theirs may take a while, as theirs is
    no code that would begin it again."""
    from tests.integration.truth import limit_transactions

    instance = Instance(tmp_path_factory.mktemp("server") / "data").start()
    limit_transactions(instance, STORE_TIMEOUT_SECONDS)
    yield instance
    instance.discard()


@pytest.fixture
def access(server: Instance) -> Access:
    """A token for a space that nobody else uses."""
    return server.access()


@pytest.fixture
def settings(server: Instance) -> Settings:
    """How the adapters reach the server's MongoDB and Redis."""
    return server.settings
