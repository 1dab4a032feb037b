"""A test whose loop is closed over a task that is not done fails. The collector would tell of that task later, in the
log of whatever test runs then; some of those look for errors there."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

_LOOPS: list[asyncio.AbstractEventLoop] = []
"""Of the fixtures that run tests, as far as they are open."""


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, Any, Any]:
    value = yield
    if isinstance(value, asyncio.Runner):
        _LOOPS.append(value.get_loop())
    return value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, Any, Any]:
    result = yield
    closed = [loop for loop in _LOOPS if loop.is_closed()]
    _LOOPS[:] = [loop for loop in _LOOPS if not loop.is_closed()]
    left = [task for loop in closed for task in asyncio.all_tasks(loop)]
    if left:
        pytest.fail(f"The test is over, and its loop closed, but not {left}", pytrace=False)
    return result
